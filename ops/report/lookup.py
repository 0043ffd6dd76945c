"""The facts of a report: what the configuration says, and what AWS does, about the fleets and builds in plans.

Everything is optional. Whatever cannot be read says so, and the rest is read anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from estate.estate import Estate, EstateFleet
from estate.models.provider import Provider
from estate.recipes.handoff import handoff_of
from estate.recipes.rollout import rollout_of
from lambda_src.handoff.builds import time_in, version_of
from lambda_src.handoff.configuration import Gate
from lambda_src.rollout.configuration import After
from lambda_src.rollout.evidence import Wanted, evidence
from lambda_src.rollout.windows import opening, parse_window
from ops.accounts import Access, Accounts, access_to_image_of
from ops.commit import difference
from ops.errors import OpsError
from ops.report.build_facts import read_build
from ops.report.conditions import SOON, how, when
from ops.report.facts import BuildFacts, Facts, FleetFacts, Pinned, Rules
from ops.report.fleet import PlannedFleet
from ops.report.fleet_facts import UNKNOWN, read_declared, read_other
from ops.report.material import Material, material
from ops.report.next_builds import next_builds
from ops.report.sources import StackPlan
from ops.rollout_fleets import fleet_of

_AT_ONCE = 8


def look_up(
    stacks: Sequence[StackPlan], estate: Estate | None, *, configuration: Path | None, asks_aws: bool, now: datetime
) -> Facts:
    """Everything that can be known about the fleets that plans change. `configuration` is where that of the estate is,
    in a repository of git."""
    known = material(stacks, Facts(), now=now)
    declared = {fleet.key: found for fleet in known.concerned if (found := _declared(fleet, estate))}
    later = tuple(next_builds(stacks, estate)) if estate else ()
    rules = {stack: _rules(fleet, now) for stack, fleet in declared.items()}
    lacks: tuple[str, ...] = ()
    if strangers := [fleet for fleet in known.concerned if fleet.key not in declared]:
        why = "there is no configuration" if estate is None else f"the configuration has no fleet {strangers[0].name}"
        lacks = (f"windows, `after` and alarms: {why}",)
    if not asks_aws:
        if known.affected:
            lacks = (*lacks, f"{UNKNOWN}, and what changed inside: AWS was not asked (--no-aws)")
        return Facts(rules=rules, next_builds=later, lacks=lacks, asked_aws=False)
    accounts = Accounts()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        fleets = dict(
            zip(
                (fleet.key for fleet in known.concerned),
                pool.map(lambda fleet: _fleet(fleet, declared.get(fleet.key), accounts, now), known.concerned),
                strict=True,
            )
        )
        known = replace(known, facts=Facts(fleets=fleets, rules=rules))
        wanted = _builds(known.arns, known.affected, declared)
        builds = dict(zip(wanted, pool.map(lambda arn: _build(arn, wanted[arn], accounts, now), wanted), strict=True))
        asked = [(arn, ami, each) for arn, (ami, some) in _others(known, declared).items() for each in some]
        proofs = pool.map(lambda one: _has_run(one[2], one[0], one[1], accounts, now), asked)
        ran: dict[str, tuple[str, ...]] = {}
        for (arn, _, _), proof in zip(asked, proofs, strict=True):
            ran[arn] = (*ran.get(arn, ()), *proof)
    pairs = dict.fromkeys((known.arns.get(each.old_ami), known.arns.get(each.new_ami)) for each in known.affected)
    commits, lacking = _commits(
        [(builds[a], builds[b]) for a, b in pairs if a in builds and b in builds], configuration
    )
    return Facts(
        rules=rules,
        fleets=fleets,
        builds=builds,
        ran=ran,
        commits=commits,
        next_builds=later,
        lacks=(*lacks, *lacking),
    )


def _others(known: Material, declared: Mapping[str, EstateFleet]) -> dict[str, tuple[str, list[EstateFleet]]]:
    """By the ARN of each build that fleets get: its AMI, and the other fleets of its image, which may have run it."""
    own = {fleet.names.group for fleet in declared.values()}
    found: dict[str, tuple[str, list[EstateFleet]]] = {}
    for planned in known.affected:
        arn, fleet = known.arns.get(planned.new_ami), declared.get(planned.key)
        if arn and fleet and planned.moves and arn not in found:
            fleets = (fleet.estate.fleet(name) for name in fleet.estate.fleets)
            others = [each for each in fleets if each.fleet.image == fleet.fleet.image and each.names.group not in own]
            found[arn] = (planned.new_ami, others)
    return found


def _has_run(declared: EstateFleet, arn: str, ami: str, accounts: Accounts, now: datetime) -> tuple[str, ...]:
    """Since when a fleet has run a build; nothing where it has not, or that cannot be read: it is not what counts."""
    name = declared.fleet.name
    try:
        runs = fleet_of(declared, accounts).runs_of(name)
    except OpsError:
        return ()
    at_all = After(fleets=(name,), soak_minutes=0, soak="0 minutes")
    return evidence(at_all, {name: runs}, wanted=Wanted(build=version_of(arn), ami=ami), now=now).proofs


def _commits(
    pairs: Sequence[tuple[BuildFacts, BuildFacts]], configuration: Path | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """What git shows between the commits of builds, and what it cannot show."""
    found: dict[str, str] = {}
    lacks: list[str] = []
    for old, new in pairs:
        if configuration and old.commit and new.commit and old.commit != new.commit:
            try:
                found[f"{old.commit}..{new.commit}"] = difference(configuration, old.commit, new.commit)
            except OpsError as error:
                lacks.append(f"the configuration between two builds: {error}")
    return found, tuple(dict.fromkeys(lacks))


def _declared(planned: PlannedFleet, estate: Estate | None) -> EstateFleet | None:
    """The fleet in the configuration: by the name of its group, which has the namespace and is that of no other one."""
    for name in estate.fleets if estate else ():
        fleet = estate.fleet(name) if estate else None
        if fleet and fleet.names.group == planned.group and planned.region in ("", fleet.fleet.region):
            return fleet
    return None


def _rules(declared: EstateFleet, now: datetime) -> Rules:
    rules = rollout_of(declared)
    found = opening([parse_window(window) for window in rules.windows], rules.freezes, now=now)
    return Rules(
        is_by_goldsmith=rules.is_by_goldsmith,
        image=declared.fleet.image,
        estate=declared.image.names.namespace if declared.image.is_external else "",
        account=declared.account or "",
        region=rules.region,
        preferences=dict(rules.preferences),
        wave=rules.wave,
        holds_others=rules.hold_on_failure,
        after=rules.after.fleets if rules.after else (),
        is_open=found.is_open,
        closed=found.reason,
        opens="" if found.is_open else found.when,
        is_pinned=declared.fleet.is_pinned,
        pin=_pinned(declared),
        conditions=(*(tuple(when(rules)) or (SOON,)), *how(rules)),
        record=rules.record,
    )


def _pinned(declared: EstateFleet) -> Pinned | None:
    pin = declared.pin
    if pin is None:
        return None
    arn = f"{declared.image.image_builder_arn('image', account=pin.owner)}/{pin.build}"
    return Pinned(ami=pin.ami, build=arn, created=time_in(pin.created), proved=pin.proved)


def _fleet(planned: PlannedFleet, declared: EstateFleet | None, accounts: Accounts, now: datetime) -> FleetFacts:
    try:
        if declared:
            return read_declared(planned, declared, accounts=accounts, now=now)
        if not planned.region:
            return FleetFacts(lacks=(f"{UNKNOWN}: the plan does not say in which region the fleet is",))
        aws = accounts.reach(_environment(planned.region))
        return read_other(planned, aws=aws, why="no configuration has this fleet")
    except OpsError as error:
        return FleetFacts(lacks=(f"{UNKNOWN}: {error}",))


def _environment(region: str) -> Access:
    """The credentials of the environment."""
    return Access(name=None, provider=Provider(), region=region)


def _builds(
    arns: Mapping[str, str], fleets: Sequence[PlannedFleet], declared: Mapping[str, EstateFleet]
) -> dict[str, EstateFleet | None]:
    """The ARNs of the builds that fleets get or have, each with a fleet whose image it is."""
    wanted: dict[str, EstateFleet | None] = {}
    for fleet in fleets:
        if fleet.moves:
            for ami in (fleet.old_ami, fleet.new_ami):
                if arn := arns.get(ami):
                    wanted[arn] = wanted.get(arn) or declared.get(fleet.key)
    return wanted


def _build(arn: str, declared: EstateFleet | None, accounts: Accounts, now: datetime) -> BuildFacts:
    account, region = arn.split(":")[4], arn.split(":")[3]
    try:
        aws = accounts.reach(access_to_image_of(declared) if declared else _environment(region))
        if aws.account != account:
            raise OpsError(f"these credentials belong to account {aws.account}, and the build to {account}")
        own = f"{declared.image.names.image_builder}_" if declared else ""
        return read_build(arn, aws=aws, gate=_gate(declared), own=own, now=now)
    except OpsError as error:
        return BuildFacts(arn=arn, lacks=(f"what is inside: {error}",))


def _gate(declared: EstateFleet | None) -> Gate | None:
    """The gate of the image; None for one of another estate, whose gate is not known here."""
    if declared is None or declared.image.is_external:
        return None
    return handoff_of(declared.estate.image(declared.fleet.image)).gate
