"""AWS's answers, read once at the edge: whatever cannot be read raises one error, `GarbledAnswer`.

In AWS's service models nearly every member may be absent, and what comes over the wire may be cut off or of somebody
else (a proxy's page with status 200). botocore then raises whatever its parsers come across (ResponseParserError,
UnicodeDecodeError, AttributeError, …), or answers without the members that could not be read. `ask` and `pages` make
calls, `member` and `entries` read what has to be there, `text` and `texts` what may be absent. So nothing else in this
package has to expect a KeyError of AWS's making, and one that does come is a mistake of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LONGEST_QUOTATION = 200  # characters of what a parser says; it may quote the whole answer


class GarbledAnswer(Exception):
    """What came is no answer of the operation. The same call may be answered a little later."""


def ask(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The answer to a call of a client's method. Raises GarbledAnswer, and what botocore raises on purpose."""
    try:
        return call(*args, **kwargs)
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # inside of this call runs nothing of ours
        name = getattr(call, "__name__", "a call")
        raise GarbledAnswer(f"{name}: {type(error).__name__}: {error}"[:_LONGEST_QUOTATION]) from error


def pages(client: Any, operation: str, **params: Any) -> Iterator[Mapping[str, Any]]:
    """The answers to one call after another, until the last page; raises as `ask` does."""
    answers = iter(client.get_paginator(operation).paginate(**params))

    def next_page() -> Mapping[str, Any] | None:
        return next(answers, None)

    next_page.__name__ = operation
    while (page := ask(next_page)) is not None:
        yield page


def member(answer: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    """A member that has to be there. Raises GarbledAnswer when it is absent or of another type."""
    value = answer.get(name)
    if not isinstance(value, kind):
        raise GarbledAnswer(f"an answer of AWS has {'no' if value is None else 'another kind of'} {name}")
    return value


def entries(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The structures in a list that has to be there; raises GarbledAnswer when it is not.

    What is no structure has no members, so that whoever reads it decides whether one bad entry spoils the rest.
    """
    return [entry if isinstance(entry, Mapping) else {} for entry in member(answer, name, list)]


def text(answer: Mapping[str, Any], name: str) -> str | None:
    """A text that may be absent; None, too, for what is no text or an empty one."""
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def texts(answer: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a list that may be absent."""
    value = answer.get(name)
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []


def part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A structure that may be absent; then it has no members."""
    value = answer.get(name)
    return value if isinstance(value, Mapping) else {}
