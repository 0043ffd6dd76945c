"""How long a program takes, and how much memory it uses, with all the processes that it starts."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent
PYTHON = PROJECT / ".venv" / "bin" / "python"
_NOT_INHERITED = ("PYTHON", "GOLDSMITH_", "CDKTF_", "JSII_", "NODE_OPTIONS", "NODE_COMPILE_CACHE", "TF_")
"""Beginnings of the environment variables that would change what is measured."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command line, run in the project's folder. `{new}` in a variable becomes a new empty folder for each run."""

    command: Sequence[object]
    environ: Mapping[str, object] = field(default_factory=dict)


class Run(NamedTuple):
    """One run, or the median of several: wall time, and user and system time of all processes together, in seconds; the
    memory of its largest process at its peak, in bytes."""

    wall: float
    cpu: float
    memory: float


def measure(programs: Mapping[str, Program], *, rounds: int) -> dict[str, Run]:
    """Runs every program once a round, after one round that is not counted; the medians by name."""
    runs: dict[str, list[Run]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            print(f"round {number} of {rounds}: {name}", file=sys.stderr)
            runs[name].append(run(program)[0])
    return {name: Run(*map(median, zip(*counted, strict=True))) for name, (_, *counted) in runs.items()}


def run(program: Program) -> tuple[Run, str]:
    """Runs a program once; also its output. Its start is in BENCH_BEGAN. Ends the benchmark when it fails."""
    with tempfile.TemporaryDirectory() as new, tempfile.TemporaryFile() as output:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        own = {name: str(value).replace("{new}", new) for name, value in program.environ.items()}
        began = time.monotonic()  # which all processes of a machine share
        process = subprocess.Popen(
            list(map(str, program.command)),
            cwd=PROJECT,
            env={**inherited, **own, "BENCH_BEGAN": str(began)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"bench: {program.command} failed:\n{text}")
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(wall=wall, cpu=usage.ru_utime + usage.ru_stime, memory=memory), text
