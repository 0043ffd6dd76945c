"""What holds for the whole estate: its name, where its state lies, and how Terraform reaches AWS."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, StrictBool, Tag, model_validator

from estate.arns import Arn
from estate.models.types import (
    FROZEN,
    AccountId,
    AnyArn,
    BucketName,
    ExternalId,
    FolderPath,
    KmsKeyArn,
    Namespace,
    PlainText,
    PolicyArn,
    Region,
    RoleArn,
    RolePath,
    SessionName,
    StateKey,
    Tags,
    exactly_one,
)
from estate.problems import UNSEEN, RuleError, shown


class AssumeRole(BaseModel):
    """The role under which Terraform works."""

    model_config = FROZEN

    role_arn: RoleArn
    """The role."""
    external_id: ExternalId | None = None
    """The external ID that the role's trust policy asks for. Without it: none is sent."""
    session_name: SessionName | None = None
    """The name of the session, as CloudTrail shows it. Without it: Terraform chooses one."""


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
    """Terraform's state in a folder of this machine: to try things out, or for one person alone."""

    model_config = FROZEN

    folder: FolderPath = "state"
    """The folder, beside `cdktf.out`; the states are in a folder of the namespace there. Without it: `state`, so
    `state/acme/image-web.eu-west-1.tfstate`."""


class S3Backend(BaseModel):
    """Terraform's state in an S3 bucket that exists already, one object a stack.

    Terraform reaches the bucket by `profile` and `assume_role`, also for fleets that have a `provider` of their own:
    that is for what the fleet is made of, not for its state.
    """

    model_config = FROZEN

    bucket: BucketName
    """The bucket."""
    region: Region
    """The bucket's region."""
    key_prefix: FolderPath = "goldsmith"
    """What the objects' keys start with; the namespace follows. Without it: `goldsmith`, so
    `goldsmith/acme/image-web.eu-west-1.tfstate`."""
    use_lockfile: StrictBool = True
    """Lock with an object beside the state. Without it: locked."""
    kms_key_id: StateKey | None = None
    """The key that encrypts the state. Without it: the bucket's own default key."""
    profile: PlainText | None = None
    """The profile of the shared configuration files by which Terraform reaches the bucket, or `none` for the
    credentials of the environment. Without it: that of `settings.provider`, if it names one."""
    assume_role: _RoleOrNone | None = None
    """The role under which Terraform reaches the bucket, or `none` for no role. Without it: that of
    `settings.provider`, if it names one."""


class Backend(BaseModel):
    """Where Terraform keeps its state: exactly one kind."""

    model_config = exactly_one("local", "s3")

    local: LocalBackend | None = None
    """State in a local folder. Without it: state in S3."""
    s3: S3Backend | None = None
    """State in an S3 bucket. Without it: state in a local folder."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.local is None) == (self.s3 is None):
            raise RuleError(
                "must name exactly one kind of backend",
                got="both" if self.local else "none",
                remedy="write local: {} or s3: {bucket: …, region: …}",
            )
        return self


class Provider(BaseModel):
    """How Terraform reaches AWS. Without any of it: the credentials of the environment, as for any AWS tool."""

    model_config = FROZEN

    profile: PlainText | None = None
    """A profile of the shared configuration files. Without it: the environment decides."""
    assume_role: AssumeRole | None = None
    """A role to assume. Without it: none."""
    allowed_account_ids: tuple[AccountId, ...] = ()
    """The only accounts in which plans and applies may run. Without it: any."""

    @model_validator(mode="after")
    def _role_allowed(self) -> Self:
        account = Arn.parse(self.assume_role.role_arn).account_id if self.assume_role else None
        if account and self.allowed_account_ids and account not in self.allowed_account_ids:
            remedy = "add it to allowed_account_ids, or name a role of an account that is there"
            rule = "the role is of an account that allowed_account_ids does not have, so every plan would stop"
            raise RuleError(rule, got=shown(account), remedy=remedy, key=("assume_role", "role_arn"))
        return self

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts in one of which Terraform must work, as far as it is written; empty where nothing shows it."""
        role = Arn.parse(self.assume_role.role_arn).account_id if self.assume_role else None
        return frozenset({role} if role else self.allowed_account_ids)


class Iam(BaseModel):
    """What all roles that Goldsmith makes have in common."""

    model_config = FROZEN

    path: RolePath = "/"
    """The path of roles and instance profiles. Without it: `/`."""
    permissions_boundary: PolicyArn | None = None
    """The policy that bounds every role. Without it: none."""


class Settings(BaseModel):
    """The `settings:` of an estate."""

    model_config = FROZEN

    namespace: Namespace
    """The prefix of everything in AWS: two estates of one account need two namespaces."""
    backend: Backend = Backend(local=LocalBackend())
    """Where Terraform keeps its state. Without it: in the local folder `state`."""
    provider: Provider = Provider()
    """How Terraform reaches AWS. Without it: by the credentials of the environment."""
    provider_version: Literal[5, 6] = 5
    """The least major version of AWS's provider that plans run with. With 6, which then has to be 6.40 or newer, image
    stacks make the log groups that builds write to in CloudWatch, encrypted and with a retention. Without it: 5.100 or
    newer, 6 included; Image Builder makes these log groups itself, and they stay."""
    iam: Iam = Iam()
    """Path and permissions boundary of all roles. Without it: path `/`, no boundary."""
    tags: Tags = {}
    """Tags of every resource that Terraform makes and AWS lets it tag, of new AMIs, and of instances and their volumes.
    Launch templates carry them, so that a change replaces the instances of every fleet. Objects in a bucket have none.
    Without it: only Goldsmith's own."""
    kms_key: KmsKeyArn | None = None
    """The key for topics, queues, logs and buckets; its policy must let Image Builder, SNS and CloudWatch Logs
    use it, EventBridge and CloudWatch, too, where an image has `notifications.emails`, and EventBridge where a fleet of
    the key's region has. Without it: each image stack makes a key of its own, and so does, without a key of its region,
    the stack of a fleet with `notifications.emails`."""
    alarm_actions: Annotated[tuple[AnyArn, ...], Field(max_length=5)] = ()
    """What alarms tell, for instance the ARN of a topic. Without it: alarms only show in CloudWatch."""
    dashboards: StrictBool = False
    """Whether each region that is an image's home gets a dashboard in CloudWatch of all its images, in a stack of its
    own, `overview-REGION`. Without it: none, as each but the first three of an account costs money."""

    @property
    def backend_access(self) -> Provider:
        """How Terraform reaches its state in S3: by what the backend says, else as it reaches AWS."""
        s3 = self.backend.s3
        profile = (s3 and s3.profile) or self.provider.profile
        role = (s3 and s3.assume_role) or self.provider.assume_role
        return Provider(
            profile=None if profile == "none" else profile,
            assume_role=role if isinstance(role, AssumeRole) else None,
        )
