"""What fails in a run: one failure does not stop the rest of the run, and each is one of two kinds.

Retryable: the same run may succeed a little later. Throttling, HTTP status 429 and 5xx, timeouts and broken
connections, an answer that cannot be read, credentials that expired during the run, two writers of one parameter, an
AMI that is still pending, a write that Parameter Store does not show yet, a region for which no time was left. At the
end of the run these are raised together, once, as `Unfinished`. Lambda then retries the event twice, and sends it to
the dead-letter queue.

Problem: a retry would fail in the same way. Every other refusal of AWS (access denied, a parameter of another data
type, a full history, …), an AMI that is missing, has the wrong architecture or belongs to another account, a creation
time or an output that cannot be read. Problems are logged and counted, and not raised; an alarm watches the count,
and each scheduled run tries again.

Any other exception is a bug in this program and is raised where it occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, PaginationError
from botocore.exceptions import ConnectionError as NoConnectionError

from .answers import GarbledAnswer

# Most services answer throttling with HTTP status 400, so it is recognised by its code, as AWS's SDKs do.
_RETRYABLE_CODES = frozenset(
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
        "TooManyUpdates",  # Parameter Store: two writers at the same time
        "ExpiredToken",  # the next run has new credentials
        "ExpiredTokenException",
    }
)


class NotYet(Exception):
    """AWS has accepted something and not finished it, or no time is left in this run; a later run can finish it."""


class Unfinished(Exception):
    """Raised once, at the end of a run: lists everything that a retry can fix."""


@dataclass(frozen=True)
class Failure:
    """What failed, and where: in a region, in Image Builder, at the tags of one build."""

    place: str
    reason: str
    retryable: bool
    error: Exception | None = field(default=None, compare=False)
    """What was raised, if anything was."""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass
class Attempt:
    """The outcome of a `with failures.collected(place) as attempt:` block, to be read after the block."""

    failed: bool = False
    retryable: bool = False
    """Whether it failed and a retry can fix that."""


@dataclass
class Failures:
    """Everything that failed in a run, in the order in which it happened, each failure once."""

    collection: list[Failure] = field(default_factory=list)

    @property
    def unfinished(self) -> list[str]:
        """The failures that a retry can fix."""
        return [str(failure) for failure in self.collection if failure.retryable]

    @property
    def problems(self) -> list[str]:
        """The failures that a retry cannot fix."""
        return [str(failure) for failure in self.collection if not failure.retryable]

    @contextmanager
    def collected(self, *places: str) -> Iterator[Attempt]:
        """An attempt. When AWS fails inside, the block ends there, the failure is added, and nothing is raised.

        With several places, the failure is added for each of them.
        """
        attempt = Attempt()
        try:
            yield attempt
        except (BotoCoreError, ClientError, GarbledAnswer, NotYet) as error:
            attempt.failed, attempt.retryable = True, is_retryable(error)
            for place in places:
                self._add(Failure(place, str(error), attempt.retryable, error))

    def add_problem(self, place: str, reason: str) -> None:
        """Add something that is wrong although no call to AWS failed. A retry cannot fix it."""
        self._add(Failure(place, reason, retryable=False))

    def _add(self, failure: Failure) -> None:
        if failure not in self.collection:
            self.collection.append(failure)


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status == 429 or status >= 500 or code_of(error) in _RETRYABLE_CODES
    return isinstance(
        error, NotYet | GarbledAnswer | NoConnectionError | HTTPClientError | IncompleteReadError | PaginationError
    )


def code_of(error: ClientError) -> str:
    """AWS's code for a refusal; empty when the answer has none."""
    return str(error.response.get("Error", {}).get("Code", ""))
