"""The command line of `python -m ops`: finds the images that are meant, and turns errors into exit statuses."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import entry
from estate.catalogue.operating_systems import CATALOGUE
from estate.estate import Estate
from estate.load import load
from estate.problems import EstateError, did_you_mean

HANDOFF_TIMEOUT_IN_SECONDS = 300
"""Lambda tries a failed run again after one minute and after two more."""

_BUILD_EXAMPLES = """examples:
  python -m ops build web             start a build
  python -m ops build web --follow    start it, and follow it until `latest` points to its AMIs

A build is always a new one: one that is on its way already may lack what was changed meanwhile. `latest` goes to
the build that was started last. Ctrl-C ends the following, not the build.
"""
_FOLLOW_EXAMPLES = """examples:
  python -m ops follow web              the newest build
  python -m ops follow web 1.0.912/3    that one, as `build` and `status` name it

Also says why a build that is over failed. Ctrl-C ends the following, not the build.
"""
_STATUS_EXAMPLES = """examples:
  python -m ops status                 all images and fleets
  python -m ops status web --json      one image and its fleets, for programs
  python -m ops status web-dev         one fleet
  python -m ops status --check         for a nightly job: status 1 when a fleet needs a person

--json writes one object with images[] (image, region, deployed, newest, newest_good, channels, errors) and fleets[]
(fleet, image, channel, region, group, deployed, wanted, template, instances, refresh, progress, gaps, errors); the
module ops.status says what each member holds.

Status 1 when something could not be read, or a channel holds what is no usable build of its image. With --check also
when a fleet is not what its channel and its launch template say: not deployed, no build, a newer AMI that was not
applied, instances that were not replaced. An instance refresh that is on its way is no reason: AWS itself ends one that
gets no further for an hour.
"""
_PARENT_EXAMPLES = """examples:
  python -m ops parent centos-7 --region eu-west-1
  python -m ops parent amazon-linux-2023 --region eu-west-1 --architecture arm64 --json

Needs no configuration: it asks AWS under the identity of the environment. docs/operating-systems.md has the names.
"""
_EXIT_STATUS = """exit status:
  0    all is well
  1    AWS refused, a build failed, its hand-off did not happen, or the output cannot be written
  2    the configuration or the command line has errors
  130  Ctrl-C
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Raises KeyboardInterrupt."""
    options = _parser().parse_args(arguments)
    return _parent(options) if options.command == "parent" else _main(options)


def _main(options: argparse.Namespace) -> int:
    try:
        estate = load(options.config or Path(os.environ.get("GOLDSMITH_CONFIG") or "config"))
    except EstateError as error:
        print(error, file=sys.stderr)
        return 2
    named = options.names if options.command == "status" else [options.image]
    known = [*estate.images, *(estate.fleets if options.command == "status" else ())]
    kind = "image or fleet" if options.command == "status" and estate.fleets else "image"
    if unknown := [name for name in named if name not in known]:
        for name in unknown:
            remedy = did_you_mean(name, known) if known else "the configuration declares none"
            print(f"unknown {kind} {name!r}; {remedy}", file=sys.stderr)
        return 2
    return _status(options, estate=estate) if options.command == "status" else _build_or_follow(options, estate=estate)


def _parent(options: argparse.Namespace) -> int:
    system = CATALOGUE.get(options.os)
    if system is None:
        print(f"unknown operating system {options.os!r}; {did_you_mean(options.os, CATALOGUE)}", file=sys.stderr)
        return 2
    if options.architecture not in system.architectures:
        choices = " or ".join(system.architectures)
        print(f"{system.name} does not exist for {options.architecture}; write {choices}", file=sys.stderr)
        return 2
    from ops.aws import OpsError  # after the checks: boto3 takes a moment to load
    from ops.parent import run_parent

    entry.raise_on_interrupt()  # a terminal gets its cursor back
    try:
        return run_parent(system, region=options.region, architecture=options.architecture, as_json=options.json)
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1


def _status(options: argparse.Namespace, *, estate: Estate) -> int:
    from ops.aws import OpsError  # after the checks: boto3 takes a moment to load
    from ops.status import run_status

    names = options.names or [*estate.images, *estate.fleets]
    entry.raise_on_interrupt()  # a terminal gets its cursor back
    try:
        return run_status(
            estate,
            images=[image for image in estate.images.values() if image.name in names],
            fleets=[fleet for fleet in estate.fleets.values() if {fleet.name, fleet.image} & {*names}],
            as_json=options.json,
            checks=options.check,
            command=_command(options),
        )
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1


def _build_or_follow(options: argparse.Namespace, *, estate: Estate) -> int:
    from ops.aws import OpsError  # after the checks: boto3 takes a moment to load
    from ops.build import Options, run_build, run_follow

    image = estate.images[options.image]
    wish = Options(as_json=options.json, handoff_timeout=options.handoff_timeout, command=_command(options))
    entry.raise_on_interrupt()  # a build that is followed goes on, which is said
    try:
        if options.command == "follow":
            return run_follow(estate, image=image, build=options.build, wish=wish)
        return run_build(estate, image=image, follows=options.follow, wish=wish)
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1


def _command(options: argparse.Namespace) -> Callable[[str], str]:
    """Makes a whole command line of `follow web 1.0.912/3`."""
    config = f" --config {shlex.quote(str(options.config))}" if options.config else ""
    return lambda words: f"python -m ops {words}{config}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops",
        description="Builds images, shows channels and fleets, and finds parents, under your own AWS identity.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = _add_command(commands, "build", about="start a build of an image", examples=_BUILD_EXAMPLES)
    build.add_argument("image", metavar="IMAGE", help="its name in the configuration")
    build.add_argument("--follow", action="store_true", help="show its states, its AMIs and where `latest` points")
    _add_timeout(build)
    follow = _add_command(commands, "follow", about="follow a build that was started", examples=_FOLLOW_EXAMPLES)
    follow.add_argument("image", metavar="IMAGE", help="its name in the configuration")
    follow.add_argument("build", metavar="BUILD", nargs="?", type=_build, help="1.0.912/3 (default: the newest)")
    _add_timeout(follow)
    status = _add_command(commands, "status", about="show channels and fleets", examples=_STATUS_EXAMPLES)
    status.add_argument(
        "names", metavar="NAME", nargs="*", help="images and fleets of the configuration (default: all)"
    )
    status.add_argument("--check", action="store_true", help="status 1 when a fleet is not what it should be")
    parent = _add_command(commands, "parent", about="find the newest parent image", examples=_PARENT_EXAMPLES)
    parent.add_argument("os", metavar="OS", help="an operating system of the catalogue")
    parent.add_argument("--region", required=True, metavar="REGION", help="where: the home of the image")
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
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, *, about: str, examples: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=about,
        description=f"{about.capitalize()}.",
        epilog=f"{examples}\n{_EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--handoff-timeout",
        type=_seconds,
        default=HANDOFF_TIMEOUT_IN_SECONDS,
        metavar="SECONDS",
        help="how long `latest` may take to move once a followed build is good (default: %(default)s)",
    )


def _build(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+/\d+", text):
        raise argparse.ArgumentTypeError(f"must look like 1.0.912/3, got {text!r}")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be seconds, got {text!r}")
    return float(text)
