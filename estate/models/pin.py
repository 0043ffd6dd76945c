"""What a fleet with `updates: pull-request` runs: the `pins:` of an estate, which `goldsmith pin` writes."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from estate.models.types import FROZEN, AccountId, KmsKeyArn, Matching, Name, Region
from estate.problems import RuleError, shown

MOST_PROOFS = 100
LONGEST_PROOF = 300

_REMEDY = "delete the pin, and run goldsmith pin"


def _check_time(text: str) -> str:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise RuleError("must be a time in ISO 8601 with its offset", got=shown(text), remedy=_REMEDY)
    return text


class Pin(BaseModel):
    """One build of an image, as a fleet runs it."""

    model_config = FROZEN

    name: Name
    """The name of the fleet, which is the key of the pin."""
    image: Name
    """The image."""
    build: Annotated[str, Matching(r"\d{1,10}\.\d{1,10}\.\d{1,10}/\d{1,9}", "must be a build", _REMEDY)]
    """The build: the version of its recipe, which follows from its content, and a number."""
    channel: Name
    """The channel that pointed to it."""
    region: Region
    """The fleet's region."""
    ami: Annotated[str, Matching(r"ami-[0-9a-f]{8,17}", "must be the ID of an AMI", _REMEDY)]
    """The AMI in the fleet's account and region."""
    owner: AccountId
    """The account that owns the AMI."""
    key: KmsKeyArn | None = None
    """The key of the image's account that encrypts it, on which the fleet's stack makes a grant. Default: none."""
    created: Annotated[str, AfterValidator(_check_time)]
    """When the build was made, in ISO 8601."""
    proved: Annotated[tuple[Annotated[str, Field(max_length=LONGEST_PROOF)], ...], Field(max_length=MOST_PROOFS)] = ()
    """What proved the build, in words. Default: nothing."""
