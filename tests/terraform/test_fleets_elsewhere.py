"""Fleets in other accounts than their image's: one runs the shared AMI, one a copy, by the real Terraform.

Of the image's stack only what they need is applied; the hand-off is tested elsewhere, and channels are moved by hand.
"""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import PROJECT, synthesize
from tests.support.modules import Stacks, write_modules
from tests.support.permissions import Estate, Recorder, check_called

REGION = "eu-west-1"
IMAGES, SHARED, COPIES = "210000000001", "210000000002", "210000000003"
REFUSED, ACCEPTED = ("empty", "unshared", "uncopied", "gone"), ("shared", "copied")
ESTATE = f"""
settings:
  namespace: elsewhere
  accounts:
    images: {{id: "{IMAGES}", role: deployer}}
    shared: {{id: "{SHARED}", role: deployer}}
    copies: {{id: "{COPIES}", role: deployer}}
images:
  web:
    account: images
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
    channels: [empty, old, gone]
    target_accounts: ["{COPIES}"]
fleets:
  shared: &fleet
    account: shared
    image: web
    channel: latest
    region: {REGION}
    instance_type: t3.micro
    subnets: {{tags: {{tier: elsewhere}}}}
    capacity: {{min: 1, max: 1}}
  copied: {{<<: *fleet, account: copies, notifications: {{emails: [team@example.com]}}}}
  empty: {{<<: *fleet, channel: empty}}
  unshared: {{<<: *fleet, channel: old}}
  uncopied: {{<<: *fleet, channel: old, account: copies}}
  gone: {{<<: *fleet, channel: gone}}
"""
NEEDED = ("aws_imagebuilder_image_pipeline.pipeline", "aws_iam_role_policy.reader_policy")
AUTO_SCALING = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


@dataclass(frozen=True)
class Accounts:
    """The accounts, the image's stack in one of them, and fleets, as modules of one configuration, in the others."""

    aws: LocalAws
    folder: Path
    stacks: Stacks
    environment: Mapping[str, str]
    recorder: Recorder

    def client(self, service: str, account: str) -> Any:
        return self.aws.client(service, region=REGION, account=account)

    def terraform_of_image(self, *arguments: str) -> str:
        folder = self.folder / "cdktf.out" / "stacks" / "image-web"
        return self.recorder.run(*arguments, folder=folder, environ=self.environment)

    def terraform(self, *arguments: str, **environment: str) -> str:
        environ = {**self.environment, **environment}
        return self.recorder.run(*arguments, folder=self.folder / "fleets", environ=environ)

    def declare(self, fleets: Sequence[str], *, stacks: Stacks | None = None) -> None:
        stacks = stacks or self.stacks
        write_modules(self.folder / "fleets", {fleet: stacks[f"fleet-{fleet}"] for fleet in fleets})

    def errors(self) -> list[str]:
        """The errors of a plan."""
        try:
            output = self.terraform("plan", "-json")
        except terraform.TerraformError as error:
            output = str(error)
        events = [json.loads(line) for line in re.findall(r"\{.*\}", output)]
        return sorted(event["diagnostic"]["detail"] for event in events if event["type"] == "diagnostic")

    def build(self) -> Mapping[str, str]:
        """The AMIs of a new build by account."""
        image_builder = self.client("imagebuilder", IMAGES)
        (pipeline,) = image_builder.list_image_pipelines()["imagePipelineList"]
        arn = image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["arn"])["imageBuildVersionArn"]
        while (image := image_builder.get_image(imageBuildVersionArn=arn)["image"])["state"]["status"] != "AVAILABLE":
            assert image["state"]["status"] != "FAILED", image
        return {each["accountId"]: each["image"] for each in image["outputResources"]["amis"]}

    def register(self, name: str) -> str:
        """An AMI of the image's account that nobody else may use."""
        build = f"arn:aws:imagebuilder:{REGION}:{IMAGES}:image/elsewhere-web/1.0.1/1"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": build}]}]
        made = self.client("ec2", IMAGES).register_image(
            Name=f"elsewhere.web.{name}",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            TagSpecifications=tags,
        )
        return str(made["ImageId"])

    def revoke(self, ami: str, tag: str) -> None:
        """What the hand-off function does when a build is revoked."""
        self.client("ec2", IMAGES).create_tags(Resources=[ami], Tags=[{"Key": "goldsmith:revoked", "Value": tag}])

    def point(self, channel: str, ami: str) -> None:
        name = f"/imagebuilder/elsewhere/web/{channel}"
        self.client("ssm", IMAGES).put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)


@pytest.fixture(scope="module")
def accounts(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Accounts:
    """The image's stack and what has to be there before it; nothing is built."""
    for account in (IMAGES, SHARED, COPIES):
        local_aws.make_role("deployer", account=account, trusts=["000000000000"])
    local_aws.make_role("EC2ImageBuilderDistributionCrossAccountRole", account=COPIES, trusts=[IMAGES])
    for account in (SHARED, COPIES):
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "elsewhere"}]}]
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24", TagSpecifications=tags)
        local_aws.client("iam", account=account).create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "estate.yaml").write_text(ESTATE)
    stacks = synthesize(folder / "estate.yaml", folder / "cdktf.out")
    accounts = Accounts(local_aws, folder, stacks, shared_providers_environment, Recorder(local_aws))
    accounts.terraform_of_image("init")
    targets = [f"-target={address}" for address in NEEDED]
    accounts.terraform_of_image("apply", "-auto-approve", *targets)
    # exit status 0: nothing to do
    accounts.terraform_of_image("plan", "-detailed-exitcode", *targets)
    return accounts


def test_plans_stop_at_what_is_missing_in_either_account(accounts: Accounts) -> None:
    old, gone = accounts.register("old"), accounts.register("gone")
    accounts.point("old", old)
    accounts.point("gone", gone)
    accounts.client("ec2", IMAGES).deregister_image(ImageId=gone)
    accounts.declare(REFUSED)
    accounts.terraform("init")
    apply = "apply image-web, build the image, and move the channel"
    assert accounts.errors() == [
        f"Fleet empty: channel empty of image elsewhere/web has no build in {REGION} yet. Promote a build first: "
        "goldsmith promote web empty.",
        f"Fleet gone: channel gone of image elsewhere/web points to {gone}, which does not exist in account {IMAGES} "
        f"and {REGION}: it was deregistered or disabled. Move the channel to a build that exists.",
        f"Fleet uncopied: channel old of image elsewhere/web points to {old}, whose copy, elsewhere.web.old, does not "
        f"exist in account {COPIES} and {REGION}. Image Builder copies a build before it is in a channel, and only "
        f"into accounts that were in target_accounts then: {apply}; or the copy was deregistered or disabled.",
        f"Fleet unshared: channel old of image elsewhere/web points to {old}, which account {IMAGES} does not share "
        f"with account {SHARED} in {REGION}. A build is shared with the accounts whose fleets ran the image when "
        f"image-web was applied: {apply}.",
    ]


def test_fleets_run_the_shared_ami_and_the_copy(accounts: Accounts) -> None:
    amis = accounts.build()
    accounts.point("latest", amis[IMAGES])
    accounts.declare(ACCEPTED)
    accounts.terraform("init")
    accounts.terraform("apply", "-auto-approve")
    # exit status 0: nothing to do
    accounts.terraform("plan", "-detailed-exitcode")
    outputs = json.loads(accounts.terraform("output", "-json"))
    image_ids = {fleet: outputs[fleet]["value"]["image_id"] for fleet in ACCEPTED}
    assert image_ids == {"shared": amis[IMAGES], "copied": amis[COPIES]}

    kms = accounts.client("kms", IMAGES)
    key = kms.describe_key(KeyId="alias/elsewhere/web/amis")["KeyMetadata"]["Arn"]
    grants = kms.list_grants(KeyId=key)["Grants"]
    assert {grant["Name"]: grant["GranteePrincipal"] for grant in grants} == {
        "elsewhere_shared": f"arn:aws:iam::{SHARED}:{AUTO_SCALING}",
        "elsewhere_copied": f"arn:aws:iam::{COPIES}:{AUTO_SCALING}",
    }
    kms.disable_key(KeyId=key)
    assert accounts.errors() == [
        f"Fleet {fleet}: the key of the AMIs of image elsewhere/web in account {IMAGES} and {REGION}, {key}, cannot be "
        "used: it is Disabled. Instances could not start. Enable the key or cancel its deletion."
        for fleet in sorted(ACCEPTED)
    ]
    kms.enable_key(KeyId=key)

    # only the image's account has the tag, and the same words are for the shared AMI and for the copy
    accounts.revoke(amis[IMAGES], "2026-01-02T03:04:05Z openssl is broken")
    assert accounts.errors() == [
        f"Fleet {fleet}: channel latest of image elsewhere/web points to {amis[IMAGES]}, which has been revoked since "
        "2026-01-02T03:04:05Z: openssl is broken. latest moves to another good build by itself within the hour. If "
        "there is none: goldsmith build web"
        for fleet in sorted(ACCEPTED)
    ]
    accounts.terraform("plan", "-destroy")
    accounts.client("ec2", IMAGES).delete_tags(Resources=[amis[IMAGES]], Tags=[{"Key": "goldsmith:revoked"}])


def test_fleets_get_other_tags_in_place(accounts: Accounts) -> None:
    config = accounts.folder / "tagged.yaml"
    config.write_text(ESTATE.replace("settings:", "settings:\n  tags: {team: web}"))
    accounts.declare(ACCEPTED, stacks=synthesize(config, accounts.folder / "tagged.out"))
    accounts.terraform("apply", "-auto-approve")
    for account in (SHARED, COPIES):
        (group,) = accounts.client("autoscaling", account).describe_auto_scaling_groups()["AutoScalingGroups"]
        assert ("team", "web") in {(tag["Key"], tag["Value"]) for tag in group["Tags"]}


def test_fleets_are_destroyed_although_the_stack_of_their_image_is_gone(accounts: Accounts) -> None:
    accounts.terraform_of_image("destroy", "-auto-approve")
    with pytest.raises(terraform.TerraformError, match="elsewhere_web_reader_"):
        accounts.terraform("plan", "-destroy")
    accounts.terraform("destroy", "-auto-approve", TF_VAR_read_images="false")
    assert accounts.terraform("state", "list") == ""


def test_policies_allow_what_was_called(accounts: Accounts, request: pytest.FixtureRequest) -> None:
    recorder, role = accounts.recorder, "deployer"
    images = Estate(namespace="elsewhere", account=IMAGES)
    assert recorder.refused(images, "images", role=role) == []
    check_called("images-for-other-accounts", recorder.called(IMAGES, role=role), request)
    for account in (SHARED, COPIES):
        fleets = Estate(namespace="elsewhere", account=account, images_account=IMAGES)
        assert recorder.refused(fleets, "fleets", role=role) == []
    check_called("fleets-of-other-accounts", recorder.called(SHARED, COPIES, role=role), request)


def test_goldsmith_finds_out_that_it_has_to_destroy_a_fleet_without_its_image(accounts: Accounts) -> None:
    """After the tests before, which destroyed the stack of the image."""
    folder = accounts.folder / "cdktf.out" / "stacks" / "fleet-gone"
    terraform.run("init", folder=folder, environ=accounts.environment)
    # what needs no AWS is enough for a state
    terraform.run(
        "apply", "-auto-approve", "-target=terraform_data.estate", folder=folder, environ=accounts.environment
    )
    done = subprocess.run(
        [str(PROJECT / "goldsmith"), "destroy", "fleet-gone", "--yes", "--config", "estate.yaml"],
        cwd=accounts.folder,
        env=accounts.environment,
        capture_output=True,
        text=True,
    )
    assert (
        "/elsewhere_web_reader_eu-west-1, so the image's account is not read (TF_VAR_read_images=false)" in done.stderr
    )
    assert "Plan: 0 to add, 0 to change, 1 to destroy." in done.stdout
    assert (done.stdout.splitlines()[-1], done.returncode) == (
        "fleet-gone is destroyed; delete its lines, or the next deploy makes it again",
        0,
    )
