"""What a policy of a resource says about a request: the trust policy of a role, the policy of a key.

Statements are evaluated by their effect, principal, action, resource and conditions. What cannot be evaluated here
decides against the caller: a condition key or operator that is not known, a policy variable, and the elements
NotPrincipal and NotResource. Such a refusal is logged, because AWS might decide otherwise.

Policies of identities (of users and roles) are not evaluated at all: a caller may do what the resource lets it do.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_aws.callers import Caller

Keys = Mapping[str, str | Sequence[str] | None]
"""The values of condition keys, by their names in lower case. None for a key that a request does not have."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a caller wants to do."""

    action: str
    """Such as `sts:AssumeRole`."""
    resource: str
    caller: Caller
    keys: Keys = field(default_factory=dict)
    """The condition keys of the service, as far as they are known here."""

    @property
    def all_keys(self) -> Keys:
        """All condition keys that are known here."""
        path = self.caller.organization_path
        return {
            "aws:principalarn": self.caller.principal,
            "aws:principalaccount": self.caller.account or None,
            "aws:principalorgid": path.partition("/")[0] or None,
            "aws:principalorgpaths": [path] if path else None,
            # requests that a service makes for a resource have these
            "aws:sourceaccount": None,
            "aws:sourcearn": None,
            **self.keys,
        }


def allows(policy: str, request: Request) -> bool:
    """Whether a policy, in JSON, lets the caller do it. Logs what could not be evaluated if it does not."""
    allowed, denied = False, False
    unknown: list[str] = []
    for statement in listed(json.loads(policy).get("Statement", [])):
        if not _concerns(statement, request):
            continue
        holds, not_known = _conditions(statement, request.all_keys)
        if holds:
            unknown += not_known
            denied |= statement["Effect"] == "Deny"
            allowed |= statement["Effect"] == "Allow" and not not_known
    if unknown and (denied or not allowed):
        print(
            f"local AWS: {request.caller.arn} is refused {request.action} on {request.resource}, because the local AWS "
            f"does not evaluate {', '.join(dict.fromkeys(unknown))}",
            file=sys.stderr,
            flush=True,
        )
    return allowed and not denied


def listed(value: Any) -> list[Any]:
    """A value that policies may write without a list around it."""
    return list(value) if isinstance(value, list) else [value]


def _concerns(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether the statement is about such a request, leaving conditions aside."""
    if "NotAction" in statement:
        about = not _any_like(request.action, statement["NotAction"])
    else:
        about = _any_like(request.action, statement.get("Action", []))
    return (
        about
        and ("NotPrincipal" in statement or _names(statement.get("Principal", {}), request.caller))
        and (
            "Resource" not in statement or any(_like(request.resource, each) for each in listed(statement["Resource"]))
        )
    )


def _any_like(action: str, patterns: str | list[str]) -> bool:
    return any(_like(action.lower(), pattern.lower()) for pattern in listed(patterns))


def _names(principal: str | Mapping[str, Any], caller: Caller) -> bool:
    """Whether a Principal element names the caller."""
    if principal == "*":
        return True
    if isinstance(principal, str):
        return False
    if caller.service:
        return caller.service in listed(principal.get("Service", []))
    account = (caller.account, f"arn:aws:iam::{caller.account}:root")
    return any(each in ("*", *account, caller.principal, caller.arn) for each in listed(principal.get("AWS", [])))


def _conditions(statement: Mapping[str, Any], keys: Keys) -> tuple[bool, list[str]]:
    """Whether all conditions hold that can be evaluated, and those parts of the statement that cannot."""
    unknown = [element for element in ("NotPrincipal", "NotResource") if element in statement]
    for operator, key, wanted in _each_condition(statement.get("Condition", {})):
        test = _test_of(operator)
        if test is None:
            unknown.append(f"the condition operator {operator}")
        elif key.lower() not in keys:
            unknown.append(f"the condition key {key}")
        elif any("${" in value for value in wanted):
            unknown.append(f"the variable in {', '.join(wanted)}")
        elif not test(keys[key.lower()], wanted):
            return False, []
    return True, unknown


def _each_condition(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, compared in conditions.items():
        for key, values in compared.items():
            yield (
                operator,
                key,
                [str(value).lower() if isinstance(value, bool) else str(value) for value in listed(values)],
            )


def _like(value: str, pattern: str) -> bool:
    """Whether a pattern with `*` and `?` matches."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value) is not None


def _arn_like(arn: str, pattern: str) -> bool:
    """Like `_like`, but each of the six parts of an ARN by itself."""
    parts, patterns = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) and all(map(_like, parts, patterns))


_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}

_Test = Callable[[str | Sequence[str] | None, list[str]], bool]


def _test_of(operator: str) -> _Test | None:
    """What a condition operator does with the value of a key and the values in the policy; None if it is not known."""
    if operator == "Null":
        return lambda value, wanted: str(value is None).lower() in wanted
    quantifier, colon, name = operator.rpartition(":")
    name, optional = name.removesuffix("IfExists"), name.endswith("IfExists")
    negated = name.startswith(("StringNot", "ArnNot"))
    compare = _COMPARISONS.get(name.replace("Not", "", 1) if negated else name)
    if compare is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        return None

    def passes(value: str, wanted: Iterable[str]) -> bool:
        return any(compare(value, each) for each in wanted) != negated

    def test(value: str | Sequence[str] | None, wanted: list[str]) -> bool:
        if value is None:
            return optional or quantifier == "ForAllValues" or (negated and not quantifier)
        if not colon:  # AWS compares keys with several values only with a quantifier
            return isinstance(value, str) and passes(value, wanted)
        values = [value] if isinstance(value, str) else value
        return (any if quantifier == "ForAnyValue" else all)(passes(each, wanted) for each in values)

    return test
