"""Commands that change something ask first: what is typed, and what becomes of it. The question itself is asked on a
real terminal by a small program; the commands read a terminal that this process types into."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import HOME, ImageWorld
from tests.support.movers import mover_of, promote
from tests.support.ops_world import OpsWorld

ASK = """
import fcntl
import sys
import termios

import entry
from ops.errors import OpsError
from ops.question import confirm

fcntl.ioctl(sys.stdin, termios.TIOCSCTTY, 0)  # from now on Ctrl-C on the terminal means this process
entry.raise_on_interrupt()
try:
    confirm("Move web@prod?", otherwise="web@prod: nothing was moved")
except OpsError as error:
    print(error)
    sys.exit(error.exit_status)
"""
ROOT = Path(__file__).parents[2]
CTRL_C, CTRL_D = "\x03", "\x04"
NO = "Move web@prod? Type yes: {}\nweb@prod: nothing was moved\n"


def asked_on_a_terminal(typed: str) -> tuple[str, int]:
    """What the terminal shows when a person types this after the question, and the exit status."""
    terminal, standard = pty.openpty()
    command = [sys.executable, "-c", ASK]
    shown = b""
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdin=standard, stdout=standard, stderr=standard, start_new_session=True
        ) as process,
        os.fdopen(terminal, "r+b", buffering=0) as terminal_file,
    ):
        os.close(standard)
        try:
            while chunk := terminal_file.read(1024):
                shown += chunk
                if typed and b"Type yes: " in shown:
                    terminal_file.write(typed.encode())
                    typed = ""
        except OSError:  # Linux's way to report that no process has the terminal open any longer
            pass
    return shown.decode().replace("\r\n", "\n"), process.returncode


@pytest.mark.parametrize(
    ("typed", "shown", "status"),
    [
        ("yes\n", "Move web@prod? Type yes: yes\n", 0),
        ("  yes \n", "Move web@prod? Type yes:   yes \n", 0),
        ("no\n", NO.format("no"), 1),
        ("y\n", NO.format("y"), 1),
        ("YES\n", NO.format("YES"), 1),
        ("\n", NO.format(""), 1),
        (CTRL_D, NO.format(""), 1),
        (CTRL_C, NO.format("^C"), 130),
    ],
    ids=["yes", "spaces", "no", "y", "YES", "Enter", "Ctrl-D", "Ctrl-C"],
)
def test_only_yes_goes_on(typed: str, shown: str, status: int) -> None:
    assert asked_on_a_terminal(typed) == (shown, status)


@contextmanager
def typing(text: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard input is a terminal into which somebody has typed this."""
    terminal, standard_input = pty.openpty()
    os.write(terminal, text.encode())
    with os.fdopen(standard_input) as file, monkeypatch.context() as context:
        context.setattr(sys, "stdin", file)
        yield
    os.close(terminal)


@dataclass(frozen=True)
class Asking:
    """A command, its question, and what it says after another answer than yes."""

    command: str
    question: str
    otherwise: str
    done: str
    """What is said after yes."""

    def arguments(self, name: str) -> list[str]:
        return shlex.split(self.command.replace("WEB", name))


COMMANDS = {
    "promote": Asking("promote WEB@7/2 prod", "Move WEB@prod?", "WEB@prod: nothing was moved", "WEB@prod points to "),
    "rollback": Asking(
        "rollback WEB@prod --to 7/1", "Move WEB@prod?", "WEB@prod: nothing was moved", "WEB@prod points to "
    ),
    "revoke": Asking(
        "revoke WEB@7/1 --why broken",
        "Revoke WEB@1.0.7/1?",
        "WEB@1.0.7/1: nothing was changed",
        "WEB@1.0.7/1 is revoked since ",
    ),
    "revoke --undo": Asking(
        "revoke WEB@7/1 --undo",
        "Undo the revocation of WEB@1.0.7/1?",
        "WEB@1.0.7/1: nothing was changed",
        "WEB@1.0.7/1 is not revoked any more",
    ),
    "hold": Asking("hold WEB@prod --why audit", "Hold WEB@prod?", "WEB@prod: nothing was changed", "WEB@prod is held "),
    "hold --undo": Asking(
        "hold WEB@prod --undo",
        "End the hold of WEB@prod?",
        "WEB@prod: nothing was changed",
        "WEB@prod is not held any more",
    ),
    "build --children": Asking(
        "build WEB --children --handoff-timeout '0 seconds'",
        "Build WEB and its children?",
        "WEB: nothing was built",
        "WEB 1.0.7/3 started in us-east-1",
    ),
}
"""In this order each of them has something to do."""


def test_each_command_asks_and_does_nothing_without_yes(
    world: OpsWorld, local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, name = ImageWorld(local_aws, parent=f"ssm:{world.web.path}/prod").name, world.name
    fields = "os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1]"
    images = f"  {name}: {{{fields}, channels: [prod]}}\n  {child}: {{{fields}, parent: {name}@prod}}\n"
    world.config.write_text(f"settings: {{namespace: acme}}\nimages:\n{images}")
    for _ in range(2):
        world.web.build()
        world.web.run()
    assert promote(mover_of(world), 1) == ""

    for asking in COMMANDS.values():
        question, otherwise, done = (
            text.replace("WEB", name) for text in (asking.question, asking.otherwise, asking.done)
        )
        place = otherwise.partition(": ")[0]
        before = state(world)
        answer = world.ops(*asking.arguments(name))
        assert (answer.err, answer.status) == (
            f"{place}: nobody can be asked, because standard input is not a terminal; add --yes\n",
            1,
        )
        with typing("no\n", monkeypatch):
            answer = world.ops(*asking.arguments(name))
        assert answer.out.endswith(f"\n{question} Type yes: "), "what will be done is shown first"
        assert (answer.err, answer.status, state(world)) == (f"{otherwise}\n", 1, before)
        with typing("yes\n", monkeypatch):
            answer = world.ops(*asking.arguments(name))
        assert done in answer.out.partition(f"{question} Type yes: ")[2]
        assert state(world) != before


def state(world: OpsWorld) -> object:
    """Everything that the commands change."""
    builds = world.web.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=world.web.image.pipeline_arn)
    parameters = world.web.other_ssm[HOME].get_parameters_by_path(Path=world.web.path)["Parameters"]
    return (
        sorted((each["arn"], str(each.get("tags"))) for each in builds["imageSummaryList"]),
        sorted((each["Name"], each["Value"]) for each in parameters),
    )
