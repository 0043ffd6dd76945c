"""What a reviewer reads when a channel points to what a fleet must not run: the real plan, word for word.

Each fleet has a channel of its own, so that one plan shows them all: those that it refuses, and those that it accepts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.modules import write_modules

REGION = "eu-west-1"
ARN = f"arn:aws:imagebuilder:{REGION}:000000000000:image"
REFUSED = ("empty", "gone", "other", "untagged", "borrowed", "arm", "revoked", "unreadable", "subnetless")
ACCEPTED = ("good", "emergency", "old", "later", "tagged", "named")
CHANNELS = (*REFUSED, *ACCEPTED)
ESTATE = f"""
settings: {{namespace: guarded}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
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
  revoked: {{<<: *fleet, channel: revoked}}
  unreadable: {{<<: *fleet, channel: unreadable}}
  subnetless: {{<<: *fleet, channel: subnetless, subnets: {{tags: {{tier: nowhere}}}}, guards: warn}}
  good: {{<<: *fleet, channel: good}}
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

    def declare(self, *fleets: str, volumes: str = PLAIN, subnet: str = "subnet-0a1b2c3d") -> None:
        """Writes these fleets, with these lines in the fleet `tagged` and this subnet in the fleet `named`."""
        text = ESTATE.replace("VOLUMES", volumes).replace("NAMED", subnet)
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


# --- Refused


@dataclass(frozen=True)
class Plan:
    """The output of a plan, and the AMIs that the channels pointed to."""

    said: Mapping[str, Said]
    amis: Mapping[str, str]
    image_ids: Mapping[str, str]
    """What the launch templates would get."""


@pytest.fixture(scope="module")
def refused(
    local_aws: LocalAws, one_provider_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Plan:
    fleets = Fleets(local_aws, tmp_path_factory.mktemp("refused"), one_provider_environment)
    # another channel has a build
    fleets.point("latest", "ami-0123456789abcdef0")
    amis = {
        "gone": fleets.point_to_new_ami("gone"),
        "other": fleets.point_to_new_ami("other", name="guarded.web-admin."),
        "untagged": fleets.point_to_new_ami("untagged", of=""),
        "borrowed": fleets.point_to_new_ami("borrowed", of="guarded-web-admin"),
        "arm": fleets.point_to_new_ami("arm", architecture="arm64"),
        "revoked": fleets.point_to_new_ami("revoked"),
        "unreadable": fleets.point_to_new_ami("unreadable"),
        "subnetless": fleets.point_to_new_ami("subnetless"),
    }
    local_aws.client("ec2", region=REGION).deregister_image(ImageId=amis["gone"])
    fleets.revoke(amis["revoked"], "2026-01-02T03:04:05Z openssl is broken: CVE-2026-1")
    fleets.revoke(amis["unreadable"], "do not use")
    fleets.declare(*REFUSED)
    fleets.terraform("init")
    return Plan(fleets.plan(), amis, {})


@pytest.mark.parametrize(
    ("fleet", "words"),
    [
        pytest.param(
            "empty",
            "has no build in eu-west-1 yet. Move the channel to a build first; latest is the only one that moves by "
            "itself.",
            id="the channel has no build",
        ),
        pytest.param(
            "gone",
            "points to {ami}, which does not exist in this account and eu-west-1: it was deregistered or disabled, or "
            "belongs to another account. Move the channel to a build that exists.",
            id="the AMI is gone",
        ),
        pytest.param(
            "other",
            "points to {ami}, which is not a build of this image: its name, guarded.web-admin.other, does not start "
            "with 'guarded.web.'. Move the channel to a build of the image.",
            id="the AMI is of another image",
        ),
        pytest.param(
            "untagged",
            "points to {ami}, which is not a build of this image, though its name starts like one: its tag "
            "Ec2ImageBuilderArn, which Image Builder sets to the build's ARN, is missing. Move the channel to a build "
            "of the image.",
            id="an AMI has the name, and Image Builder did not make it",
        ),
        pytest.param(
            "borrowed",
            "points to {ami}, which is not a build of this image, though its name starts like one: its tag "
            f"Ec2ImageBuilderArn, which Image Builder sets to the build's ARN, is {ARN}/guarded-web-admin/1.0.1/1. "
            "Move the channel to a build of the image.",
            id="an AMI has the name, and Image Builder made it of another image",
        ),
        pytest.param(
            "arm",
            "points to {ami}, which is built for arm64, not x86_64. Move the channel to a build of the right "
            "architecture.",
            id="the AMI has another architecture",
        ),
        pytest.param(
            "revoked",
            "points to {ami}, which has been revoked since 2026-01-02T03:04:05Z: openssl is broken: CVE-2026-1. Move "
            "the channel to a good build: goldsmith rollback web@revoked",
            id="the build is revoked",
        ),
        pytest.param(
            "unreadable",
            "points to {ami}, which is revoked by its tag goldsmith:revoked, which has no time that can be read: do "
            "not use. The channel moves back to a good build by itself within the hour. If it does not: goldsmith "
            "rollback web@unreadable",
            id="the build is revoked, and nobody can read since when",
        ),
    ],
)
def test_stops_when(fleet: str, words: str, refused: Plan) -> None:
    expected = f"Fleet {fleet}: channel {fleet} of image guarded/web {words}"
    assert refused.said[fleet] == Said([expected.format(ami=refused.amis.get(fleet))], [])


def test_stops_when_no_subnet_has_the_tags(refused: Plan) -> None:
    words = "Fleet subnetless: no subnet in eu-west-1 has the tags tier=nowhere. Tag subnets, or name them by ID."
    assert refused.said["subnetless"] == Said([words], [])


# --- Accepted


@pytest.fixture(scope="module")
def fleets(
    local_aws: LocalAws, one_provider_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Fleets:
    return Fleets(local_aws, tmp_path_factory.mktemp("accepted"), one_provider_environment)


@pytest.fixture(scope="module")
def accepted(fleets: Fleets) -> Plan:
    amis = {
        "good": fleets.point_to_new_ami("good"),
        "emergency": fleets.point_to_new_ami("emergency", name="guarded.web-admin."),
        "old": fleets.point_to_new_ami("old"),
        "later": fleets.point_to_new_ami("later"),
        "tagged": fleets.point_to_new_ami("tagged"),
        "named": fleets.point_to_new_ami("named"),
    }
    fleets.aws.date_ami(amis["old"], "2026-01-02T03:04:05.000Z")
    fleets.revoke(amis["emergency"], "2026-01-02T03:04:05Z")
    fleets.revoke(amis["later"], "2126-01-02T03:04:05Z end of support")
    fleets.declare(*ACCEPTED, volumes=FAST, subnet=fleets.add_subnet())
    fleets.terraform("init")
    said = fleets.plan("-out=plan")
    planned = json.loads(fleets.terraform("show", "-json", "plan"))["planned_values"]["root_module"]["child_modules"]
    image_ids = {
        module["address"].removeprefix("module."): resource["values"]["image_id"]
        for module in planned
        for resource in module["resources"]
        if resource["type"] == "aws_launch_template"
    }
    return Plan(said, amis, image_ids)


def test_gives_a_build_of_the_image_to_the_launch_template(accepted: Plan) -> None:
    assert accepted.image_ids == accepted.amis
    # by their IDs and by their tags
    assert accepted.said.keys().isdisjoint({"good", "named", "tagged"})


def test_only_warns_in_an_emergency(accepted: Plan) -> None:
    subject = f"Fleet emergency: channel emergency of image guarded/web points to {accepted.amis['emergency']}"
    revoked = (
        f"{subject}, which has been revoked since 2026-01-02T03:04:05Z: no reason was given. Move the channel to a "
        "good build: goldsmith rollback web@emergency"
    )
    foreign = (
        f"{subject}, which is not a build of this image: its name, guarded.web-admin.emergency, does not start with "
        "'guarded.web.'. Move the channel to a build of the image."
    )
    assert accepted.said["emergency"] == Said([], [revoked, foreign])


def test_only_warns_when_the_build_will_be_revoked(accepted: Plan) -> None:
    words = (
        f"Fleet later: channel later of image guarded/web points to {accepted.amis['later']}, which will be revoked at "
        "2126-01-02T03:04:05Z: end of support. Plans stop from then on. Let the fleet run another build before."
    )
    assert accepted.said["later"] == Said([], [words])


def test_only_warns_when_the_ami_is_old(accepted: Plan) -> None:
    words = (
        f"Fleet old: channel old of image guarded/web points to {accepted.amis['old']}, which was built on "
        "2026-01-02T03:04:05.000Z: more than 60 days ago. Build the image again."
    )
    assert accepted.said["old"] == Said([], [words])


# --- What was applied


def test_stops_at_subnets_of_several_vpcs_and_at_what_the_provider_would_keep_of_the_template(
    accepted: Plan, fleets: Fleets
) -> None:
    fleets.terraform("apply", "-auto-approve", "-target=module.tagged", "-target=module.later")
    (template,) = fleets.aws.client("ec2", region=REGION).describe_launch_template_versions(
        LaunchTemplateName="guarded_tagged", Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    volumes = {each["DeviceName"]: each["Ebs"] for each in template["LaunchTemplateData"]["BlockDeviceMappings"]}
    assert volumes["/dev/sdf"].items() >= {"VolumeSize": 200, "Throughput": 250, "Iops": 4000}.items()
    assert volumes["/dev/sdg"].items() >= {"VolumeSize": 10, "Throughput": 125, "Iops": 3000}.items()

    fleets.declare(*ACCEPTED, volumes=PLAIN, subnet=fleets.add_subnet())
    kept = (
        "would get the throughput of the volume at its position in the launch template before, because AWS's provider "
        "keeps values that are left out."
    )
    assert fleets.plan()["tagged"].errors == [
        "Fleet tagged: its instances have their tags in their metadata, and AWS's provider keeps that setting "
        "when it is left out. Write metadata_options: {instance_metadata_tags: false}.",
        f"Fleet tagged: its root volume {kept} Write root_volume: {{throughput: 125}}.",
        f"Fleet tagged: its volume /dev/sdg {kept} Replace the template: terraform apply "
        "-replace=aws_launch_template.launch_template",
        "Fleet tagged: the subnets in eu-west-1 with the tags tier=guarded are in several VPCs. Add a tag that only "
        "the subnets of one VPC have, or name subnets by ID.",
    ]


def test_missing_and_revoked_resources_stop_neither_a_refresh_nor_a_destroy(accepted: Plan, fleets: Fleets) -> None:
    """Of fleets that the test before this has applied, and of one that names its subnets."""
    ec2 = fleets.aws.client("ec2", region=REGION)
    ssm = fleets.aws.client("ssm", region=REGION)
    fleets.revoke(accepted.amis["tagged"], "")
    fleets.terraform("plan", "-destroy")
    fleets.revoke(accepted.amis["later"], "2026-01-02T03:04:05Z openssl is broken")

    for fleet in ("tagged", "named"):
        ec2.deregister_image(ImageId=accepted.amis[fleet])
        # every AMI, in a filter of EC2
        fleets.point(fleet, "ami-*")
    fleets.declare("tagged", "named", "later", volumes=FAST)
    fleets.terraform("plan", "-destroy")
    fleets.terraform("plan", "-refresh-only")

    for fleet in ("tagged", "named"):
        ssm.delete_parameter(Name=parameter(fleet))
    for subnet in ec2.describe_subnets(Filters=[{"Name": "tag:tier", "Values": ["guarded"]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert fleets.plan()["named"].errors == [
        "Fleet named: channel named of image guarded/web has no build in eu-west-1 yet. Move the channel to a build "
        "first; latest is the only one that moves by itself.",
        "Fleet named: subnets that do not exist in this account and eu-west-1: subnet-0a1b2c3d. Name subnets that "
        "exist.",
    ]
    fleets.terraform("apply", "-refresh-only", "-auto-approve")
    fleets.revoke(accepted.amis["later"], "")
    fleets.terraform("destroy", "-auto-approve")
    assert fleets.terraform("state", "list") == ""
