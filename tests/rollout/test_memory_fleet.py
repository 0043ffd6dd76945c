"""Holds the Auto Scaling in memory true: the same calls get the same answers from the local AWS.

The local AWS is told that launches take no time, so what happens by itself has happened at the next call; with
`launch_seconds` it is in the middle of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_aws.server import LocalAws
from tests.support.memory_fleet import FleetCloud

REGION = "eu-south-1"
NUMBERS = itertools.count(1)
ROLLING = {"AutoRollback": True, "SkipMatching": True}
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)


class Side:
    """One of both: a group of three instances, and its template with three versions."""

    def __init__(self, autoscaling: Any, ec2: Any, amis: list[str], name: str) -> None:
        self.autoscaling, self.ec2, self.amis, self.name = autoscaling, ec2, amis, name
        made = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": amis[0]})
        self.template = made["LaunchTemplate"]["LaunchTemplateId"]
        for ami in amis[1:]:
            ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={"ImageId": ami})
        autoscaling.create_auto_scaling_group(
            **self.named,
            MinSize=0,
            MaxSize=6,
            DesiredCapacity=3,
            AvailabilityZones=[f"{REGION}a"],
            **self.launch("1"),
        )

    @property
    def named(self) -> dict[str, str]:
        return {"AutoScalingGroupName": self.name}

    def launch(self, version: str) -> dict[str, Any]:
        return {"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}}

    def settle(self) -> None:
        """Let happen what happens by itself."""

    def instances(self) -> list[dict[str, Any]]:
        (group,) = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        found: list[dict[str, Any]] = group["Instances"]
        return found

    def do(self, what: str, version: str) -> Any:
        """Make a call; its answer without what differs anyway, or the code of the refusal."""
        try:
            self._call(what, version)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "done"

    def _call(self, what: str, version: str) -> None:
        first = [each["InstanceId"] for each in self.instances()][:1]
        preferences: dict[str, Any] = ROLLING | {"ScaleInProtectedInstances": "Ignore", "StandbyInstances": "Ignore"}
        match what:
            case "start":
                self.autoscaling.start_instance_refresh(
                    **self.named, DesiredConfiguration=self.launch(version), Preferences=preferences
                )
            case "start plainly":
                self.autoscaling.start_instance_refresh(**self.named, Preferences={"SkipMatching": True})
            case "start wrongly":
                self.autoscaling.start_instance_refresh(**self.named, Preferences={"AutoRollback": True})
            case "update":
                self.autoscaling.update_auto_scaling_group(**self.named, **self.launch(version))
            case "roll back":
                self.autoscaling.rollback_instance_refresh(**self.named)
            case "cancel":
                self.autoscaling.cancel_instance_refresh(**self.named)
            case "protect" | "free" if first:
                self.autoscaling.set_instance_protection(
                    **self.named, InstanceIds=first, ProtectedFromScaleIn=what == "protect"
                )
            case "more" | "fewer":
                self.autoscaling.update_auto_scaling_group(**self.named, DesiredCapacity=4 if what == "more" else 2)

    def shown(self) -> Any:
        """What both must show alike."""
        (group,) = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        refreshes = self.autoscaling.describe_instance_refreshes(**self.named)["InstanceRefreshes"]
        return {
            "launches": group["LaunchTemplate"]["Version"],
            "desired": group["DesiredCapacity"],
            "instances": sorted(
                (each["LaunchTemplate"]["Version"], each["LifecycleState"], each["ProtectedFromScaleIn"])
                for each in group["Instances"]
            ),
            "refreshes": [
                (each["Status"], self._wanted(each), "RollbackDetails" in each, "EndTime" in each) for each in refreshes
            ],
            "versions": [self._version(number) for number in ("$Latest", "1", "9")],
        }

    @staticmethod
    def _wanted(refresh: Mapping[str, Any]) -> str:
        return str(refresh.get("DesiredConfiguration", {}).get("LaunchTemplate", {}).get("Version", ""))

    def _version(self, number: str) -> Any:
        try:
            answer = self.ec2.describe_launch_template_versions(LaunchTemplateId=self.template, Versions=[number])
        except ClientError as error:
            return error.response["Error"]["Code"]
        (found,) = answer["LaunchTemplateVersions"]
        return found["VersionNumber"], self.amis.index(found["LaunchTemplateData"]["ImageId"])


class MemorySide(Side):
    def __init__(self) -> None:
        self.cloud = FleetCloud()
        amis = [f"ami-{number}" for number in (1, 2, 3)]
        for ami in amis:
            self.cloud.images[REGION, ami] = {"ImageId": ami, "State": "available"}
        ec2, autoscaling = (self.cloud.client(service, region=REGION) for service in ("ec2", "autoscaling"))
        super().__init__(autoscaling, ec2, amis, "memory")
        self.settle()

    def settle(self) -> None:
        self.cloud.groups[REGION, self.name].settle()


def local_side(aws: LocalAws) -> Side:
    ec2, name = aws.client("ec2", region=REGION), f"memory-{next(NUMBERS)}"
    amis = [ec2.register_image(Name=f"{name}-{number}")["ImageId"] for number in (1, 2, 3)]
    return Side(aws.client("autoscaling", region=REGION), ec2, amis, name)


@pytest.fixture
def clock(local_aws: LocalAws) -> Iterator[LocalAws]:
    """The local AWS, whose time the test changes."""
    yield local_aws
    local_aws.set_rollout_time()


CALLS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("start", "start", "start plainly", "start wrongly", "update", "roll back", "cancel"),
                *("protect", "free", "more", "fewer"),
            ]
        ),
        st.sampled_from(["1", "2", "3", "9"]),
    ),
    min_size=4,
    max_size=9,
)


@given(calls=CALLS)
@QUICK
def test_what_takes_no_time_ends_alike(local_aws: LocalAws, calls: list[tuple[str, str]]) -> None:
    real, memory = local_side(local_aws), MemorySide()
    for what, version in calls:
        assert memory.do(what, version) == real.do(what, version), what
        memory.settle()
        assert memory.shown() == real.shown(), f"after {what} {version}"


@given(what=st.sampled_from(["start", "start plainly", "update", "roll back", "cancel"]), end=st.booleans())
@QUICK
def test_what_is_refused_while_a_refresh_runs_is_the_same(clock: LocalAws, what: str, end: bool) -> None:
    real, memory = local_side(clock), MemorySide()
    clock.set_rollout_time(launch_seconds=60)
    group = memory.cloud.groups[REGION, memory.name]
    for place, call in enumerate(["start", what, *(["cancel"] if end else [])]):
        assert memory.do(call, "2") == real.do(call, "2"), call
        # the local AWS begins with the first instance at once
        for _ in range(2 if place == 0 else call == "roll back"):
            group.step()
    clock.pass_time(3600)
    memory.settle()
    assert memory.shown() == real.shown()
    clock.set_rollout_time()


def test_a_rollback_leaves_the_group_as_it_was(clock: LocalAws) -> None:
    real, memory = local_side(clock), MemorySide()
    clock.break_instances(real.amis[1], reason="did not become healthy")
    for side in (real, memory):
        side.do("start", "2")
    memory.cloud.groups[REGION, memory.name].fail("did not become healthy")
    memory.settle()
    assert memory.shown() == real.shown()
    assert real.shown()["refreshes"] == [("RollbackSuccessful", "2", True, True)]
    clock.heal_instances(real.amis[1])


def test_a_template_that_does_not_exist_is_refused_by_a_code_of_one_kind(local_aws: LocalAws) -> None:
    codes = []
    for ec2 in (local_aws.client("ec2", region=REGION), FleetCloud().client("ec2", region=REGION)):
        for which in ({"LaunchTemplateName": "none"}, {"LaunchTemplateId": "lt-0123456789abcdef0"}):
            with pytest.raises(ClientError) as error:
                ec2.describe_launch_template_versions(Versions=["$Latest"], **which)
            codes.append(error.value.response["Error"]["Code"].partition(".")[0])
    assert {code.removesuffix("Id").removesuffix("Name") for code in codes} == {"InvalidLaunchTemplate"}
