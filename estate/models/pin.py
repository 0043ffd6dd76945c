"""What a fleet with `updates: pull-request` runs: the `pins:` of an estate, which `goldsmith pin` writes."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from estate.models.salvage import StandIn
from estate.models.types import FROZEN, AccountId, KmsKeyArn, Matching, Name, Region
from estate.problems import RuleError, shown

MOST_PROOFS = 100
LONGEST_PROOF = 300

_REMEDY = "delete the pin, and run goldsmith pin"
BUILD = r"[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}/[0-9]{1,9}"
"""The pattern of a build."""
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00"
_TIME_RULE = "must be a time in UTC, such as 2026-11-24T03:12:00+00:00"
_SOME_TIME = "2020-01-01T00:00:00+00:00"


def _check_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise RuleError(_TIME_RULE, got=shown(text), remedy=_REMEDY) from None
    return text


class Pin(BaseModel):
    """The build that a fleet with `updates: pull-request` runs, in `pins.yaml` beside the configuration: by fleet.
    `goldsmith pin` writes the file, as a whole: change nothing in it yourself, and add no comments."""

    model_config = FROZEN

    name: Annotated[SkipJsonSchema[Name], StandIn("stand-in")]
    """The key under `pins:`, which is the name of the fleet."""
    image: Annotated[Name, StandIn("stand-in")]
    """The image."""
    build: Annotated[
        str,
        Matching(r"[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}/[0-9]{1,9}", "must be a build", _REMEDY),
        StandIn("1.0.0/1"),
    ]
    """The build: the version of its recipe, which follows from its content, and a number."""
    channel: Annotated[Name, StandIn("stand-in")]
    """The channel that let it through."""
    region: Annotated[Region, StandIn("eu-west-1")]
    """The fleet's region."""
    ami: Annotated[str, Matching(r"ami-[0-9a-f]{8,17}", "must be the ID of an AMI", _REMEDY), StandIn("ami-00000000")]
    """The AMI in the fleet's account and region: a copy has an ID of its own."""
    owner: Annotated[AccountId, StandIn("000000000000")]
    """The account that owns the AMI: the image's, or for a copy the fleet's."""
    key: KmsKeyArn | None = None
    """The key of the image's account that encrypts it, for a fleet in another account: its stack makes a grant on it.
    Default: none."""
    created: Annotated[str, Matching(_TIME, _TIME_RULE, _REMEDY), AfterValidator(_check_time), StandIn(_SOME_TIME)]
    """When the AMI was made, in UTC."""
    proved: Annotated[tuple[Annotated[str, Field(max_length=LONGEST_PROOF)], ...], Field(max_length=MOST_PROOFS)] = ()
    """What proved the build, in words. Default: nothing."""
