"""The page `docs/performance.md`: its text is here, its figures are from one run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.plans import CDKTF, GOLDSMITH
from bench.processes import Run

EMPTY = "An empty CDKTF program"
SAMPLE = "The sample estate"
STOCK = "The same, with stock bindings"
READ_ONLY = "The same, with PYTHONDONTWRITEBYTECODE=1"

_TEXT = """\
# Performance

Written by `make bench` from `bench/page.py`; do not edit. Every program runs as a new process, {rounds} times, in
rounds: each round runs every program once, so that other work of the machine affects all of them alike. Figures are
medians. Compare ratios of one run, not seconds of two.

- **Time** is from the start of the process to its end, **CPU** the user and system time of all its processes together,
  **memory** the peak of the larger one of Python and Node.
- *An empty CDKTF program* is an app with one empty stack: what CDKTF in Python costs everybody.
- *The sample estate* is `python main.py` with `config/`: an image pipeline and a fleet. *Stock bindings* are the AWS
  bindings as they are installed, with `GOLDSMITH_STOCK_BINDINGS=1`. With `PYTHONDONTWRITEBYTECODE=1`, as in many
  container images, there is only the bytecode that `make setup` has written.

This run: {machine}.

{programs}
Estates with the sample's image and fleet many times, in equal numbers; *each resource* is the time that an estate takes
longer than one with one stack, divided by the resources and data sources that it has more:

{growth}
The plans of {stacks} stacks, images and fleets which nobody has applied, on a local AWS, made once. *Memory* is
that of the largest process, and `goldsmith plan` runs several of these at the same time, as many as fit:

{plans}
## Targets

{targets}
## Where the time is spent

{phases}
`bench/phases.py` does what `main.py` does and notes the time between the steps; calls to Node are counted at jsii's own
connection. Node starts and reads its assemblies in the background while Python imports: where the app is made, Python
waits only for what is left of that.

## What was tried and not kept

- V8's compile cache for the modules that jsii loads saves 30 ms at most, and jsii's random folder names would let it
  grow with each run.
- Postponed annotations in the bindings save 55 ms of import and cost as much in type checks.
- Without jsii's type checks (`python -O`) a run takes 15 ms less; they find wrong arguments before Terraform does.
- `defer_build` of pydantic's validators saves as much at import as it costs when the estate is loaded.
- `make synth` does not use the `cdktf` command, which runs the same program and takes three seconds more: it loads all
  of its own code, with a converter from HCL and a TypeScript compiler, and runs `terraform version` four times.
"""


class Phase(NamedTuple):
    """A part of one run: its seconds, those of them in calls to Node, and the number of these calls."""

    name: str
    seconds: float
    in_node: float = 0.0
    calls: int = 0


class Growth(NamedTuple):
    """An estate of so many stacks; `resources` includes data sources."""

    stacks: int
    resources: int
    run: Run


class Results(NamedTuple):
    """All figures of one run."""

    machine: str
    rounds: int
    programs: Mapping[str, Run]
    growth: Sequence[Growth]
    phases: Sequence[Phase]
    stacks: int
    """How many stacks are planned."""
    plans: Mapping[str, Run]

    def each_resource(self, growth: Growth) -> float:
        """Seconds that each further resource takes, compared with the estate of one stack."""
        least = self.growth[0]
        return (growth.run.wall - least.run.wall) / (growth.resources - least.resources)


def page(results: Results) -> str:
    """The whole page, from the figures of a run."""
    return _TEXT.format(
        rounds=results.rounds,
        machine=results.machine,
        programs=_table(("", "time", "CPU", "memory", "times empty"), _program_rows(results)),
        growth=_table(("stacks", "resources", "time", "CPU", "memory", "each resource"), _growth_rows(results)),
        stacks=results.stacks,
        plans=_table(("", "time", "CPU", "memory"), ((name, *_figures(run)) for name, run in results.plans.items())),
        targets=_table(("ratio", "target", "measured", ""), _target_rows(results)),
        phases=_table(("until", "ms", "%", "calls to Node", "ms in them"), _phase_rows(results)),
    )


def _program_rows(results: Results) -> Iterator[Sequence[str]]:
    for name, run in results.programs.items():
        yield name, *_figures(run), f"{run.wall / results.programs[EMPTY].wall:.2f}"


def _growth_rows(results: Results) -> Iterator[Sequence[str]]:
    for growth in results.growth:
        each = "" if growth is results.growth[0] else f"{results.each_resource(growth) * 1000:.2f} ms"
        yield str(growth.stacks), f"{growth.resources:,}", *_figures(growth.run), each


def _target_rows(results: Results) -> Iterator[Sequence[str]]:
    empty, sample, stock, read_only = (results.programs[name] for name in (EMPTY, SAMPLE, STOCK, READ_ONLY))
    few, most = results.growth[1], results.growth[-1]
    each = f"each resource at {most.stacks} stacks : at {few.stacks}, time"
    yield _target("sample estate : empty program, time", sample.wall / empty.wall, at_most=1.5)
    yield _target("with PYTHONDONTWRITEBYTECODE=1 : without, time", read_only.wall / sample.wall, at_most=1.1)
    yield _target("stock bindings : sample estate, time", stock.wall / sample.wall, at_least=12)
    yield _target("stock bindings : sample estate, memory", stock.memory / sample.memory, at_least=6)
    plans = results.plans[GOLDSMITH].wall / results.plans[CDKTF].wall
    yield _target(f"{GOLDSMITH} : {CDKTF}, time of {results.stacks} stacks", plans, at_most=1 / 3)
    yield _target(each, results.each_resource(most) / results.each_resource(few), at_most=1.2)


def _target(name: str, ratio: float, *, at_most: float = float("inf"), at_least: float = 0) -> Sequence[str]:
    limit = f"at least {at_least:g}" if at_least else f"at most {at_most:.3g}"
    return name, limit, f"{ratio:.2f}", "met" if at_least <= ratio <= at_most else "missed"


def _phase_rows(results: Results) -> Iterator[Sequence[str]]:
    total = sum(phase.seconds for phase in results.phases)
    for phase in results.phases:
        calls = (str(phase.calls), f"{phase.in_node * 1000:.0f}") if phase.calls else ("", "")
        yield phase.name, f"{phase.seconds * 1000:.0f}", f"{phase.seconds / total:.0%}", *calls


def _figures(run: Run) -> tuple[str, str, str]:
    return f"{run.wall:.2f} s", f"{run.cpu:.2f} s", f"{run.memory / 1e6:,.0f} MB"


def _table(header: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
