"""Why a channel is where it is, as `goldsmith status` says: one reason for each, and whether a person is needed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lambda_src.handoff.builds import Build
from lambda_src.handoff.channels import Channel, Version
from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.gate import Verdict
from lambda_src.handoff.holds import Hold
from local_aws.server import LocalAws
from ops.channel_gaps import ChannelFacts, channel_gaps
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import OpsWorld, Shell, impatient_shell

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PIPELINE = "arn:aws:imagebuilder:eu-west-1:111111111111:image-pipeline/acme-web"
STABLE = ChannelRule(source="latest", soak_minutes=24 * 60)
BY_PEOPLE = ChannelRule(source="latest")
ALICE = "arn:aws:sts::111111111111:assumed-role/ops/alice"


def _build(number: int, *, days: float, **tags: str) -> Build:
    arn = f"{PIPELINE.replace('image-pipeline', 'image')}/1.0.7/{number}"
    return Build(arn, "AVAILABLE", NOW - timedelta(days=days), {"eu-west-1": f"ami-{number}"}, tags)


OLD, MIDDLE, NEW = _build(1, days=5), _build(2, days=3), _build(3, days=0.5)


def _channel(*moves: tuple[Build, float], **record: str) -> Channel:
    """A channel that pointed to these builds, each since so many days."""
    versions = [
        Version(
            build.outputs["eu-west-1"], number, NOW - timedelta(days=days), {"build": build.arn, "move": str(number)}
        )
        for number, (build, days) in enumerate(moves, start=1)
    ]
    return Channel((*versions[:-1], replace(versions[-1], record={**versions[-1].record, **record})))


LATEST = _channel((OLD, 5), (MIDDLE, 3), (NEW, 0.5))


@dataclass(frozen=True)
class Case:
    """What is known, and the reasons; `!` stands before one that needs a person."""

    stable: Channel | None = None
    latest: Channel | None = LATEST
    rule: ChannelRule = STABLE
    builds: Sequence[Build] = (NEW, MIDDLE, OLD)
    holds: dict[str, Hold] = field(default_factory=dict)
    verdict: Verdict | None = None
    failed: dict[str, str] = field(default_factory=dict)
    expected: tuple[str, ...] = ()


REVOKED = replace(MIDDLE, tags={"goldsmith:revoked": "2026-11-01T00:00:00Z broken login"})
LATER = replace(NEW, tags={"goldsmith:revoked": "2026-12-01T00:00:00Z not yet"})
HELD = Hold(held=True, by=ALICE, why="year end", until="2027-01-05T00:00:00+00:00")
CASES = {
    "everything is where it belongs": Case(stable=_channel((NEW, 0.1)), rule=BY_PEOPLE),
    "it soaks": Case(stable=_channel((MIDDLE, 2)), expected=("stable: 1.0.7/3 soaks in latest until 30 Nov 00:00",)),
    "it has soaked just now": Case(
        stable=_channel((OLD, 2)),
        latest=_channel((OLD, 5), (MIDDLE, 1.05)),
        builds=(MIDDLE, OLD),
        expected=("stable: 1.0.7/2 has soaked, and the hand-off has not moved it yet",),
    ),
    "the hand-off does not work": Case(
        stable=_channel((OLD, 2)),
        builds=(MIDDLE, OLD),
        latest=_channel((OLD, 5), (MIDDLE, 3)),
        expected=(
            "!stable: 1.0.7/2 has soaked, and the hand-off has not moved it yet; look at its alarms and its log",
        ),
    ),
    "nobody has promoted it": Case(
        stable=_channel((OLD, 2)),
        rule=BY_PEOPLE,
        expected=("stable: 1.0.7/3 waits for somebody to promote it: goldsmith promote web stable",),
    ),
    "a fleet that has it already went back": Case(
        stable=_channel((OLD, 2)),
        rule=BY_PEOPLE,
        failed={"1.0.7/3": "was rolled back (it stopped) in fleet web-dev", "1.0.7/2": "failed in fleet web-dev"},
        expected=(
            "stable: 1.0.7/3 was rolled back (it stopped) in fleet web-dev: if that is not the build's fault, "
            "goldsmith promote web stable",
        ),
    ),
    "it is held": Case(
        stable=_channel((OLD, 2)),
        holds={"stable": HELD},
        expected=("stable: held by alice until 05 Jan 2027 00:00: year end",),
    ),
    "everything is held, and nothing would move": Case(stable=_channel((NEW, 1)), holds={"": HELD}),
    "a hold that has ended": Case(
        stable=_channel((MIDDLE, 2)),
        holds={"": replace(HELD, until="2026-11-01T00:00:00+00:00")},
        expected=("stable: 1.0.7/3 soaks in latest until 30 Nov 00:00",),
    ),
    "somebody rolled it back": Case(
        stable=_channel((OLD, 4), (MIDDLE, 2), (OLD, 1), how="rolled back", by=ALICE, why="broken login"),
        builds=(MIDDLE, OLD),
        latest=_channel((OLD, 5), (MIDDLE, 3)),
        expected=("stable: rolled back by alice: broken login; it stays until there is a newer build",),
    ),
    "its build is revoked and it moves by itself": Case(
        stable=_channel((MIDDLE, 2)),
        builds=(NEW, REVOKED, OLD),
        expected=("stable: points to a revoked build (broken login): the hand-off moves it within an hour",),
    ),
    "its build is revoked and people move it": Case(
        stable=_channel((MIDDLE, 2)),
        builds=(NEW, REVOKED, OLD),
        rule=BY_PEOPLE,
        expected=("!stable: points to a revoked build (broken login): run goldsmith rollback web@stable",),
    ),
    "its build will be revoked": Case(stable=_channel((NEW, 1)), builds=(LATER, MIDDLE, OLD)),
    "the gate refuses the newest": Case(
        stable=_channel((MIDDLE, 1)),
        latest=_channel((OLD, 5), (MIDDLE, 3)),
        verdict=Verdict(passes=False, reason="2 critical"),
        expected=("!latest: 1.0.7/3 does not pass the gate: 2 critical",),
    ),
    "the scan has not ended": Case(
        stable=_channel((MIDDLE, 1)),
        latest=_channel((OLD, 5), (MIDDLE, 3)),
        verdict=Verdict(passes=False, waits=True, reason="scan PENDING"),
        expected=("latest: 1.0.7/3 waits for the gate: scan PENDING",),
    ),
    "the newest build has not been handed off for hours": Case(
        stable=_channel((MIDDLE, 1)),
        latest=_channel((OLD, 5), (MIDDLE, 3)),
        expected=("!latest: the hand-off has not moved it to 1.0.7/3 yet; look at its alarms and its log",),
    ),
    "nothing was ever built": Case(latest=None, builds=()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_reason_is(case: Case) -> None:
    channels = {name: found for name, found in (("latest", case.latest), ("stable", case.stable)) if found}
    gaps = channel_gaps(
        ChannelFacts(
            image="web",
            pipeline_arn=PIPELINE,
            region="eu-west-1",
            channels=channels,
            rules={"stable": case.rule},
            holds=case.holds,
            builds=case.builds,
            verdict=case.verdict,
            failed=case.failed,
            now=NOW,
        )
    )
    assert tuple(f"{'!' * gap.needs_person}{gap.channel}: {gap.reason}" for gap in gaps) == case.expected


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> Iterator[OpsWorld]:
    world = OpsWorld(web=ImageWorld(local_aws), config=shell.config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name)
    yield world


def test_named_image_shows_what_its_builds_store_and_cost(world: OpsWorld) -> None:
    world.web.build()
    world.web.run()
    lines = [line.split() for line in world.ops("status", world.name).out.splitlines()]
    (kept,) = (line for line in lines if line[:1] == ["1.0.7/1"])
    assert kept[4:] == ["in", "use", "16", "$0.80"], "8 GB in each of two regions"
    assert ["together", "1", "builds", "16", "$0.80"] in lines
    assert not any("together" in line for line in world.ops("status").out.splitlines()), "only where it is named"


def test_csv_has_a_line_for_each_channel_and_region(world: OpsWorld) -> None:
    build = world.web.build()
    world.web.run()
    answer = world.ops("status", "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert [(row["region"], row["channel"], row["value"]) for row in rows] == [
        ("us-east-1", "latest", world.web.amis(build)["us-east-1"]),
        ("us-east-1", "prod", ""),
        ("eu-west-1", "latest", world.web.amis(build)["eu-west-1"]),
        ("eu-west-1", "prod", ""),
    ]
    assert rows[1]["reason"].startswith("1.0.7/1 waits for somebody to promote it")
    assert world.ops("status", "--csv", "--json").status == 2, "one of both"
