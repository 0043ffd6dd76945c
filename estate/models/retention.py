"""Which builds are kept: the `retention:` of an image, which becomes a lifecycle policy of EC2 Image Builder.

AWS counts the builds that a policy keeps separately for each version of a recipe. Here the version follows from the
content, so each change would start a new count, and nothing would be deleted. So the policy has no count: the hand-off
function tags the newest builds of the image, whatever their recipe, and the policy excludes them (Image Builder's user
guide, "How retention is calculated"). The policy selects only builds that the function has tagged for the present value
of `keep_newest`.
"""

import re
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StrictInt, model_validator

from estate.models.durations import Age, Duration, ShortAge
from estate.models.types import FROZEN, AccountReference, Distinct, Region, Tags
from estate.problems import RuleError, shown

KEEP_NEWEST = 3
"""How many of the newest builds are kept by default."""

_MOST_TAGS = 48  # of AWS's 50: two are Goldsmith's own


def _plain(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise RuleError(f"AWS takes {_MOST_TAGS} tags here", got=str(len(tags)), remedy="delete some")
    for key in tags:
        # botocore's service model, LifecyclePolicyDetailExclusionRules
        if not re.fullmatch(r"[A-Za-z0-9+=._:/-]+", key):
            rule = "Image Builder takes only keys of letters, digits and +-=._:/ here"
            raise RuleError(rule, got=shown(key), key=(key,))
    return tags


class ExclusionRules(BaseModel):
    """What no rule touches, in addition to the newest builds and those that channels point to. The names are AWS's.

    Public AMIs are always kept.
    """

    model_config = FROZEN

    last_launched: ShortAge = Duration(30, "day")
    """AMIs from which an instance was launched within this time are kept; AWS sees a launch within a day. Default: 30
    days."""
    tag_map: Annotated[Tags, AfterValidator(_plain)] = {"keep": "true"}
    """AMIs and image builds with any of these tags are kept, whoever tagged them. Default: `keep` = `true`."""
    shared_accounts: Annotated[tuple[AccountReference, ...], Field(max_length=1536), Distinct()] | None = None
    """AMIs that are shared with any of these accounts are kept; write `[]` for none. Default: the accounts of the
    image's `launch_permission`, so AMIs that the image shares with accounts are kept."""
    regions: Annotated[tuple[Region, ...], Distinct()] = ()
    """AMIs in these regions are kept. Default: none; old builds are deleted in all regions of the image."""


class Retention(BaseModel):
    """What happens to old builds, their AMIs and snapshots. Image Builder applies it once a day.

    Three sets of builds are never touched: those that a channel of the operators points to, or pointed to as far back
    as Parameter Store keeps history (100 moves); the one that `latest` points to; and the one before it.
    """

    model_config = FROZEN

    keep_newest: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    """How many of the newest builds are kept unchanged, whatever their age. Alone, it deletes all others once they are
    a day old; with an age, builds are deleted only after `delete_after`. Default: 3."""
    deprecate_after: Age | None = None
    """When AMIs are deprecated: searches do not show them any longer, and they work as before. Default: never."""
    disable_after: Age | None = None
    """When AMIs are disabled: they launch no new instances, and accounts with which they were shared lose access.
    Default: never."""
    delete_after: Age | None = None
    """When builds are deleted, with AMIs and snapshots. Default: never; if only `keep_newest` is written, after a
    day."""
    exclusion_rules: ExclusionRules = ExclusionRules()
    """What else is kept. Default: AMIs that were launched in the last 30 days, are shared, or have the tag `keep` =
    `true`."""

    @property
    def newest(self) -> int:
        """How many of the newest builds are kept."""
        return self.keep_newest or KEEP_NEWEST

    @property
    def rules(self) -> dict[str, Duration]:
        """The age at which each of AWS's actions is taken, in the order of the actions."""
        ages = {"DEPRECATE": self.deprecate_after, "DISABLE": self.disable_after, "DELETE": self.delete_after}
        return {action: age for action, age in ages.items() if age} or {"DELETE": Duration(1, "day")}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.keep_newest is None and not (self.deprecate_after or self.disable_after or self.delete_after):
            raise RuleError("must say what is kept or deleted", remedy="write for example keep_newest: 5")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        fields = ("deprecate_after", "disable_after", "delete_after")
        given = [(field, age) for field in fields if (age := getattr(self, field))]
        for (earlier, first), (later, second) in pairwise(given):
            if second.seconds <= first.seconds:
                rule, remedy = f"must be longer than {earlier}", f"write more than {first}"
                raise RuleError(rule, got=shown(str(second)), remedy=remedy, key=(later,))
        return self
