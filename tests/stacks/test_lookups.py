"""What a stack looks up, checks and shows cannot fail by itself: that would stop a refresh and a destroy, too."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.estates import ESTATES, reviewed

NEVER_FAIL = {"aws_ami_ids", "aws_caller_identity", "aws_ssm_parameters_by_path", "aws_subnets"}
"""Data sources that answer with nothing when they find nothing."""

STACKS = {f"{estate}/{stack}": json for estate in ESTATES for stack, json in reviewed(estate).items()}


@pytest.mark.parametrize("stack", STACKS)
def test_a_lookup_that_fails_when_it_finds_nothing_looks_only_for_what_a_list_has_found(stack: str) -> None:
    for kind, lookups in STACKS[stack].get("data", {}).items():
        for name, arguments in lookups.items():
            assert kind in NEVER_FAIL or re.search(r"\blength\(data\.", arguments["count"]), f"{kind}.{name}"


@pytest.mark.parametrize("stack", STACKS)
def test_what_may_be_missing_is_only_asked_in_an_expression_that_knows_it(stack: str) -> None:
    for expression in expressions(STACKS[stack]):
        guarded = "== null ?" in expression
        bare = "" if guarded else without_tries(expression)
        assert not re.search(r"\[[0-9]+\]|\bone\([^()]*\)\.", bare), expression


def without_tries(expression: str) -> str:
    """An expression without its calls of `try`."""
    while call := re.search(r"\btry\(", expression):
        end, depth = call.end(), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(expression[end], 0)
            end += 1
        expression = expression[: call.start()] + expression[end:]
    return expression


def expressions(value: Any) -> Iterator[str]:
    """Every `${…}` in the texts of a stack."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from expressions(each)
    elif isinstance(value, str):
        yield from re.findall(r"(?<!\$)\$\{[^}]*\}", value)
