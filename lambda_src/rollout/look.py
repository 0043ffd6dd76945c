"""The look at a fleet before something is decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ..handoff.answers import GarbledAnswer, entries, member, pages, text
from ..handoff.builds import time_in, version_of
from ..handoff.channels import HOLD, hold_parameter
from ..handoff.holds import Hold
from .configuration import FleetRules
from .decisions import Rule, Sight
from .evidence import Evidence, Runs, Wanted, evidence
from .group import (
    NEWEST,
    Group,
    Refresh,
    TemplateVersion,
    read_group,
    read_launch_times,
    read_refreshes,
    read_version,
    read_versions,
)
from .guards import build_of, faults
from .record import Record, closed, completed, read_records
from .windows import opening, parse_window

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ssm import SSMClient

FAILURES = (BotoCoreError, ClientError, GarbledAnswer)
"""What a call to AWS raises."""
_Ami = Mapping[str, Any]
_MOST_OTHERS = 5
"""How many further versions of a template are read. A group seldom runs more than two."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The account and region of a fleet."""

    autoscaling: Any
    ec2: EC2Client
    ssm: SSMClient
    account: str


@dataclass(frozen=True, kw_only=True)
class ImagePlace:
    """The account of a fleet's image, in the region of the fleet."""

    ec2: EC2Client
    ssm: SSMClient
    home_ssm: SSMClient
    """In the home region of the image."""
    account: str


@dataclass(frozen=True, kw_only=True)
class Amis:
    """AMIs as the two accounts have them, by the ID in the fleet's account."""

    here: Mapping[str, _Ami]
    made: Mapping[str, _Ami]

    @property
    def builds(self) -> dict[str, str]:
        """Their builds, `1.0.912/3`, where they are known."""
        return _builds(self.made)

    @property
    def created(self) -> dict[str, datetime]:
        """When they were made."""
        return _created(self.made)


def _builds(amis: Mapping[str, _Ami]) -> dict[str, str]:
    return {ami: build for ami, found in amis.items() if (build := version_of(build_of(found)))}


def _created(amis: Mapping[str, _Ami]) -> dict[str, datetime]:
    return {ami: made for ami, found in amis.items() if (made := time_in(text(found, "CreationDate")))}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The group of a fleet, its launch template and its last refreshes."""

    group: Group | None
    newest: TemplateVersion | None
    """The newest version of the launch template."""
    current: TemplateVersion | None
    """The version that the group launches."""
    refreshes: tuple[Refresh, ...] = ()
    """Newest first."""
    others: tuple[TemplateVersion, ...] = ()
    """The other versions that instances in service run, or that a running refresh brings."""

    @property
    def versions(self) -> tuple[TemplateVersion, ...]:
        """The known versions of the launch template, each once."""
        found = (version for version in (self.newest, self.current, *self.others) if version)
        return tuple({version.key: version for version in found}.values())


RunsOf = Callable[[str], Runs | str]
"""What was read about a fleet of `after`, or why it cannot be read."""


def look(
    rules: FleetRules, place: Place, image: ImagePlace, *, runs_of: RunsOf, now: datetime, seen: Seen | None = None
) -> tuple[Sight, Record]:
    """A fleet, and its record as it is written. `seen` is what was read already. Raises `FAILURES`."""
    records = read_records(place.ssm, rules.records)
    written = records.pop(rules.fleet, Record())
    seen = seen or read_seen(rules, place)
    values, holds = read_folders(rules, image)
    versions = [*seen.versions, *_read_tried(place.ec2, written, seen)]
    value = values.get(rules.channel, "")
    if rules.pinned:  # the pin counts, whatever the channel says
        value = rules.pinned.ami
    wanted = _copy_of(place, image, value) if rules.is_automatic and rules.runs_copy else value
    asked = (*(version.ami for version in versions), value, wanted)
    amis = read_amis(rules, place, image, {each for each in asked if each})
    pointed = amis.made.get(value, {}) if rules.pinned else _read_pointed(image, amis, value)
    builds = {**_builds({value: pointed}), **written.builds, **amis.builds}
    known = completed(
        written, seen.refreshes, versions=versions, current=seen.current, builds=builds, holds=rules.hold_on_failure
    )
    base = Sight(
        group=seen.group,
        newest=seen.newest,
        added=seen.newest,
        current=seen.current,
        versions=tuple(versions),
        refreshes=seen.refreshes,
        record=closed(known, seen.refreshes, now=now),
        others=records,
        builds=builds,
        created={**_created({value: pointed}), **amis.created},
        wanted=value,
        opening=opening([parse_window(window) for window in rules.windows], rules.freezes, now=now),
    )

    def toward(version: TemplateVersion | None) -> Sight:
        ami = version.ami if version else ""
        held = tuple(holding(rules, holds, now))
        against = tuple(faults_of(rules, amis, ami, place=place, image=image, now=now)) if version else ()
        if rules.is_automatic:
            if version and not ami:
                against = (
                    f"{rules.image}@{rules.channel} points to {value}, of which {_here(rules, place)} has no copy",
                )
            if seen.current and ami == seen.current.ami:  # it was taken before, and needs no proof
                return replace(base, newest=version, faults=against, holds=held)
        return replace(
            base,
            newest=version,
            has_wanted=not value or ami in (value, wanted) or _id_of(amis.made.get(ami)) == value,
            faults=against,
            holds=(*held, *_not_wanted(rules, amis, version, builds, pointed)),
            evidence=evidence_of(rules, Wanted(build=builds.get(ami, ""), ami=ami), runs_of=runs_of, now=now),
        )

    newest_ami = seen.newest.ami if seen.newest else ""
    aim, instead = _aims(rules, seen, wanted=wanted if value else newest_ami)
    sight = replace(toward(aim), instead=toward(instead) if instead else None)
    if sight.is_settled and sight.current:
        sight = replace(sight, record=sight.record.released(sight.current.ami))
    return sight, written


def _aims(rules: FleetRules, seen: Seen, wanted: str) -> tuple[TemplateVersion | None, TemplateVersion | None]:
    """What the fleet should run, and what instead as long as it must not. `wanted` is what the channel points to."""
    newest, current = seen.newest, seen.current
    if not rules.is_automatic or newest is None:
        return newest, None

    def with_ami(ami: str) -> TemplateVersion:
        version = newest.with_ami(ami)
        return current if current and current.launches_same(version) else version

    aim = with_ami(wanted)
    has_other = current and current.ami and current.ami != aim.ami
    return aim, with_ami(current.ami) if current and has_other else None


def read_seen(rules: FleetRules, place: Place) -> Seen:
    """The group of a fleet, its launch template and its last refreshes. Raises `FAILURES`."""
    # before the group, so that a refresh that has ended is never seen with the group before its end, nor one without a
    # configuration with what the group launched before it
    refreshes = read_refreshes(place.autoscaling, rules.group)
    group = read_group(place.autoscaling, rules.group)
    seen = Seen(
        group=group,
        newest=read_version(place.ec2, number=NEWEST, name=rules.group),
        current=read_current(place.ec2, group),
        refreshes=refreshes if group else (),
    )
    return replace(seen, others=tuple(_read_others(place.ec2, seen)))


def _read_others(ec2: EC2Client, seen: Seen) -> Iterator[TemplateVersion]:
    wanted = {each.key for each in (seen.group.in_service if seen.group else ())}
    wanted |= {each.key for each in seen.refreshes[:1] if each.is_running}
    others = {key for key in wanted if all(key)} - {version.key for version in seen.versions}
    for template, number in sorted(others, reverse=True)[:_MOST_OTHERS]:
        if found := read_version(ec2, number=number, template=template):
            yield found


def read_current(ec2: EC2Client, group: Group | None) -> TemplateVersion | None:
    """The version that a group launches."""
    return read_version(ec2, number=group.version, template=group.template) if group and group.template else None


def _read_tried(ec2: EC2Client, written: Record, seen: Seen) -> list[TemplateVersion]:
    """The versions of the template for which refreshes were started that are not in the record."""
    known = {attempt.refresh for attempt in written.attempts if attempt.ami}
    read = {version.key for version in seen.versions}
    templates = {template for template, _ in read}
    asked = {each.key for each in seen.refreshes if each.id not in known} - read
    numbers = {each: sorted(number for template, number in asked if template == each) for each in sorted(templates)}
    return [each for template in numbers for each in read_versions(ec2, numbers=numbers[template], template=template)]


def read_runs(rules: FleetRules, place: Place, image: ImagePlace) -> Runs:
    """What a fleet of `after` runs and ran. Raises `FAILURES`."""
    seen = read_seen(rules, place)
    written = read_records(place.ssm, rules.records).get(rules.fleet, Record())
    versions = [*seen.versions, *_read_tried(place.ec2, written, seen)]
    amis = read_amis(rules, place, image, {version.ami for version in versions if version.ami})
    builds = written.builds | amis.builds
    record = completed(written, seen.refreshes, versions=versions, current=seen.current, builds=builds)
    instances = seen.group.in_service if seen.group else ()
    times = read_launch_times(place.ec2, instances)
    launched = tuple(times[each.id] for each in instances if each.id in times)
    return Runs(record=record, group=seen.group, current=seen.current, builds=builds, launched=launched)


def read_amis(rules: FleetRules, place: Place, image: ImagePlace, wanted: set[str]) -> Amis:
    """AMIs by ID in the fleet's account, and those that they are, or are copies of, in the image's."""
    here = describe_by(place.ec2, "image-id", wanted)
    if not rules.is_elsewhere:
        return Amis(here=here, made=here)
    if not rules.runs_copy:
        return Amis(here=here, made=describe_by(image.ec2, "image-id", wanted))
    names = {ami: text(found, "Name") or "" for ami, found in here.items()}  # a copy has the same name
    made = {text(found, "Name"): found for found in describe_by(image.ec2, "name", {*names.values()} - {""}).values()}
    return Amis(here=here, made={ami: made[name] for ami, name in names.items() if name in made})


def describe_by(ec2: EC2Client, filter_name: str, values: set[str]) -> dict[str, _Ami]:
    """AMIs by their ID, found by a filter; also deprecated and disabled ones."""
    if not values:
        return {}
    filters: Any = [{"Name": filter_name, "Values": sorted(values)}]
    asked = pages(ec2, "describe_images", Filters=filters, IncludeDeprecated=True, IncludeDisabled=True)
    return {member(found, "ImageId", str): found for page in asked for found in entries(page, "Images")}


def read_folders(rules: FleetRules, image: ImagePlace) -> tuple[dict[str, str], dict[str, Hold]]:
    """The values of the image's channels in the fleet's region, and its holds, by channel."""
    values = _read_folder(image.ssm, rules.channels)
    at_home = values if rules.region == rules.home else _read_folder(image.home_ssm, rules.channels)
    holds = {
        channel: Hold.from_json(at_home[name])
        for channel in ("", rules.channel)
        if (name := hold_parameter(channel)) in at_home
    }
    return {name: value for name, value in values.items() if not name.startswith(HOLD)}, holds


def _read_folder(ssm: SSMClient, path: str) -> dict[str, str]:
    return {
        member(parameter, "Name", str).rpartition("/")[2]: text(parameter, "Value") or ""
        for page in pages(ssm, "get_parameters_by_path", Path=path)
        for parameter in entries(page, "Parameters")
    }


def holding(rules: FleetRules, holds: Mapping[str, Hold], now: datetime) -> Iterator[Rule]:
    """What holds the image or the channel."""
    for channel, hold in holds.items():
        if hold.holds_at(now):
            held = f"{rules.image}@{channel}" if channel else rules.image
            by = f" by {re.split('[/:]', hold.by)[-1]}" if hold.by else ""
            end = time_in(hold.until)
            ends = f" until {end:%d %b %H:%M} UTC" if end else f"; goldsmith hold {held} --undo"
            yield Rule(text=f"{held} is held{by}: {hold.why}{ends}", until=end)


def _read_pointed(image: ImagePlace, amis: Amis, value: str) -> _Ami:
    """The AMI that the channel points to, as the image's account has it; without members if there is none."""
    for found in amis.made.values():
        if value and _id_of(found) == value:
            return found
    return describe_by(image.ec2, "image-id", {value} - {""}).get(value, {})


def _id_of(made: _Ami | None) -> str:
    """The ID of an AMI in the image's account."""
    return (text(made, "ImageId") or "") if made else ""


def _not_wanted(
    rules: FleetRules, amis: Amis, newest: TemplateVersion | None, builds: Mapping[str, str], pointed: _Ami
) -> Iterator[Rule]:
    """The launch template has something else than the pin of this commit, or what the channel has left."""
    if rules.pinned is None:
        yield from _behind(rules, amis, newest.ami if newest else "", pointed)
    elif rules.pinned.lack:
        yield Rule(text=f"the fleet {rules.pinned.lack}: goldsmith pin {rules.fleet}")
    elif newest and newest.ami != rules.pinned.ami:
        has = builds.get(newest.ami) or newest.ami or "an unknown AMI"
        says = f"the pin says {rules.pinned.build}"
        yield Rule(text=f"{says}, and the launch template has {has}: run {rules.deploy}")


def _behind(rules: FleetRules, amis: Amis, ami: str, pointed: _Ami) -> Iterator[Rule]:
    """The channel went back after the template got its AMI."""
    template = amis.made.get(ami)
    if template is None or _id_of(template) == _id_of(pointed):
        return
    if not build_of(template) and ami not in rules.ami.accept:
        return  # guards refuse it anyway
    there, here = (time_in(text(found, "CreationDate")) for found in (pointed, template))
    if there and here and there < here:
        older = version_of(build_of(pointed)) or _id_of(pointed)
        yield Rule(
            text=f"{rules.image}@{rules.channel} points to {older}, which is older than "
            f"{version_of(build_of(template)) or ami} in the launch template: run {rules.deploy}"
        )


def faults_of(
    rules: FleetRules, amis: Amis, ami: str, *, place: Place, image: ImagePlace, now: datetime
) -> Iterator[str]:
    """What guards say against one of the AMIs."""
    return faults(
        ami,
        rules.ami,
        made=amis.made.get(ami),
        here=amis.here.get(ami),
        owner=image.account,
        place=_here(rules, place),
        now=now,
    )


def _copy_of(place: Place, image: ImagePlace, ami: str) -> str:
    """The copy of an AMI that the fleet's account owns: it has the same name. Empty if there is none."""
    made = describe_by(image.ec2, "image-id", {ami} - {""}).get(ami, {})
    copies = describe_by(place.ec2, "name", {text(made, "Name") or ""} - {""})
    return next((each for each, found in copies.items() if text(found, "OwnerId") == place.account), "")


def _here(rules: FleetRules, place: Place) -> str:
    return f"account {place.account} and {rules.region}"


def evidence_of(rules: FleetRules, wanted: Wanted, *, runs_of: RunsOf, now: datetime) -> Evidence:
    """What the fleets of `after` have proved for a build; nothing is lacking for a fleet that waits for none."""
    if rules.after is None:
        return Evidence()
    fleets = {fleet: runs_of(fleet) for fleet in rules.after.fleets}
    return evidence(rules.after, fleets, wanted=wanted, now=now)
