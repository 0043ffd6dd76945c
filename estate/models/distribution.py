"""Where an image's AMIs go: what is special in a region, the accounts that get copies, and who may launch them.

How AWS shares AMIs decides the rules. AWS's own key for volumes (`aws/ebs`), by which AMIs are encrypted without
another, can neither be shared nor copied from by another account, and an encrypted AMI cannot be public ("Share an AMI
with specific AWS accounts" and "Make your AMI publicly available" in the EC2 user guide).

A key that is named here belongs to the account of the image. Its policy must let that account's roles use it by their
own policies, as the policy of a key that the console makes does; Image Builder's service-linked role needs no more.
Accounts that launch shared AMIs, and the role that makes copies in other accounts, need kms:Decrypt, kms:DescribeKey,
kms:ReEncrypt*, kms:GenerateDataKey* and kms:CreateGrant on it, and the role kms:Encrypt, too, both by the key's policy
and by their own ("Set up cross-account AMI distribution" in the user guide of Image Builder). Auto Scaling groups that
launch the AMIs need their service-linked role to use and grant it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, StrictBool, StrictInt, Tag, model_validator

from estate.models.types import (
    FROZEN,
    LARGEST_INTEGER,
    AccountId,
    Distinct,
    KmsKeyArn,
    LaunchTemplateId,
    Matching,
    Tags,
)
from estate.problems import UNSEEN, RuleError, shown

AmiName = Annotated[
    str,
    Matching(
        r"(?=.{3,127}$)(?!.*[ .]$)([A-Za-z0-9 ._-]|\{\{ ?imagebuilder:(buildDate|buildVersion) ?\}\})+",
        "must be an AMI's name: at most 127 letters, digits, spaces and -._, and what Image Builder puts in, "
        "with no space or dot at the end",
        "write it as acme.web.{{ imagebuilder:buildDate }}",
    ),
    Matching(
        r".*\{\{ ?imagebuilder:buildDate ?\}\}.*",
        "must hold {{ imagebuilder:buildDate }}: no two builds may share a name",
        "write it as acme.web.{{ imagebuilder:buildDate }}",
    ),
]
"""Image Builder's pattern has `:` and braces for the placeholders only: EC2 takes none in a name."""

LicenseArn = Annotated[
    str,
    Matching(
        r"arn:aws[a-z-]*:license-manager:[a-z0-9-]+:[0-9]{12}:license-configuration:lic-[a-z0-9_-]{32}",
        "must be a license configuration's ARN",
        "write it as arn:aws:license-manager:eu-west-1:123456789012:license-configuration:lic-… with 32 characters",
    ),
]
OrganizationArn = Annotated[
    str,
    Matching(
        r"arn:aws[a-z-]*:organizations::[0-9]{12}:organization/o-[a-z0-9]{10,32}",
        "must be an organization's ARN",
        "write it as arn:aws:organizations::123456789012:organization/o-…",
    ),
]
OrganizationalUnitArn = Annotated[
    str,
    Matching(
        r"arn:aws[a-z-]*:organizations::[0-9]{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}",
        "must be an organizational unit's ARN",
        "write it as arn:aws:organizations::123456789012:ou/o-…/ou-…",
    ),
]


class LaunchTemplate(BaseModel):
    """A launch template of which Image Builder makes a new version with the AMI of each build.

    For templates that somebody else keeps: Terraform would plan those of this estate's fleets back.
    """

    model_config = FROZEN

    launch_template_id: LaunchTemplateId
    """The launch template, in the region of the distribution."""
    account_id: AccountId | None = None
    """The account that has it, one with which the AMI is shared or that gets a copy. Its role
    `EC2ImageBuilderDistributionCrossAccountRole` must exist and may change the template, which AWS's policy for that
    role does not allow. Without it: the image's."""
    default: StrictBool = True
    """Whether the new version becomes the template's default. Without it: it does."""


class FastLaunch(BaseModel):
    """Snapshots of Windows that is set up already, which AWS keeps ready so that instances start sooner.

    They and the instances that make them cost what others do. With a key of your own, its policy must let the
    service-linked role `AWSServiceRoleForEC2FastLaunch` use it.
    """

    model_config = FROZEN

    max_parallel_launches: Annotated[StrictInt, Field(ge=6, le=LARGEST_INTEGER)] | None = None
    """How many instances make snapshots at once. Without it: 6."""
    target_resource_count: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    """How many snapshots are kept ready. Without it: 5."""
    launch_template_id: LaunchTemplateId | None = None
    """The launch template of the instances that make snapshots. It names a network where the region has no default VPC,
    and metadata options where the account enforces IMDSv2. Image Builder's service-linked role may use only one that
    is tagged `CreatedBy: EC2 Image Builder`. Without it: EC2's own settings, in the default VPC."""
    launch_template_version: Annotated[
        str,
        Matching(
            r"\$Default|\$Latest|[1-9][0-9]*",
            "must be a launch template's version",
            'write $Default, $Latest or a number in quotes, such as "3"',
        ),
    ] = "$Default"
    """That template's version. Without it: its default."""

    @model_validator(mode="after")
    def _version_of_something(self) -> Self:
        if self.launch_template_version != "$Default" and not self.launch_template_id:
            got, key = shown(self.launch_template_version), ("launch_template_version",)
            raise RuleError("there is no launch template", got=got, remedy="write launch_template_id, too", key=key)
        return self


class RegionalDistribution(BaseModel):
    """What is special about the AMIs in one region."""

    model_config = FROZEN

    ami_name: AmiName | None = None
    """The AMI's name. It begins with `<namespace>.<image>.`, by which fleets know builds of the image, and holds
    `{{ imagebuilder:buildDate }}`. Without it: `<namespace>.<image>.{{ imagebuilder:buildDate }}`."""
    kms_key_id: KmsKeyArn | None = None
    """The key of the region that encrypts the AMI there; in the home region it encrypts the volumes of builds, too.
    Without it: AWS's own, and then nobody else can use the AMI."""
    ami_tags: Tags = {}
    """Tags of the AMI there, beside the image's and in place of those with the same key. Without it: the image's."""
    launch_templates: Annotated[tuple[LaunchTemplate, ...], Field(max_length=100)] = ()
    """Launch templates that get a new version with each build. Without it: none."""
    fast_launch: FastLaunch | None = None
    """Windows only: snapshots kept ready. Without it: none."""
    license_configuration_arns: Annotated[tuple[LicenseArn, ...], Field(max_length=50), Distinct()] = ()
    """License configurations of License Manager that the AMI takes with it. Without it: none."""

    @model_validator(mode="after")
    def _each_template_once(self) -> Self:
        seen: set[str] = set()
        for index, each in enumerate(self.launch_templates):
            if each.launch_template_id in seen:
                got, key = shown(each.launch_template_id), ("launch_templates", index, "launch_template_id")
                raise RuleError("is listed twice", got=got, remedy="delete one", key=key)
            seen.add(each.launch_template_id)
        return self


class LaunchPermission(BaseModel):
    """Who may launch the AMIs, which stay where they are: in every region of the image.

    The word `public` in its place lets everybody. AWS refuses that in each region whose account settings block public
    access to AMIs, as they do unless somebody has switched it off.
    """

    model_config = FROZEN

    accounts: Annotated[tuple[AccountId, ...], Field(max_length=1536), Distinct()] = ()
    """Accounts. Without it: none but the image's own."""
    organizations: Annotated[tuple[OrganizationArn, ...], Field(max_length=25), Distinct()] = ()
    """Organizations, with all their accounts. Without it: none."""
    organizational_units: Annotated[tuple[OrganizationalUnitArn, ...], Field(max_length=25), Distinct()] = ()
    """Organizational units, with all accounts below them. Without it: none."""

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if not (self.accounts or self.organizations or self.organizational_units):
            remedy = "write accounts, organizations or organizational_units, or delete it"
            raise RuleError("names nobody", remedy=remedy)
        return self


def _somebody(value: Any) -> Any:
    if value == "public" or isinstance(value, dict | LaunchPermission):
        return value
    remedy = "write {accounts: […]}, {organizations: […]}, {organizational_units: […]}, or public"
    raise RuleError("must say who may launch the AMIs", got=shown(value), remedy=remedy)


Permission = Annotated[
    Annotated[Literal["public"], Tag(f"{UNSEEN}public")] | Annotated[LaunchPermission, Tag(f"{UNSEEN}permission")],
    Discriminator(lambda value: f"{UNSEEN}public" if isinstance(value, str) else f"{UNSEEN}permission"),
    BeforeValidator(_somebody, json_schema_input_type=Literal["public"] | LaunchPermission),
]
