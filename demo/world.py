"""Where the steps run: the local AWS, a temporary folder with the sample estate, and the commands."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
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

_GIT = {
    **{f"GIT_{role}_NAME": "Goldsmith's demo" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "demo@example.com" for role in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
"""Who commits, and none of the user's settings, such as hooks and signatures."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Show = Callable[[str], None]
"""Shows a line that a running command has printed."""


class StepFailed(Exception):
    """A step has failed; the message is the problem, and the last lines of the output."""


@dataclass
class World:
    """What the steps share: the local AWS, a folder with a copy of the sample estate, and what was made so far."""

    aws: LocalAws
    folder: Path
    show: Show = lambda line: None
    amis: list[dict[str, str]] = field(default_factory=list)
    """For each build its AMIs, by region."""
    comment: str = ""
    """What `goldsmith report` said for the pull request, as Markdown."""

    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        shutil.copytree(PROJECT / "config", self.config)
        environ = self.aws.environment(region=HOME)
        self.environment: Mapping[str, str] = terraform.environment(
            {
                **{name: value for name, value in environ.items() if not name.startswith("GIT_")},
                **_GIT,
                "GOLDSMITH_CONFIG": str(self.config),
                "CDKTF_OUTDIR": str(self.folder / "cdktf.out"),
                "CI": "1",
            },
            folder=self.folder,
        )

    @property
    def config(self) -> Path:
        """The folder of the configuration, which is a repository of git."""
        return self.folder / "config"

    @property
    def plans(self) -> Path:
        """Where `goldsmith plan` writes."""
        return self.folder / "cdktf.out" / "plans"

    def git(self, *arguments: str) -> str:
        """The output of git in the repository, which must succeed."""
        return self.run(["git", "-C", str(self.config), *arguments])

    def cdktf(self, *arguments: str, fails: bool = False) -> str:
        """The output of the cdktf command, which must fail if `fails`, and otherwise succeed."""
        program = PROJECT / "node_modules" / ".bin" / "cdktf"
        command = [str(program), *arguments, "--no-color", "--output", self.environment["CDKTF_OUTDIR"]]
        return self.run(command, fails=fails)

    def goldsmith(self, *arguments: str, fails: bool = False) -> str:
        """The output of `goldsmith`, which must fail if `fails`, and otherwise succeed."""
        return self.run([str(PROJECT / "goldsmith"), *arguments], fails=fails)

    def run(self, command: Sequence[str], *, fails: bool = False) -> str:
        """Run a command in the project's folder; gives its output, and passes each line that is not empty to `show` at
        once."""
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
            lines = [self._shown(line) for line in printed]
        status = process.wait()
        self._running.discard(process)
        output = "\n".join(lines).strip()
        if (status != 0) != fails:
            name = " ".join([Path(command[0]).name, *command[1:]])
            raise StepFailed(f"`{name}` ended with status {status}:\n{last_lines(output)}")
        return output

    def together(self, *calls: Callable[[], str]) -> list[str]:
        """The results of several calls that run at the same time."""
        with ThreadPoolExecutor() as pool:
            try:
                return [future.result() for future in [pool.submit(call) for call in calls]]
            except BaseException:
                self.end()  # otherwise leaving the pool would wait for them
                raise

    def pause(self, *, seconds: float) -> None:
        """Let time pass. Raises `StepFailed` as soon as the world ends, so that no call that runs at the same time as
        others waits longer."""
        if self._ended.wait(seconds):
            raise StepFailed("stopped")

    def end(self) -> None:
        """Kill the commands that still run, with all their children, after a step was interrupted.

        cdktf runs Terraform on other terminals, in sessions of their own, so a signal to a group does not reach it.
        """
        self._ended.set()
        for process in list(self._running):
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in _stopped(psutil.Process(process.pid)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            process.wait()

    def _shown(self, line: str) -> str:
        text = _ANSI.sub("", line).rstrip()
        if text:
            self.show(text)
        return text


def _stopped(command: psutil.Process) -> list[psutil.Process]:
    """A process and all its children, each stopped before its children are listed, so that it starts no others."""
    found, left = [], [command]
    while left:
        process = left.pop()
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            found.append(process)
            left += process.children()
    return found


def last_lines(output: str) -> str:
    """The last lines of an output that are not empty."""
    return "\n".join(list(filter(None, output.splitlines()))[-40:])
