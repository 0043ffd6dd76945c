"""Copies of AMIs that Image Builder makes for other accounts: how they are owned, named, tagged and deleted."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.support.image_builder import REGION, build, make_pipeline, refusal

DISTRIBUTION_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
LIFECYCLE_ROLE = "Ec2ImageBuilderCrossAccountLifecycleAccess"
IMAGE_BUILDER = "imagebuilder.amazonaws.com"
numbers = itertools.count(1)


class Copied:
    """An image whose account builds it for itself and for another account."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        number = next(numbers)
        self.images, self.prod = f"4{number:011}", f"5{number:011}"
        self.pipeline = make_pipeline(
            aws, f"copied-{number}", account=self.images, targetAccountIds=[self.images, self.prod]
        )

    def client(self, service: str, account: str) -> Any:
        return self.aws.client(service, region=REGION, account=account)

    def build(self) -> dict[str, Any]:
        return build(self.client("imagebuilder", self.images), self.pipeline)

    def amis(self, image: dict[str, Any]) -> dict[str, str]:
        """The AMIs in the pipeline's region by account."""
        outputs = image["outputResources"]["amis"]
        return {output["accountId"]: output["image"] for output in outputs if output["region"] == REGION}

    def described(self, account: str, ami: str) -> dict[str, Any]:
        (image,) = self.client("ec2", account).describe_images(ImageIds=[ami])["Images"]
        return dict(image)

    def trust(self, *statements: dict[str, Any]) -> None:
        """Make the role of the other account, with a trust policy of these statements."""
        trust = [{"Effect": "Allow", "Action": "sts:AssumeRole", **each} for each in statements]
        policy = json.dumps({"Version": "2012-10-17", "Statement": trust})
        self.client("iam", self.prod).create_role(RoleName=DISTRIBUTION_ROLE, AssumeRolePolicyDocument=policy)


@pytest.fixture
def copied(local_aws: LocalAws) -> Copied:
    return Copied(local_aws)


def test_copy_belongs_to_the_other_account_and_has_the_same_name_and_tags(copied: Copied) -> None:
    copied.aws.make_role(DISTRIBUTION_ROLE, account=copied.prod, trusts=[copied.images])
    image = copied.build()
    assert image["state"]["status"] == "AVAILABLE"
    amis = copied.amis(image)
    assert len(set(amis.values())) == 2
    own, copy = (copied.described(account, amis[account]) for account in (copied.images, copied.prod))
    assert (own["OwnerId"], copy["OwnerId"]) == (copied.images, copied.prod)
    assert copy["Name"] == own["Name"]
    tags = {tag["Key"]: tag["Value"] for tag in copy["Tags"]}
    assert tags == {"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image["arn"], "team": "platform"}
    assert f":{copied.images}:" in tags["Ec2ImageBuilderArn"]
    for owner, stranger in ((copied.images, copied.prod), (copied.prod, copied.images)):
        asked = {"Filters": [{"Name": "name", "Values": [own["Name"]]}]}
        found = copied.client("ec2", stranger).describe_images(**asked)["Images"]
        assert [each["ImageId"] for each in found] == [amis[stranger]], "neither sees the AMI of the other"
        expected = f"InvalidAMIID.NotFound: The image id '[{amis[owner]}]' does not exist"
        assert refusal(copied.client("ec2", stranger).describe_images, ImageIds=[amis[owner]]) == expected


def test_snapshots_of_a_copy_have_no_tags(copied: Copied) -> None:
    copied.aws.make_role(DISTRIBUTION_ROLE, account=copied.prod, trusts=[copied.images])
    tagged = {}
    for account, ami in copied.amis(copied.build()).items():
        snapshot = copied.described(account, ami)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (found,) = copied.client("ec2", account).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        tagged[account] = [tag["Key"] for tag in found.get("Tags", ())]
    assert tagged == {copied.images: ["CreatedBy", "Ec2ImageBuilderArn", "team"], copied.prod: []}


def test_message_and_parts_of_an_image_are_of_its_account(copied: Copied) -> None:
    copied.aws.make_role(DISTRIBUTION_ROLE, account=copied.prod, trusts=[copied.images])
    image = copied.build()
    (message,) = [each for each in copied.aws.messages() if each["arn"] == image["arn"]]
    assert message["accountId"] == message["imageRecipe"]["accountId"] == copied.images
    assert [ami["accountId"] for ami in message["outputResources"]["amis"]] == [copied.images, copied.prod] * 2
    assert copied.client("imagebuilder", copied.prod).list_images()["imageVersionList"] == []


def test_image_of_one_account_is_built_on_a_shared_ami_of_another(copied: Copied) -> None:
    copied.aws.make_role(DISTRIBUTION_ROLE, account=copied.prod, trusts=[copied.images])
    base = copied.build()
    ami = copied.amis(base)[copied.images]
    third = f"5{next(numbers):011}"
    with pytest.raises(ClientError, match=f"The AMI '{ami}' does not exist in {REGION}"):
        make_pipeline(copied.aws, "child", account=third, parent=ami)
    copied.client("ec2", copied.images).modify_image_attribute(
        ImageId=ami, LaunchPermission={"Add": [{"UserId": third}]}
    )
    pipeline = make_pipeline(copied.aws, "a child", account=third, parent=ami)
    child = build(copied.client("imagebuilder", third), pipeline)
    assert (child["state"]["status"], child["osVersion"]) == ("AVAILABLE", base["osVersion"])


def test_image_builder_assumes_the_role_as_its_own_service_linked_role(copied: Copied) -> None:
    role = "aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
    arn = f"arn:aws:iam::{copied.images}:role/{role}"
    copied.trust({"Principal": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}})
    assert copied.build()["state"]["status"] == "AVAILABLE"


@pytest.mark.parametrize("trusted", ["the service", "another account", "nobody"])
def test_build_fails_if_the_role_does_not_trust_the_images_account(copied: Copied, trusted: str) -> None:
    principals = {"the service": {"Service": IMAGE_BUILDER}, "another account": {"AWS": copied.prod}}
    copied.trust(*([{"Principal": principals[trusted]}] if trusted in principals else []))
    image = copied.build()
    assert image["state"] == {
        "status": "FAILED",
        "reason": "Not all distribution jobs are completed. 1) STS Client Error: 'User: arn:aws:sts::"
        f"{copied.images}:assumed-role/AWSServiceRoleForImageBuilder/Ec2ImageBuilderIntegrationService is not "
        f"authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{copied.prod}:role/{DISTRIBUTION_ROLE}' "
        f"when distributing the image from the source account (ID: {copied.images}) to the destination account "
        f"(ID: {copied.prod}) in Region {REGION}.",
    }
    assert image["outputResources"] == {"amis": []}


def test_lifecycle_policy_deletes_a_copy_only_with_a_role_in_its_account(copied: Copied) -> None:
    copied.aws.make_role(DISTRIBUTION_ROLE, account=copied.prod, trusts=[copied.images])
    execution_role = copied.aws.make_role("lifecycle", account=copied.images, trusts=[IMAGE_BUILDER])
    image_builder = copied.client("imagebuilder", copied.images)
    image = copied.build()
    recipe = image["imageRecipe"]
    policy = image_builder.create_lifecycle_policy(
        name="copied",
        executionRole=execution_role,
        resourceType="AMI_IMAGE",
        policyDetails=[
            {
                "action": {"type": "DELETE", "includeResources": {"amis": True}},
                "filter": {"type": "AGE", "value": 30, "unit": "DAYS"},
            }
        ],
        resourceSelection={"recipes": [{"name": recipe["name"], "semanticVersion": recipe["version"]}]},
    )["lifecyclePolicyArn"]

    def run() -> str:
        execution = copied.aws.run_lifecycle_policy(policy, at=datetime.now(UTC) + timedelta(days=100))
        found = image_builder.get_lifecycle_execution(lifecycleExecutionId=execution)["lifecycleExecution"]
        return str(found["state"]["status"])

    copy = copied.amis(image)[copied.prod]
    assert run() == "FAILED"
    assert copied.described(copied.prod, copy)["ImageId"] == copy
    assert image_builder.get_image(imageBuildVersionArn=image["arn"])["image"]["arn"] == image["arn"]
    copied.aws.make_role(LIFECYCLE_ROLE, account=copied.prod, trusts=[execution_role])
    assert run() == "SUCCESS"
    assert "InvalidAMIID.NotFound" in refusal(copied.client("ec2", copied.prod).describe_images, ImageIds=[copy])
    with pytest.raises(image_builder.exceptions.ResourceNotFoundException):
        image_builder.get_image(imageBuildVersionArn=image["arn"])


def test_role_that_does_not_trust_its_service_is_refused(copied: Copied) -> None:
    image_builder = copied.client("imagebuilder", copied.images)
    role = copied.aws.make_role("lifecycle", account=copied.images, trusts=[copied.images, "ec2.amazonaws.com"])
    refused = refusal(
        image_builder.create_lifecycle_policy,
        name="copied",
        executionRole=role,
        resourceType="AMI_IMAGE",
        policyDetails=[{"action": {"type": "DISABLE"}, "filter": {"type": "AGE", "value": 30, "unit": "DAYS"}}],
        resourceSelection={"tagMap": {"image": "web"}},
    )
    assert "The provided role does not exist or does not have sufficient permissions" in refused
