"""Terraform's states, where this machine can read them: which exist, their namespace, their number of resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

from estate.models.backends import LocalBackend, S3Backend
from estate.models.provider import Provider
from estate.models.settings import Settings
from ops.aws import assume, open_session

# Looking at states is only for better messages, so it must not make anybody wait.
_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})


class CannotLook(Exception):
    """The state cannot be read: no credentials, no network or no permission."""


@dataclass(frozen=True)
class State:
    """A state with at least one resource."""

    place: str
    """A path, or `s3://bucket/key`."""
    resources: int
    """How many resources it has, without data sources."""
    namespace: str | None
    """The namespace of its estate; None when the state does not show it."""

    @property
    def size(self) -> str:
        """How many resources, as text."""
        return f"{self.resources} resource{'' if self.resources == 1 else 's'}"


class States(Protocol):
    """The place of an estate's states. The methods take names that `estate.names.state` returns."""

    option: str
    """The key of `terraform init -backend-config=` for the place of a state."""

    def location(self, name: str) -> str:
        """The place of a state, as a value of that key."""

    def read(self, name: str) -> State | None:
        """The state; None when it does not exist or is empty. Raises `CannotLook`."""

    def beginning_with(self, prefix: str) -> list[State]:
        """The states whose names begin with this. Raises `CannotLook`."""


def states_of(settings: Settings, *, beside: Path, account: str | None, region: str | None = None) -> States:
    """The states of an estate; the folder of local ones is in the folder that `cdktf.out` is in.

    Those in a bucket are read as Terraform reads them for a stack of `account` in a region, by default the bucket's.
    Those of other backends are not read.
    """
    if s3 := settings.backend.s3:
        return _InBucket(s3, settings.backend_access(account, region=region or s3.region))
    return _InFolder(settings.backend.local, beside) if settings.backend.local else _Elsewhere()


class _InFolder:
    option = "path"

    def __init__(self, backend: LocalBackend, beside: Path) -> None:
        self._folder = backend.folder
        self._path = beside / self._folder

    def location(self, name: str) -> str:
        return f"../../../{self._folder}/{name}"  # as seen from the stack's folder

    def read(self, name: str) -> State | None:
        path = self._path / name
        try:
            return _state(path.read_bytes(), place=str(path)) if path.is_file() else None
        except OSError as error:
            raise CannotLook from error

    def beginning_with(self, prefix: str) -> list[State]:
        found = sorted(self._path.glob(f"{prefix}*.tfstate"))
        states = [self.read(str(path.relative_to(self._path))) for path in found]
        return [state for state in states if state]


class _InBucket:
    option = "key"

    def __init__(self, backend: S3Backend, access: Provider) -> None:
        self._backend, self._access = backend, access

    def location(self, name: str) -> str:
        return f"{self._backend.key_prefix}/{name}"

    def read(self, name: str) -> State | None:
        return self._read(self.location(name))

    def beginning_with(self, prefix: str) -> list[State]:
        try:
            answer = self._client.list_objects_v2(Bucket=self._backend.bucket, Prefix=self.location(prefix))
        except Exception as error:  # whatever boto3 raises
            raise CannotLook from error
        keys = [found["Key"] for found in answer.get("Contents", ()) if found["Key"].endswith(".tfstate")]
        return [state for key in keys if (state := self._read(key))]

    def _read(self, key: str) -> State | None:
        try:
            content = self._client.get_object(Bucket=self._backend.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise CannotLook from error
        except Exception as error:  # whatever boto3 raises
            raise CannotLook from error
        return _state(content, place=f"s3://{self._backend.bucket}/{key}")

    @cached_property
    def _client(self) -> Any:
        """With the credentials that Terraform uses for the bucket."""
        session = open_session(profile=self._access.profile)
        if role := self._access.assume_role:
            session = assume(role, source=session, region=self._backend.region, config=_CONFIG)
        return session.create_client("s3", region_name=self._backend.region, config=_CONFIG)


def _state(content: bytes, *, place: str) -> State | None:
    """A state file; None for an empty one. Raises `CannotLook` for a file that is not a state of version 4."""
    try:
        state = json.loads(content)
        managed = [resource for resource in state["resources"] if resource["mode"] == "managed"]
        instances = [(resource, instance) for resource in managed for instance in resource["instances"]]
        owners = [owner for resource, instance in instances if (owner := _owner(resource, instance["attributes"]))]
        found = State(
            place=place,
            resources=len(instances),
            namespace=min(owners)[1] if owners else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotLook from error
    return found if found.resources else None


def _owner(resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """The namespace that a resource shows, and before it a number, which is lower the more certain that is."""
    if (resource["type"], resource["name"]) == ("terraform_data", "estate"):
        return 0, attributes["output"]["value"]
    if image := (attributes.get("tags_all") or {}).get("goldsmith:image"):
        return 1, image.partition("/")[0]
    if resource["type"] == "aws_cloudwatch_dashboard":  # which has no tags
        return 2, attributes["dashboard_name"].removesuffix("_images")
    return None


class _Elsewhere:
    """States that Terraform alone can read."""

    option = ""

    def location(self, name: str) -> str:
        return name

    def read(self, name: str) -> State | None:
        raise CannotLook

    def beginning_with(self, prefix: str) -> list[State]:
        raise CannotLook
