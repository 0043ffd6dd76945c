"""AMIs of one account that others may launch: what these see, and what they may not do."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

REGION = "eu-north-1"
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::111122223333:ou/o-a1b2c3d4e5/ou-ab12-11111111"
numbers = itertools.count(1)


class SharedAmi:
    """A tagged AMI of one account with a snapshot, and another account, which does not see it yet."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        number = next(numbers)
        self.name = f"shared-{number}"
        self.owner, self.other = f"2{number:011}", f"3{number:011}"
        self.ec2, self.others = self.ec2_of(self.owner), self.ec2_of(self.other)
        volume = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
        self.snapshot: str = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.id: str = self.ec2.register_image(
            Name=self.name,
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": self.snapshot}}],
            TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "goldsmith:image", "Value": "web"}]}],
        )["ImageId"]

    def ec2_of(self, account: str) -> Any:
        return self.aws.client("ec2", region=REGION, account=account)

    def share(self, *, remove: bool = False, **permission: str) -> None:
        self.ec2.modify_image_attribute(ImageId=self.id, LaunchPermission={"Remove" if remove else "Add": [permission]})

    def listed(self, account: str = "", **asked: Any) -> list[str]:
        """The IDs of what the other account sees of it when it asks so."""
        images = self.ec2_of(account or self.other).describe_images(**asked)["Images"]
        return [image["ImageId"] for image in images if image["ImageId"] == self.id]

    def by_name(self, account: str = "", **asked: Any) -> list[str]:
        return self.listed(account, Filters=[{"Name": "name", "Values": [self.name]}], **asked)

    def is_unknown(self) -> bool:
        """Whether the other account gets EC2's answer for an AMI that does not exist."""
        expected = f"InvalidAMIID.NotFound: The image id '[{self.id}]' does not exist"
        return self.by_name() == [] and refusal(self.others.describe_images, ImageIds=[self.id]) == expected


@pytest.fixture
def ami(local_aws: LocalAws) -> SharedAmi:
    return SharedAmi(local_aws)


def test_ami_of_another_account_is_unknown_until_it_is_shared(ami: SharedAmi) -> None:
    assert ami.is_unknown()
    assert ami.listed(Owners=[ami.owner]) == []
    ami.share(UserId=ami.other)
    assert ami.listed(ImageIds=[ami.id]) == [ami.id]
    ami.share(UserId=ami.other, remove=True)
    assert ami.is_unknown()


ways_to_ask: Sequence[dict[str, Any]] = [
    {},
    {"Owners": ["{owner}"]},
    {"ExecutableUsers": ["self"]},
    {"ExecutableUsers": ["{other}"]},
    {"Filters": [{"Name": "name", "Values": ["{name}"]}], "Owners": ["{owner}"]},
    {"Filters": [{"Name": "owner-id", "Values": ["{owner}"]}]},
]
ways_to_miss: Sequence[dict[str, Any]] = [
    {"Owners": ["self"]},
    {"Owners": ["{other}", "amazon"]},
    {"ExecutableUsers": ["all"]},
    {"Filters": [{"Name": "tag:goldsmith:image", "Values": ["web"]}]},
    {"Filters": [{"Name": "tag-key", "Values": ["goldsmith:image"]}], "Owners": ["{owner}"]},
    {"Filters": [{"Name": "is-public", "Values": ["true"]}]},
]


@pytest.mark.parametrize("permission", [{"UserId": "{other}"}, {"OrganizationArn": ORGANIZATION}])
def test_shared_ami_is_found_by_owner_and_name_and_not_by_tags(ami: SharedAmi, permission: dict[str, str]) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.format(owner=ami.owner, other=ami.other, name=ami.name)
        return [filled(each) for each in value] if isinstance(value, list) else {k: filled(v) for k, v in value.items()}

    ami.aws.place_account(ami.other, "o-a1b2c3d4e5/r-ab12/")
    ami.share(**filled(permission))
    assert [asked for asked in ways_to_ask if ami.listed(**filled(asked)) != [ami.id]] == []
    assert [asked for asked in ways_to_miss if ami.listed(**filled(asked)) != []] == []
    (seen,) = ami.others.describe_images(ImageIds=[ami.id])["Images"]
    (own,) = ami.ec2.describe_images(ImageIds=[ami.id])["Images"]
    assert own["Tags"] == [{"Key": "goldsmith:image", "Value": "web"}]
    assert seen == {name: value for name, value in own.items() if name != "Tags"}
    assert (seen["OwnerId"], seen["Name"], seen["Public"]) == (ami.owner, ami.name, False)


def test_tags_that_an_account_gives_a_shared_ami_are_its_own(ami: SharedAmi) -> None:
    ami.share(UserId=ami.other)
    tags = [{"Key": "reviewed", "Value": "yes"}]
    ami.others.create_tags(Resources=[ami.id], Tags=tags)
    assert ami.others.describe_images(ImageIds=[ami.id])["Images"][0]["Tags"] == tags
    assert ami.ec2.describe_images(ImageIds=[ami.id])["Images"][0]["Tags"][0]["Key"] == "goldsmith:image"


def test_ami_shared_with_an_organizational_unit_is_for_the_accounts_below_it(ami: SharedAmi) -> None:
    ami.share(OrganizationalUnitArn=UNIT)
    assert ami.is_unknown(), "the account is in no organization"
    ami.aws.place_account(ami.other, "o-a1b2c3d4e5/r-ab12/ou-ab12-22222222/")
    assert ami.is_unknown()
    ami.aws.place_account(ami.other, "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-33333333/")
    assert ami.by_name() == [ami.id]
    ami.share(OrganizationalUnitArn=UNIT, remove=True)
    assert ami.is_unknown()


def test_ami_shared_twice_is_listed_once(ami: SharedAmi) -> None:
    ami.aws.place_account(ami.other, "o-a1b2c3d4e5/r-ab12/")
    ami.share(OrganizationArn=ORGANIZATION)
    ami.share(UserId=ami.other)
    assert ami.by_name() == [ami.id]


def test_who_may_launch_an_ami_does_not_see_its_snapshots(ami: SharedAmi) -> None:
    ami.share(UserId=ami.other)
    (seen,) = ami.others.describe_images(ImageIds=[ami.id])["Images"]
    assert seen["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == ami.snapshot
    expected = f"InvalidSnapshot.NotFound: The snapshot '{ami.snapshot}' does not exist"
    assert refusal(ami.others.describe_snapshots, SnapshotIds=[ami.snapshot]) == expected


def test_disabled_ami_is_shared_with_nobody_also_when_it_is_enabled_again(ami: SharedAmi) -> None:
    ami.aws.place_account(ami.other, "o-a1b2c3d4e5/r-ab12/")
    ami.share(UserId=ami.other)
    ami.share(OrganizationArn=ORGANIZATION)
    ami.ec2.disable_image(ImageId=ami.id)
    assert ami.is_unknown()
    assert ami.by_name(IncludeDisabled=True) == []
    assert ami.by_name(ami.owner, IncludeDisabled=True) == [ami.id]
    assert ami.listed(ami.owner, ImageIds=[ami.id]) == [], "the owner knows that it is there"
    ami.ec2.enable_image(ImageId=ami.id)
    assert ami.is_unknown()
    assert ami.by_name(ami.owner) == [ami.id]


def test_deprecated_ami_is_hidden_from_those_who_neither_own_nor_name_it(ami: SharedAmi) -> None:
    ami.share(UserId=ami.other)
    now = datetime.now(UTC)
    ami.ec2.enable_image_deprecation(ImageId=ami.id, DeprecateAt=now + timedelta(hours=1))
    assert ami.by_name() == [ami.id]
    ami.ec2.enable_image_deprecation(ImageId=ami.id, DeprecateAt=now)
    assert ami.by_name() == []
    assert ami.by_name(IncludeDeprecated=True) == ami.listed(ImageIds=[ami.id]) == ami.by_name(ami.owner) == [ami.id]


def test_only_the_owner_changes_an_ami(ami: SharedAmi) -> None:
    ami.share(UserId=ami.other)
    shared = {"LaunchPermission": {"Add": [{"OrganizationArn": ORGANIZATION}]}}
    expected = f"AuthFailure: Not authorized for image:{ami.id}"
    for operation, arguments in (
        (ami.others.modify_image_attribute, shared),
        (ami.others.disable_image, {}),
        (ami.others.enable_image_deprecation, {"DeprecateAt": datetime.now(UTC)}),
        (ami.others.deregister_image, {}),
    ):
        assert refusal(operation, ImageId=ami.id, **arguments) == expected
    assert ami.by_name() == ami.by_name(ami.owner) == [ami.id]


def test_instance_is_launched_only_from_an_ami_that_its_account_sees(ami: SharedAmi) -> None:
    launch = {"ImageId": ami.id, "MinCount": 1, "MaxCount": 1}
    unknown = f"InvalidAMIID.NotFound: The image id '[{ami.id}]' does not exist"
    assert refusal(ami.others.run_instances, **launch) == unknown
    ami.share(UserId=ami.other)
    assert "does not exist" not in refusal(ami.others.run_instances, **launch), "ministack has no disk to boot"
