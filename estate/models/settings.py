"""Settings of the whole estate: its namespace, where Terraform keeps its state, and how it reaches AWS."""

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from estate.arns import Arn, partition
from estate.limits import ARN
from estate.models.accounts import Account
from estate.models.backends import Backend, LocalBackend
from estate.models.durations import Counted, Duration
from estate.models.provider import Provider
from estate.models.providers import Providers
from estate.models.salvage import StandIn
from estate.models.types import (
    FROZEN,
    AnyArn,
    KmsKeyArn,
    Matching,
    Name,
    Namespace,
    RolePath,
    Tags,
)
from estate.models.windows import MOST_FREEZES, Freeze
from lambda_src.rollout import windows

_POLICY = r"([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}"
Boundary = Annotated[
    str,
    ARN,
    Matching(
        rf"(arn:aws[a-z-]*:iam::([0-9]{{12}}|aws):policy/)?{_POLICY}",
        "must be a policy's name or ARN",
        "write it as boundary, team/boundary or arn:aws:iam::123456789012:policy/boundary",
    ),
]


class Iam(BaseModel):
    """What all roles that Goldsmith creates have in common."""

    model_config = FROZEN

    path: RolePath = "/"
    """The path of roles and instance profiles. Default: `/`."""
    permissions_boundary: Boundary | None = None
    """The permissions boundary of every role: the policy's ARN, or the name (with its path, if it has one) that the
    policy has in each of `settings.accounts`. Default: none."""


class Settings(BaseModel):
    """The `settings:` of an estate."""

    model_config = FROZEN

    namespace: Annotated[Namespace, StandIn("xx")]
    """The prefix of all names in AWS: two estates in one account need two namespaces."""
    backend: Backend = Backend(local=LocalBackend())
    """Where Terraform keeps its state. Default: the local folder `state`."""
    accounts: dict[Name, Account] = {}
    """The accounts of the estate by the names that `account:` of images, fleets and the backend has. If there is only
    one, all images are in it. Default: everything is in the account of the credentials of the environment."""
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
    region has, or CloudWatch if that fleet has `updates: automatic`. Default: each image stack creates its own key; so
    does the stack of a fleet with `notifications.emails` or `updates: automatic`, unless this field names a key of the
    fleet's region."""
    alarm_actions: Annotated[tuple[AnyArn, ...], Field(max_length=5)] = ()
    """ARNs of what alarms notify, for example of a topic. Default: none; alarms are only shown in CloudWatch."""
    history_kept_for: Annotated[Duration, Counted("day", least=1, most=36_500)] = Duration(7, "year")
    """How long the history of the channels is kept: who moved which one to which build, when and why. It is a bucket in
    a stack of its own, `history-REGION`. Default: 7 years."""
    freeze: Annotated[tuple[Freeze, ...], Field(max_length=MOST_FREEZES)] = ()
    """Days on which no rollout starts, such as the end of the year. Goldsmith waits until they are over. Fleets with
    `rollout.by: terraform` only get a warning in their plans, because an apply starts their rollout at any time.
    Default: none."""
    dashboards: StrictBool = False
    """Whether each home region gets a CloudWatch dashboard of all its images, in a stack of its own, `overview-REGION`.
    Default: disabled; an account's first three dashboards are free, and each further one costs money."""

    @property
    def freezes(self) -> tuple[windows.Freeze, ...]:
        """The days on which no rollout starts."""
        return tuple(freeze.days for freeze in self.freeze)

    def account(self, name: str | None) -> Account | None:
        """One of the accounts by its name. Raises `KeyError`."""
        return None if name is None else self.accounts[name]

    def provider_of(self, account: str | None, *, region: str) -> Provider:
        """The way into an account, for work in a region; without one, the credentials of the environment."""
        return Provider() if account is None else self.accounts[account].provider(region)

    def iam_of(self, account: str | None, *, region: str) -> Iam:
        """What roles in an account have in common; the boundary by its ARN."""
        boundary = self.iam.permissions_boundary
        if account is None or boundary is None or boundary.startswith("arn:"):
            return self.iam
        arn = Arn(partition(region), "iam", "", self.accounts[account].id, f"policy/{boundary}")
        return self.iam.model_copy(update={"permissions_boundary": str(arn)})

    def backend_access(self, account: str | None, *, region: str) -> Provider:
        """The way to the state of a stack in S3: into the account of the backend, otherwise into that of the stack."""
        s3 = self.backend.s3
        return self.provider_of((s3 and s3.account) or account, region=region)
