"""The page of a benchmark, `docs/performance.md`: its prose stands here, its figures come from the run."""

from collections.abc import Sequence

from bench.results import Results

_HOW = """\
# Performance

Written by `make bench`; do not edit. The words stand in `bench/page.py`, the figures are of one run.

![Time and memory of synthesis](performance.svg)

## What is measured, and how

Every program runs as a fresh process, {rounds} times, in rounds: each round runs every program once, so whatever else
the machine does meets all of them. Figures are medians. One round before warms bytecode and caches and is not counted.
Nothing here depends on the absolute figures: another machine has others, and ratios of one run are what to compare.

- **Time** is from the start of the process to its end, **CPU** user and system time of all its processes together.
- **Memory** is the most that all its processes had together. Runs of their own are watched for it, a look every 10 ms,
  because looking slows them; pages that processes share count once on Linux.
- *An empty CDKTF program* is an app with one stack and nothing in it: what CDKTF in Python costs anyone.
- *The sample estate* is `python main.py` with `config/`: an image pipeline and a fleet. *Stock bindings* are as
  they were installed, with `GOLDSMITH_STOCK_BINDINGS=1`. *Making its cache* is the first run after an installation.
- *AWS CDK for Python* is `bench/other_cdk.py`: the same resources as far as CloudFormation has them, of the
  classes that are generated from CloudFormation. It checks its templates in the end; *unchecked* is with
  `CDK_VALIDATION=false`, which spares that. It runs in an environment of its own.
- *Growth* is of estates with the sample's image and fleet many times over, in equal numbers. *Each resource* is what an
  estate takes longer than that of one stack, divided by the resources and data sources that it has more: the start is
  paid once, and would hide everything in a plain quotient.

This run: {machine}.
"""

_PHASES = """\
Measured from outside by `bench/phases.py`, which does what `main.py` does and looks at the clock between; calls
to Node are counted at jsii's own connection. The first phases overlap: Node starts and reads its assemblies in the
background, while Python imports. What is left of that, Python waits for where the app is made. In the end it tells Node
to end, and waits for it.
"""

_CDKTF = """\
## What the `cdktf` command adds

`cdktf synth` took {cdktf:.1f} s where `python main.py` took {fast:.1f} s. It runs the same program, so {added:.1f} s
are the command's own, and every `cdktf` command pays them. Read in its source, and seen in a profile of version 0.21:

- More than half is Node reading the command's own code: one bundle has the handlers of all its commands, so `synth`
  loads the converter from HCL with jsii-rosetta, TypeScript and prettier, two WebAssembly programs, and the layout
  engine of its screen. No setting leaves them out. `NODE_COMPILE_CACHE` keeps what V8 compiled of it, and saves
  {saved:.1f} s.
- Four runs of `terraform version`, and one each of `node --version` and `python3 --version`, 0.1 to 0.2 s. No setting
  leaves them out.
- Calls home. `CHECKPOINT_DISABLE=1` leaves out the report of each synthesis, for which it waits a second where the
  network swallows it; `DISABLE_VERSION_CHECK=1` leaves out the `npm view cdktf-cli version` that it runs on a terminal
  once a day; `sendCrashReports` in `cdktf.json` spares the question. None of them was made in the runs here.

So `make synth` does not go through it.
"""

_NOT_KEPT = """\
## What was tried and not kept

- V8's compile cache for the modules that jsii loads saves 30 ms at most, and jsii's random folder names would let it
  grow with each run.
- Postponed annotations in the bindings save 55 ms of import and cost as much in type checks.
- Leaving out jsii's type checks by `python -O` saves nothing that could be measured.
"""


def page(results: Results) -> str:
    """The whole page."""
    tables = {title: _table(header, rows) for title, header, rows in results.tables()}
    wall = {name: measured.wall for name, measured in results.programs.items()}
    cdktf = _CDKTF.format(
        cdktf=wall["cdktf"],
        fast=wall["fast"],
        added=wall["cdktf"] - wall["fast"],
        saved=wall["cdktf"] - wall["cdktf, compiled"],
    )
    return "\n".join(
        [
            _HOW.format(rounds=results.rounds, machine=results.machine),
            tables["Programs"],
            tables["Growth"],
            f"## Targets\n\n{tables['Targets']}",
            f"## Where the last milliseconds go\n\n{tables['One run, phase by phase']}\n{_PHASES}",
            cdktf,
            _NOT_KEPT,
        ]
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
