"""Settings of the whole estate: its namespace, where Terraform keeps its state, and how it reaches AWS."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, StrictBool, Tag, model_validator

from estate.models.accounts import Account
from estate.models.provider import AssumeRole, Provider
from estate.models.providers import Providers
from estate.models.salvage import StandIn
from estate.models.types import (
    FROZEN,
    AnyArn,
    BucketName,
    FolderPath,
    KmsKeyArn,
    Name,
    Namespace,
    PlainText,
    PolicyArn,
    Region,
    RolePath,
    StateKey,
    Tags,
    exactly_one,
)
from estate.problems import UNSEEN, RuleError, shown


def _role_or_none(value: Any) -> Any:
    if value is None or value == "none" or isinstance(value, dict | AssumeRole):
        return value
    raise RuleError("must be a role to assume", got=shown(value), remedy="write {role_arn: arn:aws:iam::…}, or none")


_RoleOrNone = Annotated[
    Annotated[Literal["none"], Tag(f"{UNSEEN}none")] | Annotated[AssumeRole, Tag(f"{UNSEEN}role")],
    Discriminator(lambda value: f"{UNSEEN}none" if isinstance(value, str) else f"{UNSEEN}role"),
    BeforeValidator(_role_or_none, json_schema_input_type=Literal["none"] | AssumeRole),
]


class LocalBackend(BaseModel):
    """Terraform's state in a folder of this machine: for trying things out, or for one person."""

    model_config = FROZEN

    folder: FolderPath = "state"
    """The folder, beside `cdktf.out`; it has a folder for each namespace. Default: `state`, so the state is
    `state/acme/image-web.eu-west-1.tfstate`."""


class S3Backend(BaseModel):
    """Terraform's state in an existing S3 bucket, one object for each stack.

    Terraform reaches the bucket with `profile` and `assume_role`, also for fleets that have a `provider` of their own:
    that one is used for the fleet's resources, not for its state.
    """

    model_config = FROZEN

    bucket: BucketName
    """The bucket."""
    region: Region
    """The bucket's region."""
    key_prefix: FolderPath = "goldsmith"
    """The prefix of the objects' keys; the namespace follows it. Default: `goldsmith`, so the state is
    `goldsmith/acme/image-web.eu-west-1.tfstate`."""
    use_lockfile: StrictBool = True
    """Whether Terraform locks the state with an object beside it. Default: enabled."""
    kms_key_id: StateKey | None = None
    """The key that encrypts the state. Default: the bucket's default key."""
    account: Name | None = None
    """The account of the bucket, one of `settings.accounts`. Default: Terraform reaches the bucket as it reaches the
    account of the stack."""
    profile: PlainText | None = None
    """The profile of the shared configuration files with which Terraform reaches the bucket, or `none` for the
    credentials of the environment. Default: the profile of `settings.provider`, if it has one."""
    assume_role: _RoleOrNone | None = None
    """The role with which Terraform reaches the bucket, or `none` for no role. Default: the role of
    `settings.provider`, if it has one."""


class Backend(BaseModel):
    """Where Terraform keeps its state: exactly one kind of backend."""

    model_config = exactly_one("local", "s3")

    local: LocalBackend | None = None
    """State in a local folder. Default: none; the state is in S3."""
    s3: S3Backend | None = None
    """State in an S3 bucket. Default: none; the state is in a local folder."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.local is None) == (self.s3 is None):
            raise RuleError(
                "must name exactly one kind of backend",
                got="both" if self.local else "none",
                remedy="write local: {} or s3: {bucket: …, region: …}",
            )
        return self


class Iam(BaseModel):
    """What all roles that Goldsmith creates have in common."""

    model_config = FROZEN

    path: RolePath = "/"
    """The path of roles and instance profiles. Default: `/`."""
    permissions_boundary: PolicyArn | None = None
    """The permissions boundary of every role. Default: none."""


class Settings(BaseModel):
    """The `settings:` of an estate."""

    model_config = FROZEN

    namespace: Annotated[Namespace, StandIn("xx")]
    """The prefix of all names in AWS: two estates in one account need two namespaces."""
    backend: Backend = Backend(local=LocalBackend())
    """Where Terraform keeps its state. Default: the local folder `state`."""
    accounts: dict[Name, Account] = {}
    """The accounts of the estate by the names that `account:` of images and fleets has. Default: everything is in the
    account of `provider`."""
    provider: Provider = Provider()
    """How Terraform reaches AWS. Default: the credentials of the environment."""
    providers: Providers = Providers()
    """The versions of Terraform's providers. Default: version 5.100 of AWS's provider or newer, including 6."""
    iam: Iam = Iam()
    """Path and permissions boundary of all roles. Default: path `/`, no boundary."""
    tags: Tags = {}
    """Tags of every resource that Terraform creates and AWS can tag, of new AMIs, and of instances and their volumes.
    They are in the launch templates, so changing them replaces the instances of every fleet. Objects in a bucket have
    none. Default: only Goldsmith's own tags."""
    kms_key: KmsKeyArn | None = None
    """The key for topics, queues, logs and buckets. Its policy must let Image Builder, SNS and CloudWatch Logs use it;
    also EventBridge and CloudWatch if an image has `notifications.emails`, and EventBridge if a fleet in the key's
    region has. Default: each image stack creates its own key; so does the stack of a fleet with `notifications.emails`,
    unless this field names a key of the fleet's region."""
    alarm_actions: Annotated[tuple[AnyArn, ...], Field(max_length=5)] = ()
    """ARNs of what alarms notify, for example of a topic. Default: none; alarms are only shown in CloudWatch."""
    dashboards: StrictBool = False
    """Whether each home region gets a CloudWatch dashboard of all its images, in a stack of its own, `overview-REGION`.
    Default: disabled; an account's first three dashboards are free, and each further one costs money."""

    def account(self, name: str | None) -> Account | None:
        """One of the accounts by its name. Raises `KeyError`."""
        return None if name is None else self.accounts[name]

    def provider_of(self, account: str | None, *, region: str) -> Provider:
        """How Terraform works in a region of an account; without an account, as `provider` says."""
        return self.provider if account is None else self.accounts[account].provider(region)

    def backend_access(self, account: str | None, *, region: str) -> Provider:
        """How Terraform reaches the state of a stack in S3: as the backend says, otherwise as it reaches the account of
        the stack."""
        s3 = self.backend.s3
        own = self.provider_of((s3 and s3.account) or account, region=region)
        profile = (s3 and s3.profile) or own.profile
        role = (s3 and s3.assume_role) or own.assume_role
        return Provider(
            profile=None if profile == "none" else profile,
            assume_role=role if isinstance(role, AssumeRole) else None,
        )
