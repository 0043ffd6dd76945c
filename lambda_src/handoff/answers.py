"""Calls to AWS, and its answers: an answer that cannot be read raises one error, `GarbledAnswer`.

In AWS's service models nearly every member may be absent, and an answer may be cut off or come from something else,
such as a proxy that sends a page with status 200. botocore then raises whatever happens in its parsers
(ResponseParserError, UnicodeDecodeError, AttributeError, …), or returns an answer without the members that it could
not read.

`ask` and `pages` make calls. `member` and `entries` read what must be present, `text`, `texts` and `part` what may be
absent. So the other modules need not handle a KeyError that an answer caused; a KeyError is a bug of this program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LONGEST_QUOTATION = 200  # characters of a parser's message, which may quote the whole answer


class GarbledAnswer(Exception):
    """The answer is not one of this operation. The same call may succeed a little later."""


def ask(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a client's method; its answer. Raises GarbledAnswer, BotoCoreError and ClientError."""
    try:
        return call(*args, **kwargs)
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # from botocore: no code of this program runs inside the call
        name = getattr(call, "__name__", "a call")
        raise GarbledAnswer(f"{name}: {type(error).__name__}: {error}"[:_LONGEST_QUOTATION]) from error


def pages(client: Any, operation: str, **params: Any) -> Iterator[Mapping[str, Any]]:
    """The answers of an operation with pages, one after the other. Raises what `ask` raises."""
    answers = iter(client.get_paginator(operation).paginate(**params))

    def next_page() -> Mapping[str, Any] | None:
        return next(answers, None)

    next_page.__name__ = operation
    while (page := ask(next_page)) is not None:
        yield page


def member(answer: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    """A member that must be present. Raises GarbledAnswer when it is absent or has another type."""
    value = answer.get(name)
    if not isinstance(value, kind):
        raise GarbledAnswer(f"an answer of AWS has {'no' if value is None else 'another kind of'} {name}")
    return value


def entries(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The structures in a list that must be present. Raises GarbledAnswer when it is absent.

    An entry that is no structure becomes one without members, so the caller decides what a bad entry means.
    """
    return [entry if isinstance(entry, Mapping) else {} for entry in member(answer, name, list)]


def text(answer: Mapping[str, Any], name: str) -> str | None:
    """A text that may be absent. None also for an empty text, and for a value of another type."""
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def texts(answer: Mapping[str, Any], name: str) -> list[str]:
    """The texts in a list that may be absent, without empty ones and other values."""
    value = answer.get(name)
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []


def part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A structure that may be absent; then one without members."""
    value = answer.get(name)
    return value if isinstance(value, Mapping) else {}
