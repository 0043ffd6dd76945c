"""Faults of single calls, between the clients of this process and AWS, and the sudden end of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from tests.support.answers import answered, sent

Place = tuple[str, int]
"""A call, `ssm eu-west-1 PutParameter`, and how many like it come before."""

_PLACE = "https://aws.test/"
_XML = ("auto-scaling", "ec2", "s3", "sns", "sts")


class Killed(BaseException):
    """The program ends here, as after SIGKILL: nothing of it handles this."""


def _refused(service: str, code: str, status: int) -> AWSResponse:
    """AWS's refusal, as each service writes it."""
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    if service == "ec2":
        return sent(f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>".encode(), status=status)
    if service == "s3":
        return sent(error.encode(), status=status)
    if service in _XML:
        return sent(f"<ErrorResponse>{error}</ErrorResponse>".encode(), status=status)
    return answered({"__type": code, "message": "no"}, status=status, headers={"x-amzn-ErrorType": code})


def _truncated(service: str) -> AWSResponse:
    return sent(b"<Answer><item><imageId>ami-0a1b" if service in _XML else b'{"Parameters": [{"Name": "/imagebui')


def _timed_out(_: str) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=_PLACE)


def _reset(_: str) -> AWSResponse:
    raise ConnectionClosedError(endpoint_url=_PLACE)


def _killed(_: str) -> AWSResponse:
    raise Killed


FAULTS: dict[str, Callable[[str], AWSResponse]] = {
    "throttled": lambda service: _refused(service, "SlowDown" if service in _XML else "ThrottlingException", 503),
    "server error": lambda service: _refused(service, "InternalError", 500),
    "denied": lambda service: _refused(service, "AccessDenied", 403),
    "truncated": _truncated,
    "timed out": _timed_out,
    "reset": _reset,
    "killed": _killed,
}
LOST = {f"{name} after AWS did it": FAULTS[name] for name in ("timed out", "truncated", "killed")}
"""The request arrives, and its answer does not."""


@dataclass
class Faults:
    """The calls of a run, of which one, or it and all later ones like it, meets a fault."""

    place: Place | None = None
    fault: str = ""
    goes_on: bool = False
    met_once: bool = False
    """Whether boto3's second try of a call meets no fault."""
    down: str = ""
    """A region that answers nothing."""
    before: Callable[[str], None] = lambda _: None
    """Is called with each call, before it."""
    calls: list[str] = field(default_factory=list)

    def __call__(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        """What a client gets in the place of AWS's answer; None for that."""
        _prefix, service, operation = event_name.split(".")
        region = request.context["client_region"]
        call = f"{service} {region} {operation}"
        is_again = "attempt=1" not in str(request.headers.get("amz-sdk-request", "attempt=1"))
        if not is_again:
            self.before(call)
        if region == self.down:
            return _reset(service)
        if not is_again:
            self.calls.append(call)
        if self.place is None or call != self.place[0]:
            return None
        past = self.calls.count(call) - 1 - self.place[1]
        if past < 0 or (past and not self.goes_on) or (is_again and self.met_once):
            return None
        if self.fault in LOST:
            URLLib3Session().send(request)
            return LOST[self.fault](service)
        return FAULTS[self.fault](service)


class Switch:
    """Stands in all clients that a session makes from now on, and lets their calls meet faults or not."""

    def __init__(self, session: Session) -> None:
        self.faults: Faults | None = None
        session.register("before-send", self._answer)

    def _answer(self, **event: Any) -> Any:
        return self.faults(event["request"], event["event_name"]) if self.faults else None

    @contextmanager
    def on(self, faults: Faults) -> Iterator[None]:
        """Calls meet these faults meanwhile."""
        self.faults = faults
        try:
            yield
        finally:
            self.faults = None


def cases(calls: Sequence[str], *, writes: Sequence[str], each: bool = True) -> list[tuple[Place, str]]:
    """Each of the calls, the first or the last one like it, with one of the faults in turn, and the writes among them
    with those that only a write can meet: with all of these, or without `each` with one in turn.

    Which fault comes first follows from the number of calls, so that the tables of several commands differ.
    """
    kinds, lost, names = [*FAULTS], ["killed", *LOST], [*dict.fromkeys(calls)]
    places = [(name, (calls.count(name) - 1) * (index % 2)) for index, name in enumerate(names)]
    found = [(place, kinds[(index + len(names)) % len(kinds)]) for index, place in enumerate(places)]
    written = [place for place in places if place[0].partition(" ")[2].partition(" ")[2] in writes]
    assert written, "the command writes"
    for index, place in enumerate(written):
        found += [(place, fault) for fault in (lost if each else [lost[index % len(lost)]])]
    return found
