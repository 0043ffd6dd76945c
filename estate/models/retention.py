"""Which generations stay: the `retention:` of an image, which becomes a lifecycle policy of EC2 Image Builder.

AWS counts the builds that a policy keeps for each version of a recipe. Versions follow from the content here, so each
change would begin to count anew, and nothing would go. So the policy has no count: the hand-off function tags the
newest builds of the image, whatever their recipe, and the policy spares them (Image Builder's user guide, "How
retention is calculated"). It selects only builds that the function tagged knowing how many are to stay.
"""

import re
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StrictInt, model_validator

from estate.models.ages import Age, ShortAge, in_days
from estate.models.types import FROZEN, AccountId, Distinct, Region, Tags
from estate.problems import RuleError, shown

KEEP_NEWEST = 3
"""How many of the newest builds stay when nothing is said."""

_MOST_TAGS = 48  # of AWS's 50: two are Goldsmith's own


def _plain(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise RuleError(f"AWS takes {_MOST_TAGS} tags here", got=str(len(tags)), remedy="delete some")
    for key in tags:
        # botocore's service model, LifecyclePolicyDetailExclusionRules
        if not re.fullmatch(r"[A-Za-z0-9+=._:/-]+", key):
            rule = "Image Builder looks for keys of letters, digits and +-=._:/ only"
            raise RuleError(rule, got=shown(key), key=(key,))
    return tags


class ExclusionRules(BaseModel):
    """What no rule touches, beside what channels point to and the newest builds: AWS's own words.

    Public AMIs are always spared.
    """

    model_config = FROZEN

    last_launched: ShortAge = "30 days"
    """AMIs of which an instance was launched more recently stay; AWS learns of a launch within a day. Without it:
    30 days."""
    tag_map: Annotated[Tags, AfterValidator(_plain)] = {"keep": "true"}
    """AMIs and image builds with any of these tags stay, whoever tagged them. Without it: those that someone tagged
    `keep` with the value `true`."""
    shared_accounts: Annotated[tuple[AccountId, ...], Field(max_length=1536), Distinct()] | None = None
    """AMIs that are shared with any of these accounts stay; `[]` is for none. Without it: the accounts that the image
    shares its AMIs with, so those stay."""
    regions: Annotated[tuple[Region, ...], Distinct()] = ()
    """AMIs in these regions stay. Without it: all regions of the image are tidied."""


class Retention(BaseModel):
    """What becomes of old builds, their AMIs and snapshots. Image Builder looks once a day.

    Builds that a channel of the operators points to, or pointed to as far back as Parameter Store remembers (100
    moves), are never touched, nor is the one that `latest` points to, nor the one before it.
    """

    model_config = FROZEN

    keep_newest: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    """How many of the newest builds stay as they are, whatever their age. Alone it deletes all others, once they are a
    day old; with an age it deletes only what `delete_after` says. Without it: 3."""
    deprecate_after: Age | None = None
    """When AMIs are deprecated: searches no longer show them, and they run as before. Without it: never."""
    disable_after: Age | None = None
    """When AMIs are disabled: nothing new can be launched of them, and whom they were shared with loses them. Without
    it: never."""
    delete_after: Age | None = None
    """When builds are deleted, with AMIs and snapshots. Without it: never, unless `keep_newest` stands alone."""
    exclusion_rules: ExclusionRules = ExclusionRules()
    """What else stays. Without it: what was launched in the last 30 days, is shared, or has the tag `keep` = `true`."""

    @property
    def newest(self) -> int:
        """How many of the newest builds stay."""
        return self.keep_newest or KEEP_NEWEST

    @property
    def rules(self) -> dict[str, str]:
        """The age at which each of AWS's actions is taken, in the order in which they come."""
        ages = {"DEPRECATE": self.deprecate_after, "DISABLE": self.disable_after, "DELETE": self.delete_after}
        return {action: age for action, age in ages.items() if age} or {"DELETE": "1 day"}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.keep_newest is None and not (self.deprecate_after or self.disable_after or self.delete_after):
            raise RuleError("must say what stays, or what goes when", remedy="write for instance keep_newest: 5")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        fields = ("deprecate_after", "disable_after", "delete_after")
        given = [(field, age) for field in fields if (age := getattr(self, field))]
        for (earlier, first), (later, second) in pairwise(given):
            if in_days(second) <= in_days(first):
                rule, remedy = f"must be longer than {earlier}", f"write more than {first}"
                raise RuleError(rule, got=shown(second), remedy=remedy, key=(later,))
        return self
