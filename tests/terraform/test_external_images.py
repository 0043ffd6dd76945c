"""Fleets that run an image of another estate, in another account than its own and in the same one.

Of the other estate, the real stack makes the role that reads the channel; its AMIs and its key are made by hand.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.modules import Stacks, write_modules

REGION = "eu-west-1"
PLATFORM, TEAM = "230000000001", "230000000002"
ORGANIZATION = "o-a1b2c3d4e5"
ARN = f"arn:aws:imagebuilder:{REGION}:{PLATFORM}:image"
REFUSED, ACCEPTED = ("empty", "foreign", "private"), ("beside", "far")
THEIRS = f"""
settings: {{namespace: platform, accounts: {{main: {{id: "{PLATFORM}", role: deployer}}}}}}
images:
  base:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
    distribution: {{{REGION}: {{kms_key_id: KEY}}}}
    launch_permission: {{organizations: ["arn:aws:organizations::{PLATFORM}:organization/{ORGANIZATION}"]}}
    external_fleets: true
"""
OURS = f"""
settings:
  namespace: team
  accounts:
    platform: {{id: "{PLATFORM}"}}
    # another way into the same account
    guest: {{id: "{PLATFORM}", role: guest}}
    own: {{id: "{TEAM}", role: deployer}}
images:
  golden:
    external: {{namespace: platform, account: platform, name: base}}
    regions: [{REGION}]
    channels: [empty, foreign, private]
    distribution: {{{REGION}: {{kms_key_id: KEY}}}}
fleets:
  far: &fleet
    account: own
    image: golden
    channel: latest
    region: {REGION}
    instance_type: t3.micro
    subnets: {{tags: {{tier: external}}}}
    capacity: {{min: 1, max: 1}}
  beside: {{<<: *fleet, account: guest}}
  empty: {{<<: *fleet, channel: empty}}
  foreign: {{<<: *fleet, channel: foreign}}
  private: {{<<: *fleet, channel: private}}
"""
AUTO_SCALING = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


@dataclass(frozen=True)
class Estates:
    """The other estate, as far as it is made, and the fleets of this one as modules of one configuration."""

    aws: LocalAws
    folder: Path
    fleets: Stacks
    key: str
    environment: Mapping[str, str]

    def client(self, service: str, account: str) -> Any:
        return self.aws.client(service, region=REGION, account=account)

    def terraform(self, *arguments: str, **environment: str) -> str:
        environ = {**self.environment, **environment}
        return terraform.run(*arguments, folder=self.folder / "fleets", environ=environ)

    def declare(self, fleets: Sequence[str]) -> None:
        write_modules(self.folder / "fleets", {fleet: self.fleets[f"fleet-{fleet}"] for fleet in fleets})
        self.terraform("init")

    def errors(self) -> list[str]:
        """The errors of a plan."""
        with pytest.raises(terraform.TerraformError) as caught:
            self.terraform("plan", "-json")
        events = [json.loads(line) for line in re.findall(r"\{.*\}", str(caught.value))]
        return sorted(event["diagnostic"]["detail"] for event in events if event["type"] == "diagnostic")

    def point(self, channel: str, *, of: str = "platform-base", shared: bool = True) -> str:
        """Move a channel of the other estate to a new AMI of an image."""
        ec2 = self.client("ec2", PLATFORM)
        tags = [{"Key": "Ec2ImageBuilderArn", "Value": f"{ARN}/{of}/1.0.1/1"}]
        ami = str(
            ec2.register_image(
                Name=f"platform.base.{channel}",
                Architecture="x86_64",
                RootDeviceName="/dev/xvda",
                TagSpecifications=[{"ResourceType": "image", "Tags": tags}],
            )["ImageId"]
        )
        if shared:
            organization = f"arn:aws:organizations::{PLATFORM}:organization/{ORGANIZATION}"
            permission = {"Add": [{"OrganizationArn": organization}]}
            ec2.modify_image_attribute(ImageId=ami, LaunchPermission=permission)
        name = f"/imagebuilder/platform/base/{channel}"
        self.client("ssm", PLATFORM).put_parameter(Name=name, Value=ami, Type="String")
        return ami


def made_key(aws: LocalAws) -> str:
    """A key of the other estate with the statements that docs/accounts.md asks for."""
    kms = aws.client("kms", region=REGION, account=PLATFORM)
    arn = str(kms.create_key()["KeyMetadata"]["Arn"])
    team, role = f"arn:aws:iam::{TEAM}:root", f"arn:aws:iam::{TEAM}:role/{AUTO_SCALING}"
    grantee = {"StringEquals": {"kms:GranteePrincipal": role}}
    statements: list[dict[str, Any]] = [
        {"Principal": {"AWS": f"arn:aws:iam::{PLATFORM}:root"}, "Action": "kms:*"},
        {"Principal": {"AWS": team}, "Action": ["kms:ListGrants", "kms:RevokeGrant"]},
        {"Principal": {"AWS": team}, "Action": "kms:CreateGrant", "Condition": grantee},
    ]
    allowed = [{"Effect": "Allow", "Resource": "*", **each} for each in statements]
    kms.put_key_policy(KeyId=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": allowed}))
    return arn


@pytest.fixture(scope="module")
def estates(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Estates:
    for account, role in ((PLATFORM, "deployer"), (PLATFORM, "guest"), (TEAM, "deployer")):
        local_aws.make_role(role, account=account, trusts=["000000000000"])
    for account in (PLATFORM, TEAM):
        local_aws.place_account(account, f"{ORGANIZATION}/r-ab12/")
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "external"}]}]
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24", TagSpecifications=tags)
        local_aws.client("iam", account=account).create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    folder, key = tmp_path_factory.mktemp("estates"), made_key(local_aws)
    made = {}
    for name, text in (("theirs", THEIRS), ("ours", OURS)):
        (folder / f"{name}.yaml").write_text(text.replace("KEY", f'"{key}"'))
        made[name] = synthesize(folder / f"{name}.yaml", folder / name)
    stack = folder / "theirs" / "stacks" / "image-base"
    terraform.run("init", folder=stack, environ=shared_providers_environment)
    target = "-target=aws_iam_role_policy.reader_policy"
    terraform.run("apply", "-auto-approve", target, folder=stack, environ=shared_providers_environment)
    return Estates(local_aws, folder, made["ours"], key, shared_providers_environment)


def test_plans_say_what_the_other_estate_has_to_do(estates: Estates) -> None:
    foreign, private = estates.point("foreign", of="platform-web"), estates.point("private", shared=False)
    estates.declare(REFUSED)
    image = "of image platform/base"
    assert estates.errors() == [
        f"Fleet empty: channel empty {image} has no build in {REGION} yet. The estate platform has to build the image "
        "and move the channel first.",
        f"Fleet foreign: channel foreign {image} points to {foreign}, which is not a build of this image, though its "
        "name starts like one: its tag Ec2ImageBuilderArn, which Image Builder sets to the build's ARN, is "
        f"{ARN}/platform-web/1.0.1/1. The estate platform has to move the channel to a build of the image.",
        f"Fleet private: channel private {image} points to {private}, which account {PLATFORM} does not share with "
        f"account {TEAM} in {REGION}. A build is shared with the accounts and organizations that launch_permission had "
        "when image-base was applied: the estate platform has to add the account, apply image-base, build the image, "
        "and move the channel.",
    ]


def test_fleets_run_the_image_and_are_destroyed_when_its_estate_is_gone(estates: Estates) -> None:
    ami = estates.point("latest")
    estates.declare(ACCEPTED)
    estates.terraform("apply", "-auto-approve")
    # exit status 0: nothing to do
    estates.terraform("plan", "-detailed-exitcode")
    outputs = json.loads(estates.terraform("output", "-json"))
    assert {fleet: outputs[fleet]["value"]["image_id"] for fleet in ACCEPTED} == dict.fromkeys(ACCEPTED, ami)
    # in the same account, the policy of the key decides
    (grant,) = estates.client("kms", PLATFORM).list_grants(KeyId=estates.key)["Grants"]
    assert (grant["Name"], grant["GranteePrincipal"]) == ("team_far", f"arn:aws:iam::{TEAM}:role/{AUTO_SCALING}")

    iam, role = estates.client("iam", PLATFORM), f"platform_base_reader_{REGION}"
    iam.delete_role_policy(RoleName=role, PolicyName="reader")
    iam.delete_role(RoleName=role)
    estates.terraform("destroy", "-auto-approve", TF_VAR_read_images="false")
    assert estates.terraform("state", "list") == ""
