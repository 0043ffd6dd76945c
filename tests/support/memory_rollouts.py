"""Three fleets of an image in memory, and the people and programs around them.

`web-canary` holds a build that does not end well for the others, `web-prod` may have to wait for `web-staging`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from lambda_src.rollout.configuration import GOLDSMITH, TERRAFORM, After, AmiRules, FleetRules
from lambda_src.rollout.decisions import Decision, Sight, Wish
from lambda_src.rollout.evidence import Runs
from lambda_src.rollout.look import FAILURES, ImagePlace, Place, read_runs
from lambda_src.rollout.refreshes import abort
from lambda_src.rollout.run import Fleet, run, see
from lambda_src.rollout.windows import Freeze
from tests.support.memory_aws import ACCOUNT
from tests.support.memory_fleet import FleetCloud
from tests.support.memory_groups import MemoryGroup, specification

HOME, REGION = "us-east-1", "eu-west-1"
STAGING, CANARY, PROD = FLEETS = ("web-staging", "web-canary", "web-prod")
HAND, APPLY = "arn:aws:iam::000000000000:user/bob", "terraform"
OPERATORS = ("arn:aws:sts::000000000000:assumed-role/deploy/ann", "arn:aws:sts::000000000000:assumed-role/deploy/ben")
CHANNELS = "/imagebuilder/acme/web"
RECORDS = "/goldsmith/acme/fleets"
AUTOMATIC = "automatic"
"""Beside who rolls a fleet out: Goldsmith does, and takes builds by itself."""
GARBAGE = "{"
"""What a record may be overwritten with."""
PATTERN = f"arn:aws:imagebuilder:{HOME}:{ACCOUNT}:image/acme-web/"


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What the configuration of the fleets says."""

    by: Mapping[str, str]
    soak_minutes: int = 0
    """0: production waits for nobody."""
    windows: tuple[str, ...] = ()
    """Of production."""
    freezes: tuple[Freeze, ...] = ()
    preferences: Mapping[str, Any] = field(default_factory=lambda: {"SkipMatching": True})


@lru_cache(maxsize=64)
def _attempts(written: str) -> dict[str, Mapping[str, Any]]:
    attempts = json.loads(written)["attempts"] if written != GARBAGE else []
    return {attempt["refresh"]: attempt for attempt in attempts}


class RolloutWorld:
    """The fleets, with everything that they touch."""

    def __init__(self, habits: Habits, *, cloud: FleetCloud | None = None) -> None:
        self.cloud = cloud or FleetCloud()
        self.habits = habits
        self.by = dict(habits.by)
        self.order: list[str] = []
        """The AMIs that were built, the oldest first."""
        self.user_data = dict.fromkeys(FLEETS, 0)
        self.on_step: Callable[[], None] = lambda: None
        """Is called when AWS has done something."""
        self.plans: dict[str, tuple[str, int]] = {}
        """Saved plans by fleet: the AMI and the user data that they would apply."""
        self.before: dict[str, str] = {}
        """What each group launched before Terraform last changed that."""

    # What AWS has.

    def group(self, fleet: str) -> MemoryGroup | None:
        """The group of a fleet."""
        return self.cloud.groups.get((REGION, f"acme-{fleet}"))

    def newest(self, fleet: str) -> tuple[str, str, str] | None:
        """The newest version of a fleet's template: the template's ID, the number, and the AMI."""
        template = self.cloud.template(REGION, f"acme-{fleet}")
        if template is None:
            return None
        return template.id, str(len(template.versions)), template.versions[-1][0]["ImageId"]

    def launched(self, fleet: str) -> str:
        """The AMI in the version that a group launches, also if it was deregistered."""
        group = self.group(fleet)
        wanted = specification(group.launch) if group else {}
        template = self.cloud.template(REGION, wanted["LaunchTemplateId"]) if wanted else None
        return template.versions[int(wanted["Version"]) - 1][0]["ImageId"] if template else ""

    def build(self) -> str:
        """A build that has ended; its AMI."""
        number = len(self.order) + 1
        ami = f"ami-{number:017x}"
        self.order.append(ami)
        self.cloud.images[REGION, ami] = {
            "ImageId": ami,
            "Name": f"acme-web-{number}",
            "OwnerId": ACCOUNT,
            "Architecture": "x86_64",
            "State": "available",
            "CreationDate": self.cloud.now.isoformat(),
            "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": f"{PATTERN}{self.build_of(ami)}"}],
        }
        return ami

    def build_of(self, ami: str) -> str:
        """The version of a build."""
        return f"1.0.7/{self.order.index(ami) + 1}"

    def tag(self, ami: str, name: str, value: str | None) -> None:
        """Set a tag of an AMI, or take it away."""
        image = self.cloud.images[REGION, ami]
        others = [tag for tag in image["Tags"] if tag["Key"] != name]
        image["Tags"] = others if value is None else [*others, {"Key": name, "Value": value}]

    def point(self, ami: str) -> None:
        """Let the channel point to a build."""
        self.put(REGION, f"{CHANNELS}/stable", ami)

    @property
    def channel(self) -> str:
        """What the channel points to."""
        versions = self.cloud.parameters.get((REGION, f"{CHANNELS}/stable"))
        return str(versions[-1]["Value"]) if versions else ""

    def hold(self, channel: str, *, until: datetime | None = None, held: bool = True) -> None:
        """Hold a channel, or with `""` the image; or end that."""
        value = {"held": held, "by": HAND, "why": "year end", "until": until.isoformat() if until else None}
        self.put(HOME, f"{CHANNELS}/{f'_hold-{channel}' if channel else '_hold'}", json.dumps(value))

    def record(self, fleet: str) -> dict[str, Mapping[str, Any]]:
        """The attempts in a fleet's record, by refresh."""
        versions = self.cloud.parameters.get((REGION, f"{RECORDS}/{fleet}"))
        written = versions[-1]["Value"] if versions else GARBAGE
        return _attempts(written)

    def is_garbled(self, fleet: str) -> bool:
        """Whether somebody has written something else over a fleet's record."""
        versions = self.cloud.parameters.get((REGION, f"{RECORDS}/{fleet}"), [])
        return bool(versions) and versions[-1]["Value"] == GARBAGE

    def bring_back(self, fleet: str) -> None:
        """Write the last version of a record before the garbage again; delete the parameter if there is none."""
        versions = self.cloud.parameters.get((REGION, f"{RECORDS}/{fleet}"), [])
        good = [version["Value"] for version in versions if version["Value"] != GARBAGE]
        if good:
            self.put(REGION, f"{RECORDS}/{fleet}", good[-1])
        else:
            self.cloud.parameters.pop((REGION, f"{RECORDS}/{fleet}"), None)

    def put(self, region: str, name: str, value: str) -> None:
        """Write a parameter as a person does."""
        self.cloud.client("ssm", region=region, user=HAND).put_parameter(Name=name, Value=value, Overwrite=True)

    # Terraform.

    def plan(self, fleet: str, *, ami: str) -> None:
        """Save a plan that changes something else in the template, too."""
        newest = self.newest(fleet)
        self.plans[fleet] = newest[2] if newest and self.by[fleet] == AUTOMATIC else ami, self.user_data[fleet] + 1

    def apply_plan(self, fleet: str) -> None:
        """Apply the saved plan of a fleet. Terraform refuses one that is older than the last apply."""
        ami, user_data = self.plans[fleet]
        self._apply(fleet, ami=ami, user_data=user_data)

    def apply(self, fleet: str, *, ami: str, changes: bool = False) -> None:
        """Plan and apply the fleet's stack with an AMI. `changes`: something else in the template changes, too.

        Terraform leaves the AMI alone in the template of a fleet that takes builds by itself.
        """
        newest = self.newest(fleet)
        planned = newest[2] if newest and self.by[fleet] == AUTOMATIC else ami
        self._apply(fleet, ami=planned, user_data=self.user_data[fleet] + changes)

    def _apply(self, fleet: str, *, ami: str, user_data: int) -> None:
        self.plans.pop(fleet, None)
        self.user_data[fleet] = user_data
        name, data = f"acme-{fleet}", {"ImageId": ami, "UserData": str(user_data)}
        ec2 = self.cloud.client("ec2", region=REGION, user=APPLY)
        group, template = self.group(fleet), self.cloud.template(REGION, name)
        if template is None:
            ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        elif template.versions[-1][0] != data:
            ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
        newest = self.newest(fleet)
        assert newest
        wanted = {"LaunchTemplate": {"LaunchTemplateId": newest[0], "Version": newest[1]}}
        autoscaling = self.cloud.client("autoscaling", region=REGION, user=APPLY)
        if group is None:
            sizes = {"MinSize": 0, "MaxSize": 9, "DesiredCapacity": 3}
            autoscaling.create_auto_scaling_group(AutoScalingGroupName=name, **sizes, **wanted)
            return
        if self.by[fleet] == TERRAFORM and specification(group.launch)["Version"] != newest[1]:
            self._update(fleet, group, wanted)

    def _update(self, fleet: str, group: MemoryGroup, wanted: Mapping[str, Any]) -> None:
        """As the provider does it: the group first, then a refresh without a desired configuration, in the place of
        one that runs (`internal/service/autoscaling/group.go` of hashicorp/terraform-provider-aws)."""
        before = self.launched(fleet)
        autoscaling = self.cloud.client("autoscaling", region=REGION, user=APPLY)
        try:
            autoscaling.update_auto_scaling_group(AutoScalingGroupName=group.name, **wanted)
        except ClientError:  # while a refresh with a desired configuration runs
            return
        self.before[fleet] = before
        if group.active:
            if group.active.status != "Cancelling":
                autoscaling.cancel_instance_refresh(AutoScalingGroupName=group.name)
            while group.active:
                group.step()
        autoscaling.start_instance_refresh(AutoScalingGroupName=group.name, Preferences={"SkipMatching": True})

    # Operators.

    def rules(self, fleet: str) -> FleetRules:
        """What the configuration says about a fleet."""
        is_by_goldsmith = self.by[fleet] != TERRAFORM
        is_waiting = fleet == PROD and is_by_goldsmith
        soak = self.habits.soak_minutes
        return FleetRules(
            fleet=fleet,
            stack=f"fleet-{fleet}",
            image="web",
            channel="stable",
            channels=CHANNELS,
            region=REGION,
            home=HOME,
            ami=AmiRules(prefix="acme-web", build_pattern=PATTERN, architecture="x86_64"),
            group=f"acme-{fleet}",
            record=f"{RECORDS}/{fleet}",
            by=GOLDSMITH if is_by_goldsmith else TERRAFORM,
            is_automatic=self.by[fleet] == AUTOMATIC,
            preferences=self.habits.preferences,
            hold_on_failure=fleet == CANARY and is_by_goldsmith,
            after=After(fleets=(STAGING,), soak_minutes=soak, soak=f"{soak} minutes") if soak and is_waiting else None,
            windows=self.habits.windows if is_waiting else (),
            freezes=self.habits.freezes,
        )

    def operator(self, fleet: str, user: str) -> Fleet:
        """A fleet, as the command reaches it."""
        ssm, home = (self.cloud.client("ssm", region=region, user=user) for region in (REGION, HOME))
        ec2 = self.cloud.client("ec2", region=REGION, user=user)
        autoscaling = self.cloud.client("autoscaling", region=REGION, user=user)
        place = Place(autoscaling=autoscaling, ec2=ec2, ssm=ssm, account=ACCOUNT)
        image = ImagePlace(ec2=ec2, ssm=ssm, home_ssm=home, account=ACCOUNT)

        def runs_of(other: str) -> Runs | str:
            try:
                return read_runs(self.rules(other), place, image)
            except FAILURES as error:
                return str(error)

        return Fleet(rules=self.rules(fleet), place=place, image=image, runs_of=runs_of, caller=user)

    def run(self, fleet: str, wish: Wish | None = None, *, user: str = OPERATORS[0]) -> tuple[Sight, Decision]:
        """One run of the command's rules."""
        return run(self.operator(fleet, user), wish or Wish(), why="a reason", now=lambda: self.cloud.now)

    def abort(self, fleet: str, *, user: str = OPERATORS[0]) -> None:
        """End what runs."""
        operator = self.operator(fleet, user)
        refresh = see(operator, now=self.cloud.now).refresh
        if refresh and refresh.is_running:
            abort(operator.place.autoscaling, operator.rules.group, refresh)

    def settle(self, fleets: Sequence[str] = FLEETS) -> None:
        """Let AWS do in the groups everything that it does by itself."""
        for fleet in fleets:
            if group := self.group(fleet):
                while group.step():
                    self.on_step()
                    self.cloud.now += timedelta(seconds=20)
