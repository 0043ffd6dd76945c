"""`goldsmith doctor`: everything that commands, plans and builds need, checked without changing anything.

`ops.commands.doctor` lists the members of its JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from estate.estate import Estate
from estate.models.providers import Providers
from ops.configuration import find_configuration
from ops.doctor_aws import check_aws
from ops.doctor_machine import check_machine
from ops.errors import UsageError
from ops.finding import MISSING, OK, UNKNOWN, Finding
from ops.screen import open_console

_MARKS = {OK: ("✓", "green"), MISSING: ("✗", "bold red"), UNKNOWN: ("?", "yellow")}


def run_doctor(named: Path | None, *, as_json: bool) -> int:
    """Check everything, and print a line for each check; the exit status. `named` is the value of `--config`."""
    console = open_console(to_stderr=as_json)
    found = []
    with console.status("Checking this machine and AWS"):
        for finding in _check(named):
            found.append(finding)
            if not as_json:
                _print(finding, console)
    if as_json:
        open_console().print(json.dumps({"checks": [asdict(each) for each in found]}, indent=2), soft_wrap=True)
    return 1 if any(finding.state == MISSING for finding in found) else 0


def _check(named: Path | None) -> Iterator[Finding]:
    try:
        configuration = find_configuration(named)
        estate = configuration.load()
    except UsageError as error:
        yield from check_machine(os.environ, providers=Providers())
        problems = str(error).splitlines()
        more = f", and {len(problems) - 1} more" if problems[1:] else ""
        remedy = "goldsmith check shows all" if more else ""
        yield Finding(subject="configuration", state=MISSING, text=f"{problems[0]}{more}", remedy=remedy)
        return
    yield from check_machine(os.environ, providers=estate.settings.providers)
    yield Finding(subject="configuration", text=f"{configuration.path}: {_contents(estate)}")
    yield from check_aws(estate)


def _contents(estate: Estate) -> str:
    images, fleets = len(estate.images), len(estate.fleets)
    return (
        f"estate {estate.namespace} with {images} image{'' if images == 1 else 's'} and "
        f"{fleets} fleet{'' if fleets == 1 else 's'}"
    )


def _print(finding: Finding, console: Console) -> None:
    mark, style = _MARKS[finding.state]
    if not console.is_terminal or console.options.ascii_only:
        mark = finding.state
    line = Text(f"{mark} ", style).append(f"{finding.subject}: ", "bold").append(finding.text)
    if finding.remedy:
        line.append(f"; {finding.remedy}")
    console.print(line, soft_wrap=True)
