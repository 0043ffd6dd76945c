"""Measures what synthesis costs, and writes `docs/performance.md` with its picture: `python -m bench`.

Everything is measured side by side in one run, in rounds: each round runs every program once, so that whatever else the
machine does meets all of them. Figures are medians. A round before the first warms caches and bytecode and is not
counted. `--rounds N` says how many (7); `--quick` makes 3 and leaves out the largest estate.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from ruamel.yaml import YAML

from bench.page import page
from bench.plot import plot
from bench.processes import PYTHON, Measured, Program, own_node, peak_memory, timed, versions
from bench.results import Growth, Phase, Results
from ops.screen import open_console

PROJECT = Path(__file__).parent.parent
AWS_CDK_PYTHON = PROJECT / ".venv" / "aws-cdk" / "bin" / "python"
SIZES = (1, 10, 100, 400)
_ROUNDS_OF_LARGE = {100: 5, 400: 3}
_MEMORY_ROUNDS = 3
_STOCK_IMPORT = "import cdktf_cdktf_provider_aws.sns_topic"


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures what synthesis costs.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each program runs (7)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, and estates of up to 100 stacks")
    chosen = parser.parse_args(arguments)
    rounds = 3 if chosen.quick else chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        results = measured(Path(folder), rounds=rounds, sizes=SIZES[:-1] if chosen.quick else SIZES)
    show(results, open_console())
    for name, text in (("performance.md", page(results)), ("performance.svg", plot(results))):
        (PROJECT / "docs" / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")


def measured(folder: Path, *, rounds: int, sizes: tuple[int, ...]) -> Results:
    """All figures; `folder` is for what the programs write."""
    fast = Program(command=[PYTHON, "main.py"], settings={"CDKTF_OUTDIR": "{new}", "GOLDSMITH_CACHE": folder / "cache"})
    phases_file = folder / "phases.json"
    phases = replace(
        fast,
        command=[PYTHON, "bench/phases.py", phases_file],
        settings={**fast.settings, "PYTHONPATH": PROJECT},
    )
    found: list[list[Phase]] = []

    def note(name: str, measured: Measured) -> None:
        if name == "phases":
            found.append(_phases(phases_file, measured))

    programs = {**_programs(fast, folder), "phases": phases}
    measurements = _in_rounds(programs, rounds=dict.fromkeys(programs, rounds), warm_up=True, note=note)
    del measurements["phases"]
    estates = {str(size): _estate(fast, folder / str(size), stacks=size) for size in sizes}
    grown = _in_rounds(estates, rounds={name: min(rounds, _ROUNDS_OF_LARGE.get(int(name), rounds)) for name in estates})
    return Results(
        machine=versions(),
        rounds=rounds,
        programs=measurements,
        growth=[
            Growth(stacks=size, resources=_resources(folder / str(size) / "out"), measured=grown[str(size)])
            for size in sizes
        ],
        phases=_middle(found),
    )


def _programs(fast: Program, folder: Path) -> dict[str, Program]:
    """The sample estate, what it is compared with, and what surrounds it."""
    stock_node = {"CDKTF_OUTDIR": "{new}", "JSII_NODE": own_node()}
    cdktf = replace(fast, command=["node_modules/.bin/cdktf", "synth", "--output", "{new}"])
    programs = {
        "empty": Program(command=[PYTHON, "bench/empty.py"], settings=stock_node),
        "fast": fast,
        "stock": replace(fast, settings={**fast.settings, "GOLDSMITH_STOCK_BINDINGS": "1"}),
        "cold": replace(fast, settings={**fast.settings, "GOLDSMITH_CACHE": "{new}/cache"}),
        "stock import": Program(command=[PYTHON, "-c", _STOCK_IMPORT], settings=stock_node),
        "cdktf": cdktf,
        "cdktf, compiled": replace(
            cdktf,
            # not for the program itself: jsii's modules lie elsewhere in each run, and would fill the cache for nothing
            command=[*cdktf.command, "--app", "env -u NODE_COMPILE_CACHE .venv/bin/python main.py"],
            settings={**cdktf.settings, "NODE_COMPILE_CACHE": folder / "compiled"},
        ),
    }
    if AWS_CDK_PYTHON.is_file():
        settings = {"CDK_OUTDIR": "{new}", "JSII_NODE": own_node()}
        aws_cdk = Program(command=[AWS_CDK_PYTHON, "bench/other_cdk.py"], settings=settings)
        programs["aws cdk"] = aws_cdk
        # its check of the templates has no counterpart here
        programs["aws cdk, unchecked"] = replace(aws_cdk, settings={**settings, "CDK_VALIDATION": "false"})
    return programs


def _in_rounds(
    programs: Mapping[str, Program],
    *,
    rounds: Mapping[str, int],
    warm_up: bool = False,
    note: Callable[[str, Measured], None] | None = None,
) -> dict[str, Measured]:
    results = {name: Measured() for name in programs}
    memory = {name: min(_MEMORY_ROUNDS, count) if count > 3 else 1 for name, count in rounds.items()}
    with Progress(console=open_console(to_stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=len(programs) * warm_up + sum(rounds.values()) + sum(memory.values()))

        def step(words: str) -> None:
            progress.update(task, advance=1, description=words)
            if progress.disable:
                print(words, file=sys.stderr)

        for name, program in programs.items():
            if warm_up:
                step(f"warming up: {name}")
                timed(program)
        for number in range(max(rounds.values())):
            for name in (each for each in programs if number < rounds[each]):
                step(f"time, round {number + 1}: {name}")
                results[name].runs.append(timed(programs[name]))
                if note:
                    note(name, results[name])
        for number in range(max(memory.values())):
            for name in (each for each in programs if number < memory[each]):
                step(f"memory, round {number + 1}: {name}")
                results[name].memory.append(peak_memory(programs[name]))
    return results


def _estate(fast: Program, folder: Path, *, stacks: int) -> Program:
    """An estate as large: images and fleets as the sample's in equal numbers, of one stack an image alone."""
    yaml = YAML(typ="safe")
    declared = {key: value for file in PROJECT.glob("config/*.yaml") for key, value in yaml.load(file).items()}
    ((image, image_fields),) = declared["images"].items()
    ((fleet, fleet_fields),) = declared["fleets"].items()
    fleets = stacks // 2
    declared["images"] = {f"{image}-{number}": image_fields for number in range(stacks - fleets)}
    declared["fleets"] = {
        f"{fleet}-{number}": {**fleet_fields, "image": f"{image}-{number}"} for number in range(fleets)
    }
    folder.mkdir()
    with (folder / "estate.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(declared, file)
    (folder / "components").symlink_to(PROJECT / "config" / "components")
    settings = {**fast.settings, "GOLDSMITH_CONFIG": folder / "estate.yaml", "CDKTF_OUTDIR": folder / "out"}
    return replace(fast, settings=settings)


def _resources(out: Path) -> int:
    """How many resources and data sources the synthesized stacks have together."""
    stacks = [json.loads(file.read_text(encoding="utf-8")) for file in out.glob("stacks/*/cdk.tf.json")]
    return sum(
        len(named) for stack in stacks for kind in ("resource", "data") for named in stack.get(kind, {}).values()
    )


def _phases(file: Path, measured: Measured) -> list[Phase]:
    """The phases of the last run, with what only its parent sees: how it began and ended."""
    run = measured.runs[-1]
    phases: list[Phase] = []
    at = run.began
    for name, end, waiting, calls in json.loads(file.read_text()):
        phases.append(Phase(name=name, seconds=end - at, waiting=waiting, calls=calls))
        at = end
    return [*phases, Phase(name="Python and Node end", seconds=run.began + run.wall - at, waiting=0.0, calls=0)]


def _middle(found: list[list[Phase]]) -> list[Phase]:
    """The median of each phase."""
    return [
        replace(
            phases[0],
            seconds=median(each.seconds for each in phases),
            waiting=median(each.waiting for each in phases),
        )
        for phases in zip(*found, strict=True)
    ]


def show(results: Results, console: Console) -> None:
    """The figures as a table on a terminal, plain lines in a pipe."""
    for title, header, rows in results.tables():
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD if console.is_terminal else None)
        for column, name in enumerate(header):
            table.add_column(name, justify="left" if column == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()


if __name__ == "__main__":
    main(sys.argv[1:])
