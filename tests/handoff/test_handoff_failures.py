"""What the hand-off does with odd messages, and when AWS fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from lambda_src.handoff.handler import CONFIG
from local_aws.server import LocalAws
from tests.support.answers import answered, refused, refused_by_ec2
from tests.support.handoff_world import (
    ABROAD,
    HOME,
    PARENT,
    REGIONS,
    ImageWorld,
    documented_message,
    intercepted,
    retold,
    sns_event,
)

# Messages.


def _foreign(web: ImageWorld) -> dict[str, Any]:
    arn = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db/1.0.0/1"
    pipeline = "arn:aws:imagebuilder:us-east-1:000000000000:image-pipeline/acme-db"
    return sns_event(json.dumps(documented_message(arn, pipeline=pipeline, status="FAILED")))


def _without(web: ImageWorld, *members: str) -> dict[str, Any]:
    message = documented_message(GONE, pipeline=web.image.pipeline_arn)
    return sns_event(json.dumps({key: value for key, value in message.items() if key not in members}))


def _several(web: ImageWorld) -> dict[str, Any]:
    failed = json.dumps(documented_message(GONE, pipeline=web.image.pipeline_arn, status="FAILED"))
    return sns_event(failed, "not JSON", failed)


GONE = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web/1.0.0/1"
MESSAGES: dict[str, tuple[Callable[[ImageWorld], object], dict[str, int]]] = {
    "schedule": (lambda web: None, {}),
    "operator": (lambda web: {}, {}),
    "not even an object": (lambda web: ["Records"], {}),
    "no records": (lambda web: {"Records": []}, {}),
    "records that are none": (lambda web: {"Records": "many"}, {}),
    "empty record": (lambda web: {"Records": [{}]}, {"IgnoredMessages": 1}),
    "record of another service": (lambda web: {"Records": [{"s3": {}}, None, 7]}, {"IgnoredMessages": 3}),
    "body without text": (lambda web: sns_event(None), {"IgnoredMessages": 1}),
    "not JSON": (lambda web: sns_event("Hello"), {"IgnoredMessages": 1}),
    "empty text": (lambda web: sns_event(""), {"IgnoredMessages": 1}),
    "JSON of something else": (lambda web: sns_event('["arn"]', '"arn"', "17", "null"), {"IgnoredMessages": 4}),
    "deeper than a parser goes": (lambda web: sns_event("[" * 100_000), {"IgnoredMessages": 1}),
    "longer than a number may be": (lambda web: sns_event("1" * 100_000), {"IgnoredMessages": 1}),
    "half a character": (lambda web: sns_event('"\\ud800"', "\ud800"), {"IgnoredMessages": 2}),
    "no image": (lambda web: _without(web, "arn"), {"IgnoredMessages": 1}),
    "no state": (lambda web: _without(web, "state"), {"IgnoredMessages": 1}),
    "state that is none": (lambda web: sns_event('{"arn": "a", "state": "FAILED"}'), {"IgnoredMessages": 1}),
    "status that is none": (lambda web: sns_event('{"arn": "a", "state": {"status": [[]]}}'), {"IgnoredMessages": 1}),
    "of another pipeline": (_foreign, {"IgnoredMessages": 1}),
    "failed build": (lambda web: web.message(GONE, status="FAILED"), {"FailedBuilds": 1}),
    "image that is gone": (lambda web: web.message(GONE), {}),
    "no pipeline named": (lambda web: _without(web, "sourcePipelineArn"), {}),
    "several": (_several, {"IgnoredMessages": 1, "FailedBuilds": 2}),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_whatever_the_message_is_the_function_looks_and_ends_in_the_right_state(web: ImageWorld, name: str) -> None:
    message, counts = MESSAGES[name]
    build = web.build()

    run = web.run(message(web))

    assert web.latest() == web.amis(build)
    expected = {"Moved": 2, "Problems": 0, "Unfinished": 0, "FailedBuilds": 0, "IgnoredMessages": 0} | counts
    assert {metric: run.line[metric] for metric in expected} == expected
    assert run.error == ""


def test_line_has_no_metric_when_nothing_happened(web: ImageWorld) -> None:
    assert web.run().line["_aws"]["CloudWatchMetrics"] == []


def test_line_is_in_cloudwatchs_embedded_metric_format(web: ImageWorld) -> None:
    web.build()

    line = web.run().line

    assert line["Image"] == f"acme/{web.name}"
    assert abs(line["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 3600, "milliseconds since 1970"
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("Goldsmith", [["Image"]])
    names = ["Moved", "Problems", "Unfinished", "FailedBuilds", "IgnoredMessages"]
    assert [metric["Name"] for metric in metrics["Metrics"]] == ["Moved"], "what is zero costs nothing"
    assert all(isinstance(line[name], int) for name in names), "each metric's value is a member of the line"


# Failures.


def _no_answer() -> AWSResponse:
    raise ReadTimeoutError(endpoint_url="https://aws.test/")


def _no_connection() -> AWSResponse:
    raise ConnectTimeoutError(endpoint_url="https://aws.test/")


Answer = Callable[[], AWSResponse]
UNFINISHED: dict[str, tuple[str, str, Answer]] = {
    "reading is throttled": ("ssm", "GetParametersByPath", lambda: refused("ThrottlingException")),
    "history has a server error": ("ssm", "GetParameterHistory", lambda: refused("InternalServerError", status=500)),
    "describing is throttled": ("ec2", "DescribeImages", lambda: refused_by_ec2("RequestLimitExceeded", status=503)),
    "no connection": ("ec2", "DescribeImages", _no_connection),
    "writing is throttled": ("ssm", "PutParameter", lambda: refused("ThrottlingException")),
    "two writers": ("ssm", "PutParameter", lambda: refused("TooManyUpdates")),
    "no answer": ("ssm", "PutParameter", _no_answer),
    "expired on the way": ("ssm", "PutParameter", lambda: refused("ExpiredTokenException")),
    "reading back is throttled": ("ssm", "GetParameter", lambda: refused("ThrottlingException")),
    "accepted and not done": ("ssm", "PutParameter", lambda: answered({"Version": 2, "Tier": "Standard"})),
}


@pytest.mark.parametrize("name", UNFINISHED)
def test_region_that_fails_is_named_and_the_next_run_converges(web: ImageWorld, name: str) -> None:
    service, operation, answer = UNFINISHED[name]
    older = web.build()
    web.run()
    newest = web.build()

    with intercepted(web.abroad(service), operation, answer):
        run = web.run()

    assert web.latest()[HOME] == web.amis(newest)[HOME]
    assert web.latest()[ABROAD] in (web.amis(older)[ABROAD], web.amis(newest)[ABROAD])
    assert run.error.startswith(f"acme/{web.name} needs another run: {ABROAD}: ")
    assert HOME not in run.error
    assert (run.line["Unfinished"], run.line["Problems"]) == (1, 0)
    assert run.error.endswith(run.line["unfinished"][0])

    again = web.run()
    assert (web.latest(), again.error) == (web.amis(newest), "")


PROBLEMS: dict[str, tuple[str, str, Answer]] = {
    "may not read": ("ssm", "GetParametersByPath", lambda: refused("AccessDeniedException")),
    "may not read the history": ("ssm", "GetParameterHistory", lambda: refused("AccessDeniedException")),
    "may not describe": ("ec2", "DescribeImages", lambda: refused_by_ec2("UnauthorizedOperation", status=403)),
    "may not write": ("ssm", "PutParameter", lambda: refused("AccessDeniedException")),
    "another data type": ("ssm", "PutParameter", lambda: refused("ValidationException")),
    "labelled history is full": ("ssm", "PutParameter", lambda: refused("ParameterMaxVersionLimitExceeded")),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_error_that_retrying_will_not_fix_is_counted_and_not_raised(web: ImageWorld, name: str) -> None:
    service, operation, answer = PROBLEMS[name]
    web.build()
    web.run()
    newest = web.build()

    with intercepted(web.abroad(service), operation, answer):
        run = web.run()

    assert web.latest()[HOME] == web.amis(newest)[HOME]
    assert (run.line["Problems"], run.line["Unfinished"], run.error) == (1, 0, "")
    assert run.line["problems"][0].startswith(f"{ABROAD}: An error occurred (")
    assert operation in run.line["problems"][0]


def test_image_builder_that_does_not_answer_is_raised_and_nothing_is_written(web: ImageWorld) -> None:
    build = web.build()
    answers = iter([refused("CallRateLimitExceededException", status=429), refused("ServiceException", status=500)])

    for code in ("CallRateLimitExceededException", "ServiceException"):
        with intercepted(web.imagebuilder, "ListImagePipelineImages", lambda: next(answers)):
            assert code in web.run().error
    with intercepted(web.imagebuilder, "ListImagePipelineImages", _no_answer):
        assert "Image Builder: Read timeout" in web.run().error
    assert web.latest() == {}

    assert web.run().error == ""
    assert web.latest() == web.amis(build)


def test_image_builder_that_may_not_be_asked_is_a_problem(web: ImageWorld) -> None:
    web.build()

    with intercepted(web.imagebuilder, "ListImagePipelineImages", lambda: refused("AccessDeniedException", status=403)):
        run = web.run()

    assert (web.latest(), run.line["Problems"], run.error) == ({}, 1, "")


def test_parent_that_cannot_be_read_does_not_hold_the_release(web: ImageWorld) -> None:
    build = web.build()

    with intercepted(web.imagebuilder, "GetImage", lambda: refused("AccessDeniedException", status=403)):
        run = web.run()

    assert web.latest() == web.amis(build)
    assert "parent" not in web.channels(HOME)["latest"].record
    assert (run.line["Problems"], run.error) == (1, "")


def test_throttling_is_waited_out_before_anything_is_raised(local_aws: LocalAws) -> None:
    web = ImageWorld(local_aws, config=CONFIG)
    build = web.build()
    answers = iter([refused("ThrottlingException")])

    with intercepted(web.targets[0].ssm, "PutParameter", lambda: next(answers, None)) as puts:
        run = web.run()

    assert len(puts) == 2
    assert (web.latest(), run.error) == (web.amis(build), "")


def test_write_that_parameter_store_drops_in_silence_is_raised_with_what_it_shows(web: ImageWorld) -> None:
    first = web.build()
    web.run()
    second = web.build()

    with intercepted(web.targets[1].ssm, "PutParameter", lambda: answered({"Version": 2, "Tier": "Standard"})):
        run = web.run()

    old, new = web.amis(first)[ABROAD], web.amis(second)[ABROAD]
    assert run.line["unfinished"] == [
        f"{ABROAD}: {web.path}/latest was set to {new} (version 2) and still shows {old} (version 1)"
    ]
    assert [move["region"] for move in run.line["moves"]] == [HOME]


def test_write_that_shows_late_is_waited_for(web: ImageWorld) -> None:
    build = web.build()
    answers = iter([refused("ParameterNotFound"), refused("ParameterNotFound")])

    with intercepted(web.targets[1].ssm, "GetParameter", lambda: next(answers, None)) as reads:
        run = web.run(confirm_within_seconds=30)

    assert len(reads) == 3
    assert (web.latest(), run.error) == (web.amis(build), "")


def test_what_another_run_wrote_meanwhile_from_an_older_view_is_corrected(web: ImageWorld) -> None:
    older, newest = web.build(), web.build()
    stale = web.amis(older)[ABROAD]
    writes = iter([stale])

    def write_once() -> None:
        for ami in writes:
            web.other_ssm[ABROAD].put_parameter(
                Name=f"{web.path}/latest", Value=ami, Type="String", DataType="aws:ec2:image", Overwrite=True
            )

    with intercepted(web.targets[1].ssm, "GetParameter", write_once):
        run = web.run()

    assert (web.latest(), run.error) == (web.amis(newest), "")
    assert web.channels(ABROAD)["latest"].history == (web.amis(newest)[ABROAD], stale, web.amis(newest)[ABROAD])


# AMIs that are not what they should be.


def test_ami_of_the_wrong_architecture_is_logged_and_not_raised(local_aws: LocalAws) -> None:
    web = ImageWorld(local_aws, parent=PARENT.replace("x86", "arm64"))
    build = web.build()

    run = web.run()

    assert (web.latest(), run.error) == ({}, "")
    assert run.line["problems"] == [
        f"{region}: {build} cannot be used: {web.amis(build)[region]} is arm64, not x86_64" for region in REGIONS
    ]


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [("OwnerId", "111111111111", "belongs to account 111111111111"), ("State", "failed", "is failed")],
)
def test_ami_that_cannot_be_launched_is_not_chosen(web: ImageWorld, member: str, value: str, words: str) -> None:
    good = web.build()
    web.run()
    bad = web.build()
    ami = web.amis(bad)[ABROAD]

    with retold(web.registry[ABROAD], "DescribeImages", lambda answer: _describe(answer, ami, {member: value})):
        run = web.run()

    assert web.latest() == {HOME: web.amis(bad)[HOME], ABROAD: web.amis(good)[ABROAD]}
    assert (run.line["problems"], run.error) == ([f"{ABROAD}: {bad} cannot be used: {ami} {words}"], "")


def test_ami_that_is_still_pending_is_waited_for_by_a_retry(web: ImageWorld) -> None:
    build = web.build()
    ami = web.amis(build)[ABROAD]

    with retold(web.registry[ABROAD], "DescribeImages", lambda answer: _describe(answer, ami, {"State": "pending"})):
        run = web.run()

    assert web.latest() == {HOME: web.amis(build)[HOME]}
    assert run.error == f"acme/{web.name} needs another run: {ABROAD}: {ami} is still pending"


def test_ami_of_another_account_in_the_same_region_is_not_taken_for_ours(web: ImageWorld) -> None:
    build = web.build()

    def share(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            foreign = {"region": HOME, "image": "ami-0f", "accountId": "111111111111"}
            image["outputResources"]["amis"].append(foreign)

    with retold(web.imagebuilder, "ListImagePipelineImages", share):
        web.run()

    assert web.latest() == web.amis(build)


def test_region_that_no_build_has_reached_yet_is_no_problem(web: ImageWorld) -> None:
    build = web.build()

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            image["outputResources"]["amis"] = [a for a in image["outputResources"]["amis"] if a["region"] == HOME]

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        run = web.run()

    assert web.latest() == {HOME: web.amis(build)[HOME]}
    assert (run.line["Problems"], run.error) == (0, "")


def _describe(answer: Any, ami: str, members: dict[str, str]) -> None:
    for image in answer["Images"]:
        if image["ImageId"] == ami:
            image.update(members)
