"""Which failures another run may not meet again, and how one place's failure leaves the others alone.

Unfinished, raised once at the end of the run, so that Lambda tries the event again, twice, and then hands
it to the dead-letter queue: throttling, HTTP 429 and 5xx, time-outs and broken connections, an answer that
cannot be read, credentials that expired on the way, two writers at one parameter, an AMI that is still
pending, a write that Parameter Store does not show yet, a region for which the run's time did not suffice.

A problem, logged and counted, never raised, because a retry would only fail again; an alarm watches the
count, and every run of the schedule looks anew: every other refusal of AWS (access denied, a parameter of
another data type, a full history, ...), an AMI that is missing, of the wrong architecture or of another
account, a creation time or an output that cannot be read.

Anything else is a mistake in this program and is raised where it happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, PaginationError
from botocore.exceptions import ConnectionError as NoConnectionError

from .answers import GarbledAnswer

# What AWS's SDKs take for throttling comes with status 400 from most services, so it has to be known by name.
_TRANSIENT_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "TooManyUpdates",  # Parameter Store: two writers at once
        "ExpiredToken",  # the next run has new credentials
        "ExpiredTokenException",
    }
)


class NotYet(Exception):
    """AWS accepted something and has not finished it, or the run's time is over; a later run finishes it."""


class Unfinished(Exception):
    """Raised once, at the end of a run: names everything that a later run has to finish."""


FAILURES = (BotoCoreError, ClientError, GarbledAnswer, NotYet)
"""What a place may fail with; anything else is a mistake in this program."""


@dataclass
class Failures:
    """What went wrong in a run, each as `place: what`, in the order in which it happened."""

    unfinished: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)  # the places where something failed

    @contextmanager
    def collected(self, place: str) -> Iterator[None]:
        """Keep what AWS refuses inside from stopping the rest of the run; the block itself ends there."""
        try:
            yield
        except FAILURES as error:
            self.stopped.add(place)
            self.note(place, error)

    def note(self, place: str, error: Exception) -> None:
        """Note one of FAILURES that does not stop the place."""
        if not is_transient(error):
            self.problem(place, str(error))
        elif (text := f"{place}: {error}") not in self.unfinished:
            self.unfinished.append(text)

    def problem(self, place: str, what: str) -> None:
        """Note what a retry would only meet again, once, however often the run comes across it."""
        if (text := f"{place}: {what}") not in self.problems:
            self.problems.append(text)


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500 or code_of(error) in _TRANSIENT_CODES
    return isinstance(
        error, NotYet | GarbledAnswer | NoConnectionError | HTTPClientError | IncompleteReadError | PaginationError
    )


def code_of(error: ClientError) -> str:
    """AWS's name for its refusal; empty when the refusal does not say."""
    return str(error.response.get("Error", {}).get("Code", ""))
