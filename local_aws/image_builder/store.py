"""One account's Image Builder in one region: its resources, images included, in the API's form and in memory only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.arns import newest
from local_aws.image_builder.neighbours import Neighbours

Fields = Mapping[str, Any]
"""Parameters of a request or members of a resource, by the service model's names."""


@dataclass(kw_only=True)
class RegionStore:
    """What an account has in one region, and the other services that Image Builder uses there."""

    name: str
    neighbours: Neighbours
    """Those of the account."""
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By ARN, oldest first."""
    last_builds: dict[str, int] = field(default_factory=dict)
    """The highest build number of each image version; the number of a deleted image is not used again."""
    lifecycle_executions: list[dict[str, Any]] = field(default_factory=list)
    """Runs of lifecycle policies and of state updates, oldest first."""
    answers: dict[str, tuple[str, Fields, dict[str, Any]]] = field(default_factory=dict)
    """By client token: the operation, its parameters and its result."""

    @property
    def account(self) -> str:
        """The account."""
        return self.neighbours.account

    def find(self, arn: str) -> dict[str, Any] | None:
        """The newest resource that the ARN matches, or None."""
        best = newest(arn, list(self.resources))  # a copy: builds look here from threads of their own
        return self.resources[best] if best else None

    def get(self, arn: str) -> dict[str, Any]:
        """Like `find`, but raises ResourceNotFoundException."""
        found = self.find(arn)
        if found is None:
            raise AwsError(code="ResourceNotFoundException", message=f"The resource '{arn}' does not exist.")
        return found

    def of_path(self, path: str) -> list[dict[str, Any]]:
        """The resources whose ARNs have this path, oldest first."""
        return [resource for arn, resource in self.resources.items() if f":{path}/" in arn]
