"""Fleets on the local AWS that the real Terraform has applied: their stacks are the modules of one state."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.modules import write_modules

REGION = "eu-west-1"


@dataclass(frozen=True)
class Said:
    """What a plan says: changes by address, without `module.`, and warnings in full, without those about what is not
    known before the apply."""

    actions: Mapping[str, list[str]]
    warnings: set[str]


@dataclass
class AppliedFleets:
    """Fleets that run the image `web`, by the names of their stacks without `fleet-`."""

    aws: LocalAws
    folder: Path
    environment: Mapping[str, str]
    namespace: str
    names: tuple[str, ...]
    builds: dict[str, str] = field(default_factory=dict)
    """AMIs by the names of their builds."""

    @property
    def config(self) -> Path:
        return self.folder / "estate.yaml"

    def client(self, service: str) -> Any:
        return self.aws.client(service, region=REGION)

    def terraform(self, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.folder / "fleets", environ=self.environment)

    def declare(self, estate: str) -> None:
        """Write the configuration, with a subnet in place of SUBNET, and synthesize it."""
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        self.config.write_text(estate.replace("SUBNET", subnet))
        stacks = synthesize(self.config, self.folder / "cdktf.out")
        write_modules(self.folder / "fleets", {name: stacks[f"fleet-{name}"] for name in self.names})

    def build(self, name: str, *, channel: str = "latest") -> str:
        """An AMI, in the channel."""
        arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/{self.namespace}-web/1.0.{name}/1"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
        made = self.client("ec2").register_image(
            Name=f"{self.namespace}.web.{name}",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            TagSpecifications=tags,
        )
        self.builds[name] = made["ImageId"]
        self.point(name, channel=channel)
        return self.builds[name]

    def point(self, name: str, *, channel: str = "latest") -> None:
        """Let the channel point to a build."""
        self.client("ssm").put_parameter(
            Name=f"/imagebuilder/{self.namespace}/web/{channel}", Value=self.builds[name], Type="String", Overwrite=True
        )

    def plan(self, *arguments: str) -> Said:
        """A plan, in the file `plan`; without changes where the exit status is 0."""
        try:
            output = self.terraform("plan", "-json", "-out=plan", "-detailed-exitcode", *arguments)
        except terraform.TerraformError as error:
            output = str(error)
            assert "ended with status 2:" in output, output
            planned = json.loads(self.terraform("show", "-json", "plan"))["resource_changes"]
        else:
            planned = []
        actions = {each["address"].removeprefix("module."): each["change"]["actions"] for each in planned}
        return Said({address: what for address, what in actions.items() if what != ["no-op"]}, _warnings(output))

    def apply(self) -> set[str]:
        """Applies the last plan; gives its warnings."""
        return _warnings(self.terraform("apply", "-json", "plan"))

    def group(self, fleet: str) -> Mapping[str, Any]:
        found = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"{self.namespace}_{fleet}"]
        )
        group: Mapping[str, Any] = found["AutoScalingGroups"][0]
        return group

    def versions(self, fleet: str) -> tuple[str, list[str]]:
        """Of the launch template: the version that the group launches, and those that its instances run, sorted."""
        group = self.group(fleet)
        runs = sorted(instance["LaunchTemplate"]["Version"] for instance in group["Instances"])
        return group["LaunchTemplate"]["Version"], runs

    def refreshes(self, fleet: str) -> list[Mapping[str, Any]]:
        """Newest first."""
        found = self.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName=f"{self.namespace}_{fleet}")
        refreshes: list[Mapping[str, Any]] = found["InstanceRefreshes"]
        return refreshes


def _warnings(output: str) -> set[str]:
    events = [json.loads(line) for line in re.findall(r"^\{.*\}$", output, re.MULTILINE)]
    diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
    assert all(each["severity"] == "warning" for each in diagnostics), diagnostics
    return {each["detail"] for each in diagnostics if each["summary"] != "Check block assertion known after apply"}
