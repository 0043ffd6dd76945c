"""The hand-off when the bucket of the history fails: on the wire, at each of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.history import Change, Move
from tests.support.answers import sent
from tests.support.handoff_world import HOME, ImageWorld, intercepted

PAGE = b"<html><body>Please log in to this network</body></html>"


def refused_by_s3(code: str, *, status: int) -> AWSResponse:
    return sent(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status=status)


def raised(kind: type[ReadTimeoutError | ConnectTimeoutError | EndpointConnectionError]) -> AWSResponse:
    raise kind(endpoint_url="https://aws.test/")


RETRYABLE: dict[str, Callable[[], AWSResponse]] = {
    "throttled": partial(refused_by_s3, "SlowDown", status=503),
    "server error": partial(refused_by_s3, "InternalError", status=500),
    "request timed out": partial(refused_by_s3, "RequestTimeout", status=400),
    "credentials expired": partial(refused_by_s3, "ExpiredToken", status=400),
    "error without a body": lambda: sent(b"", status=502),
    "no answer": partial(raised, ReadTimeoutError),
    "no connection": partial(raised, ConnectTimeoutError),
    "reset": partial(raised, EndpointConnectionError),
    "a page": lambda: sent(PAGE),
    "nothing": lambda: sent(b""),
    "cut off": lambda: sent(b'{"format"', headers={"content-length": "4096", "etag": '"1"'}),
}
DENIED = partial(refused_by_s3, "AccessDenied", status=403)
GONE = partial(refused_by_s3, "NoSuchBucket", status=404)
CALLS = ["move is written", "move is read", "moves are listed", "cache is written", "cache is read"]


@contextmanager
def failing(web: ImageWorld, call: str, answer: Callable[[], AWSResponse | None]) -> Iterator[None]:
    """Let a call for the history fail, and only this one."""
    operation = {"written": "PutObject", "read": "GetObject", "listed": "ListObjectsV2"}[call.split()[-1]]
    key = "/cache/" if call.startswith("cache") else "moves"

    def fail(request: object, **_: object) -> AWSResponse | None:
        return answer() if key in str(getattr(request, "url", "")) else None

    events = web.history.s3.meta.events
    events.register(f"before-send.s3.{operation}", fail)
    try:
        yield
    finally:
        events.unregister(f"before-send.s3.{operation}", fail)


@pytest.fixture
def promoted(web: ImageWorld) -> str:
    """A build that `latest` has, which somebody has promoted and not written yet; there is a newer one."""
    web.image = replace(web.image, channels={"prod": ChannelRule(source="latest")})
    build = web.build()
    web.run()
    amis = web.amis(build)
    changes = {
        region: Change(build=build, created=None, value=ami, previous=None, version=0) for region, ami in amis.items()
    }
    at = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    move = Move(number=2, channel="prod", how="promoted", by="anna", why="", at=at, run="0", changes=changes)
    assert web.other_history.add(move)
    web.build()
    return build


def finished(web: ImageWorld, promoted: str) -> bool:
    newest = max(
        web.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=web.image.pipeline_arn)["imageSummaryList"],
        key=lambda image: image["dateCreated"],
    )["arn"]
    prod = {
        region: channels["prod"].value for region in web.amis(promoted) if "prod" in (channels := web.channels(region))
    }
    return (web.latest(), prod) == (web.amis(newest), web.amis(promoted))


@pytest.mark.parametrize("call", CALLS)
def test_failure_that_a_retry_can_fix_is_raised_and_the_next_run_finishes(
    web: ImageWorld, promoted: str, call: str
) -> None:
    before = web.latest()
    for name, answer in RETRYABLE.items():
        if name == "cut off" and call.split()[-1] != "read":
            continue  # the other answers have no body
        with failing(web, call, answer):
            run = web.run()
        assert run.error.startswith(f"acme/{web.name} needs another run: history: "), name
        assert run.line["Problems"] == 0, name
        if not call.startswith("cache"):
            assert web.latest() == before, f"{name}: the history comes first"
        elif call == "cache is written":
            web.other_history.write_cache("{}")  # so that the next run writes it, too
    if call.startswith("cache"):
        assert finished(web, promoted)
    assert web.run().error == ""
    assert finished(web, promoted)
    numbers = [move.number for move in web.other_history.moves()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("call", CALLS)
def test_denial_is_a_problem_and_is_not_raised(web: ImageWorld, promoted: str, call: str) -> None:
    before = web.latest()
    with failing(web, call, DENIED):
        run = web.run()
    # S3 answers so to who may not list the bucket, for an object that does not exist
    is_like_no_cache = call == "cache is read"
    assert (run.line["Problems"] > 0, run.error) == (not is_like_no_cache, "")
    assert (web.latest() == before) == (not call.startswith("cache"))
    web.run()
    assert finished(web, promoted)


def test_bucket_that_does_not_exist_is_a_problem_with_its_remedy(web: ImageWorld, promoted: str) -> None:
    before = web.latest()
    with (
        intercepted(web.history.s3, "GetObject", GONE),
        intercepted(web.history.s3, "ListObjectsV2", GONE),
        intercepted(web.history.s3, "PutObject", GONE),
    ):
        run = web.run()
    remedy = f"apply the stack history-{HOME}, and nothing moves before that"
    assert f"history: bucket {web.history.bucket} does not exist: {remedy}" in run.line["problems"]
    assert (web.latest(), run.error) == (before, "")
    web.run()
    assert finished(web, promoted)


def test_two_writers_at_one_key_at_the_same_time_are_no_failure(web: ImageWorld, promoted: str) -> None:
    """S3 refuses both, or one."""
    answers = iter([refused_by_s3("ConditionalRequestConflict", status=409)])
    with failing(web, "move is written", lambda: next(answers, None)):
        run = web.run()
    assert (run.error, run.line["Problems"]) == ("", 0)
    assert finished(web, promoted)
