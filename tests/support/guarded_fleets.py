"""Fleets that each follow a channel of their own, so that one plan shows what the guards say of all of them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.modules import write_modules

REGION = "eu-west-1"
ARN = f"arn:aws:imagebuilder:{REGION}:000000000000:image"
REFUSED = (
    "empty",
    "gone",
    "other",
    "untagged",
    "borrowed",
    "arm",
    "taken-over-arm",
    "revoked",
    "unreadable",
    "subnetless",
)
ACCEPTED = ("good", "taken-over", "namesake", "emergency", "old", "later", "tagged", "named")
CHANNELS = (*REFUSED, *ACCEPTED)
ESTATE = f"""
settings: {{namespace: guarded}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
    accept: [ACCEPT]
    channels:
      {{{", ".join(f"{name}: {{soak: 1 day}}" if name == "unreadable" else f"{name}: {{}}" for name in CHANNELS)}}}
fleets:
  empty: &fleet
    image: web
    channel: empty
    region: {REGION}
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {{min: 1, max: 1}}
  gone: {{<<: *fleet, channel: gone, guards: warn}}
  other: {{<<: *fleet, channel: other}}
  untagged: {{<<: *fleet, channel: untagged}}
  borrowed: {{<<: *fleet, channel: borrowed}}
  arm: {{<<: *fleet, channel: arm}}
  taken-over-arm: {{<<: *fleet, channel: taken-over-arm}}
  revoked: {{<<: *fleet, channel: revoked}}
  unreadable: {{<<: *fleet, channel: unreadable}}
  subnetless: {{<<: *fleet, channel: subnetless, subnets: {{tags: {{tier: nowhere}}}}, guards: warn}}
  good: {{<<: *fleet, channel: good}}
  taken-over: {{<<: *fleet, channel: taken-over}}
  namesake: {{<<: *fleet, channel: namesake, guards: warn}}
  emergency: {{<<: *fleet, channel: emergency, guards: warn}}
  old: {{<<: *fleet, channel: old}}
  later: {{<<: *fleet, channel: later, capacity: {{min: 0, max: 1}}}}
  tagged:
    <<: *fleet
    channel: tagged
    guards: warn
    subnets: {{tags: {{tier: guarded}}}}
    security_group_ids: []
    capacity: {{min: 0, max: 1}}
    VOLUMES
  named: {{<<: *fleet, channel: named, subnets: [NAMED], security_group_ids: []}}
"""
FAST = """
    root_volume: {throughput: 250, iops: 4000}
    volumes: {/dev/sdf: {volume_size: 200, throughput: 250, iops: 4000}, /dev/sdg: {volume_size: 10}}
    metadata_options: {instance_metadata_tags: true}
"""
PLAIN = """
    volumes: {/dev/sdg: {volume_size: 200, volume_type: st1}}
"""


@dataclass(frozen=True)
class Said:
    """What a plan says of a fleet: errors and warnings in full."""

    errors: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class Fleets:
    """Fleets as modules of one configuration, and the channels that they follow."""

    aws: LocalAws
    folder: Path
    environment: Mapping[str, str]

    def declare(
        self, *fleets: str, volumes: str = PLAIN, subnet: str = "subnet-0a1b2c3d", accept: Sequence[str] = ()
    ) -> None:
        """Writes these fleets, with these lines in the fleet `tagged` and this subnet in the fleet `named`. The image
        accepts these AMIs."""
        text = ESTATE.replace("VOLUMES", volumes).replace("NAMED", subnet).replace("ACCEPT", ", ".join(accept))
        (self.folder / "estate.yaml").write_text(text)
        stacks = synthesize(self.folder / "estate.yaml", self.folder / "cdktf.out")
        write_modules(self.folder / "fleets", {fleet: stacks[f"fleet-{fleet}"] for fleet in fleets})

    def terraform(self, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.folder / "fleets", environ=self.environment)

    def plan(self, *arguments: str) -> Mapping[str, Said]:
        """What a plan says, by fleet."""
        try:
            output = self.terraform("plan", "-json", *arguments)
        except terraform.TerraformError as error:
            output = str(error)
        events = [json.loads(line) for line in re.findall(r"\{.*\}", output)]
        diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        fleets = {each["range"]["filename"].partition("/")[0] for each in diagnostics}
        assert all(each["detail"].startswith("Fleet ") for each in diagnostics), diagnostics
        return {
            fleet: Said(
                errors=sorted(_details(diagnostics, fleet=fleet, severity="error")),
                warnings=sorted(_details(diagnostics, fleet=fleet, severity="warning")),
            )
            for fleet in fleets
        }

    def point(self, channel: str, ami: str) -> None:
        ssm = self.aws.client("ssm", region=REGION)
        ssm.put_parameter(Name=parameter(channel), Value=ami, Type="String", Overwrite=True)

    def point_to_new_ami(
        self, channel: str, *, name: str = "guarded.web.", architecture: str = "x86_64", of: str = "guarded-web"
    ) -> str:
        """Registers an AMI with the tag that Image Builder gives to builds `of` an image."""
        tag = {"Key": "Ec2ImageBuilderArn", "Value": f"{ARN}/{of}/1.0.1/1"}
        ami: str = self.aws.client("ec2", region=REGION).register_image(
            Name=name + channel,
            Architecture=architecture,
            RootDeviceName="/dev/xvda",
            TagSpecifications=[{"ResourceType": "image", "Tags": [tag]}] if of else [],
        )["ImageId"]
        self.point(channel, ami)
        return ami

    def revoke(self, ami: str, tag: str) -> None:
        """What the hand-off function does when a build is revoked."""
        ec2 = self.aws.client("ec2", region=REGION)
        ec2.create_tags(Resources=[ami], Tags=[{"Key": "goldsmith:revoked", "Value": tag}])

    def add_subnet(self) -> str:
        """In a VPC of its own."""
        ec2 = self.aws.client("ec2", region=REGION)
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "guarded"}]}]
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        answer = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24", TagSpecifications=tags)
        return str(answer["Subnet"]["SubnetId"])


def _details(diagnostics: list[dict[str, Any]], *, fleet: str, severity: str) -> list[str]:
    return [
        each["detail"]
        for each in diagnostics
        if each["severity"] == severity and each["range"]["filename"].startswith(f"{fleet}/")
    ]


def parameter(channel: str) -> str:
    return f"/imagebuilder/guarded/web/{channel}"


@dataclass(frozen=True)
class Plan:
    """The output of a plan, and the AMIs that the channels pointed to."""

    said: Mapping[str, Said]
    amis: Mapping[str, str]
    image_ids: Mapping[str, str]
    """What the launch templates would get."""
