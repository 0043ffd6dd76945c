"""What a reviewer reads when a channel points to what a fleet must not run: the real plan, word for word."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

REGION = "eu-west-1"
IMAGE = "/imagebuilder/guarded/web"
PARAMETER = f"{IMAGE}/prod"
ARN = f"arn:aws:imagebuilder:{REGION}:000000000000:image"
OTHER_IMAGE = (
    "Fleet {fleet}: channel prod of image guarded/web points to {ami}, which is not a build of this image: its name, "
    "{name}, does not start with 'guarded.web.'. Move the channel to a build of the image."
)
ESTATE = """
settings: {namespace: guarded}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [eu-west-1]
    channels: [prod]
fleets:
  stopping: &fleet
    image: web
    channel: prod
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {min: 1, max: 1}
  warning:
    <<: *fleet
    guards: warn
  tagged:
    <<: *fleet
    guards: warn
    subnets: {tags: {tier: guarded}}
    security_group_ids: []
    capacity: {min: 0, max: 1}
    VOLUMES
  named:
    <<: *fleet
    security_group_ids: []
"""

FAST = """
    root_volume: {throughput: 250, iops: 4000}
    volumes: {/dev/sdf: {volume_size: 200, throughput: 250, iops: 4000}, /dev/sdg: {volume_size: 10}}
    metadata: {instance_tags: true}
"""
PLAIN = """
    volumes: {/dev/sdg: {volume_size: 200, volume_type: st1}}
"""


@dataclass(frozen=True)
class Said:
    """What a plan says: errors and warnings in full."""

    errors: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class Plans:
    """Plans of the fleets, in folders that are initialized once."""

    aws: LocalAws
    stacks: Path
    environment: Mapping[str, str]

    def of(self, fleet: str) -> Said:
        try:
            output = self.run(fleet, "plan", "-json", "-out=plan")
        except terraform.TerraformError as error:
            output = str(error)
        events = [json.loads(line) for line in re.findall(r"\{.*\}", output)]
        said = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        return Said(
            errors=[each["detail"] for each in said if each["severity"] == "error"],
            warnings=[each["detail"] for each in said if each["severity"] == "warning"],
        )

    def image_id(self, fleet: str) -> str:
        """The AMI that the launch template would get by the plan before."""
        shown = json.loads(self.run(fleet, "show", "-json", "plan"))
        ami: str = shown["planned_values"]["outputs"]["image_id"]["value"]
        return ami

    def synthesize(self, *, volumes: str) -> None:
        """Writes the stacks, with these lines in the fleet `tagged`."""
        folder = self.stacks.parent.parent
        (folder / "estate.yaml").write_text(ESTATE.replace("VOLUMES", volumes))
        synthesize(folder / "estate.yaml", folder / "cdktf.out")

    def run(self, fleet: str, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.stacks / f"fleet-{fleet}", environ=self.environment)

    def point_to_new_ami(self, *, name: str, architecture: str = "x86_64", of: str = "guarded-web") -> str:
        ec2 = self.aws.client("ec2", region=REGION)
        tag = {"Key": "Ec2ImageBuilderArn", "Value": f"{ARN}/{of}/1.0.1/1"}
        ami: str = ec2.register_image(
            Name=name,
            Architecture=architecture,
            RootDeviceName="/dev/xvda",
            TagSpecifications=[{"ResourceType": "image", "Tags": [tag]}] if of else [],
        )["ImageId"]
        self.aws.client("ssm", region=REGION).put_parameter(
            Name=PARAMETER, Value=ami, Type="String", DataType="aws:ec2:image", Overwrite=True
        )
        return ami


@pytest.fixture(scope="module")
def plans(
    local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plans]:
    folder = tmp_path_factory.mktemp("guards")
    made = Plans(local_aws, folder / "cdktf.out" / "stacks", terraform_environment)
    made.synthesize(volumes=FAST)
    for fleet in ("stopping", "warning", "tagged", "named"):
        made.run(fleet, "init")
    yield made


def test_stops_while_the_channel_has_no_build(plans: Plans) -> None:
    ssm = plans.aws.client("ssm", region=REGION)
    ssm.put_parameter(Name=f"{IMAGE}/staging", Value="ami-0123456789abcdef0", Type="String")
    assert plans.of("stopping").errors == [
        "Fleet stopping: channel prod of image guarded/web has no build in eu-west-1 yet. Move the channel to a build "
        "first; latest is the only one that moves by itself."
    ]


def test_gives_a_build_of_the_image_to_the_launch_template(plans: Plans) -> None:
    ami = plans.point_to_new_ami(name="guarded.web.2026-11-22T01-02-03.456Z")
    assert plans.of("stopping") == Said([], [])
    assert plans.image_id("stopping") == ami


def test_stops_when_the_ami_is_gone(plans: Plans) -> None:
    ami = plans.point_to_new_ami(name="guarded.web.2026-11-22T02-02-03.456Z")
    plans.aws.client("ec2", region=REGION).deregister_image(ImageId=ami)
    assert plans.of("warning").errors == [
        f"Fleet warning: channel prod of image guarded/web points to {ami}, which does not exist in this account and "
        "eu-west-1: it was deregistered or disabled, or belongs to another account. Move the "
        "channel to a build that is there."
    ]


def test_stops_when_the_ami_is_of_another_image(plans: Plans) -> None:
    name = "guarded.web-admin.2026-11-22T03-02-03.456Z"
    ami = plans.point_to_new_ami(name=name)
    assert plans.of("stopping").errors == [OTHER_IMAGE.format(fleet="stopping", ami=ami, name=name)]


def test_stops_when_an_ami_has_the_name_and_image_builder_made_it_of_nothing_or_of_another_image(plans: Plans) -> None:
    for of, tag in {"": "missing", "guarded-web-admin": f"{ARN}/guarded-web-admin/1.0.1/1"}.items():
        ami = plans.point_to_new_ami(name=f"guarded.web.made-by-hand-{of}", of=of)
        assert plans.of("stopping").errors == [
            f"Fleet stopping: channel prod of image guarded/web points to {ami}, which is named like a build of this "
            "image but is none: its tag Ec2ImageBuilderArn, which Image Builder sets to the build's ARN, is "
            f"{tag}. Move the channel to a build of the image."
        ]


def test_stops_when_the_ami_has_another_architecture(plans: Plans) -> None:
    ami = plans.point_to_new_ami(name="guarded.web.2026-11-22T04-02-03.456Z", architecture="arm64")
    assert plans.of("stopping").errors == [
        f"Fleet stopping: channel prod of image guarded/web points to {ami}, which is built for arm64, not x86_64. "
        "Move the channel to a build of the right architecture."
    ]


def test_only_warns_in_an_emergency(plans: Plans) -> None:
    name = "guarded.web-admin.2026-11-22T05-02-03.456Z"
    ami = plans.point_to_new_ami(name=name)
    assert plans.of("warning") == Said([], [OTHER_IMAGE.format(fleet="warning", ami=ami, name=name)])
    assert plans.image_id("warning") == ami


def test_only_warns_when_the_ami_is_old(plans: Plans) -> None:
    ami = plans.point_to_new_ami(name="guarded.web.2026-11-22T06-02-03.456Z")
    plans.aws.date_ami(ami, "2026-01-02T03:04:05.000Z")
    assert plans.of("stopping") == Said(
        [],
        [
            f"Fleet stopping: channel prod of image guarded/web points to {ami}, which was built on "
            "2026-01-02T03:04:05.000Z: more than 60 days ago. Build the image anew."
        ],
    )


def test_stops_when_no_subnet_has_the_tags_or_those_that_have_lie_in_several_vpcs(plans: Plans) -> None:
    plans.point_to_new_ami(name="guarded.web.2026-11-22T07-02-03.456Z")
    ec2 = plans.aws.client("ec2", region=REGION)
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "guarded"}]}]

    def add_subnet() -> None:
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24", TagSpecifications=tags)

    assert plans.of("tagged").errors == [
        "Fleet tagged: no subnet in eu-west-1 has the tags tier=guarded. Tag subnets, or name them by ID."
    ]
    add_subnet()
    assert plans.of("tagged") == Said([], [])
    plans.run("tagged", "apply", "-auto-approve")
    add_subnet()
    assert plans.of("tagged").errors == [
        "Fleet tagged: the subnets in eu-west-1 with the tags tier=guarded lie in several VPCs. Add a tag that tells "
        "them apart, or name subnets by ID."
    ]


def test_says_what_the_provider_would_keep_of_the_template_that_was_applied(plans: Plans) -> None:
    """Of the fleet that the test before this has applied."""
    (template,) = plans.aws.client("ec2", region=REGION).describe_launch_template_versions(
        LaunchTemplateName="guarded_tagged", Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    volumes = {each["DeviceName"]: each["Ebs"] for each in template["LaunchTemplateData"]["BlockDeviceMappings"]}
    assert volumes["/dev/sdf"].items() >= {"VolumeSize": 200, "Throughput": 250, "Iops": 4000}.items()
    assert volumes["/dev/sdg"].items() >= {"VolumeSize": 10, "Throughput": 125, "Iops": 3000}.items()

    plans.synthesize(volumes=PLAIN)
    kept = (
        "would get the throughput of what was in its place in the launch template before, because AWS's provider keeps "
        "what is left out."
    )
    assert sorted(error for error in plans.of("tagged").errors if "VPCs" not in error) == [
        "Fleet tagged: its instances have their tags in their metadata, and AWS's provider keeps that when it is left "
        "out. Write metadata: {instance_tags: false}.",
        f"Fleet tagged: its root volume {kept} Write root_volume: {{throughput: 125}}.",
        f"Fleet tagged: its volume /dev/sdg {kept} Replace the template: terraform apply "
        "-replace=aws_launch_template.launch_template",
    ]


def test_whatever_is_gone_stops_neither_a_refresh_nor_a_destroy(plans: Plans) -> None:
    """Of the fleet that a test before this has applied, and of one that names its subnets."""
    ec2 = plans.aws.client("ec2", region=REGION)
    ssm = plans.aws.client("ssm", region=REGION)
    ec2.deregister_image(ImageId=ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"])
    # every AMI, in a filter of EC2
    ssm.put_parameter(Name=PARAMETER, Value="ami-*", Type="String", Overwrite=True)
    plans.run("tagged", "plan", "-destroy")
    plans.run("named", "plan", "-refresh-only")

    ssm.delete_parameter(Name=PARAMETER)
    for subnet in ec2.describe_subnets(Filters=[{"Name": "tag:tier", "Values": ["guarded"]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert sorted(plans.of("named").errors) == [
        "Fleet named: channel prod of image guarded/web has no build in eu-west-1 yet. Move the channel to a build "
        "first; latest is the only one that moves by itself.",
        "Fleet named: subnets that do not exist in this account and eu-west-1: subnet-0a1b2c3d. Name subnets that are "
        "there.",
    ]
    plans.run("tagged", "apply", "-refresh-only", "-auto-approve")
    plans.run("tagged", "destroy", "-auto-approve")
    assert plans.run("tagged", "state", "list") == ""
