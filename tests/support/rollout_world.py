"""The basis of the tests of `goldsmith rollout`: fleets of one image, declared, and as Terraform leaves them in AWS."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Answer, Shell

REGION = "eu-west-1"
BY_GOLDSMITH = "rollout: {by: goldsmith}"
_FIELDS = (
    f"region: {REGION}, instance_type: t3.micro, subnets: [subnet-0a1b2c3d], security_group_ids: [sg-0a1b2c3d], "
    "capacity: {min: 4, max: 4}"
)


@dataclass(frozen=True)
class DeployedFleet:
    """A fleet in AWS, changed as Terraform, people and AWS's console change it."""

    aws: LocalAws
    name: str
    account: str = ACCOUNT

    @property
    def group(self) -> str:
        return f"acme_{self.name}"

    @property
    def stack(self) -> str:
        return f"fleet-{self.name}"

    def client(self, service: str) -> Any:
        return self.aws.client(service, region=REGION, account=self.account)

    @property
    def template(self) -> str:
        (found,) = self.client("ec2").describe_launch_templates(LaunchTemplateNames=[self.group])["LaunchTemplates"]
        return str(found["LaunchTemplateId"])

    def specification(self, version: object) -> dict[str, str]:
        return {"LaunchTemplateId": self.template, "Version": str(version)}

    def deploy(self, ami: str, *, size: int = 4, **arguments: Any) -> None:
        """The first apply: version 1 of the template, and the group."""
        self.client("ec2").create_launch_template(LaunchTemplateName=self.group, LaunchTemplateData={"ImageId": ami})
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=self.group,
            MinSize=size,
            MaxSize=size,
            **({"LaunchTemplate": self.specification(1)} | arguments),
            AvailabilityZones=[f"{REGION}a"],
        )

    def change(self, ami: str) -> int:
        """What an apply does to a fleet `by: goldsmith`: another version of the template; its number."""
        answer = self.client("ec2").create_launch_template_version(
            LaunchTemplateName=self.group, LaunchTemplateData={"ImageId": ami}
        )
        return int(answer["LaunchTemplateVersion"]["VersionNumber"])

    def apply(self, ami: str) -> None:
        """What it does to a fleet `by: terraform`: also the group, and a refresh without a desired configuration."""
        version = self.change(ami)
        self.update(LaunchTemplate=self.specification(version))
        self.client("autoscaling").start_instance_refresh(
            AutoScalingGroupName=self.group, Preferences={"MinHealthyPercentage": 90, "SkipMatching": True}
        )

    def update(self, **arguments: Any) -> None:
        self.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=self.group, **arguments)

    def start(self, version: int, **preferences: Any) -> None:
        """Somebody starts a refresh in AWS's console."""
        self.client("autoscaling").start_instance_refresh(
            AutoScalingGroupName=self.group,
            DesiredConfiguration={"LaunchTemplate": self.specification(version)},
            Preferences=preferences,
        )

    @property
    def described(self) -> dict[str, Any]:
        answer = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        (found,) = answer["AutoScalingGroups"]
        return dict(found)

    @property
    def instances(self) -> list[str]:
        return [instance["InstanceId"] for instance in self.described["Instances"]]

    @property
    def versions(self) -> dict[str, int]:
        """How many instances run which version of the template."""
        return dict(Counter(each.get("LaunchTemplate", {}).get("Version") for each in self.described["Instances"]))

    @property
    def refreshes(self) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName=self.group)
        return list(answer["InstanceRefreshes"])

    @property
    def statuses(self) -> list[str]:
        """Of its refreshes, newest first."""
        return [refresh["Status"] for refresh in self.refreshes]

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """What its record says, if there is one."""
        found = self.client("ssm").get_parameters(Names=[f"/goldsmith/acme/fleets/{self.name}"])["Parameters"]
        return [attempt for parameter in found for attempt in json.loads(parameter["Value"])["attempts"]]


@dataclass
class RolloutWorld:
    """Fleets of one image."""

    aws: LocalAws
    web: ImageWorld
    shell: Shell
    accounts: dict[str, str] = field(default_factory=dict)
    """Of fleets that are not in the image's."""

    def ops(self, *arguments: str) -> Answer:
        return self.shell.ops(*arguments)

    def name(self, fleet: str) -> str:
        """The name of `dev`."""
        return f"{self.web.name}-{fleet}"

    def __getitem__(self, fleet: str) -> DeployedFleet:
        return DeployedFleet(self.aws, self.name(fleet), self.accounts.get(fleet, ACCOUNT))

    def declare(self, settings: str = "", image: str = "", **fleets: str) -> None:
        """The estate: each fleet with further fields, by default `by: goldsmith`. `image` are further fields of it,
        each followed by a comma."""
        image = (
            f"{{{image}os: amazon-linux-2023, build: [update-os], regions: [us-east-1, {REGION}], channels: [prod]}}"
        )
        lines = ["settings:", "  namespace: acme", settings, "images:", f"  {self.web.name}: {image}", "fleets:"]
        for fleet, fields in (fleets or {"dev": BY_GOLDSMITH}).items():
            further = fields.replace("WEB", self.web.name)
            channel = "" if "channel:" in further else "channel: prod, "
            account = self.accounts.get(fleet, ACCOUNT)
            profile = f"instance_profile_arn: 'arn:aws:iam::{account}:instance-profile/web'"
            lines.append(f"  {self.name(fleet)}: {{image: {self.web.name}, {channel}{_FIELDS}, {profile}, {further}}}")
        self.shell.config.write_text("\n".join(lines))

    def build(self) -> str:
        """A build that `prod` points to, `1.0.7/1` and so on; its AMI in the fleets' region."""
        ami = self.web.amis(self.web.build())[REGION]
        self.point(ami)
        return ami

    def point(self, ami: str) -> None:
        self.web.other_ssm[REGION].put_parameter(Name=f"{self.web.path}/prod", Value=ami, Type="String", Overwrite=True)

    def deploy(self, *fleets: str) -> tuple[str, str]:
        """Fleets on the first build, by default `dev`, whose templates have the second one; the AMIs."""
        old = self.build()
        for fleet in fleets or ("dev",):
            self[fleet].deploy(old)
        new = self.build()
        for fleet in fleets or ("dev",):
            self[fleet].change(new)
        return old, new

    def rollout(self, *arguments: str, fleets: str = "dev") -> Answer:
        """Without a question. `fleets` are separated by spaces."""
        return self.ops("rollout", *map(self.name, fleets.split()), "--yes", *arguments)

    def shown(self, *arguments: str, fleets: str = "dev") -> tuple[int, list[dict[str, Any]]]:
        """Exit status and what `--json` has."""
        answer = self.rollout("--json", *arguments, fleets=fleets)
        return answer.status, json.loads(answer.out)["fleets"]

    def gaps(self, fleet: str = "dev") -> list[str]:
        """What a person reads in `status`; `--check` must say that there is something."""
        answer = self.ops("status", self.name(fleet), "--json", "--check")
        (found,) = json.loads(answer.out)["fleets"]
        assert (answer.status, found["errors"]) == (1 if found["gaps"] else 0, [])
        return list(found["gaps"])

    def short(self, text: str) -> str:
        """Without what differs between two runs of a test: the image's name, and times of builds."""
        return text.replace(self.web.name, "web")

    def add_alarm(self) -> str:
        """A CloudWatch alarm that is quiet; its name."""
        cloudwatch, name = self.aws.client("cloudwatch", region=REGION), f"{self.web.name}-5xx"
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=1,
            MetricName="5xx",
            Namespace="web",
            Period=60,
            Statistic="Sum",
        )
        self.set_alarm("OK")
        return name

    def set_alarm(self, state: str) -> None:
        self.aws.client("cloudwatch", region=REGION).set_alarm_state(
            AlarmName=f"{self.web.name}-5xx", StateValue=state, StateReason="a test"
        )

    @contextmanager
    def passing(
        self, seconds: float = 30, *, every: float = 0.2, when: Callable[[], bool] = lambda: True
    ) -> Iterator[None]:
        """Time passes quickly for groups meanwhile, as long as something is the case."""
        ended = threading.Event()

        def pass_time() -> None:
            while not ended.wait(every):
                if when():
                    self.aws.pass_time(seconds)

        thread = threading.Thread(target=pass_time)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def wait_until(is_so: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def days(after: int) -> str:
    """A day from now, as the configuration has it."""
    return f"{datetime.now(UTC) + timedelta(days=after):%Y-%m-%d}"
