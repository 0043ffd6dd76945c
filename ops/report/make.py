"""A report of plans and facts. It calls nothing, so the same plans and facts always make the same report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from ops.report.by_itself import by_itself
from ops.report.checked import checked_of, unchecked_of
from ops.report.contents import contents
from ops.report.document import DriftLine, FleetRow, Inside, Proof, Report, StackReport
from ops.report.facts import BuildFacts, Facts
from ops.report.fleet import PlannedFleet
from ops.report.labels import Label
from ops.report.material import Material, material
from ops.report.needs import drift_text, needs_of
from ops.report.plan import QUIET, Change, Kind
from ops.report.sources import StackPlan
from ops.report.titles import title_of
from ops.report.ways_back import ways_back_of
from ops.report.words import ORDER, minutes
from ops.screen import moment


def report_of(stacks: Sequence[StackPlan], facts: Facts, *, now: datetime) -> Report:
    """The report of plans."""
    known = material(stacks, facts, now=now)
    title, is_alarming = title_of(known)
    reports = tuple(_stack(known, stack) for stack in known.stacks)
    return Report(
        title=title,
        is_alarming=is_alarming,
        needs=needs_of(known),
        fleets=tuple(_row(known, fleet) for fleet in known.affected),
        by_itself=tuple(by_itself(known)),
        proofs=tuple(_proofs(known)),
        inside=tuple(_inside(known)),
        ways_back=tuple(ways_back_of(known)),
        checked=tuple(checked_of(known)),
        unchecked=tuple(unchecked_of(known)),
        counts=sum((Counter(stack.counts) for stack in reports), Counter[Kind]()),
        stacks=tuple(sorted(reports, key=_severity)),
    )


def _row(known: Material, fleet: PlannedFleet) -> FleetRow:
    facts = known.facts_of(fleet)
    seconds = known.seconds(fleet)
    running = sorted(facts.runs or (), key=lambda ami: (ami != fleet.old_ami, ami))
    others = tuple(known.label(ami) for ami in running if ami and ami != fleet.old_ami)
    none = Label(short="nothing", exact="")
    if fleet.is_destroyed:
        what, order = "destroyed", "by the apply"
    elif fleet.is_new:
        what, order = "new", "by the apply"
    elif not fleet.rolls:
        what, order = "replaced", "by the apply"
    else:
        what = "image" if fleet.moves else "instances"
        by_goldsmith = "its function" if fleet.is_automatic else "goldsmith rollout"
        order = by_goldsmith if known.is_by_goldsmith(fleet) else "by the apply"
    waves = {rules.wave for rules in known.facts.rules.values()}
    rules = known.rules_of(fleet)
    if rules and len(waves) > 1:
        order = f"wave {rules.wave}, {order}"
    takes = "unknown" if seconds is None else f"about {minutes(seconds)}"
    return FleetRow(
        stack=fleet.stack,
        fleet=fleet.name,
        image=known.image(fleet),
        account=fleet.account or (rules.account if rules else ""),
        region=fleet.region or (rules.region if rules else ""),
        what=what,
        runs=none if fleet.is_new else known.label(fleet.old_ami),
        others=others,
        will_run=none if fleet.is_destroyed else known.label(fleet.new_ami),
        instances=known.instances(fleet),
        order=order,
        minutes=takes if fleet.rolls else "-",
    )


def _moved(known: Material) -> Iterator[PlannedFleet]:
    yield from (fleet for fleet in known.affected if fleet.moves and not fleet.is_destroyed)


def _proofs(known: Material) -> Iterator[Proof]:
    """One for each build that fleets get."""
    fleets: dict[str, list[PlannedFleet]] = {}
    for fleet in _moved(known):
        fleets.setdefault(known.arns.get(fleet.new_ami) or fleet.new_ami, []).append(fleet)
    for some in fleets.values():
        ami = some[0].new_ami
        ran = [known.labels.plain(text) for text in known.facts.ran.get(known.arns.get(ami, ""), ())]
        lines = [*_made(known, ami), *_of_build(known.build_of(ami)), *ran]
        for fleet in some:
            facts = known.facts_of(fleet)
            proofs = map(known.labels.plain, facts.proofs)
            lines += [f"for {fleet.name}: {proof}" for proof in proofs if proof not in ran]
            rules = known.rules_of(fleet)
            if rules and rules.pin and rules.pin.ami == fleet.new_ami and not facts.proofs:
                proved = (f"when {fleet.name} was pinned: {known.labels.plain(proof)}" for proof in rules.pin.proved)
                lines += proved
        tried = dict.fromkeys(text for fleet in some for text in known.facts_of(fleet).tried)
        lines += [known.labels.plain(text) for text in tried]
        if not tried and all(known.facts_of(fleet).runs is not None for fleet in some):
            lines.append("no rollout of it was rolled back or failed, as far as the records of these fleets go")
        yield Proof(image=known.image(some[0]), build=known.label(ami), lines=tuple(lines))


def _made(known: Material, ami: str) -> Iterator[str]:
    if made := known.created(ami):
        yield f"built {moment(made, now=known.now)} UTC"
    elif ami:
        yield "when it was built is not known"


def _of_build(build: BuildFacts | None) -> Iterator[str]:
    if build is None:
        return
    if build.commit:
        yield f"of commit {build.commit[:12]}"
    if build.status == "AVAILABLE" and build.tests:
        yield f"passed the tests {', '.join(build.tests)}"
    elif build.status == "AVAILABLE" and build.tests == ():
        yield "no test of its recipe has run on it"
    if build.findings is not None and build.has_gate and not build.gate:
        yield "passes the gate"


def _inside(known: Material) -> Iterator[Inside]:
    """One for each pair of builds."""
    seen: set[tuple[str, str]] = set()
    for fleet in _moved(known):
        old, new = known.build_of(fleet.old_ami), known.build_of(fleet.new_ami)
        if old is None or new is None or (old.arn, new.arn) in seen:
            continue
        seen.add((old.arn, new.arn))
        commits = [each.commit[:12] or "unknown" for each in (old, new)]
        yield Inside(
            image=known.image(fleet),
            old=known.labels.of_build(old.arn),
            new=known.labels.of_build(new.arn),
            commit=" → ".join(commits) if old.commit or new.commit else "",
            diff=known.facts.commits.get(f"{old.commit}..{new.commit}", ""),
            contents=contents(old, new),
        )


def _stack(known: Material, stack: StackPlan) -> StackReport:
    plan = stack.plan
    if plan is None:
        return StackReport(
            stack=stack.stack, account=stack.account, region=stack.region, has_failed=True, error=stack.error
        )
    changes = [change for change in plan.changes if change.kind not in QUIET]
    drift = [
        DriftLine(address=each.address, text=text) for each in plan.drift if (text := drift_text(each, plan.changes))
    ]
    shown = {each.address for each in drift}
    return StackReport(
        stack=stack.stack,
        account=stack.account,
        region=stack.region,
        has_failed=stack.has_failed,
        error=stack.error,
        counts=Counter(change.kind for change in plan.changes),
        changes=tuple(sorted(changes, key=_rank)),
        outputs=tuple(output for output in plan.outputs if output.kind not in QUIET),
        drift=tuple(drift),
        refreshed=sum(bool(each.names) and each.address not in shown for each in plan.drift),
        warnings=(
            *(f"the apply runs {action}" for action in plan.invoked),
            *(finding.message or finding.address for finding in plan.findings),
        ),
    )


def _rank(change: Change) -> tuple[int, str]:
    return ORDER.index(change.kind), change.address


def _severity(stack: StackReport) -> tuple[bool, int, int, str]:
    """The most important stacks first: what failed, what destroys, then what changes most."""
    worst = min((ORDER.index(change.kind) for change in stack.changes), default=len(ORDER))
    return not stack.has_failed, worst, -len(stack.changes), stack.stack
