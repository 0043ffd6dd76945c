"""Disk images on their way in and out, by the real Terraform: an image that is made of one, and exported as another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

REGION = "eu-central-1"
NAMESPACE = "diskworks"
# only disk images and what refers to them; the rest of the stack takes a minute, and is tested elsewhere
TARGETS = (
    "aws_ebs_snapshot_import.parent_snapshot",
    "aws_ami.parent_ami",
    "aws_imagebuilder_image_recipe.recipe",
    "aws_imagebuilder_distribution_configuration.distribution",
    "aws_iam_role_policy.export_policy",
    "aws_s3_bucket_server_side_encryption_configuration.exports_encryption",
)
ESTATE = """
settings: {{namespace: {namespace}}}
images:
  kiosk:
    os: ubuntu-server-24.04
    parent: {{disk_image: s3://{namespace}-disks/{disk}, format: VMDK, boot_mode: uefi}}
    build: [update-os]
    regions: [{region}, eu-west-1]
    root_volume: {{encrypted: false}}
    {more}
"""


@dataclass(frozen=True)
class DeployedStack:
    """The stack and what it makes."""

    aws: LocalAws
    environment: Mapping[str, str]
    folder: Path

    def apply(self, *, disk: str, more: str = "") -> str:
        """Synthesizes the estate and applies it; nothing is left to plan. Terraform's last line."""
        text = ESTATE.format(namespace=NAMESPACE, region=REGION, disk=disk, more=more)
        (self.folder / "estate.yaml").write_text(text)
        synthesize(self.folder / "estate.yaml", self.folder / "cdktf.out")
        if not (self.folder / "cdktf.out" / "stacks" / "image-kiosk" / ".terraform").exists():
            self.terraform("init")
        applied = self.terraform("apply", "-auto-approve", *(f"-target={each}" for each in TARGETS))
        plan = self.terraform("plan", *(f"-target={each}" for each in TARGETS))
        assert "No changes." in plan, plan
        (line,) = (line for line in applied.splitlines() if line.startswith("Apply complete!"))
        return line

    def terraform(self, *arguments: str) -> str:
        stack = self.folder / "cdktf.out" / "stacks" / "image-kiosk"
        return terraform.run(*arguments, folder=stack, environ=self.environment)

    def client(self, service: str) -> Any:
        return self.aws.client(service, region=REGION)

    def parents(self) -> list[dict[str, Any]]:
        """The AMIs over disk images."""
        wanted = [{"Name": "name", "Values": [f"{NAMESPACE}_kiosk_parent_*"]}]
        found: list[dict[str, Any]] = self.client("ec2").describe_images(Owners=["self"], Filters=wanted)["Images"]
        return found

    def resources(self, kind: str, listed: str) -> list[str]:
        """The ARNs of a kind of resources of Image Builder."""
        page = getattr(self.client("imagebuilder"), f"list_{kind}s")()
        return [each["arn"] for each in page[listed] if NAMESPACE in each["arn"]]

    def distributions(self) -> list[dict[str, Any]]:
        arns = self.resources("distribution_configuration", "distributionConfigurationSummaryList")
        get = self.client("imagebuilder").get_distribution_configuration
        configurations = (get(distributionConfigurationArn=arn)["distributionConfiguration"] for arn in arns)
        return [each for configuration in configurations for each in configuration["distributions"]]

    def recipes(self) -> list[dict[str, Any]]:
        arns = self.resources("image_recipe", "imageRecipeSummaryList")
        get = self.client("imagebuilder").get_image_recipe
        return [get(imageRecipeArn=arn)["imageRecipe"] for arn in arns]


@pytest.fixture
def world(local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path) -> DeployedStack:
    s3 = local_aws.client("s3", region=REGION)
    s3.create_bucket(Bucket=f"{NAMESPACE}-disks", CreateBucketConfiguration={"LocationConstraint": REGION})
    for disk in ("noble/1.vmdk", "noble/2.vmdk"):
        s3.put_object(Bucket=f"{NAMESPACE}-disks", Key=disk, Body=b"a disk image")
    return DeployedStack(local_aws, terraform_environment, tmp_path)


def test_disk_image_becomes_the_parent_and_builds_become_disk_images(world: DeployedStack) -> None:
    world.apply(disk="noble/1.vmdk")
    (parent,) = world.parents()
    assert (parent["BootMode"], parent["RootDeviceName"], parent["EnaSupport"]) == ("uefi", "/dev/sda1", True)
    (recipe,) = world.recipes()
    assert recipe["parentImage"] == parent["ImageId"]
    assert [each for each in world.distributions() if "s3ExportConfiguration" in each] == []

    # a bucket whose name is not known yet is added to a configuration that exists
    public = "launch_permission: public\n    export: {disk_image_format: RAW}"
    assert "Resources: 4 added, 1 changed, 0 destroyed." in world.apply(disk="noble/1.vmdk", more=public)
    home, abroad = sorted(world.distributions(), key=lambda each: str(each["region"]))
    export = home["s3ExportConfiguration"]
    assert export["s3Bucket"].startswith(f"{NAMESPACE}-kiosk-")
    assert (export["diskImageFormat"], export["s3Prefix"]) == ("RAW", f"{NAMESPACE}/kiosk/")
    assert "s3ExportConfiguration" not in abroad
    assert abroad["amiDistributionConfiguration"]["launchPermission"] == {"userGroups": ["all"]}
    role = world.client("iam").get_role(RoleName=export["roleName"])["Role"]
    assert role["Path"] == "/"

    # another disk image: snapshot, AMI and recipe are new, and the old ones go
    assert "Resources: 3 added, 1 changed, 3 destroyed." in world.apply(disk="noble/2.vmdk", more=public)
    (newer,) = world.parents()
    assert newer["ImageId"] != parent["ImageId"]
    (recipe_after,) = world.recipes()
    assert recipe_after["parentImage"] == newer["ImageId"]
    assert recipe_after["version"] != recipe["version"]

    # what was exported stops the destroy of its bucket
    disk = {"Bucket": export["s3Bucket"], "Key": f"{NAMESPACE}/kiosk/export-ami-1.raw"}
    world.client("s3").put_object(**disk, Body=b"a disk image")
    with pytest.raises(terraform.TerraformError, match="BucketNotEmpty"):
        world.terraform("destroy", "-auto-approve")
    world.client("s3").delete_object(**disk)
    world.terraform("destroy", "-auto-approve")
    assert (world.parents(), world.recipes(), world.distributions()) == ([], [], [])
    ours = [{"Name": "tag:Name", "Values": [newer["Name"]]}]
    assert world.client("ec2").describe_snapshots(Filters=ours)["Snapshots"] == []
