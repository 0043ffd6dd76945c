"""Where the story happens: the local AWS, a passing folder with the sample estate, and the commands that run there."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local_aws.server import LocalAws
from scripts import terraform

PROJECT = Path(__file__).parent.parent
HOME = "ap-northeast-1"
"""The home of the sample's image."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Say = Callable[[str], None]
"""Takes a line of what a running command prints."""


class StepFailed(Exception):
    """A step did not show what it should; the message says what, and the end of what was printed."""


@dataclass
class World:
    """What the steps work on: the local AWS, a folder with a copy of the sample estate, and what was seen so far."""

    aws: LocalAws
    folder: Path
    say: Say = lambda line: None
    amis: list[dict[str, str]] = field(default_factory=list)
    """AMI by region, for each generation built."""

    _running: set[subprocess.Popen[str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        shutil.copytree(PROJECT / "config", self.folder / "config")
        self.environment: Mapping[str, str] = terraform.environment(
            {
                **self.aws.environment(region=HOME),
                "GOLDSMITH_CONFIG": str(self.folder / "config"),
                "CDKTF_OUTDIR": str(self.folder / "cdktf.out"),
                "CI": "1",
            },
            folder=self.folder,
        )

    def cdktf(self, *arguments: str, fails: bool = False) -> str:
        """What the cdktf command prints; it must fail if `fails`, and else succeed."""
        program = PROJECT / "node_modules" / ".bin" / "cdktf"
        command = [str(program), *arguments, "--no-color", "--output", self.environment["CDKTF_OUTDIR"]]
        return self.run(command, fails=fails)

    def ops(self, *arguments: str) -> str:
        """What `python -m ops` prints."""
        return self.run([sys.executable, "-m", "ops", *arguments])

    def run(self, command: Sequence[str], *, fails: bool = False) -> str:
        """Run a command in the project, as the leader of a group of its own; its lines go to `say` as they come."""
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._running.add(process)
        assert process.stdout is not None
        with process.stdout as printed:
            lines = [text for line in printed if (text := self._heard(line))]
        status = process.wait()
        self._running.discard(process)
        output = "\n".join(lines)
        if (status != 0) != fails:
            name = " ".join([Path(command[0]).name, *command[1:]])
            raise StepFailed(f"`{name}` ended with status {status}:\n{last_lines(output)}")
        return output

    def together(self, *calls: Callable[[], str]) -> list[str]:
        """What several calls give that run at once."""
        with ThreadPoolExecutor() as pool:
            try:
                return [future.result() for future in [pool.submit(call) for call in calls]]
            except BaseException:
                self.end()  # or leaving the pool would wait for them
                raise

    def end(self) -> None:
        """End the commands that still run, with all that they started. For when a step was interrupted.

        cdktf runs Terraform on terminals of its own, each with a session, so no signal to a group reaches it.
        """
        for process in list(self._running):
            with contextlib.suppress(psutil.NoSuchProcess):
                command = psutil.Process(process.pid)
                for each in [*command.children(recursive=True), command]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            process.wait()

    def _heard(self, line: str) -> str:
        text = _ANSI.sub("", line).rstrip()
        if text:
            self.say(text)
        return text


def last_lines(output: str) -> str:
    """The end of what was printed."""
    return "\n".join(output.splitlines()[-40:])
