"""What a reviewer reads when a channel points to what a fleet must not run: the real plan, word for word.

Each fleet has a channel of its own, so that one plan shows them all: those that it refuses, and those that it accepts.
"""

import json
from collections.abc import Mapping

import pytest

from local_aws.server import LocalAws
from tests.support.guarded_fleets import ACCEPTED, ARN, FAST, PLAIN, REFUSED, REGION, Fleets, Plan, Said, parameter

# --- Refused


@pytest.fixture(scope="module")
def refused(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Plan:
    fleets = Fleets(local_aws, tmp_path_factory.mktemp("refused"), shared_providers_environment)
    # another channel has a build
    fleets.point("latest", "ami-0123456789abcdef0")
    amis = {
        "gone": fleets.point_to_new_ami("gone"),
        "other": fleets.point_to_new_ami("other", name="guarded.web-admin."),
        "untagged": fleets.point_to_new_ami("untagged", of=""),
        "borrowed": fleets.point_to_new_ami("borrowed", of="guarded-web-admin"),
        "arm": fleets.point_to_new_ami("arm", architecture="arm64"),
        "taken-over-arm": fleets.point_to_new_ami("taken-over-arm", name="old-", architecture="arm64", of=""),
        "revoked": fleets.point_to_new_ami("revoked"),
        "unreadable": fleets.point_to_new_ami("unreadable"),
        "subnetless": fleets.point_to_new_ami("subnetless"),
    }
    local_aws.client("ec2", region=REGION).deregister_image(ImageId=amis["gone"])
    fleets.revoke(amis["revoked"], "2026-01-02T03:04:05Z openssl is broken: CVE-2026-1")
    fleets.revoke(amis["unreadable"], "do not use")
    fleets.declare(*REFUSED, accept=[amis["taken-over-arm"]])
    fleets.terraform("init")
    return Plan(fleets.plan(), amis, {})


@pytest.mark.parametrize(
    ("fleet", "words"),
    [
        pytest.param(
            "empty",
            "has no build in eu-west-1 yet. Promote a build first: goldsmith promote web empty",
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
            "taken-over-arm",
            "points to {ami}, which is built for arm64, not x86_64. Move the channel to a build of the right "
            "architecture.",
            id="an AMI that is accepted has another architecture",
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
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Fleets:
    return Fleets(local_aws, tmp_path_factory.mktemp("accepted"), shared_providers_environment)


@pytest.fixture(scope="module")
def accepted(fleets: Fleets) -> Plan:
    amis = {
        "good": fleets.point_to_new_ami("good"),
        "taken-over": fleets.point_to_new_ami("taken-over", name="old-", of=""),
        "namesake": fleets.point_to_new_ami("namesake", of=""),
        "emergency": fleets.point_to_new_ami("emergency", name="guarded.web-admin."),
        "old": fleets.point_to_new_ami("old"),
        "later": fleets.point_to_new_ami("later"),
        "tagged": fleets.point_to_new_ami("tagged"),
        "named": fleets.point_to_new_ami("named"),
    }
    fleets.aws.date_ami(amis["old"], "2026-01-02T03:04:05.000Z")
    fleets.revoke(amis["emergency"], "2026-01-02T03:04:05Z")
    fleets.revoke(amis["later"], "2126-01-02T03:04:05Z end of support")
    accept = [amis["taken-over"], amis["namesake"]]
    fleets.declare(*ACCEPTED, volumes=FAST, subnet=fleets.add_subnet(), accept=accept)
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


def test_gives_amis_that_the_image_accepts_to_the_launch_template(accepted: Plan) -> None:
    """Without a name or a tag like those of builds."""
    assert {"taken-over", "namesake"} <= accepted.image_ids.keys()
    assert accepted.said.keys().isdisjoint({"taken-over", "namesake"})


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
        "Fleet named: channel named of image guarded/web has no build in eu-west-1 yet. Promote a build first: "
        "goldsmith promote web named",
        "Fleet named: subnets that do not exist in this account and eu-west-1: subnet-0a1b2c3d. Name subnets that "
        "exist.",
    ]
    fleets.terraform("apply", "-refresh-only", "-auto-approve")
    fleets.revoke(accepted.amis["later"], "")
    fleets.terraform("destroy", "-auto-approve")
    assert fleets.terraform("state", "list") == ""
