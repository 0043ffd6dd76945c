"""The command line of `python -m ops`: its parser, and a function for each command.

boto3 and rich take a moment to load. So each function imports the module of its command late, after it has checked the
configuration and the command line.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import entry
from estate.catalogue.operating_systems import CATALOGUE
from estate.estate import EstateImage
from estate.models.images import Image
from estate.problems import did_you_mean
from ops.configuration import load_estate
from ops.errors import OpsError, UsageError

if TYPE_CHECKING:
    from ops.build import Options

HANDOFF_TIMEOUT_IN_SECONDS = 300
"""Lambda retries a run that failed after one minute, and again after two more."""

_BUILD_EXAMPLES = """examples:
  python -m ops build web             start a build
  python -m ops build web --follow    start it, and follow it until `latest` points to its AMIs

This always starts a new build, because a build that is running already may lack the latest changes. Of several good
builds, `latest` takes the one that was started last. Ctrl-C stops following; the build continues.
"""
_FOLLOW_EXAMPLES = """examples:
  python -m ops follow web              the newest build
  python -m ops follow web 1.0.912/3    this build, as `build` and `status` name it

Also shows why a build failed, after its end. Ctrl-C stops following; the build continues.
"""
_STATUS_EXAMPLES = """examples:
  python -m ops status                 all images and fleets
  python -m ops status web --json      one image and its fleets, for programs
  python -m ops status web-dev         one fleet
  python -m ops status --check         for a nightly job: exit status 1 when a fleet needs a person

--json writes one object with images[] (image, region, deployed, newest, newest_good, channels, errors) and fleets[]
(fleet, image, channel, region, group, deployed, wanted, template, instances, refresh, progress, gaps, errors); the
module ops.status describes each member.

Exit status 1 when something could not be read, or a channel holds a value that is not a usable build of its image. With
--check also when a fleet differs from its channel or its launch template: it is not deployed, there is no build, a
newer AMI was not applied, instances were not replaced. An instance refresh that is running is no difference: AWS ends
one that makes no progress for an hour.
"""
_PARENT_EXAMPLES = """examples:
  python -m ops parent centos-7 --region eu-west-1
  python -m ops parent amazon-linux-2023 --region eu-west-1 --architecture arm64 --json

Needs no configuration; it uses the AWS credentials of the environment. docs/operating-systems.md lists the names.
"""
_EXIT_STATUS = """exit status:
  0    success
  1    AWS refused, a build failed, its hand-off did not happen, or the output cannot be written
  2    the configuration or the command line has errors
  130  Ctrl-C
"""


def main(command: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Raises KeyboardInterrupt."""
    arguments = _parser().parse_args(command)
    try:
        exit_status: int = arguments.run(arguments)
    except OpsError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return exit_status


def _run_build(arguments: argparse.Namespace) -> int:
    image = _load_image(arguments)
    from ops.build import run_build

    entry.raise_on_interrupt()  # the message says that the build continues
    return run_build(image, follows=arguments.follow, options=_options(arguments))


def _run_follow(arguments: argparse.Namespace) -> int:
    image = _load_image(arguments)
    from ops.build import run_follow

    entry.raise_on_interrupt()  # the message says that the build continues
    return run_follow(image, build=arguments.build, options=_options(arguments))


def _run_status(arguments: argparse.Namespace) -> int:
    estate = load_estate(arguments.config)
    known = [*estate.images, *estate.fleets]
    _check_names(arguments.names, known, kind="image or fleet" if estate.fleets else "image")
    from ops.status import run_status

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    names = {*(arguments.names or known)}
    return run_status(
        images=[estate.image(name) for name in estate.images if name in names],
        fleets=[estate.fleet(name) for name, fleet in estate.fleets.items() if names & {name, fleet.image}],
        as_json=arguments.json,
        checks=arguments.check,
        command=_command(arguments),
    )


def _run_parent(arguments: argparse.Namespace) -> int:
    system = CATALOGUE.get(arguments.os)
    if system is None:
        raise UsageError(f"unknown operating system {arguments.os!r}; {did_you_mean(arguments.os, CATALOGUE)}")
    if arguments.architecture not in system.architectures:
        choices = " or ".join(system.architectures)
        raise UsageError(f"{system.name} does not exist for {arguments.architecture}; write {choices}")
    from ops.parent import run_parent

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    return run_parent(system, region=arguments.region, architecture=arguments.architecture, as_json=arguments.json)


def _load_image(arguments: argparse.Namespace) -> EstateImage[Image]:
    estate = load_estate(arguments.config)
    _check_names([arguments.image], estate.images, kind="image")
    return estate.image(arguments.image)


def _check_names(names: Sequence[str], known: Collection[str], *, kind: str) -> None:
    """Raises `UsageError` with a line for each name that the configuration does not have."""
    unknown = {
        name: did_you_mean(name, known) if known else "the configuration declares none"
        for name in names
        if name not in known
    }
    if unknown:
        raise UsageError("\n".join(f"unknown {kind} {name!r}; {remedy}" for name, remedy in unknown.items()))


def _options(arguments: argparse.Namespace) -> Options:
    from ops.build import Options

    return Options(as_json=arguments.json, handoff_timeout=arguments.handoff_timeout, command=_command(arguments))


def _command(arguments: argparse.Namespace) -> Callable[[str], str]:
    """Completes `follow web 1.0.912/3` to a command line with the same configuration."""
    config = f" --config {shlex.quote(str(arguments.config))}" if arguments.config else ""
    return lambda text: f"python -m ops {text}{config}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops",
        description="Builds images, shows channels and fleets, and finds parent images, with your own AWS credentials.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = _add_command(commands, "build", _run_build, about="start a build of an image", examples=_BUILD_EXAMPLES)
    _add_image(build)
    build.add_argument("--follow", action="store_true", help="show its states, its AMIs and where `latest` points")
    _add_timeout(build)
    follow = _add_command(commands, "follow", _run_follow, about="follow a started build", examples=_FOLLOW_EXAMPLES)
    _add_image(follow)
    follow.add_argument("build", metavar="BUILD", nargs="?", type=_build, help="1.0.912/3 (default: the newest)")
    _add_timeout(follow)
    status = _add_command(commands, "status", _run_status, about="show channels and fleets", examples=_STATUS_EXAMPLES)
    status.add_argument(
        "names", metavar="NAME", nargs="*", help="images and fleets of the configuration (default: all)"
    )
    status.add_argument("--check", action="store_true", help="exit status 1 when a fleet is not what it should be")
    parent = _add_command(
        commands, "parent", _run_parent, about="find the newest parent image", examples=_PARENT_EXAMPLES
    )
    parent.add_argument("os", metavar="OS", help="an operating system of the catalogue")
    parent.add_argument("--region", required=True, metavar="REGION", help="the home region of the image")
    parent.add_argument(
        "--architecture", choices=("x86_64", "arm64"), default="x86_64", help="of the processor (default: %(default)s)"
    )
    for command in (build, follow, status, parent):
        command.add_argument("--json", action="store_true", help="write one JSON object to standard output")
    for command in (build, follow, status):
        command.add_argument(
            "--config",
            type=Path,
            metavar="PATH",
            help="file or folder of the configuration (default: $GOLDSMITH_CONFIG, else config)",
        )
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    about: str,
    examples: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=about,
        description=f"{about.capitalize()}.",
        epilog=f"{examples}\n{_EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _add_image(command: argparse.ArgumentParser) -> None:
    command.add_argument("image", metavar="IMAGE", help="its name in the configuration")


def _add_timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--handoff-timeout",
        type=_seconds,
        default=HANDOFF_TIMEOUT_IN_SECONDS,
        metavar="SECONDS",
        help="how long to wait for `latest` after a good build (default: %(default)s)",
    )


def _build(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+/\d+", text):
        raise argparse.ArgumentTypeError(f"must look like 1.0.912/3, got {text!r}")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be seconds, got {text!r}")
    return float(text)
