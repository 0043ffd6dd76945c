"""The one log line of a run of a fleet's function, in CloudWatch's embedded metric format.

The namespace is Goldsmith, the dimension Fleet=<namespace>/<fleet>, and the metrics are Started (1 when this run has
started an instance refresh), NeedsPerson (1 while a rollout did not end well or cannot start), Problems and Unfinished.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..handoff.failures import Failures
from ..handoff.log_line import shortened
from .decisions import Decision, Ended, Follow, Refused, Sight, Start, Wait


def log_line(
    label: str,
    *,
    seen: tuple[Sight, Decision] | None,
    has_started: bool,
    failures: Failures,
    notices: Sequence[str],
    mistake: str,
) -> dict[str, Any]:
    """The line as JSON. `seen` is what the run saw and what comes next, None if it could not look; `mistake` is a bug
    of this program."""
    metrics = {
        "Started": int(has_started),
        "NeedsPerson": int(bool(failures.problems or needs_of(seen) or (seen and isinstance(seen[1], Ended)))),
        "Problems": len(failures.problems),
        "Unfinished": len(failures.unfinished),
    }
    definition = {
        "Namespace": "Goldsmith",
        "Dimensions": [["Fleet"]],
        # a metric costs money in each hour in which it has a value, and for an alarm no value is as good as 0
        "Metrics": [{"Name": name, "Unit": "Count"} for name, count in metrics.items() if count],
    }
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [definition] if definition["Metrics"] else [],
        },
        "Fleet": label,
        **metrics,
        **(_seen(*seen) if seen else {}),
        "problems": shortened(failures.problems),
        "unfinished": shortened(failures.unfinished),
        "notices": list(notices),
        **({"mistake": mistake} if mistake else {}),
    }


def needs_of(seen: tuple[Sight, Decision] | None) -> tuple[str, ...]:
    """Why a person is needed before something can start, but for a rollout that did not end well.

    Nobody is needed while fleets of `after` do not run the build yet: what is the matter there, others say.
    """
    if seen is None or not isinstance(seen[1], Refused):
        return ()
    waits = {lack.text for lack in seen[0].evidence.lacks if not lack.is_unread}
    return tuple(reason for reason in seen[1].reasons if reason not in waits)


def _seen(sight: Sight, decision: Decision) -> dict[str, Any]:
    """What comes next and why, and what the fleet should run."""
    return {
        "next": type(decision).__name__.lower(),
        **reasons_of(decision),
        "wanted": sight.wanted,
        "build": sight.build(sight.newest),
        "launches": sight.group.version if sight.group else None,
    }


def reasons_of(decision: Decision) -> dict[str, Any]:
    """Why nothing is started, or what runs."""
    if isinstance(decision, Wait):
        return {"reasons": shortened(decision.reasons), "until": decision.until.isoformat()}
    if isinstance(decision, Refused):
        return {"reasons": shortened(decision.reasons)}
    if isinstance(decision, Ended):
        attempt = decision.attempt
        return {"reasons": [f"{attempt.ended_how}: {attempt.reason}"], "refresh": attempt.refresh}
    if isinstance(decision, Follow):
        return {"refresh": decision.refresh.id, "status": decision.refresh.status}
    if isinstance(decision, Start):
        return {"reasons": ["AWS does not show yet what was started or added, or others were faster"]}
    return {}
