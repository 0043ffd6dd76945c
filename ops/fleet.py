"""A fleet as AWS has it: its channel, launch template, group and instances, and the last instance refresh.

Each of them is read separately: what cannot be read is in `errors`, and the rest is shown anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from lambda_src.handoff.builds import Build, good_builds
from lambda_src.handoff.channels import Channel, read_channels
from ops.accounts import Unreachable, usable
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.pipeline import Pipeline, is_build_of, version_of
from ops.values import Meaning, build_of, meaning_of, read_amis, read_outputs

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2.type_defs import LaunchTemplateVersionTypeDef

_Answer = Mapping[str, Any]
"""A group or an instance in an answer of Auto Scaling."""

NEWEST = "$Latest"
_LEAVING = ("Terminating", "Terminated", "Detaching", "Detached")
"""The states of instances that leave the group, so their AMI does not matter; AWS adds a suffix to some of them."""
_MOST_AT_ONCE = 200
"""Values of one filter of EC2."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a launch template, and the AMI in it."""

    template: str
    """The template's ID."""
    number: str
    ami: str
    created: datetime | None = None


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


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An instance refresh."""

    status: str
    percentage: int | None
    reason: str | None
    started: datetime | None
    ended: datetime | None


@dataclass(kw_only=True)
class Facts:
    """What was read about a fleet. None means that it does not exist, or could not be read and `errors` says so."""

    group_name: str
    channel: Channel | None = None
    meaning: Meaning = field(default_factory=Meaning)
    ami: str | None = None
    """What the fleet should launch: the channel's value, or the copy of it in the fleet's account."""
    group_exists: bool | None = None
    being_deleted: bool = False
    newest: Version | None = None
    template_exists: bool | None = None
    wanted: Version | None = None
    """The version that the group launches."""
    instances: tuple[Running, ...] = ()
    refresh: Refresh | None = None
    channel_was_read: bool = False
    has_builds: bool = False
    """Whether the image has a good build in the region."""
    builds: dict[str, str] = field(default_factory=dict)
    """Builds by AMI."""
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """An error of AWS ends the block and is added to `errors`, once."""
        try:
            yield
        except OpsError as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))


def read_fleet(
    declared: EstateFleet, *, aws: Aws | Unreachable, images: Aws | Unreachable, builds: Sequence[Build]
) -> Facts:
    """Read a fleet in its account, and its channel in the account of its image, which is `images`.

    `builds` are the builds of its image that are known.
    """
    fleet, facts = declared.fleet, Facts(group_name=declared.names.group)
    with facts.reading():
        _read_channel(facts, declared, usable(images), builds)
    with facts.reading():
        here = usable(aws)
        if declared.is_elsewhere and facts.channel and not facts.meaning.problem:
            with facts.reading():
                _read_ami_elsewhere(facts, declared, here=here, images=usable(images))
        with facts.reading():
            facts.newest = _version(fleet, here, name=facts.group_name, number=NEWEST)
            facts.template_exists = facts.newest is not None
        with facts.reading():
            _read_group(facts, declared, here)
        if facts.group_exists:
            with facts.reading():
                facts.refresh = _refresh(facts.group_name, fleet, here)
    return facts


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


def _read_group(facts: Facts, declared: EstateFleet, aws: Aws) -> None:
    fleet = declared.fleet
    with asking(fleet.region):
        answer = aws.autoscaling(fleet.region).describe_auto_scaling_groups(AutoScalingGroupNames=[facts.group_name])
        group = next(iter(answer["AutoScalingGroups"]), None)
    facts.group_exists = group is not None
    if group is None:
        return
    facts.being_deleted = bool(group.get("Status"))  # "Delete in progress" is the only one
    with facts.reading(), asking(fleet.region):
        facts.wanted = _version_of_group(group, fleet, aws)
    with asking(fleet.region):
        facts.instances = _running(group, facts, declared, aws)


def _version_of_group(group: _Answer, fleet: Fleet, aws: Aws) -> Version | None:
    """The version that a group launches, also when a mixed instances policy was added by hand."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification", {})
    template = group.get("LaunchTemplate") or mixed
    identity = template.get("LaunchTemplateId")
    return _version(fleet, aws, identity=identity, number=template.get("Version", "$Default")) if identity else None


def _version(
    fleet: Fleet, aws: Aws, *, number: str, identity: str | None = None, name: str | None = None
) -> Version | None:
    """A version of a launch template; None when there is no such version or template."""
    which: Any = {"LaunchTemplateId": identity} if identity else {"LaunchTemplateName": name}
    with asking(fleet.region):
        try:
            answer = aws.ec2(fleet.region).describe_launch_template_versions(Versions=[number], **which)
        except ClientError as error:
            if error.response["Error"].get("Code", "").startswith("InvalidLaunchTemplate"):
                return None
            raise
        found: LaunchTemplateVersionTypeDef | None = next(iter(answer["LaunchTemplateVersions"]), None)
        if found is None:
            return None
        return Version(
            template=found["LaunchTemplateId"],
            number=str(found["VersionNumber"]),
            ami=found["LaunchTemplateData"].get("ImageId", ""),
            created=found.get("CreateTime"),
        )


def _running(group: _Answer, facts: Facts, declared: EstateFleet, aws: Aws) -> tuple[Running, ...]:
    """The group's instances, counted by template version and AMI, without those that leave the group."""
    fleet = declared.fleet
    instances = [each for each in group["Instances"] if not each["LifecycleState"].startswith(_LEAVING)]
    amis = _amis(instances, facts, fleet, aws)
    known = [version.ami for version in (facts.newest, facts.wanted) if version]
    with facts.reading():
        unknown = {*amis.values(), *known} - {""} - facts.builds.keys()
        for ami, image in read_amis(unknown, aws=aws, region=fleet.region).items():
            arn = build_of(image)
            facts.builds |= {ami: version_of(arn)} if arn and is_build_of(declared.image, arn) else {}
    alike = Counter((*_template(each), amis[each["InstanceId"]], _is_kept(each)) for each in instances)
    return tuple(
        Running(version=number, ami=ami, build=facts.builds.get(ami), count=count, kept=kept, template=template)
        for (template, number, ami, kept), count in sorted(alike.items())
    )


def _amis(instances: Sequence[_Answer], facts: Facts, fleet: Fleet, aws: Aws) -> dict[str, str]:
    """The AMI of each instance by ID, from Auto Scaling, EC2 or its launch template; empty if none of them has it."""
    amis = {each["InstanceId"]: each.get("ImageId", "") for each in instances}
    with facts.reading(), asking(fleet.region):
        asked = [identity for identity, ami in amis.items() if not ami]
        pages = aws.ec2(fleet.region).get_paginator("describe_instances")
        for start in range(0, len(asked), _MOST_AT_ONCE):
            # a filter, because the call fails as a whole for an instance ID that does not exist any more
            filters = [{"Name": "instance-id", "Values": asked[start : start + _MOST_AT_ONCE]}]
            for page in pages.paginate(Filters=filters):  # type: ignore[arg-type]
                found = [instance for reservation in page["Reservations"] for instance in reservation["Instances"]]
                amis |= {each["InstanceId"]: each["ImageId"] for each in found}
    left = {_template(each) for each in instances if not amis[each["InstanceId"]]} - {("", "")}
    by_template: dict[tuple[str, str], str] = {}
    for template, number in left:
        with facts.reading():
            version = _version(fleet, aws, identity=template, number=number)
            by_template[template, number] = version.ami if version else ""
    return {each["InstanceId"]: amis[each["InstanceId"]] or by_template.get(_template(each), "") for each in instances}


def _template(instance: _Answer) -> tuple[str, str]:
    """The launch template of an instance and its version; empty for an attached instance."""
    template = instance.get("LaunchTemplate", {})
    return template.get("LaunchTemplateId", ""), template.get("Version", "")


def _is_kept(instance: _Answer) -> bool:
    return instance.get("ProtectedFromScaleIn", False) or "Standby" in instance["LifecycleState"]


def _refresh(group: str, fleet: Fleet, aws: Aws) -> Refresh | None:
    """The last instance refresh; AWS keeps them for six weeks."""
    with asking(fleet.region):
        answer = aws.autoscaling(fleet.region).describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)
        last = next(iter(answer["InstanceRefreshes"]), None)
        if last is None:
            return None
        return Refresh(
            status=last["Status"],
            percentage=last.get("PercentageComplete"),
            reason=" ".join(last.get("StatusReason", "").split()) or None,
            started=last.get("StartTime"),
            ended=last.get("EndTime"),
        )
