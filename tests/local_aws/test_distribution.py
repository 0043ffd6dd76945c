"""AMIs for other regions and accounts, and disk images: what the local AWS does about them, and what they are not for.

The other accounts are ministack's: it takes a key of twelve digits for the account.
"""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.support.handoff_world import REGIONS, ImageWorld
from tests.support.image_builder import build

HOME, ABROAD = "eu-central-1", "eu-west-1"
OWN, OTHER, STRANGER, DISTRUSTING = "000000000000", "444455556666", "777788889999", "888899990000"
CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
COMPONENT = f"arn:aws:imagebuilder:{HOME}:aws:component/update-linux/x.x.x"
UNIT = "arn:aws:organizations::111122223333:ou/o-a1b2c3d4e5/ou-ab12-cd34ef56"
ORGANIZATION = "arn:aws:organizations::111122223333:organization/o-a1b2c3d4e5"
EXPORTS = "vmie.amazonaws.com"

numbers = itertools.count(1)


def key_in(region: str) -> str:
    return f"arn:aws:kms:{region}:{OWN}:key/1f2e3d4c-5b6a-4789-8abc-def012345678"


class LocalImage:
    """One image and what it distributes."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.name = f"far-{next(numbers)}"
        self.image_builder = aws.client("imagebuilder", region=HOME)

    def client(self, service: str, *, account: str = OWN, region: str = HOME) -> Any:
        return self.aws.client(service, account=account, region=region)

    def role(self, name: str, *, account: str = OWN, trusts: str = OWN) -> None:
        self.aws.make_role(name, account=account, trusts=[trusts])

    def launch_template(self, *, account: str = OWN) -> str:
        made = self.client("ec2", account=account).create_launch_template(
            LaunchTemplateName=f"{self.name}-{next(numbers)}",
            LaunchTemplateData={"ImageId": "ami-before", "InstanceType": "t3.small"},
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def built(
        self, *distributions: dict[str, Any], ebs: dict[str, Any] | None = None, parent: str = "amazon-linux-2023-x86"
    ) -> dict[str, Any]:
        """The image at the end of a build that distributes so."""
        recipe = self.image_builder.create_image_recipe(
            name=self.name,
            semanticVersion="1.0.0",
            parentImage=f"arn:aws:imagebuilder:{HOME}:aws:image/{parent}/x.x.x",
            components=[{"componentArn": COMPONENT.replace("linux", "windows" if "windows" in parent else "linux")}],
            blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"encrypted": True, **(ebs or {})}}],
        )["imageRecipeArn"]
        try:
            self.client("iam").create_instance_profile(InstanceProfileName="far")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "EntityAlreadyExists", "an earlier test made it"
        infrastructure = self.image_builder.create_infrastructure_configuration(
            name=self.name, instanceProfileName="far"
        )["infrastructureConfigurationArn"]
        distribution = self.image_builder.create_distribution_configuration(
            name=self.name, distributions=list(distributions)
        )["distributionConfigurationArn"]
        pipeline = self.image_builder.create_image_pipeline(
            name=self.name,
            imageRecipeArn=recipe,
            infrastructureConfigurationArn=infrastructure,
            distributionConfigurationArn=distribution,
        )["imagePipelineArn"]
        return build(self.image_builder, {"imagePipelineArn": pipeline})

    def ami(self, name: str = "", **more: Any) -> dict[str, Any]:
        """An AMI's distribution; its name begins as all of the image."""
        return {"name": f"far.{self.name}.{{{{ imagebuilder:buildDate }}}}{name}", **more}


@pytest.fixture
def world(local_aws: LocalAws) -> LocalImage:
    return LocalImage(local_aws)


def test_each_region_has_its_name_key_and_tags(world: LocalImage) -> None:
    image = world.built(
        {"region": HOME, "amiDistributionConfiguration": world.ami(amiTags={"tier": "home"})},
        {"region": ABROAD, "amiDistributionConfiguration": world.ami("-copy", kmsKeyId=key_in(ABROAD))},
        ebs={"encrypted": False},
    )
    amis = {output["region"]: output for output in image["outputResources"]["amis"]}
    assert amis[ABROAD]["name"] == amis[HOME]["name"] + "-copy"
    for region, tagged, encrypted in ((HOME, True, False), (ABROAD, False, True)):
        ec2 = world.client("ec2", region=region)
        (ami,) = ec2.describe_images(ImageIds=[amis[region]["image"]])["Images"]
        assert ({"Key": "tier", "Value": "home"} in ami["Tags"]) == tagged
        snapshot = ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (told,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        assert told["Encrypted"] == encrypted


def test_ami_is_shared_with_those_that_the_configuration_names(world: LocalImage) -> None:
    permission = {"userIds": [STRANGER], "organizationArns": [ORGANIZATION], "organizationalUnitArns": [UNIT]}
    image = world.built(
        {
            "region": HOME,
            "amiDistributionConfiguration": world.ami(kmsKeyId=key_in(HOME), launchPermission=permission),
        }
    )
    (output,) = image["outputResources"]["amis"]
    told = world.client("ec2").describe_image_attribute(ImageId=output["image"], Attribute="launchPermission")
    assert told["LaunchPermissions"] == [
        {"UserId": STRANGER},
        {"OrganizationArn": ORGANIZATION},
        {"OrganizationalUnitArn": UNIT},
    ]
    (seen,) = world.client("ec2", account=STRANGER).describe_images(ImageIds=[output["image"]])["Images"]
    assert seen["OwnerId"] == OWN


def test_public_ami_is_everybodys(world: LocalImage) -> None:
    ami = world.ami(launchPermission={"userGroups": ["all"]})
    image = world.built({"region": HOME, "amiDistributionConfiguration": ami}, ebs={"encrypted": False})
    (output,) = image["outputResources"]["amis"]
    (seen,) = world.client("ec2", account=STRANGER).describe_images(ImageIds=[output["image"]])["Images"]
    assert seen["Public"]


def test_other_account_owns_its_copy_and_gets_its_launch_template_updated(world: LocalImage) -> None:
    world.role(CROSS_ACCOUNT_ROLE, account=OTHER)
    ours, theirs = world.launch_template(), world.launch_template(account=OTHER)
    image = world.built(
        {
            "region": HOME,
            "amiDistributionConfiguration": world.ami(kmsKeyId=key_in(HOME), targetAccountIds=[OTHER, OWN]),
            "launchTemplateConfigurations": [
                {"launchTemplateId": ours},
                {"launchTemplateId": theirs, "accountId": OTHER, "setDefaultVersion": False},
            ],
        }
    )
    amis = {output["accountId"]: output["image"] for output in image["outputResources"]["amis"]}
    assert amis.keys() == {OWN, OTHER}
    for account, template, default in ((OWN, ours, 2), (OTHER, theirs, 1)):
        ec2 = world.client("ec2", account=account)
        (ami,) = ec2.describe_images(ImageIds=[amis[account]], Owners=["self"])["Images"]
        assert ami["OwnerId"] == account
        (latest,) = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])[
            "LaunchTemplateVersions"
        ]
        assert latest["VersionNumber"] == 2
        assert latest["LaunchTemplateData"] == {"ImageId": amis[account], "InstanceType": "t3.small"}
        (told,) = ec2.describe_launch_templates(LaunchTemplateIds=[template])["LaunchTemplates"]
        assert told["DefaultVersionNumber"] == default


def test_without_its_own_account_among_the_targets_an_image_has_no_ami_of_its_own(world: LocalImage) -> None:
    world.role(CROSS_ACCOUNT_ROLE, account=OTHER)
    ami = world.ami(kmsKeyId=key_in(HOME), targetAccountIds=[OTHER])
    image = world.built({"region": HOME, "amiDistributionConfiguration": ami})
    assert [output["accountId"] for output in image["outputResources"]["amis"]] == [OTHER]


def test_windows_is_launched_fast(world: LocalImage) -> None:
    template = world.launch_template()
    image = world.built(
        {
            "region": HOME,
            "amiDistributionConfiguration": world.ami(),
            "fastLaunchConfigurations": [
                {
                    "enabled": True,
                    "accountId": OWN,
                    "maxParallelLaunches": 10,
                    "snapshotConfiguration": {"targetResourceCount": 20},
                    "launchTemplate": {"launchTemplateId": template, "launchTemplateVersion": "$Latest"},
                }
            ],
        },
        parent="windows-server-2022-english-core-base-x86",
    )
    (output,) = image["outputResources"]["amis"]
    (told,) = world.client("ec2").describe_fast_launch_images(ImageIds=[output["image"]])["FastLaunchImages"]
    assert told["MaxParallelLaunches"] == 10
    assert told["SnapshotConfiguration"] == {"TargetResourceCount": 20}
    assert told["LaunchTemplate"] == {"LaunchTemplateId": template, "Version": "$Latest"}


def exporting(world: LocalImage, **more: Any) -> dict[str, Any]:
    bucket = f"{world.name}-disks"
    world.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME})
    export = {"roleName": f"{world.name}-export", "diskImageFormat": "VHD", "s3Bucket": bucket, "s3Prefix": "disks/"}
    return {
        "region": HOME,
        "amiDistributionConfiguration": world.ami(),
        "s3ExportConfiguration": {**export, **more},
    }


def test_disk_image_lies_in_the_bucket(world: LocalImage) -> None:
    distribution = exporting(world)
    world.role(f"{world.name}-export", trusts=EXPORTS)
    image = world.built(distribution, ebs={"encrypted": False})
    assert image["state"]["status"] == "AVAILABLE"
    (output,) = image["outputResources"]["amis"]
    objects = world.client("s3").list_objects_v2(Bucket=f"{world.name}-disks")["Contents"]
    assert [each["Key"] for each in objects] == [f"disks/export-{output['image']}.vhd"]


def test_build_fails_where_its_distribution_cannot_be_done(world: LocalImage) -> None:
    def reason(*distributions: dict[str, Any], **more: Any) -> str:
        failing = LocalImage(world.aws)
        image = failing.built(*distributions, **more)
        assert image["state"]["status"] == "FAILED"
        assert image["outputResources"] == {"amis": []}
        return str(image["state"]["reason"])

    def home(**more: Any) -> dict[str, Any]:
        return {"region": HOME, "amiDistributionConfiguration": world.ami(**more)}

    failed = "Not all distribution jobs are completed. 1) "
    unknown = "123456789012"
    assert reason(home(kmsKeyId=key_in(HOME), targetAccountIds=[OWN, unknown])) == (
        f"{failed}STS Client Error: 'User: arn:aws:sts::{OWN}:assumed-role/AWSServiceRoleForImageBuilder/"
        "Ec2ImageBuilderIntegrationService is not authorized to perform: sts:AssumeRole on resource: "
        f"arn:aws:iam::{unknown}:role/{CROSS_ACCOUNT_ROLE}' when distributing the image from the source account "
        f"(ID: {OWN}) to the destination account (ID: {unknown}) in Region {HOME}."
    )
    world.role(CROSS_ACCOUNT_ROLE, account=DISTRUSTING, trusts=STRANGER)
    assert f"sts:AssumeRole on resource: arn:aws:iam::{DISTRUSTING}:role/" in reason(
        home(kmsKeyId=key_in(HOME), targetAccountIds=[OWN, DISTRUSTING])
    )
    not_shared = f"{failed}Snapshots encrypted with the AWS Managed CMK can't be shared."
    assert reason(home(targetAccountIds=[OWN, OTHER])) == not_shared
    assert reason(home(launchPermission={"userIds": [STRANGER]})) == not_shared
    assert reason(home(launchPermission={"userGroups": ["all"]}, kmsKeyId=key_in(HOME))) == (
        f"{failed}Images with encrypted snapshots cannot be made public."
    )
    assert reason({**home(), "fastLaunchConfigurations": [{"enabled": True}]}) == (
        f"{failed}UPDATE_FAST_LAUNCH_CONFIGURATIONS failed in Region {HOME}: "
        "Fast launch is supported for Windows AMIs only."
    )
    template = {"launchTemplateId": "lt-0123456789abcdef0"}
    assert "UPDATE_LAUNCH_TEMPLATES" in reason({**home(), "launchTemplateConfigurations": [template]})
    export = exporting(world)
    assert "provided does not exist or does not have sufficient permissions" in reason(export)
    world.role(f"{world.name}-export", trusts=EXPORTS)
    assert "has encrypted snapshots and cannot be exported" in reason(export)


@pytest.mark.parametrize(
    ("ami", "reason"),
    [
        ({"kmsKeyId": key_in(ABROAD)}, f"The key '{key_in(ABROAD)}' is not in {HOME}."),
        ({"launchPermission": {"userGroups": ["some"]}}, "The only user group is 'all'."),
    ],
)
def test_distribution_that_makes_no_sense_is_refused(world: LocalImage, ami: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        world.image_builder.create_distribution_configuration(
            name=world.name, distributions=[{"region": HOME, "amiDistributionConfiguration": world.ami(**ami)}]
        )


# --- What is shared and copied is nothing to the channels


class SharedWeb(ImageWorld):
    """An image of which other accounts have copies, listed before and after the image's own; one may launch it, too."""

    def _distribution(self) -> dict[str, Any]:
        ami = super()._distribution()["amiDistributionConfiguration"]
        permission = {"userIds": [STRANGER]}
        return {
            "amiDistributionConfiguration": {
                **ami,
                "launchPermission": permission,
                "targetAccountIds": [OTHER, OWN, STRANGER],
            }
        }


def test_channel_points_to_the_amis_of_the_images_own_account(local_aws: LocalAws, world: LocalImage) -> None:
    for account in (OTHER, STRANGER):
        world.role(CROSS_ACCOUNT_ROLE, account=account)
    web = SharedWeb(local_aws)
    outputs = web.details(web.build())["outputResources"]["amis"]
    assert [output["accountId"] for output in outputs] == [OTHER, OWN, STRANGER] * len(REGIONS)
    own = {output["region"]: output["image"] for output in outputs if output["accountId"] == OWN}
    run = web.run()
    assert (run.error, run.line["Problems"]) == ("", 0)
    assert web.latest() == own


# --- Disk images on their way in


def test_snapshot_is_imported_only_from_what_its_role_can_read(world: LocalImage) -> None:
    ec2, role, bucket = world.client("ec2"), f"{world.name}-import", f"{world.name}-disks"

    def imported(key: str) -> str:
        disk = {"Format": "RAW", "UserBucket": {"S3Bucket": bucket, "S3Key": key}}
        task = ec2.import_snapshot(DiskContainer=disk, RoleName=role, Encrypted=True)["ImportTaskId"]
        (told,) = ec2.describe_import_snapshot_tasks(ImportTaskIds=[task])["ImportSnapshotTasks"]
        assert told["SnapshotTaskDetail"]["Status"] == "completed"
        return str(told["SnapshotTaskDetail"]["SnapshotId"])

    with pytest.raises(ClientError, match=f"The service role {role} provided does not exist"):
        imported("noble.raw")
    world.role(role, trusts=EXPORTS)
    with pytest.raises(ClientError, match="cannot be read"):
        imported("noble.raw")
    s3 = world.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME})
    s3.put_object(Bucket=bucket, Key="noble.raw", Body=b"a disk image")
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[imported("noble.raw")])["Snapshots"]
    assert snapshot["Encrypted"]
