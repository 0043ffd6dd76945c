"""ARNs as values: parsed once, and put together in one place."""

from dataclasses import dataclass
from typing import Self

_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def partition(region: str) -> str:
    """The partition of a region, which is the second part of each ARN in the region (botocore: `partitions.json`)."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


@dataclass(frozen=True)
class Arn:
    """An Amazon Resource Name. `str()` is its text.

    Region and account are empty where AWS leaves them out (S3, IAM) and may be `*` in policies.
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The ARN in a text. Raises `ValueError` for other text."""
        prefix, *parts = text.split(":", 5)
        if prefix != "arn" or len(parts) != 5:
            raise ValueError(f"not an ARN: {text!r}")
        return cls(*parts)

    @property
    def account_id(self) -> str | None:
        """The account if it is a number; None for AWS's own resources, which have a word there or nothing."""
        return self.account if self.account.isdecimal() else None

    def __str__(self) -> str:
        return ":".join(("arn", self.partition, self.service, self.region, self.account, self.resource))


def arn_in(home: str, service: str, resource: str, *, account: str = "", region: str | None = None) -> str:
    """The text of an ARN in the partition of the region `home`; of that region, unless another one, or none (`""`), is
    given."""
    return str(Arn(partition(home), service, home if region is None else region, account, resource))
