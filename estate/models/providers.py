"""Which versions of AWS's provider Terraform may take: `settings.providers`."""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel

from estate.models.types import FROZEN, Text
from estate.problems import RuleError, shown

_LEAST = (5, 100, 0)
"""The oldest version that has all arguments of the synthesized Terraform."""
_WITH_LOG_GROUPS = (6, 40, 0)
"""The oldest version with what Goldsmith takes from version 6."""
_FAULTY = (
    *("6.22.0", "6.22.1", "6.23.0", "6.24.0", "6.25.0", "6.26.0", "6.27.0", "6.28.0", "6.29.0", "6.30.0", "6.31.0"),
    *("6.32.0", "6.32.1", "6.33.0", "6.34.0", "6.35.0", "6.35.1", "6.36.0", "6.37.0", "6.38.0", "6.39.0"),
)
"""The versions that plan a change of the encryption of every bucket each time (hashicorp/terraform-provider-aws#47320).
Terraform can exclude single versions only; these are all that were released."""
_ABOVE_ALL = (7, 0, 0)
"""Version 7 does not exist yet; a major version removes arguments."""
_DEFAULT = ">= 5.100.0, < 7.0.0"

_Version = tuple[int, int, int]


class _Range(NamedTuple):
    """The versions from `low` on, without `high`."""

    low: _Version
    high: _Version


def _version(text: str) -> _Version:
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def _range_of(constraint: str) -> _Range:
    """The versions that a constraint allows, as far as its bounds say it. Raises `RuleError` for other text."""
    low, high = (0, 0, 0), (10**6, 0, 0)
    for term in constraint.split(","):
        match = re.fullmatch(r"\s*(=|!=|>=|>|<=|<|~>)?\s*([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?\s*", term)
        if match is None:
            rule, remedy = "must be a version constraint of Terraform", f'write it as "{_DEFAULT}"'
            raise RuleError(rule, got=shown(constraint), remedy=remedy)
        operator, *parts = match.groups()
        major, minor, patch = (int(part or 0) for part in parts)
        version, after = (major, minor, patch), (major, minor, patch + 1)
        if operator in (None, "=", ">=", "~>"):
            low = max(low, version)
        if operator == ">":
            low = max(low, after)
        if operator in (None, "=", "<="):
            high = min(high, after)
        if operator == "<":
            high = min(high, version)
        if operator == "~>":
            high = min(high, (major, minor + 1, 0) if parts[2] else (major + 1, 0, 0))
    return _Range(low, high)


def _check(constraint: str) -> str:
    low, high = _range_of(constraint)
    got, six = shown(constraint), 'write ">= 6.40.0, < 7.0.0"'
    if low >= high:
        raise RuleError("allows no version", got=got, remedy=f'write it as "{_DEFAULT}"')
    if low < _LEAST:
        raise RuleError("must allow only 5.100.0 or newer", got=got, remedy=f'write "{_DEFAULT}"')
    if high > _ABOVE_ALL:
        raise RuleError("must not allow version 7", got=got, remedy="add < 7.0.0")
    if _version(_FAULTY[0]) <= low < _WITH_LOG_GROUPS:
        raise RuleError(
            "the versions from 6.22 to 6.39 plan the same change again after each apply", got=got, remedy=six
        )
    return constraint


class Providers(BaseModel):
    """The versions of Terraform's providers, as constraints of Terraform."""

    model_config = FROZEN

    aws: Annotated[Text, AfterValidator(_check)] = _DEFAULT
    """Versions of `hashicorp/aws`, without those from 6.22 to 6.39, which plan the same change again after each apply:
    stacks exclude them. If only 6.40 or newer is allowed, image stacks create the log groups that builds write to in
    CloudWatch, encrypted and with a retention. Default: ">= 5.100.0, < 7.0.0"; Image Builder creates these log groups
    itself, and their logs never expire."""

    @property
    def aws_constraint(self) -> str:
        """The constraint of the stacks: the versions that are written, without the faulty ones among them."""
        low, high = _range_of(self.aws)
        return ", ".join([self.aws, *(f"!= {each}" for each in _FAULTY if low <= _version(each) < high)])

    @property
    def aws_major(self) -> int:
        """The major version of which every allowed version has the arguments, 5 or 6."""
        return 6 if _range_of(self.aws).low >= _WITH_LOG_GROUPS else 5
