"""Gaps: where a fleet differs from its channel or its launch template, with one reason for each, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from estate.models.pin import Pin
from lambda_src.handoff.builds import time_in
from lambda_src.rollout.decisions import Decision, Ended, Follow, Refused, Start, Wait
from lambda_src.rollout.group import GOING_BACK, Refresh, TemplateVersion
from ops.fleet import Facts, Running
from ops.rollout_progress import waits_for
from ops.screen import moment_in_zone


def gaps_of(declared: EstateFleet, facts: Facts) -> tuple[str, ...]:
    """One line for each gap; no gap for instances that a running refresh will replace."""
    return tuple(_gaps(declared, facts))


def progress_of(facts: Facts) -> str | None:
    """The progress of the refresh that is running; None when none is."""
    refresh = facts.refresh
    if refresh is None or not _replaces(refresh):
        return None
    stale = sum(running.count for running in _left(refresh, facts))
    left = f", {_instances(stale)} left" if stale else ""
    waits = f": {reason}" if (reason := waits_for(refresh)) else ""
    return f"instance refresh {_how_far(refresh)}{left}{waits}"


def queued_of(declared: EstateFleet, facts: Facts) -> str | None:
    """Until when a rollout has to wait, and for what; None when it does not."""
    match facts.decision:
        case Wait(reasons=reasons, until=until):
            return f"queued for {moment_in_zone(until)}: {'; '.join(reasons)}"
        case Start(version=version) if declared.fleet.is_automatic and facts.wanted:
            changed = "what has changed in the launch template, with " if version.ami == facts.wanted.ami else ""
            build = _shown(version.ami, facts.builds)
            return f"queued for the next run of its function, within five minutes: {changed}{build}"
        case Refused(reasons=reasons) if declared.fleet.is_automatic and not facts.needs_person:
            return f"queued: {'; '.join(reasons)}"
    lacks = facts.proposal.lacks if facts.proposal else ()
    ends = [lack.until for lack in lacks if lack.until]
    if lacks and len(ends) == len(lacks):
        return f"{facts.meaning.build} can be pinned from {moment_in_zone(max(ends))}: {lacks[0].text}"
    return None


def _replaces(refresh: Refresh) -> bool:
    """Whether it replaces instances. AWS ends one that makes no progress for an hour."""
    return refresh.is_running and refresh.status not in GOING_BACK


def _gaps(declared: EstateFleet, facts: Facts) -> Iterator[str]:
    stack = declared.names.stack
    deploy = f"goldsmith plan {stack} and apply it"
    if facts.group_exists is False and facts.template_exists is False:
        yield f"{stack} is not deployed: run {deploy}"
    elif facts.group_exists is False:
        yield f"group {facts.group_name} does not exist: run {deploy}"
    elif facts.template_exists is False:
        yield f"launch template {facts.group_name} does not exist: run {deploy}"
    if facts.being_deleted:
        yield f"group {facts.group_name} is being deleted"
    yield from (
        _of_pin(declared, facts, deploy) if declared.fleet.is_pinned else _of_channel(declared.fleet, facts, deploy)
    )
    if facts.decision:
        yield from _of_rollout(declared, facts, facts.decision)
    else:
        yield from _of_group(facts, deploy)
        yield from _of_instances(declared, facts)


def _of_channel(fleet: Fleet, facts: Facts, deploy: str) -> Iterator[str]:
    """Between the channel and the launch template."""
    channel = f"channel {fleet.channel} of image {fleet.image}"
    if facts.channel_was_read and facts.channel is None:
        yield f"{channel} " + (
            f"is not set in {fleet.region}" if facts.has_builds else f"has no build in {fleet.region} yet"
        )
    elif facts.meaning.problem:
        yield f"{channel}: {facts.meaning.problem}"
    elif facts.ami and facts.newest and facts.ami != facts.newest.ami and not fleet.is_automatic:
        wanted, has = _shown(facts.ami, facts.builds), _shown(facts.newest.ami, facts.builds)
        yield f"{channel} points to {wanted}, and the launch template has {has}: run {deploy}"


def _of_pin(declared: EstateFleet, facts: Facts, deploy: str) -> Iterator[str]:
    """Between the pin and the launch template, and between the channel and the pin."""
    fleet, pin = declared.fleet, declared.pin
    command = f"goldsmith pin {fleet.name}"
    if pin is None:
        yield f"{declared.lack_of_pin}: run {command}"
        return
    for fault in facts.pin_faults:
        yield f"the pin says {pin.build}, and {fault}: run {command}, or revert the commit that pinned it"
    if facts.newest and facts.newest.ami != pin.ami:
        has = _shown(facts.newest.ami, facts.builds)
        yield f"the pin says {pin.build}, and the launch template has {has}: run {deploy}"
    ahead = _ahead(pin, facts)
    if ahead and facts.proposal and not facts.meaning.problem:
        lacks = [lack.text for lack in facts.proposal.lacks]
        if lacks and any(lack.until is None for lack in facts.proposal.lacks):
            yield f"{ahead}: {'; '.join(lacks)}"
        elif not lacks:
            yield f"{ahead}: run {command}"


def _ahead(pin: Pin, facts: Facts) -> str:
    """How the channel's build differs from the pinned one; empty if it does not."""
    build, created, pinned = facts.meaning.build, facts.meaning.created, time_in(pin.created)
    if not build or build == pin.build:
        return ""
    if created and pinned and created < pinned:
        return f"the channel has gone back to {build}, which is older than the pin, {pin.build}"
    return f"{build} is newer than the pin, {pin.build}"


def _of_rollout(declared: EstateFleet, facts: Facts, decision: Decision) -> Iterator[str]:
    """Between the launch template's newest version and the instances, when Goldsmith starts the rollouts."""
    rollout = f"goldsmith rollout {declared.fleet.name}"
    wanted = _aim(declared, facts)
    match decision:
        case Follow(refresh=refresh) if not _replaces(refresh):
            yield f"the rollout {_how_it_ended(refresh)}; wait for its end"
        case Start() if facts.wanted is None:
            lost = f"group {facts.group_name} launches a version of a launch template that does not exist any more"
            yield f"{lost}, so it cannot launch instances: run {rollout}"
        case Start() if not declared.fleet.is_automatic:
            yield f"the launch template has {wanted}, and no rollout was started: run {rollout}"
        case Ended(attempt=attempt):
            yield (
                f"the rollout of {attempt.build or wanted} {attempt.ended_why}: {rollout} "
                "says what to do, and tries again with --retry"
            )
        case Refused() if declared.fleet.is_automatic and facts.channel is None:
            pass  # which is a gap of its own
        case Refused(reasons=reasons) if facts.needs_person or not declared.fleet.is_automatic:
            yield f"no rollout of {wanted}: {'; '.join(reasons)}"
            if facts.unreadable in reasons:
                return
    if facts.unreadable:
        yield facts.unreadable


def _aim(declared: EstateFleet, facts: Facts) -> str:
    """What a rollout would bring."""
    if declared.fleet.is_automatic and facts.ami:
        return _shown(facts.ami, facts.builds)
    newest = facts.newest
    return _with_version(newest.ami, str(newest.number), facts.builds) if newest else "the newest version"


def _of_group(facts: Facts, deploy: str) -> Iterator[str]:
    """Between the launch template's newest version and the version that the group launches."""
    newest, wanted = facts.newest, facts.wanted
    if facts.group_exists and newest and wanted is None and not facts.errors:
        yield f"group {facts.group_name} launches a version of a launch template that does not exist: run {deploy}"
    elif newest and wanted and newest.template != wanted.template:
        yield f"group {facts.group_name} launches another launch template, {wanted.template}: run {deploy}"
    elif newest and wanted and newest.number != wanted.number and not _brings(facts.refresh, newest):
        back = f" ({_how_it_ended(facts.refresh)})" if facts.refresh and "Rollback" in facts.refresh.status else ""
        yield (
            f"the group launches version {wanted.number} of the launch template, and {newest.number} is the newest"
            + (f"{back}: run {deploy}")
        )


def _brings(refresh: Refresh | None, version: TemplateVersion) -> bool:
    """Whether a refresh runs that gives the group a version at its end."""
    return refresh is not None and _replaces(refresh) and refresh.key == version.key


def _of_instances(declared: EstateFleet, facts: Facts) -> Iterator[str]:
    """Between the version that the group launches and what the instances run."""
    stale = _stale(facts)
    if not stale or facts.wanted is None or (facts.refresh and _replaces(facts.refresh)):
        return
    count, whole = (sum(running.count for running in some) for some in (stale, facts.instances))
    verb = "runs" if whole == 1 else "run"
    runs = " and ".join(dict.fromkeys(_with_version(running.ami, running.version, facts.builds) for running in stale))
    wanted = _with_version(facts.wanted.ami, str(facts.wanted.number), facts.builds)
    why = _why(facts.refresh, facts.wanted, stale)
    remedy = _remedy(declared, facts)
    yield f"{count} of {_instances(whole)} {verb} {runs}, and the group launches {wanted}: {why}; {remedy}"


def _left(refresh: Refresh, facts: Facts) -> list[Running]:
    """What a running refresh replaces: until its end, the group launches the version before the one that it brings."""
    if not refresh.has_configuration:
        return _stale(facts)
    if not refresh.version.isdecimal():  # somebody has started it with $Latest or $Default
        return []
    return [each for each in facts.instances if each.key != refresh.key]


def _stale(facts: Facts) -> list[Running]:
    wanted = facts.wanted
    if wanted is None:
        return []
    return [
        running
        for running in facts.instances
        if running.key != wanted.key or (running.ami and wanted.ami and running.ami != wanted.ami)
    ]


def _why(refresh: Refresh | None, wanted: TemplateVersion, stale: list[Running]) -> str:
    """Why instances were not replaced. AWS keeps no record of a refresh that it refused, or that was never
    requested."""
    if refresh is None:
        return "no instance refresh was started"
    started_before = refresh.started and wanted.created and refresh.started < wanted.created
    if started_before and refresh.status == "Successful":
        return f"no instance refresh was started since version {wanted.number} was made"
    if refresh.status == "Successful" and all(running.kept for running in stale):
        return "they are protected from scale-in or in standby, and the last instance refresh skipped them"
    return f"the last instance refresh {_how_it_ended(refresh)}"


def _remedy(declared: EstateFleet, facts: Facts) -> str:
    """The command that starts a refresh with the declared preferences, because Terraform's next plan is empty."""
    if facts.refresh and facts.refresh.status in GOING_BACK:
        return "wait for its end"
    return f"goldsmith rollout {declared.fleet.name} --retry starts one"


def _how_it_ended(refresh: Refresh) -> str:
    reason = refresh.rollback or refresh.reason  # while it goes back, the latter says what that waits for
    return _how_far(refresh) + (f": {reason.rstrip('.')}" if reason else "")


def _how_far(refresh: Refresh) -> str:
    at = "" if refresh.percentage is None else f" at {refresh.percentage}%"
    verb = "is" if refresh.is_running else "ended"
    return f"{verb} {refresh.status}{at}"


def _with_version(ami: str, version: str, builds: Mapping[str, str]) -> str:
    return f"{_shown(ami, builds)} ({f'version {version}' if version else 'not from a launch template'})"


def _shown(ami: str, builds: Mapping[str, str]) -> str:
    return builds.get(ami) or ami or "an unknown AMI"


def _instances(count: int) -> str:
    return f"{count} instance" if count == 1 else f"{count} instances"
