"""`goldsmith history`: who moved which channel, when and why."""

from __future__ import annotations

import argparse
import sys

import entry
from estate.references import Named
from ops.arguments import Commands, add_command, add_configuration, add_json
from ops.configuration import find_configuration
from ops.selection import of_image

_EXAMPLES = """examples:
  goldsmith history web              every move of its channels, the oldest first
  goldsmith history web@prod         one channel
  goldsmith history web@6718/3       one build: which channels moved to it and away from it
  goldsmith history web --json       for programs and auditors; --csv for spreadsheets

A move of several regions is one line. What somebody wrote without goldsmith is shown as "by hand", with who did it;
what was skipped for an emergency is shown as SKIPPED. A region that does not show a move yet is named.

The history is read from its bucket in the home region, which keeps it as long as settings.history_kept_for says. Moves
that are older than the bucket are shown as far as Parameter Store has them. Exit status 1 when something could not be
read; the rest is shown anyway.
"""
_JSON = """--json writes one object; times are ISO 8601, unknown values null:
  image
  entries             one object for each move, the oldest first:
    moves             its numbers in the history bucket; several when it was found in several regions' parameters, none
                      when only Parameter Store has it
    at                when it was decided, or written into the parameter
    channel
    how               new build, soaked, moved back, promoted, rolled back, taken over, by hand, not completed
    by                the ARN of who did it
    why               the reason, or ""
    skipped           what was skipped: "soak", "gate"
    regions           one object for each region:
      region
      previous        the value before; null if the channel was empty
      previous_build  the ARN of its build
      value, build    what it was moved to
      created         when that build was made
      is_written      false while the parameter does not show it
  errors              what could not be read, as messages

--csv writes one line for each move and region.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "history", run, about="show who moved which channel, when and why", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("reference", metavar="REF", help="an image, channel or build: web, web@prod, web@6718/3")
    form = command.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument("--csv", action="store_true", help="write a table for spreadsheets to standard output")
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Read and print; the exit status."""
    estate = find_configuration(arguments.config).load()
    reference = of_image(arguments.reference, estate)
    image = estate.image(reference.name if isinstance(reference, Named) else reference.image)
    from ops.accounts import Accounts
    from ops.history import read_history
    from ops.history_tables import print_history, print_json, write_csv
    from ops.moving import Mover
    from ops.screen import open_console

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    console = open_console(to_stderr=arguments.json or arguments.csv)
    mover = Mover.of(image, Accounts())
    with console.status("Reading the history"):
        history = read_history(mover, reference)
    if arguments.json:
        print_json(history)
    elif arguments.csv:
        write_csv(history)
    else:
        print_history(history, regions=image.image.regions, console=console)
    for error in history.errors:
        print(f"{image.image.name}: {error}", file=sys.stderr)
    return 1 if history.errors else 0
