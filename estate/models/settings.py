"""Settings of the whole estate: its namespace, where Terraform keeps its state, and how it reaches AWS."""

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from estate.models.accounts import Account
from estate.models.backends import Backend, LocalBackend
from estate.models.durations import Counted, Duration
from estate.models.provider import AssumeRole, Provider
from estate.models.providers import Providers
from estate.models.salvage import StandIn
from estate.models.types import (
    FROZEN,
    AnyArn,
    KmsKeyArn,
    Name,
    Namespace,
    PolicyArn,
    RolePath,
    Tags,
)


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
    kms_key_id: KmsKeyArn | None = None
    """The key for topics, queues, logs and buckets. Its policy must let Image Builder, SNS and CloudWatch Logs use it;
    also EventBridge and CloudWatch if an image has `notifications.emails`, and EventBridge if a fleet in the key's
    region has. Default: each image stack creates its own key; so does the stack of a fleet with `notifications.emails`,
    unless this field names a key of the fleet's region."""
    alarm_actions: Annotated[tuple[AnyArn, ...], Field(max_length=5)] = ()
    """ARNs of what alarms notify, for example of a topic. Default: none; alarms are only shown in CloudWatch."""
    history_kept_for: Annotated[Duration, Counted("day", least=1, most=36_500)] = Duration(7, "year")
    """How long the history of the channels is kept: who moved which one to which build, when and why. It is a bucket in
    a stack of its own, `history-REGION`. Default: 7 years."""
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
