"""The steps after an AMI is registered in a region: launch permissions, launch templates, fast launch, export.

Failures have AWS's messages where they are known (from threads about failed distributions); the steps are those of the
service model's ImageConfigurationStep.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.errors import AwsError
from local_aws.image_builder.neighbours import Neighbours

CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that Image Builder assumes in another account."""


class DistributionError(Exception):
    """A distribution has failed; the message is the reason."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """The AMIs of one build in one region."""

    region: str
    amis: Mapping[str, str]
    """Their IDs by the accounts that own them."""
    platform: str
    encrypted: bool
    own_key: bool
    """Whether they are encrypted with a key of the account, rather than AWS's own."""
    neighbours: Neighbours
    """Those of the account of the image."""
    execution_role: str | None
    """The role that builds the image, if Image Builder does not do it with its own."""

    @property
    def account(self) -> str:
        """The account of the image."""
        return self.neighbours.account

    def for_account(self, account: str) -> str:
        """The AMI that an account uses: its own copy, or the original that is shared with it."""
        return self.amis.get(account) or self.amis[self.account]

    def neighbours_in(self, account: str) -> Neighbours:
        """The services of an account. Raises `DistributionError` if Image Builder cannot assume its role there."""
        try:
            return self.neighbours.in_account(
                account, role=CROSS_ACCOUNT_ROLE, region=self.region, execution_role=self.execution_role
            )
        except AwsError as refused:
            raise DistributionError(
                f"STS Client Error: '{refused.message}' when distributing the image from the source account "
                f"(ID: {self.account}) to the destination account (ID: {account}) in Region {self.region}."
            ) from refused


def deliver(delivered: Delivered, distribution: Mapping[str, Any]) -> None:
    """Do everything that a region's distribution asks for after the AMI. Raises `DistributionError`."""
    permission = distribution.get("amiDistributionConfiguration", {}).get("launchPermission")
    if permission:
        _share(delivered, permission)
    for template in distribution.get("launchTemplateConfigurations", ()):
        _step("UPDATE_LAUNCH_TEMPLATES", _update_launch_template, delivered, template)
    for fast_launch in distribution.get("fastLaunchConfigurations", ()):
        if fast_launch["enabled"]:
            _step("UPDATE_FAST_LAUNCH_CONFIGURATIONS", _enable_fast_launch, delivered, fast_launch)
    if export := distribution.get("s3ExportConfiguration"):
        _step("EXPORT_AMI", _export, delivered, export)


def check_key(delivered: Delivered, *, public: bool = False) -> None:
    """Raises `DistributionError` for an AMI that others could not use because of its encryption."""
    if delivered.encrypted and public:
        raise DistributionError("Images with encrypted snapshots cannot be made public.")
    if delivered.encrypted and not delivered.own_key:
        raise DistributionError("Snapshots encrypted with the AWS Managed CMK can't be shared.")


def _step(name: str, do: Any, delivered: Delivered, configuration: Mapping[str, Any]) -> None:
    try:
        do(delivered, configuration)
    except (ClientError, DistributionError) as error:
        raise DistributionError(f"{name} failed in Region {delivered.region}: {error}") from error


def _share(delivered: Delivered, permission: Mapping[str, Any]) -> None:
    check_key(delivered, public=bool(permission.get("userGroups")))
    added = [
        *({"UserId": each} for each in permission.get("userIds", ())),
        *({"Group": each} for each in permission.get("userGroups", ())),
        *({"OrganizationArn": each} for each in permission.get("organizationArns", ())),
        *({"OrganizationalUnitArn": each} for each in permission.get("organizationalUnitArns", ())),
    ]
    # copies in other accounts too: AWS's policy for the role there has ec2:ModifyImageAttribute for nothing else
    for account, ami in delivered.amis.items():
        ec2 = delivered.neighbours_in(account).ec2(region=delivered.region)
        ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": added})


def _update_launch_template(delivered: Delivered, template: Mapping[str, Any]) -> None:
    account, name = template.get("accountId", delivered.account), template["launchTemplateId"]
    ec2 = delivered.neighbours_in(account).ec2(region=delivered.region)
    (source,) = ec2.describe_launch_template_versions(LaunchTemplateId=name, Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    made = ec2.create_launch_template_version(
        LaunchTemplateId=name,
        SourceVersion=str(source["VersionNumber"]),
        VersionDescription="Created by EC2 Image Builder",
        LaunchTemplateData={"ImageId": delivered.for_account(account)},
    )["LaunchTemplateVersion"]
    if template.get("setDefaultVersion", True):
        ec2.modify_launch_template(LaunchTemplateId=name, DefaultVersion=str(made["VersionNumber"]))


def _enable_fast_launch(delivered: Delivered, configuration: Mapping[str, Any]) -> None:
    if delivered.platform != "Windows":
        raise DistributionError("Fast launch is supported for Windows AMIs only.")
    account = configuration.get("accountId", delivered.account)
    ec2 = delivered.neighbours_in(account).ec2(region=delivered.region)
    template = configuration.get("launchTemplate", {})
    names = {"launchTemplateId": "LaunchTemplateId", "launchTemplateName": "LaunchTemplateName"}
    names["launchTemplateVersion"] = "Version"
    options: dict[str, Any] = {}
    if template:
        options["LaunchTemplate"] = {names[key]: value for key, value in template.items()}
    if "maxParallelLaunches" in configuration:
        options["MaxParallelLaunches"] = configuration["maxParallelLaunches"]
    if count := configuration.get("snapshotConfiguration", {}).get("targetResourceCount"):
        options["SnapshotConfiguration"] = {"TargetResourceCount": count}
    ec2.enable_fast_launch(ImageId=delivered.for_account(account), ResourceType="snapshot", **options)


def _export(delivered: Delivered, export: Mapping[str, Any]) -> None:
    role, ami = export["roleName"], delivered.amis[delivered.account]
    if not delivered.neighbours.can_export(role, region=delivered.region):
        raise DistributionError(
            f"The service role {role} provided does not exist or does not have sufficient permissions"
        )
    if delivered.encrypted:
        raise DistributionError(f"The image {ami} has encrypted snapshots and cannot be exported.")
    name = f"{export.get('s3Prefix', '')}export-{ami}.{export['diskImageFormat'].lower()}"
    delivered.neighbours.put_object(
        region=delivered.region, bucket=export["s3Bucket"], key=name, text=f"the disk image of {ami}\n"
    )
