"""The basis of the tests of fleets in `goldsmith status`: a fleet and its image, in one account or two."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Answer

REGION = "eu-west-1"
FIELDS = f"""
    channel: prod
    region: {REGION}
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {{min: 4, max: 4}}"""


@dataclass
class FleetWorld:
    """A fleet and its image: declared, and as far as a test makes them, in AWS."""

    aws: LocalAws
    web: ImageWorld
    config: Path
    ops: Callable[..., Answer]
    account: str = ACCOUNT
    """The fleet's; the image's is always the same."""
    has_template: bool = False

    @property
    def fleet(self) -> str:
        return f"{self.web.name}-dev"

    @property
    def group(self) -> str:
        return f"acme_{self.fleet}"

    @property
    def template(self) -> str:
        ec2 = self.aws.client("ec2", region=REGION, account=self.account)
        (found,) = ec2.describe_launch_templates(LaunchTemplateNames=[self.group])["LaunchTemplates"]
        return str(found["LaunchTemplateId"])

    def declare(self, fields: str = FIELDS, settings: str = "") -> None:
        image = "{os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1], channels: [prod]}"
        lines = ["settings:", "  namespace: acme", settings, "images:", f"  {self.web.name}: {image}", "fleets:"]
        self.config.write_text("\n".join([*lines, f"  {self.fleet}:", f"    image: {self.web.name}{fields}"]))

    def build(self) -> str:
        """A build; its AMI in the fleet's region."""
        return self.web.amis(self.web.build())[REGION]

    def point(self, ami: str) -> None:
        self.web.other_ssm[REGION].put_parameter(Name=f"{self.web.path}/prod", Value=ami, Type="String", Overwrite=True)

    def add_version(self, ami: str) -> None:
        """What Terraform does first: a new version of the launch template, the default one."""
        ec2 = self.aws.client("ec2", region=REGION, account=self.account)
        make = ec2.create_launch_template_version if self.has_template else ec2.create_launch_template
        make(LaunchTemplateName=self.group, LaunchTemplateData={"ImageId": ami})
        self.has_template = True

    def create_group(self) -> None:
        self.aws.client("autoscaling", region=REGION, account=self.account).create_auto_scaling_group(
            AutoScalingGroupName=self.group,
            MinSize=4,
            MaxSize=4,
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "1"},
            AvailabilityZones=[f"{REGION}a"],
        )

    def update_group(self, version: str) -> None:
        """What Terraform does next."""
        self.aws.client("autoscaling", region=REGION, account=self.account).update_auto_scaling_group(
            AutoScalingGroupName=self.group,
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": version},
        )

    def refresh(self, **end: Any) -> None:
        """And last."""
        if end:
            self.aws.end_next_refresh(self.group, **end)
        self.aws.client("autoscaling", region=REGION, account=self.account).start_instance_refresh(
            AutoScalingGroupName=self.group
        )

    def deploy(self) -> str:
        """A fleet on the first build, rolled out; the AMI."""
        ami = self.build()
        self.point(ami)
        self.add_version(ami)
        self.create_group()
        return ami

    def second_build(self) -> tuple[str, str]:
        """A fleet whose group launches the second build, and whose instances run the first; the AMIs."""
        return self.deploy(), self.move_on()

    def move_on(self) -> str:
        """The second build, as far as the group: no refresh; the AMI."""
        ami = self.build()
        self.point(ami)
        self.add_version(ami)
        self.update_group("2")
        return ami

    def status(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit status and JSON of the fleet."""
        answer = self.ops("status", self.fleet, "--json", *arguments)
        (fleet,) = json.loads(answer.out)["fleets"]
        return answer.status, fleet

    def gaps(self) -> list[str]:
        """What a person reads; `--check` must say that there is something."""
        answer = self.ops("status", self.fleet, "--check")
        lines = [line for line in answer.out.splitlines() if line.startswith(f"fleet {self.fleet}: ")]
        assert answer.status == (1 if lines else 0)
        return [line.partition(": ")[2] for line in lines]
