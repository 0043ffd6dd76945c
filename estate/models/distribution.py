"""Where an image's AMIs are distributed: settings for a region, accounts that get copies, and who may launch them.

The rules follow from how AWS shares AMIs. AWS's own key for volumes (`aws/ebs`), which encrypts AMIs for which no key
is named, can neither be shared nor be used by another account to copy, and an encrypted AMI cannot be public ("Share an
AMI with specific AWS accounts" and "Make your AMI publicly available" in the EC2 user guide).

A key that is named here belongs to the image's account. Its policy must let the roles of that account use it as their
own policies allow, as the policy of a key created in the console does; Image Builder's service-linked role needs
nothing else. Accounts that launch shared AMIs, and the role that makes copies in other accounts, need kms:Decrypt,
kms:DescribeKey, kms:ReEncrypt*, kms:GenerateDataKey* and kms:CreateGrant on it, and the role also kms:Encrypt, both by
the key's policy and by their own ("Set up cross-account AMI distribution" in the user guide of Image Builder). Auto
Scaling groups that launch the AMIs need their service-linked role to use the key and to create grants.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, StrictBool, StrictInt, Tag, model_validator

from estate.models.types import (
    FROZEN,
    LARGEST_INTEGER,
    AccountReference,
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
        "must be an AMI's name: at most 127 letters, digits, spaces, -._ and Image Builder's placeholders, "
        "with no space or dot at the end",
        "write it as acme.web.{{ imagebuilder:buildDate }}",
    ),
    Matching(
        r".*\{\{ ?imagebuilder:buildDate ?\}\}.*",
        "must contain {{ imagebuilder:buildDate }}: no two builds may share a name",
        "write it as acme.web.{{ imagebuilder:buildDate }}",
    ),
]
"""Image Builder's pattern allows `:` and braces for the placeholders only: EC2 takes none in a name."""

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
    """A launch template for which Image Builder creates a new version with the AMI of each build.

    Only for launch templates that are managed outside this estate: those of its fleets belong to Terraform, whose next
    plan would undo the change.
    """

    model_config = FROZEN

    launch_template_id: LaunchTemplateId
    """The launch template, in the region of the distribution."""
    account_id: AccountReference | None = None
    """The account that owns it: one with which the AMI is shared, or one that gets a copy. That account needs the role
    `EC2ImageBuilderDistributionCrossAccountRole` with permission to change the template, which AWS's policy for that
    role does not give. Default: the image's account."""
    default: StrictBool = True
    """Whether the new version becomes the template's default version. Default: enabled."""


class FastLaunch(BaseModel):
    """Snapshots of Windows after its setup, which AWS keeps ready so that instances start sooner.

    These snapshots, and the instances that make them, cost what any others cost. The policy of a key of your own must
    let the service-linked role `AWSServiceRoleForEC2FastLaunch` use the key.
    """

    model_config = FROZEN

    max_parallel_launches: Annotated[StrictInt, Field(ge=6, le=LARGEST_INTEGER)] | None = None
    """How many instances make snapshots at the same time. Default: 6."""
    target_resource_count: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    """How many snapshots are kept ready. Default: 5."""
    launch_template_id: LaunchTemplateId | None = None
    """The launch template of the instances that make snapshots. It must name a network where the region has no default
    VPC, and metadata options where the account enforces IMDSv2. Image Builder's service-linked role may use only a
    template with the tag `CreatedBy: EC2 Image Builder`. Default: none; EC2's own settings, in the default VPC."""
    launch_template_version: Annotated[
        str,
        Matching(
            r"\$Default|\$Latest|[1-9][0-9]*",
            "must be a launch template's version",
            'write $Default, $Latest or a number in quotes, such as "3"',
        ),
    ] = "$Default"
    """The version of that launch template. Default: its default version."""

    @model_validator(mode="after")
    def _version_of_something(self) -> Self:
        if self.launch_template_version != "$Default" and not self.launch_template_id:
            got, key = shown(self.launch_template_version), ("launch_template_version",)
            raise RuleError("needs launch_template_id", got=got, remedy="write both, or delete it", key=key)
        return self


class RegionalDistribution(BaseModel):
    """Settings for the AMIs of one region."""

    model_config = FROZEN

    ami_name: AmiName | None = None
    """The AMI's name. It begins with `<namespace>.<image>.`, by which fleets recognize the image's builds, and contains
    `{{ imagebuilder:buildDate }}`. Default: `<namespace>.<image>.{{ imagebuilder:buildDate }}`."""
    kms_key_id: KmsKeyArn | None = None
    """The key of this region that encrypts the AMI; in the home region it also encrypts the volumes of builds. Its
    policy must let the other accounts use it that use the AMI. Default: a key that the stack makes if fleets of other
    accounts run the image and this region has an account that needs it; otherwise AWS's own key, and no other account
    can use the AMI."""
    ami_tags: Tags = {}
    """Tags of the AMI in this region, in addition to the image's; of two tags with the same key, these count. Default:
    the image's tags."""
    launch_templates: Annotated[tuple[LaunchTemplate, ...], Field(max_length=100)] = ()
    """Launch templates that get a new version with each build. Default: none."""
    fast_launch: FastLaunch | None = None
    """Snapshots that let Windows instances start sooner. Default: none."""
    license_configuration_arns: Annotated[tuple[LicenseArn, ...], Field(max_length=50), Distinct()] = ()
    """License configurations of License Manager that are attached to the AMI. Default: none."""

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
    """Who may launch the AMIs, which stay in the image's account and regions.

    `launch_permission: public` lets everybody launch them. AWS refuses that in each region in which the account blocks
    public access to AMIs, which is AWS's default.
    """

    model_config = FROZEN

    accounts: Annotated[tuple[AccountReference, ...], Field(max_length=1536), Distinct()] = ()
    """Accounts. Default: none."""
    organizations: Annotated[tuple[OrganizationArn, ...], Field(max_length=25), Distinct()] = ()
    """Organizations, with all their accounts. Default: none."""
    organizational_units: Annotated[tuple[OrganizationalUnitArn, ...], Field(max_length=25), Distinct()] = ()
    """Organizational units, with all accounts below them. Default: none."""

    @model_validator(mode="after")
    def _names_someone(self) -> Self:
        if not (self.accounts or self.organizations or self.organizational_units):
            remedy = "write accounts, organizations or organizational_units, or delete it"
            raise RuleError("is empty", remedy=remedy)
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
