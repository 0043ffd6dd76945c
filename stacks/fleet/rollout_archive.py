"""The archive of the function that rolls out a fleet's builds: its sources, its configuration, and time zones.

The sources keep their places below `lambda_src/`, because the rules of rollouts import modules of the hand-off.
"""

from functools import cache
from importlib.resources import files

from estate.estate import EstateFleet
from estate.recipes.rollout import function_of
from lambda_src.rollout.configuration import FILE
from stacks.function import SOURCES, Code, zipped

OF_THE_HANDOFF = (
    "__init__",
    "answers",
    "builds",
    "cache",
    "channels",
    "configuration",
    "failures",
    "gate",
    "history",
    "holds",
    "known_builds",
    "log_line",
    "notices",
    "outputs",
    "run",
)
"""The modules of the hand-off that the rules of rollouts import, directly or through others."""

_UTC = "UTC"
"""The zone in which times are compared."""


def rollout_code(declared: EstateFleet) -> Code:
    """What the function of a fleet runs."""
    configuration = function_of(declared)
    return Code(
        name="rollout",
        handler="lambda_src.rollout.handler.handle",
        archive=zipped(
            {
                **_sources(),
                f"{SOURCES.name}/rollout/{FILE}": configuration.to_json().encode(),
                **time_zones({_UTC, *configuration.rules.zones}),
            }
        ),
    )


@cache
def _sources() -> dict[str, bytes]:
    """By their paths in the archive; read once for all fleets."""
    used = [*(SOURCES / "rollout").rglob("*.py"), *(SOURCES / "handoff" / f"{name}.py" for name in OF_THE_HANDOFF)]
    found = {file.relative_to(SOURCES.parent).as_posix(): file.read_bytes() for file in used}
    return {**found, f"{SOURCES.name}/__init__.py": b""}


def time_zones(names: set[str]) -> dict[str, bytes]:
    """The package `tzdata` with these zones only: Lambda's runtimes on Amazon Linux 2023 have no database of time zones
    (aws/aws-lambda-dotnet#1620), and Python then reads that package ("Data sources" of its `zoneinfo`)."""
    packages = ["tzdata", "tzdata/zoneinfo"]
    found = {}
    for name in names:
        *folders, _ = name.split("/")
        packages += ["/".join(["tzdata/zoneinfo", *folders[:depth]]) for depth in range(1, len(folders) + 1)]
        found[f"tzdata/zoneinfo/{name}"] = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    return {**found, **{f"{package}/__init__.py": b"" for package in packages}}
