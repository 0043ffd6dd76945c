"""`goldsmith report`: what a reviewer reads about plans before they are applied."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import entry
from ops.arguments import Commands, add_command, add_configuration
from ops.configuration import Configuration, find_configuration
from ops.errors import UsageError
from ops.report.document import FAIL_ON

_EXAMPLES = """examples:
  goldsmith report plans                       the folder of goldsmith plan --out plans, as Markdown
  goldsmith report web.json prod/*.json        files that terraform show -json wrote
  terraform show -json tfplan | goldsmith report -
  goldsmith report plans --format text         for a terminal or a log
  goldsmith report plans --fail-on destroy,replace,revoked
                                               exit status 1 when a person should look first
  goldsmith report plans --no-aws              for the pull request of a fork, without credentials

PLAN is a file of `terraform show -json`, or a folder with such files: STACK.json, or STACK/plan.json. Which tool made
the plan does not matter: Atlantis, HCP Terraform and Spacelift write the same JSON. With plans.json in the folder,
stacks whose plan failed are reported, too.

What is in the plans is enough for a report. With a configuration (--config) it knows windows, `after` and alarms; with
AWS credentials it says what runs now, what proved the build, and what changed inside. What it could not look at stands
under "Not checked". The Markdown begins with a comment, by which a bot finds its comment in a pull request to update
it, and has at most 65,536 characters.

--fail-on takes these, with a comma between them:
  destroy     a resource is destroyed
  replace     a resource is replaced (a new version of a component or recipe of Image Builder is none)
  revoked     a build is revoked, or will be
  gate        a build does not pass the gate of its image
  age         a build is older than `max_age`, or deprecated
  unproved    a fleet of `after` has not run the build long enough, or nothing shows that it has
"""

_JSON = """--format json writes one object:
  format        1; a later number if a member has another meaning
  title, is_alarming
  needs         what needs a person, the most severe first: kind (one of those of --fail-on, failed, forget, volume,
                held, alarm, rolled back, window, package, older, rollout, drift, warning), text, stack ("" for a build)
  fleets        one object for each fleet that changes: stack, fleet, image, account, region ("" where not known),
                what (image, instances, new, replaced, destroyed), runs, others, will_run (each with short and exact),
                instances or null, order, minutes
  by_itself     what goes on after the apply without another command, as messages
  proofs        one object for each build that fleets get: image, build, lines
  inside        one object for each pair of builds: image, old, new, commit, contents (scripts, base, added, removed,
                stepped, opened, closed; null where not known)
  ways_back     fleets, lines, commands
  checked, unchecked   as messages
  counts        how many resources of all plans are destroyed, replaced, and so on
  stacks        one object for each stack: stack, account, region, has_failed, error, counts, changes (address, type,
                kind, actions, previous_address, deposed, reason, differences, version), outputs, drift (address, text),
                refreshed, warnings
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "report", run, about="say what plans change, for the reviewer", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("plans", metavar="PLAN", nargs="+", help="a file of terraform show -json, a folder, or -")
    command.add_argument(
        "--format", choices=("markdown", "text", "json"), default="markdown", help="(default: markdown)"
    )
    command.add_argument(
        "--fail-on", type=_kinds, default=(), metavar="KIND,…", help=f"exit status 1 at {', '.join(FAIL_ON)}"
    )
    command.add_argument("--no-aws", action="store_true", help="do not ask AWS")
    add_configuration(command)


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(filter(None, (word.strip() for word in text.split(","))))
    if not kinds or (unknown := [kind for kind in kinds if kind not in FAIL_ON]):
        got = ", ".join(unknown) if kinds else "nothing"
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(FAIL_ON)} with commas between them, got {got}")
    return kinds


def _configuration(named: Path | None) -> Configuration | None:
    """The configuration, if there is one: plans of somebody else have none."""
    try:
        return find_configuration(named)
    except UsageError:
        return None


def run(arguments: argparse.Namespace) -> int:
    """Read, look and write; the exit status."""
    from ops.report.lookup import look_up
    from ops.report.make import report_of
    from ops.report.markdown import write_markdown
    from ops.report.members import members_of
    from ops.report.sources import read_sources

    entry.raise_on_interrupt()
    stacks, now = read_sources(arguments.plans), datetime.now(UTC)
    configuration = _configuration(arguments.config)
    facts = look_up(
        stacks,
        configuration.load() if configuration else None,
        configuration=configuration.path if configuration else None,
        asks_aws=not arguments.no_aws,
        now=now,
    )
    report = report_of(stacks, facts, now=now)
    if arguments.format == "markdown":
        sys.stdout.write(write_markdown(report))
    elif arguments.format == "json":
        print(json.dumps(members_of(report), indent=2, ensure_ascii=False))
    else:
        from ops.report.text import print_report
        from ops.screen import open_console

        print_report(report, console=open_console())
    failed = report.fails(arguments.fail_on)
    for need in failed:
        print(f"--fail-on {need.kind}: {need.text}", file=sys.stderr)
    return 1 if failed else 0
