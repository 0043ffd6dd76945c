"""What a benchmark found: the figures, the tables that are made of them, and whether each target is met."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.processes import Measured

ROWS = {
    "empty": "An empty CDKTF program",
    "fast": "The sample estate",
    "stock": "The same, with stock bindings",
    "aws cdk": "The same in AWS CDK for Python",
    "aws cdk, unchecked": "The same in AWS CDK, unchecked",
    "cold": "The sample estate, making its cache",
    "stock import": "Importing one stock binding",
    "cdktf": "The sample estate by `cdktf synth`",
    "cdktf, compiled": "The same, with NODE_COMPILE_CACHE",
}
"""What a person calls each program, in the order in which they are shown."""

WITHOUT_AWS_CDK = "`make bench AWS_CDK=1` installs it and measures it"
_Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of one run: its seconds, those of them in calls to Node, and the number of these calls."""

    name: str
    seconds: float
    waiting: float
    calls: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """An estate of so many stacks; `resources` counts data sources, too."""

    stacks: int
    resources: int
    measured: Measured


@dataclass(frozen=True, kw_only=True)
class Target:
    """What was aimed at: a ratio and its limit, above which, or below which, it must not be."""

    words: str
    ratio: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figures of this run reach it."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


@dataclass(frozen=True, kw_only=True)
class Results:
    """All of one run."""

    machine: str
    rounds: int
    programs: Mapping[str, Measured]
    growth: Sequence[Growth]
    phases: Sequence[Phase]

    def each_resource(self, growth: Growth) -> float:
        """Seconds that each resource adds: what an estate takes longer than that of one stack, which pays for the
        start, by the resources that it has more."""
        least = self.growth[0]
        return (growth.measured.wall - least.measured.wall) / (growth.resources - least.resources)

    def targets(self) -> Iterator[Target]:
        """Every target, as a ratio of figures of this run."""
        wall = {name: measured.wall for name, measured in self.programs.items()}
        fast, stock = self.programs["fast"], self.programs["stock"]
        yield Target(words="sample estate : empty program, time", ratio=wall["fast"] / wall["empty"], limit=1.5)
        yield Target(
            words="stock bindings : sample estate, time", ratio=wall["stock"] / wall["fast"], limit=12, at_least=True
        )
        if "aws cdk" in wall:
            yield Target(
                words="AWS CDK : sample estate, time", ratio=wall["aws cdk"] / wall["fast"], limit=3, at_least=True
            )
            yield Target(
                words="AWS CDK, unchecked : sample estate, time",
                ratio=wall["aws cdk, unchecked"] / wall["fast"],
                limit=3,
                at_least=True,
            )
        yield Target(
            words="stock bindings : sample estate, memory", ratio=stock.peak / fast.peak, limit=6, at_least=True
        )
        yield Target(
            words="making the cache : one stock import, time", ratio=wall["cold"] / wall["stock import"], limit=1
        )
        few = next(growth for growth in self.growth if growth.stacks == 10)
        most = self.growth[-1]
        yield Target(
            words=f"each resource at {most.stacks} stacks : at 10, time",
            ratio=self.each_resource(most) / self.each_resource(few),
            limit=1.2,
        )

    def tables(self) -> Iterator[_Table]:
        """Title, header and rows of each table, as text."""
        yield "Programs", ("", "time", "CPU", "memory", "times empty"), list(self._program_rows())
        yield (
            "Growth",
            ("stacks", "resources", "time", "CPU", "memory", "each resource"),
            [
                (
                    str(each.stacks),
                    f"{each.resources:,}",
                    *_figures(each.measured),
                    "" if each is self.growth[0] else f"{self.each_resource(each) * 1000:.2f} ms",
                )
                for each in self.growth
            ],
        )
        total = sum(phase.seconds for phase in self.phases)
        yield (
            "One run, phase by phase",
            ("until", "ms", "%", "calls to Node", "ms in them"),
            [
                (
                    phase.name,
                    f"{phase.seconds * 1000:.0f}",
                    f"{phase.seconds / total:.0%}",
                    str(phase.calls) if phase.calls else "",
                    f"{phase.waiting * 1000:.0f}" if phase.calls else "",
                )
                for phase in self.phases
            ],
        )
        yield (
            "Targets",
            ("ratio", "target", "measured", ""),
            [
                (
                    target.words,
                    f"{'at least' if target.at_least else 'at most'} {target.limit:g}",
                    f"{target.ratio:.2f}",
                    "met" if target.met else "missed",
                )
                for target in self.targets()
            ],
        )

    def _program_rows(self) -> Iterator[Sequence[str]]:
        for name, words in ROWS.items():
            if name in self.programs:
                measured = self.programs[name]
                yield words, *_figures(measured), f"{measured.wall / self.programs['empty'].wall:.1f}"
            else:
                yield words, WITHOUT_AWS_CDK, "", "", ""


def _figures(measured: Measured) -> tuple[str, str, str]:
    return f"{measured.wall:.2f} s", f"{measured.cpu:.2f} s", f"{measured.peak / 1e6:,.0f} MB"
