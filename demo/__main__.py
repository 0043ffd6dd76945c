"""`make demo`: runs the steps of the story and shows them. Exit status 1 if a step fails, 130 on Ctrl-C."""

import argparse
import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

import entry
from demo.story import STEPS, Step
from demo.world import StepFailed, World
from local_aws.server import LocalAws, LocalAwsError

SECONDS_PER_BUILD_STATE = 0.5
"""Long enough to see each state of a build, and short enough to watch."""


def main() -> int:
    """The program; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="Build an image, bring it into three fleets, and destroy everything, against an AWS on "
        "this machine.",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="also write the report of the pull request there, as Markdown"
    )
    report: Path | None = parser.parse_args().report
    if report and not report.parent.is_dir():
        parser.error(f"argument --report: must be in a folder that exists, got {report}")
    return play(report=report)


def play(*, report: Path | None = None) -> int:
    """Run all steps and show them, and write the report of the pull request into a file if there is one; gives the exit
    status."""
    entry.raise_on_interrupt()
    # SIGTERM ends what runs, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    try:
        with _world() as world:
            for number, step in enumerate(STEPS, start=1):
                _run(step, f"{number}/{len(STEPS)}", world, console)
        if report:
            report.write_text(world.comment + "\n", encoding="utf-8")
    except (StepFailed, LocalAwsError) as error:
        console.print(f"[bold red]The demo failed:[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        console.print("[yellow]Stopped; nothing was left behind.[/]")
        return 130
    _summary(world, console, seconds=time.monotonic() - began)
    return 0


@contextlib.contextmanager
def _world() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="goldsmith-demo-") as folder,
        LocalAws(state_seconds=SECONDS_PER_BUILD_STATE) as aws,
    ):
        world = World(aws=aws, folder=Path(folder))
        try:
            yield world
        finally:
            world.end()


def _run(step: Step, number: str, world: World, console: Console) -> None:
    began = time.monotonic()
    heading = f"[dim]{number}[/] [bold]{escape(step.title)}[/]"
    if not console.is_terminal:
        console.print(heading)
    with console.status(heading) as status:

        def show(line: str) -> None:
            _progress(status, heading, line, seconds=time.monotonic() - began, width=console.width)

        world.show = show
        try:
            results = step.run(world)
        except StepFailed:
            console.print(f"[red]✗[/] {heading}")
            raise
    if console.is_terminal:
        console.print(f"[green]✓[/] {heading} [dim]{time.monotonic() - began:.0f} s[/]")
    for line in filter(None, results):
        console.print(f"      {escape(line)}")


def _progress(status: Status, heading: str, line: str, *, seconds: float, width: int) -> None:
    """On a terminal: the heading, the time, and the last line of the running command."""
    room = max(20, width - 24)
    status.update(f"{heading} [dim]{seconds:.0f} s[/]\n      [dim]{escape(' '.join(line.split())[:room])}[/]")


def _summary(world: World, console: Console, *, seconds: float) -> None:
    first, *others = world.amis
    console.print(
        f"\n[bold green]{len(STEPS)} of {len(STEPS)} steps succeeded, in {seconds:.0f} seconds.[/]\n"
        "Three builds were handed off in two regions, two of them reached the fleets, and nobody copied an AMI ID:"
    )
    for region, ami in first.items():
        console.print(f"      {region}: {' → '.join([ami, *(each[region] for each in others)])}")
    console.print("Next: README.md explains how to use it with your own AWS account.")


if __name__ == "__main__":
    entry.run(".venv/bin/python -m demo", main)
