"""What a build must satisfy to become `latest`: the `gate:` of an image."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from estate.models.days import Day
from estate.models.types import FROZEN, Distinct, Matching

MOST_EXCEPTIONS = 100
LONGEST_REASON = 200

VulnerabilityId = Annotated[
    str,
    Matching(
        r"(?=.{3,64}$)[A-Z][A-Za-z0-9]*(-[A-Za-z0-9.]+)+",
        "must be the ID of a vulnerability as Inspector writes it",
        "write it as CVE-2026-12345",
    ),
]


class Exempt(BaseModel):
    """A vulnerability that the gate ignores for a time."""

    model_config = FROZEN

    cve: VulnerabilityId
    """The ID of the vulnerability."""
    until: Day
    """The last day, in UTC, on which it is ignored."""
    why: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    """The reason, for people who read the configuration."""


class Gate(BaseModel):
    """The worst findings of Amazon Inspector with which a build becomes `latest`. A build above it stays as it is, and
    `latest` stays where it points to; the gate never moves a channel back."""

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    max_severity: Literal["high", "medium", "low"]
    """The worst severity that may pass: `high` refuses critical findings, `medium` refuses high ones too, and `low`
    refuses medium ones too."""
    except_: Annotated[tuple[Exempt, ...], Field(alias="except", max_length=MOST_EXCEPTIONS), Distinct()] = ()
    """Vulnerabilities that are ignored for a time. Default: none."""
