"""A fleet as AWS has it: its channel, launch template, group and instances, and the last instance refresh.

Each of them is read separately: what cannot be read is in `errors`, and the rest is shown anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from estate.models.pin import Pin
from lambda_src.handoff.builds import Build, good_builds, version_of
from lambda_src.handoff.channels import Channel, read_channels
from lambda_src.rollout.decisions import Decision, Wish, decide, unreadable
from lambda_src.rollout.evidence import Evidence, Wanted
from lambda_src.rollout.group import (
    NEWEST,
    Group,
    Instance,
    Key,
    Refresh,
    TemplateVersion,
    read_amis_of_instances,
    read_group,
    read_refreshes,
    read_version,
)
from lambda_src.rollout.guards import build_of
from lambda_src.rollout.log_line import needs_of
from lambda_src.rollout.look import Seen, evidence_of, faults_of, look, read_current
from lambda_src.rollout.look import read_amis as read_amis_of_fleet
from ops.accounts import Accounts, access_to_image_of
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.pipeline import Pipeline, is_build_of
from ops.rollout_fleets import fleet_of
from ops.values import Meaning, meaning_of, read_amis, read_outputs


@dataclass(frozen=True, kw_only=True)
class Running:
    """Instances with the same template version and AMI. `template` and `version` are empty for attached instances."""

    version: str
    ami: str
    build: str | None
    count: int
    kept: bool
    """Whether they are protected from scale-in or in standby; an instance refresh may skip these."""
    template: str

    @property
    def key(self) -> Key:
        """Names their template version."""
        return self.template, self.version


@dataclass(kw_only=True)
class Facts:
    """What was read about a fleet. None means that it does not exist, or could not be read and `errors` says so."""

    group_name: str
    channel: Channel | None = None
    meaning: Meaning = field(default_factory=Meaning)
    ami: str | None = None
    """What the fleet should launch: the channel's value, or the copy of it in the fleet's account; or the pin's AMI."""
    group_exists: bool | None = None
    being_deleted: bool = False
    newest: TemplateVersion | None = None
    template_exists: bool | None = None
    wanted: TemplateVersion | None = None
    """The version that the group launches."""
    instances: tuple[Running, ...] = ()
    refresh: Refresh | None = None
    decision: Decision | None = None
    """What a rollout by Goldsmith needs next; None for one by Terraform."""
    needs_person: bool = False
    """Whether somebody has to do something before it can start: not while fleets of `after` do not run the build."""
    failed: dict[str, str] = field(default_factory=dict)
    """Builds whose last rollout did not end well, and that it does not run: `was rolled back in fleet web-dev`."""
    unreadable: str = ""
    """Why its record, which has what was tried, cannot be read."""
    channel_was_read: bool = False
    has_builds: bool = False
    """Whether the image has a good build in the region."""
    builds: dict[str, str] = field(default_factory=dict)
    """Builds by AMI."""
    pin_faults: tuple[str, ...] = ()
    """What guards say against the AMI of its pin."""
    proposal: Evidence | None = None
    """What the fleets of `after` have proved for the channel's build, if that is another one than the pin's."""
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """An error of AWS ends the block and is added to `errors`, once."""
        try:
            yield
        except OpsError as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))


def read_fleet(declared: EstateFleet, *, accounts: Accounts, builds: Sequence[Build]) -> Facts:
    """Read a fleet in its account, and its channel in the account of its image.

    `builds` are the builds of its image that are known.
    """
    fleet, facts = declared.fleet, Facts(group_name=declared.names.group)
    with facts.reading():
        _read_channel(facts, declared, accounts.reach(access_to_image_of(declared)), builds)
    with facts.reading():
        here = accounts.of_fleet(declared)
        if declared.pin:
            with facts.reading(), asking(fleet.region):
                _read_pin(facts, declared, declared.pin, accounts)
        elif declared.is_elsewhere and facts.channel and not facts.meaning.problem:
            with facts.reading():
                images = accounts.reach(access_to_image_of(declared))
                _read_ami_elsewhere(facts, declared, here=here, images=images)
        with facts.reading(), asking(fleet.region):
            facts.newest = read_version(here.ec2(fleet.region), number=NEWEST, name=facts.group_name)
            facts.template_exists = facts.newest is not None
        refreshes: tuple[Refresh, ...] = ()
        group: Group | None = None
        # before the group, so that a refresh that has ended is never seen with the group before its end
        with facts.reading(), asking(fleet.region):
            refreshes = read_refreshes(here.autoscaling(fleet.region), facts.group_name)
        with facts.reading(), asking(fleet.region):
            group = read_group(here.autoscaling(fleet.region), facts.group_name)
            facts.group_exists = group is not None
        if group:
            facts.refresh = next(iter(refreshes), None)
            _read_group(facts, group, declared, here)
            if fleet.rollout.by == "goldsmith" and facts.newest and not facts.errors:
                seen = Seen(group=group, newest=facts.newest, current=facts.wanted, refreshes=refreshes)
                with facts.reading():
                    _decide(facts, declared, seen, accounts)
    return facts


def _read_pin(facts: Facts, declared: EstateFleet, pin: Pin, accounts: Accounts) -> None:
    """It should launch what its pin says: whether it can, and whether the channel has moved on."""
    facts.ami, now = pin.ami, datetime.now(UTC)
    facts.builds[pin.ami] = pin.build
    fleet = fleet_of(declared, accounts)
    amis = read_amis_of_fleet(fleet.rules, fleet.place, fleet.image, {pin.ami})
    facts.pin_faults = tuple(faults_of(fleet.rules, amis, pin.ami, place=fleet.place, image=fleet.image, now=now))
    build = facts.meaning.build
    if build and build != pin.build:
        wanted = Wanted(build=build, ami=facts.channel.value if facts.channel else "")
        facts.proposal = evidence_of(fleet.rules, wanted, runs_of=fleet.runs_of, now=now)


def _decide(facts: Facts, declared: EstateFleet, seen: Seen, accounts: Accounts) -> None:
    """What its rollout needs next. Raises `OpsError`."""
    fleet = fleet_of(declared, accounts)
    with asking(declared.fleet.region):
        sight, _ = look(fleet.rules, fleet.place, fleet.image, runs_of=fleet.runs_of, now=datetime.now(UTC), seen=seen)
    facts.decision = decide(fleet.rules, sight, Wish())
    facts.needs_person = bool(needs_of((sight, facts.decision)))
    facts.unreadable = unreadable(fleet.rules, sight.record)
    launched = sight.current.ami if sight.current else ""
    for ami, build in sight.record.builds.items():
        last = sight.record.verdict(ami)
        if last and last.has_failed and ami != launched:
            facts.failed[build] = f"{last.ended_why} in fleet {declared.fleet.name}"


def _read_channel(facts: Facts, declared: EstateFleet, images: Aws, builds: Sequence[Build]) -> None:
    fleet, pipeline = declared.fleet, Pipeline(declared=declared.image, account=images.account)
    with asking(fleet.region):
        facts.channel = read_channels(images.ssm(fleet.region), path=pipeline.channels).get(fleet.channel)
    facts.channel_was_read = True
    facts.has_builds = any(fleet.region in build.outputs for build in good_builds(builds))
    if not facts.channel:
        return
    facts.ami = None if declared.runs_copy else facts.channel.value
    outputs = {}
    with facts.reading():
        outputs = read_outputs(pipeline, [facts.channel.value], aws=images, region=fleet.region)
    facts.meaning = meaning_of(facts.channel, pipeline=pipeline, builds=builds, outputs=outputs, region=fleet.region)
    facts.builds = {
        **{build.outputs[fleet.region]: version_of(build.arn) for build in builds if fleet.region in build.outputs},
        **({facts.channel.value: facts.meaning.build} if facts.meaning.build else {}),
    }


def _read_ami_elsewhere(facts: Facts, declared: EstateFleet, *, here: Aws, images: Aws) -> None:
    """The AMI as the fleet's account has it: a copy has an ID of its own and the same name, as for the guards."""
    assert facts.channel
    shared, region = facts.channel.value, declared.fleet.region
    place, stack = f"account {here.account} and {region}", declared.image.names.stack
    estate = f"the estate {declared.image.names.namespace} has to " if declared.image.is_external else ""
    remedy = f"{estate}apply {stack}, build the image, and move the channel"
    facts.ami = None
    if not declared.runs_copy:
        if shared in read_amis([shared], aws=here, region=region):
            facts.ami = shared
        else:
            _find_fault(facts, f"{shared} is not shared with {place}: {remedy}")
        return
    made = read_amis([shared], aws=images, region=region).get(shared)
    with asking(region):
        name = made["Name"] if made else ""
        filters: Any = [{"Name": "name", "Values": [name]}]
        answer = here.ec2(region).describe_images(Owners=["self"], Filters=filters, IncludeDeprecated=True)
        facts.ami = next((image["ImageId"] for image in answer["Images"]), None)
    if facts.ami is None:
        _find_fault(facts, f"the copy of {shared}, {name}, is not in {place}: {remedy}")
    elif facts.meaning.build:
        facts.builds[facts.ami] = facts.meaning.build


def _find_fault(facts: Facts, problem: str) -> None:
    facts.meaning = replace(facts.meaning, problem=problem)


def _read_group(facts: Facts, group: Group, declared: EstateFleet, aws: Aws) -> None:
    """What a group launches and runs."""
    region = declared.fleet.region
    facts.being_deleted = group.is_being_deleted
    with facts.reading(), asking(region):
        facts.wanted = read_current(aws.ec2(region), group)
    facts.instances = _running(group, facts, declared, aws)


def _running(group: Group, facts: Facts, declared: EstateFleet, aws: Aws) -> tuple[Running, ...]:
    """The group's instances, counted by template version and AMI."""
    fleet = declared.fleet
    amis = _amis(group.instances, facts, fleet, aws)
    known = [version.ami for version in (facts.newest, facts.wanted) if version]
    with facts.reading():
        unknown = {*amis.values(), *known} - {""} - facts.builds.keys()
        for ami, image in read_amis(unknown, aws=aws, region=fleet.region).items():
            arn = build_of(image)
            facts.builds |= {ami: version_of(arn)} if arn and is_build_of(declared.image, arn) else {}
    alike = Counter(
        (each.template, each.version, amis[each.id], each.is_protected or not each.is_in_service)
        for each in group.instances
    )
    return tuple(
        Running(version=number, ami=ami, build=facts.builds.get(ami), count=count, kept=kept, template=template)
        for (template, number, ami, kept), count in sorted(alike.items())
    )


def _amis(instances: Sequence[Instance], facts: Facts, fleet: Fleet, aws: Aws) -> dict[str, str]:
    """The AMI of each instance by ID, from Auto Scaling, EC2 or its launch template; empty if none of them has it."""
    amis = {each.id: each.ami for each in instances}
    with facts.reading(), asking(fleet.region):
        amis |= read_amis_of_instances(aws.ec2(fleet.region), [each for each in instances if not each.ami])
    left = {each.key for each in instances if not amis[each.id] and each.template}
    by_template: dict[Key, str] = {}
    for template, number in left:
        with facts.reading(), asking(fleet.region):
            version = read_version(aws.ec2(fleet.region), template=template, number=number)
            by_template[template, number] = version.ami if version else ""
    return {each.id: amis[each.id] or by_template.get(each.key, "") for each in instances}
