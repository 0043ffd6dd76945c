"""Where Terraform keeps its states: `settings.backend`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    StrictBool,
    model_validator,
)

from estate.models.types import (
    FROZEN,
    BucketName,
    FolderPath,
    Name,
    PlainText,
    Region,
    StateKey,
    exactly_one,
)
from estate.problems import RuleError, did_you_mean, shown

STATE = "{state}"
"""Stands for the state of a stack in the arguments of a backend."""

_OTHERS = ("azurerm", "consul", "cos", "gcs", "http", "kubernetes", "oci", "oss", "pg")
"""Terraform's other backends ("Backend block" in Terraform's documentation)."""


class LocalBackend(BaseModel):
    """Terraform's state in a folder of this machine: for trying things out, or for one person."""

    model_config = FROZEN

    folder: FolderPath = "state"
    """The folder, beside `cdktf.out`; it has a folder for each namespace. Default: `state`, so the state is
    `state/acme/image-web.eu-west-1.tfstate`."""


class S3Backend(BaseModel):
    """Terraform's state in an existing S3 bucket, one object for each stack."""

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
    """How Terraform reaches the bucket: as this one of `settings.accounts`. Default: as it reaches the account of the
    stack."""


class CloudBackend(BaseModel):
    """States in HCP Terraform or Terraform Enterprise, one workspace for each stack: `acme-image-web-eu-west-1`.

    Goldsmith does not read these states: it does not see whether a stack that is gone still has resources.
    """

    model_config = FROZEN

    organization: PlainText
    """The organization."""
    hostname: PlainText | None = None
    """The host of Terraform Enterprise. Default: HCP Terraform, app.terraform.io."""
    project: PlainText | None = None
    """The project for new workspaces. Default: the organization's default project."""


def _argument(value: Any) -> Any:
    if not isinstance(value, str | bool | int) or (isinstance(value, str) and re.search("[$%]", value)):
        rule = "must be text without $ and %, a whole number, true or false"
        raise RuleError(rule, got=shown(value), remedy="pass it to Terraform by its environment variable")
    return value


Argument = Annotated[str | bool | int, BeforeValidator(_argument)]


def _named(others: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    for name, arguments in others.items():
        if name not in _OTHERS:
            rule, remedy = "Terraform has no such backend", did_you_mean(name, _OTHERS)
            raise RuleError(rule, got=shown(name), remedy=remedy, key=(name,))
        if not any(STATE in value for value in arguments.values() if isinstance(value, str)):
            rule = f"one argument must have {STATE}, or all stacks would share one state"
            raise RuleError(rule, remedy=f"write for example key: goldsmith/{STATE}", key=(name,))
    if len(others) != 1:
        raise RuleError("must name one backend", got=shown(dict(others)), remedy="delete the others")
    return others


class Backend(BaseModel):
    """Where Terraform keeps its state: exactly one kind of backend."""

    model_config = exactly_one("local", "s3", "cloud", "other")

    local: LocalBackend | None = None
    """States in a local folder. Default: none; the states are elsewhere."""
    s3: S3Backend | None = None
    """States in an S3 bucket. Default: none; the states are elsewhere."""
    cloud: CloudBackend | None = None
    """States in HCP Terraform or Terraform Enterprise. Default: none; the states are elsewhere."""
    other: Annotated[dict[str, dict[str, Argument]], AfterValidator(_named)] | None = None
    """Another backend of Terraform by its name, with its arguments: `{azurerm: {…, key: "goldsmith/{state}"}}`.
    `{state}` stands for the state of each stack, such as `acme/image-web.eu-west-1.tfstate`. Goldsmith does not read
    these states. Default: none; the states are elsewhere."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise RuleError(
                "must name exactly one kind of backend",
                got=" and ".join(given) or "none",
                remedy="write local: {} or s3: {bucket: …, region: …}",
            )
        return self
