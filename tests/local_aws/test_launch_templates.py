"""Launch templates of the local AWS: whole data, versions made from others, and versions that do not exist."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

REGION = "eu-north-1"
KEY = f"arn:aws:kms:{REGION}:000000000000:key/1f2e3d4c-5b6a-4789-8abc-def012345678"
LICENSE = f"arn:aws:license-manager:{REGION}:000000000000:license-configuration:lic-0123456789abcdef"
DATA: dict[str, Any] = {
    "ImageId": "ami-0123456789abcdef0",
    "InstanceType": "t3.small",
    "Placement": {"AvailabilityZone": f"{REGION}a", "Tenancy": "dedicated", "PartitionNumber": 3},
    "LicenseSpecifications": [{"LicenseConfigurationArn": LICENSE}],
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10, "Encrypted": True, "KmsKeyId": KEY}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 20, "DeleteOnTermination": False}},
    ],
    "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-1", "sg-2"], "Ipv6AddressCount": 1}],
    "CreditSpecification": {"CpuCredits": "unlimited"},
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": ""}]}],
    "UserData": "IyEvYmluL3No",
}
numbers = itertools.count(1)


class Template:
    """A launch template with three tags."""

    def __init__(self, aws: LocalAws, **data: Any) -> None:
        self.ec2 = aws.client("ec2", region=REGION)
        self.name = f"template-{next(numbers)}"
        tags = [{"Key": "kept", "Value": "1"}, {"Key": "changed", "Value": "1"}, {"Key": "deleted", "Value": "1"}]
        made = self.ec2.create_launch_template(
            LaunchTemplateName=self.name,
            LaunchTemplateData=data,
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )
        self.id = made["LaunchTemplate"]["LaunchTemplateId"]

    def add_version(self, source: str | None = None, **data: Any) -> dict[str, Any]:
        """The data of a new version, as the creation answers it."""
        based = {"SourceVersion": source} if source else {}
        made = self.ec2.create_launch_template_version(LaunchTemplateId=self.id, LaunchTemplateData=data, **based)
        found: dict[str, Any] = made["LaunchTemplateVersion"]["LaunchTemplateData"]
        return found

    def data(self, version: str) -> dict[str, Any]:
        """The data of a version, as EC2 describes it."""
        described = self.ec2.describe_launch_template_versions(LaunchTemplateId=self.id, Versions=[version])
        (found,) = (each["LaunchTemplateData"] for each in described["LaunchTemplateVersions"])
        data: dict[str, Any] = found
        return data


def test_everything_that_was_asked_for_is_kept(local_aws: LocalAws) -> None:
    template = Template(local_aws, **DATA, MetadataOptions={"HttpTokens": "required"})
    options = {"State": "applied", "HttpTokens": "required"}
    assert template.data("1") == {**DATA, "MetadataOptions": options}


def test_what_a_new_version_leaves_out_is_not_kept(local_aws: LocalAws) -> None:
    template = Template(local_aws, **DATA)
    template.add_version(ImageId="ami-2")
    assert template.data("$Latest") == {"ImageId": "ami-2"}


@pytest.mark.parametrize(
    ("source", "instance_type"), [("1", "t3.small"), ("$Default", "t3.small"), ("$Latest", "m5.large")]
)
def test_new_version_inherits_from_its_source(local_aws: LocalAws, source: str, instance_type: str) -> None:
    template = Template(local_aws, **DATA)
    template.add_version(**{**DATA, "InstanceType": "m5.large"})
    expected = {**DATA, "InstanceType": instance_type, "ImageId": "ami-3", "Placement": {"Tenancy": "default"}}
    changes = {"ImageId": "ami-3", "Placement": {"Tenancy": "default"}}
    assert template.add_version(source, **changes) == expected
    assert template.data("3") == expected


def test_version_that_does_not_exist_is_refused(local_aws: LocalAws) -> None:
    template = Template(local_aws, ImageId="ami-1")
    expected = (
        "InvalidLaunchTemplateId.VersionNotFound: Could not find the specified version 2 for the launch template with "
        f"ID {template.id}."
    )
    by_id = {"LaunchTemplateId": template.id}
    describe, create = template.ec2.describe_launch_template_versions, template.ec2.create_launch_template_version
    assert refusal(describe, **by_id, Versions=["1", "2"]) == expected
    assert refusal(describe, LaunchTemplateName=template.name, Versions=["2"]) == expected
    assert refusal(create, **by_id, SourceVersion="2", LaunchTemplateData={"ImageId": "ami-2"}) == expected
    assert [each["VersionNumber"] for each in describe(**by_id)["LaunchTemplateVersions"]] == [1]


def test_tags_of_a_template_can_be_changed_and_deleted(local_aws: LocalAws) -> None:
    template = Template(local_aws, ImageId="ami-1")
    template.ec2.delete_tags(Resources=[template.id], Tags=[{"Key": "deleted"}])
    template.ec2.create_tags(Resources=[template.id], Tags=[{"Key": "changed", "Value": "2"}])
    (described,) = template.ec2.describe_launch_templates(LaunchTemplateIds=[template.id])["LaunchTemplates"]
    assert described["Tags"] == [{"Key": "kept", "Value": "1"}, {"Key": "changed", "Value": "2"}]
