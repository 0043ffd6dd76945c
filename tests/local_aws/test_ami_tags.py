"""Tags of AMIs on the local AWS: which are refused, who sees them, and how AMIs are found by them."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

REGIONS = ("ap-northeast-1", "eu-west-1")
REVOKED = {"Key": "goldsmith:revoked", "Value": "2026-11-24T03:12:00Z openssl is broken"}
numbers = itertools.count(1)


class TaggedAmi:
    """An AMI of an account that no other test uses."""

    def __init__(self, aws: LocalAws, region: str) -> None:
        number = next(numbers)
        self.region, self.owner, self.other = region, f"4{number:011}", f"5{number:011}"
        self.ec2 = aws.client("ec2", region=region, account=self.owner)
        self.others = aws.client("ec2", region=region, account=self.other)
        self.id: str = self.ec2.register_image(
            Name=f"tagged-{number}", Architecture="x86_64", RootDeviceName="/dev/xvda"
        )["ImageId"]

    def tag(self, *tags: dict[str, str]) -> None:
        self.ec2.create_tags(Resources=[self.id], Tags=list(tags))

    def tags(self, ec2: Any = None) -> dict[str, str]:
        """What an account, by default the owner, sees."""
        (image,) = (ec2 or self.ec2).describe_images(ImageIds=[self.id])["Images"]
        return {tag["Key"]: tag["Value"] for tag in image.get("Tags", ())}

    def is_found(self, name: str, *values: str) -> bool:
        images = self.ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": list(values)}])["Images"]
        return [image["ImageId"] for image in images] == [self.id]


@pytest.fixture(params=REGIONS)
def ami(local_aws: LocalAws, request: pytest.FixtureRequest) -> TaggedAmi:
    return TaggedAmi(local_aws, request.param)


def test_ami_is_found_by_its_tags_in_its_region_only(local_aws: LocalAws, ami: TaggedAmi) -> None:
    assert not ami.is_found("tag-key", REVOKED["Key"])
    ami.tag(REVOKED, {"Key": "team", "Value": ""})
    assert ami.tags() == {REVOKED["Key"]: REVOKED["Value"], "team": ""}
    assert ami.is_found("tag-key", REVOKED["Key"])
    assert ami.is_found("tag-key", "goldsmith:*")
    assert ami.is_found("tag:goldsmith:revoked", "*")
    assert ami.is_found("tag:goldsmith:revoked", "other", REVOKED["Value"])
    assert not ami.is_found("tag:goldsmith:revoked", "2025*")
    assert not ami.is_found("tag:team", "platform")
    for region in REGIONS:
        ec2 = local_aws.client("ec2", region=region, account=ami.owner)
        found = ec2.describe_images(Filters=[{"Name": "tag-key", "Values": [REVOKED["Key"]]}])["Images"]
        assert bool(found) == (region == ami.region)


def test_tag_is_replaced_and_deleted(ami: TaggedAmi) -> None:
    ami.tag(REVOKED, {"Key": "team", "Value": "platform"})
    ami.tag({"Key": "team", "Value": "web"})
    assert ami.tags()["team"] == "web"
    ami.ec2.delete_tags(Resources=[ami.id], Tags=[{"Key": "team", "Value": "platform"}])
    assert ami.tags()["team"] == "web", "a tag with another value stays"
    ami.ec2.delete_tags(Resources=[ami.id], Tags=[{"Key": "team", "Value": "web"}, {"Key": "never"}])
    assert ami.tags() == {REVOKED["Key"]: REVOKED["Value"]}
    assert not ami.is_found("tag-key", "team")
    ami.ec2.delete_tags(Resources=[ami.id])
    assert ami.tags() == {}


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ({"Key": "aws:team", "Value": "a"}, "Tag keys starting with 'aws:' are reserved for internal use"),
        ({"Key": "k" * 128, "Value": "a"}, "Tag key exceeds the maximum length of 127 characters"),
        ({"Key": "team", "Value": "ゴ" * 257}, "Tag value exceeds the maximum length of 256 characters"),
    ],
)
def test_tag_that_ec2_does_not_take_is_refused(ami: TaggedAmi, tag: dict[str, str], words: str) -> None:
    assert refusal(ami.ec2.create_tags, Resources=[ami.id], Tags=[REVOKED, tag]) == f"InvalidParameterValue: {words}"
    assert ami.tags() == {}
    ami.tag({"Key": "k" * 127, "Value": "ゴ" * 256})


def test_resource_has_fifty_tags_at_most(ami: TaggedAmi) -> None:
    ami.tag(*({"Key": f"key {number}", "Value": ""} for number in range(50)))
    ami.tag({"Key": "key 7", "Value": "changed"})
    assert refusal(ami.ec2.create_tags, Resources=[ami.id], Tags=[REVOKED]).startswith("TagLimitExceeded: ")


def test_ami_that_an_account_does_not_see_is_not_tagged(local_aws: LocalAws, ami: TaggedAmi) -> None:
    elsewhere = local_aws.client("ec2", region=REGIONS[ami.region == REGIONS[0]], account=ami.owner)
    for ec2 in (ami.others, elsewhere):
        for call in (ec2.create_tags, ec2.delete_tags):
            assert refusal(call, Resources=[ami.id], Tags=[REVOKED]) == (
                f"InvalidAMIID.NotFound: The image id '[{ami.id}]' does not exist"
            )


def test_tags_of_a_shared_ami_are_seen_only_by_who_made_them(ami: TaggedAmi) -> None:
    ami.tag(REVOKED)
    ami.ec2.modify_image_attribute(ImageId=ami.id, LaunchPermission={"Add": [{"UserId": ami.other}]})
    ami.others.create_tags(Resources=[ami.id], Tags=[{"Key": "ours", "Value": "a"}])
    assert ami.tags(ami.others) == {"ours": "a"}
    assert ami.tags() == {REVOKED["Key"]: REVOKED["Value"]}
