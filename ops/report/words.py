"""Numbers and lists in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from ops.report.plan import QUIET, Kind

ORDER = tuple(Kind)
"""The most severe first, as they are declared."""
_VERBS = {
    Kind.DESTROY: "destroyed",
    Kind.REPLACE: "replaced",
    Kind.FORGET: "forgotten by Terraform",
    Kind.CREATE: "created",
    Kind.UPDATE: "updated",
    Kind.IMPORT: "imported",
    Kind.MOVE: "moved in the state",
    Kind.SUPERSEDE: "new versions",
    Kind.LEFTOVER: "old versions removed",
    Kind.DEFERRED: "deferred to a later plan",
    Kind.READ: "read",
    Kind.NO_OP: "unchanged",
    Kind.OTHER: "with an action that this Goldsmith does not know",
}


def count(number: int, noun: str) -> str:
    """`1 fleet`, `2 fleets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def minutes(seconds: int) -> str:
    """`12 minutes`, `2 h 5 min`."""
    whole = math.ceil(seconds / 60)
    hours, rest = divmod(whole, 60)
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{whole} minute" + ("s" if whole != 1 else "")


def listed(names: Collection[str], *, most: int = 3) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`."""
    shown = list(names)
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    *first, last = shown or [""]
    return f"{', '.join(first)} and {last}" if first else last


def counted(counts: Mapping[Kind, int], *, also: Sequence[Kind] = ()) -> str:
    """`1 destroyed, 3 updated`; without what changes nothing, unless `also` names it."""
    kinds = [kind for kind in ORDER if counts.get(kind) and (kind not in QUIET or kind in also)]
    return ", ".join(f"{counts[kind]} {_one(kind, counts[kind])}" for kind in kinds)


def verb(kind: Kind) -> str:
    """What happens to one resource."""
    return _one(kind, 1)


def _one(kind: Kind, number: int) -> str:
    if number == 1 and kind in (Kind.SUPERSEDE, Kind.LEFTOVER):
        return _VERBS[kind].replace("versions", "version")
    return _VERBS[kind]
