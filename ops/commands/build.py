"""`goldsmith build`: start a build of an image, or attach to one that runs."""

from __future__ import annotations

import argparse

import entry
from estate.problems import RuleError
from estate.references import BuildReference, parse
from ops.arguments import (
    Commands,
    add_command,
    add_configuration,
    add_json,
    add_why,
    add_yes,
    check_image,
    check_json_without_question,
    same_configuration,
)
from ops.configuration import find_configuration
from ops.errors import UsageError

HANDOFF_TIMEOUT = "5 minutes"
"""Lambda retries a run that failed after one minute, and again after two more."""

_NEWEST = True
"""What `--attach` without a build is."""

_EXAMPLES = """examples:
  goldsmith build web                        start a build, and follow it until `latest` points to its AMIs
  goldsmith build web --no-wait              start it only
  goldsmith build web --attach               follow the newest build
  goldsmith build web --attach 1.0.912/3     follow this build, as `build` and `status` name it; 912 is enough
  goldsmith build base --children            build it, and then all images that are built on it
  goldsmith build base --children --skip-soak --why 'CVE-2026-1234 is exploited'

Without --attach this always starts a new build, because a build that is running already may lack the latest changes. Of
several good builds, `latest` takes the one that was started last. The command ends at once, with exit status 1, when
the gate refuses the build or the image is held; a scan that has not ended is waited for. Ctrl-C stops following; the
build continues. After the end of a build, --attach shows how it ended, and why it failed.

A build is tagged goldsmith:commit with the commit of the configuration's git repository, if everything there is
committed, and if the deployed recipe is the declared one.

--children builds the image, points the channels that its children name as their parent to the new build, as promote
does, and then builds the children at the same time, and after them their own children. It shows first what it will do,
and asks. A channel with a soak time needs --skip-soak. Pipelines that are not deployed and holds are found before the
first build. What fails stops its own children only; the message has the command that goes on. After Ctrl-C, builds
continue, and nothing else is started.

The image's account is entered by its role or profile in settings.accounts. A role is assumed again when it expires.
"""
_JSON = """--json writes one object at the end, and the progress is written to standard error:
  image      its name in the configuration
  region     its home, where the pipeline is
  build      "1.0.912/3"
  arn        the build's ARN
  commit     the commit that the build is tagged with, or null
  no_commit  why a build that was started has no such tag, or null
  status     AVAILABLE, FAILED, CANCELLED, …; null for a build that was only started
  failed_in  the last status that was seen before the build failed, or null
  reason     Image Builder's reason for a failure, or what keeps `latest` from moving to a good build, or null
  logs       "s3://bucket/prefix" with the log of a build that failed, or null
  regions    for a good build, one object for each region: region, value, latest, latest_build, handed_off; `value` is
             what `latest` holds when it points to this build: an AMI ID, or the URI of a container image with digest

With --children, which then needs --yes, the object has other members:
  image      the name of the base
  why        the reason that was given, or null
  images     one object for each image, parents first: image, parent ("base@stable", null for the base), build, arn,
             state (done, failed, running, "not started"), channels (those that point to the build when it is done),
             reason (why it failed), next (the command line that goes on, or null)
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "build", run, about="build an image, and follow the build", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("image", metavar="IMAGE", help="its name in the configuration")
    how = command.add_mutually_exclusive_group()
    how.add_argument(
        "--attach",
        nargs="?",
        const=_NEWEST,
        metavar="BUILD",
        help="start nothing, and follow this build (default: the newest)",
    )
    how.add_argument("--no-wait", action="store_true", help="do not follow the build")
    command.add_argument(
        "--handoff-timeout",
        type=_seconds,
        default=HANDOFF_TIMEOUT,
        metavar="DURATION",
        help="how long to wait for `latest` after a good build (default: %(default)s)",
    )
    command.add_argument("--children", action="store_true", help="build the images that are built on it, too")
    command.add_argument(
        "--skip-soak", action="store_true", help="for emergencies, with --children: although channels have a soak time"
    )
    add_why(command, "with --children: the reason, for the history; required with --skip-soak")
    add_yes(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Start or attach; the exit status."""
    configuration = find_configuration(arguments.config)
    estate = configuration.load()
    check_image(arguments.image, estate)
    image = estate.image(arguments.image)
    _check_options(arguments)
    from ops.build import Options, attach, start

    entry.raise_on_interrupt()  # the message says that the build continues
    options = Options(
        as_json=arguments.json,
        handoff_timeout=arguments.handoff_timeout,
        configuration=configuration.path,
        command=same_configuration(arguments),
    )
    if arguments.children:
        from ops.accounts import Accounts
        from ops.children import Wish, build_with_children

        wish = Wish(
            attached=None if arguments.attach is None else _reference(arguments),
            skips_soak=arguments.skip_soak,
            why=arguments.why or "",
            asks=not arguments.yes,
        )
        return build_with_children(image, wish, options, accounts=Accounts())
    if arguments.attach is not None:
        build = None if arguments.attach is _NEWEST else _reference(arguments)
        return attach(image, build=build, options=options)
    return start(image, follows=not arguments.no_wait, options=options)


def _check_options(arguments: argparse.Namespace) -> None:
    """Raises `UsageError`."""
    if not arguments.children:
        for option, value in (("skip-soak", arguments.skip_soak), ("why", arguments.why), ("yes", arguments.yes)):
            if value:
                raise UsageError(f"argument --{option}: must come with --children")
        return
    if arguments.no_wait:
        raise UsageError("argument --no-wait: must not come with --children, which waits for each build")
    if arguments.attach is _NEWEST:
        raise UsageError("argument --attach: needs a build with --children, got none; write --attach 1.0.912/3")
    if arguments.skip_soak and not arguments.why:
        raise UsageError("argument --skip-soak: needs --why, the reason, which the history keeps")
    check_json_without_question(arguments)


def _reference(arguments: argparse.Namespace) -> BuildReference:
    """The build of `--attach`. Raises `UsageError`."""
    try:
        reference = parse(f"{arguments.image}@{arguments.attach}")
    except RuleError:
        reference = None
    if not isinstance(reference, BuildReference):
        raise UsageError(f"argument --attach: must look like 1.0.912/3, 912/3 or 912, got {arguments.attach!r}")
    return reference


def _seconds(text: str) -> int:
    from estate.models.durations import Duration  # with pydantic, which the help does not need

    duration = Duration.parse(text)
    if duration is None:
        raise argparse.ArgumentTypeError(f"must be a duration such as '5 minutes', got {text!r}")
    return duration.seconds
