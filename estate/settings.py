"""What holds for the whole estate: its name, where its state lies, and how Terraform reaches AWS."""

from typing import Literal, Self

from pydantic import BaseModel, StrictBool, model_validator

from estate.problems import RuleError
from estate.text import (
    FROZEN,
    AccountId,
    Arn,
    BucketName,
    FolderPath,
    KmsKeyArn,
    Namespace,
    PlainText,
    PolicyArn,
    Region,
    RoleArn,
    RolePath,
    Tags,
    exactly_one,
)


class LocalBackend(BaseModel):
    """Terraform's state in a folder of this machine: to try things out, or for one person alone."""

    model_config = FROZEN

    folder: FolderPath = "state"
    """The folder, beside `cdktf.out`. Without it: `state`."""


class S3Backend(BaseModel):
    """Terraform's state in an S3 bucket that exists already, one object a stack."""

    model_config = FROZEN

    bucket: BucketName
    """The bucket."""
    region: Region
    """The bucket's region."""
    key_prefix: FolderPath = "goldsmith"
    """What the objects' keys start with. Without it: `goldsmith`, so
    `goldsmith/image-web.eu-west-1.tfstate`."""
    use_lockfile: StrictBool = True
    """Lock with an object beside the state. Without it: locked."""
    kms_key_id: PlainText | None = None
    """The key that encrypts the state. Without it: the bucket's own default key."""


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


class AssumeRole(BaseModel):
    """The role under which Terraform works."""

    model_config = FROZEN

    role_arn: RoleArn
    """The role."""
    external_id: PlainText | None = None
    """The external ID that the role's trust policy asks for. Without it: none is sent."""
    session_name: PlainText | None = None
    """The name of the session, as CloudTrail shows it. Without it: AWS's provider chooses one."""


class Provider(BaseModel):
    """How Terraform reaches AWS. Without any of it: the credentials of the environment, as for any AWS tool."""

    model_config = FROZEN

    profile: PlainText | None = None
    """A profile of the shared configuration files. Without it: the environment decides."""
    assume_role: AssumeRole | None = None
    """A role to assume. Without it: none."""
    allowed_account_ids: tuple[AccountId, ...] = ()
    """The only accounts in which plans and applies may run. Without it: any."""


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
    """Tags of every resource, AMI and instance. Launch templates carry them, so that a change replaces the instances
    of every fleet. Without it: only Goldsmith's own."""
    kms_key: KmsKeyArn | None = None
    """The key for topics, queues, logs and buckets; its policy must let Image Builder, SNS and CloudWatch Logs
    use it, and EventBridge and CloudWatch, too, where an image has `notifications.emails`. Without it: each image stack
    makes a key of its own."""
    alarm_actions: tuple[Arn, ...] = ()
    """What alarms tell, for instance the ARN of a topic. Without it: alarms only show in CloudWatch."""
    dashboards: StrictBool = False
    """Whether each region that is an image's home gets a dashboard in CloudWatch of all its images, in a stack of its
    own, `overview-REGION`. Without it: none, as each but the first three of an account costs money."""
