"""The hand-off with real boto3 on the local AWS: whatever happens, `latest` ends at the newest good build.

Every test has an image of its own, so that one server serves all. What answers that cannot be read do to it is in
`test_handoff_answers.py`, the tags of builds are in `test_handoff_tags.py`, and everything at random is in
`test_handoff_in_any_order.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from lambda_src.handoff.builds import list_builds, newest_good
from lambda_src.handoff.handler import CONFIG
from local_aws.server import LocalAws
from tests.support.handoff_world import (
    ABROAD,
    BY,
    HOME,
    PARENT,
    REGIONS,
    Web,
    answered,
    asked,
    documented_message,
    intercepted,
    refused,
    refused_by_ec2,
    retold,
    sns_event,
)


@pytest.fixture
def web(local_aws: LocalAws) -> Web:
    return Web(local_aws)


# What it does.


def test_first_good_build_creates_latest_in_every_region(web: Web) -> None:
    build = web.build()

    run = web.run(web.message(build))

    assert web.latest() == web.amis(build)
    assert set(web.latest()) == set(REGIONS)
    for region in REGIONS:
        parameter = web.other_ssm[region].get_parameter(Name=f"{web.path}/latest")["Parameter"]
        assert (parameter["Type"], parameter["DataType"]) == ("String", "aws:ec2:image")
        tags = web.other_ssm[region].list_tags_for_resource(ResourceType="Parameter", ResourceId=f"{web.path}/latest")
        assert tags["TagList"] == [{"Key": "team", "Value": "platform"}]
    assert run.line["Moved"] == 2
    assert run.line["latest"] == web.amis(build)


def test_each_version_of_the_parameter_records_where_it_came_from(web: Web) -> None:
    first = web.build()
    web.run()
    second = web.build()
    with intercepted(web.targets[1].ssm, "PutParameter") as puts:
        web.run()

    assert len(puts) == 1, "value and record move together"
    latest = web.channels(ABROAD)["latest"]
    created = datetime.fromisoformat(web.details(second)["dateCreated"])
    assert latest.record == {
        "build": second,
        "created": created.isoformat(),
        "parent": PARENT,
        "previous": web.amis(first)[ABROAD],
        "by": BY,
    }
    assert latest.version == 2
    assert latest.history == (web.amis(first)[ABROAD], web.amis(second)[ABROAD])
    assert latest.modified <= datetime.now(UTC)


def test_before_the_first_good_build_nothing_is_written_and_nothing_is_wrong(web: Web) -> None:
    web.build(fail=True)

    run = web.run()

    assert web.latest() == {}
    assert (run.line["Moved"], run.line["Problems"], run.line["newest"], run.error) == (0, 0, None, "")


def test_second_run_writes_nothing(web: Web) -> None:
    web.build()
    web.run()

    with (
        intercepted(web.targets[0].ssm, "PutParameter") as puts_at_home,
        intercepted(web.targets[1].ssm, "PutParameter") as puts_abroad,
        intercepted(web.imagebuilder, "TagResource") as tags,
    ):
        run = web.run()

    assert (puts_at_home, puts_abroad, tags) == ([], [], [])
    assert run.line["Moved"] == 0
    assert run.line["latest"] == web.latest(), "the line says where it points, moved or not"


def test_newest_build_is_found_on_whatever_page_the_list_has_it(web: Web) -> None:
    builds = [web.build() for _ in range(27)]  # a page has 25

    web.run()

    assert web.latest() == web.amis(builds[-1])
    found = list_builds(web.other_imagebuilder, pipeline_arn=web.image.pipeline_arn)
    assert [build.arn for build in found] == builds[::-1], "newest first"
    assert newest_good(found) == found[0]


def test_creation_times_are_compared_as_times(web: Web) -> None:
    late, early = web.build(), web.build()
    times = {late: "2026-07-01T00:00:01.5Z", early: "2026-07-01T00:00:01Z"}  # as text, the other way round

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, times)):
        web.run()

    assert web.latest() == web.amis(late)


def test_build_version_decides_between_builds_of_the_same_time(web: Web) -> None:
    builds = [web.build() for _ in range(10)]
    times = dict.fromkeys(builds, "2026-07-01T00:00:00Z")

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, times)):
        web.run()

    assert web.latest() == web.amis(builds[9]), "10 comes after 9"


def test_build_with_a_time_that_nobody_can_read_is_a_problem_and_never_chosen(web: Web) -> None:
    good, odd = web.build(), web.build()

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, {odd: "Jul 28, 2026"})):
        run = web.run()

    assert web.latest() == web.amis(good)
    assert run.line["problems"] == [f"Image Builder: {odd} has no creation time that can be read"]


def test_build_that_appears_while_writing_is_found_by_the_second_look(web: Web) -> None:
    web.build()
    later: list[str] = []

    def build_once() -> None:
        if not later:
            later.append(web.build())

    with intercepted(web.targets[1].ssm, "PutParameter", build_once):
        run = web.run()

    assert web.latest() == web.amis(later[0])
    assert (run.line["newest"], run.error) == (later[0], "")


@pytest.mark.parametrize(
    "description", ["", "mine", "[" * 1024, '["build"]', '{"build": 7}', '{"build": "x"}', '{"build": "%s"}']
)
def test_value_that_somebody_else_wrote_is_replaced_whatever_its_record_says(
    web: Web, local_aws: LocalAws, description: str
) -> None:
    build = web.build()
    other = Web(local_aws)
    newer = other.build()  # good, and of another pipeline
    web.other_ssm[HOME].put_parameter(
        Name=f"{web.path}/latest",
        Value=other.amis(newer)[HOME],
        Type="String",
        DataType="aws:ec2:image",
        Description=description.replace("%s", newer),
    )

    run = web.run()

    assert (web.latest(), run.error) == (web.amis(build), "")
    assert web.channels(HOME)["latest"].record["previous"] == other.amis(newer)[HOME]


def test_parameter_that_another_run_made_first_is_moved_all_the_same(web: Web) -> None:
    build = web.build()
    name = f"{web.path}/latest"

    def make_once() -> None:
        if not web.channels(HOME):
            web.other_ssm[HOME].put_parameter(Name=name, Value="ami-0123", Type="String", DataType="aws:ec2:image")

    with intercepted(web.targets[0].ssm, "PutParameter", make_once):
        run = web.run()

    assert (web.latest(), run.error) == (web.amis(build), "")


def test_record_fits_into_a_description_whatever_the_parent_is_called(local_aws: LocalAws) -> None:
    parameter = "/long-name" * 100
    web = Web(local_aws, parent=f"ssm:{parameter}")
    public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    ami = web.other_ssm[HOME].get_parameter(Name=public)["Parameter"]["Value"]
    web.other_ssm[HOME].put_parameter(Name=parameter, Value=ami, Type="String")
    build = web.build()

    run = web.run()

    assert web.latest() == web.amis(build)
    assert web.channels(HOME)["latest"].record["build"] == build
    (version,) = web.other_ssm[HOME].get_parameter_history(Name=f"{web.path}/latest")["Parameters"]
    assert len(version["Description"]) <= 1024, "what PutParameter takes"
    assert (run.line["Problems"], run.error) == (0, "")


# `latest` moves backwards only when its build is gone.


def test_latest_stays_while_image_builders_list_does_not_have_its_build_yet(web: Web) -> None:
    web.build()
    newest = web.build()
    web.run()

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _hide(answer, newest)):
        run = web.run()

    assert web.latest() == web.amis(newest)
    assert (run.line["Moved"], run.line["newest"]) == (0, newest)


def test_latest_goes_back_when_its_build_was_deleted(web: Web) -> None:
    older, newest = web.build(), web.build()
    web.run()
    web.other_imagebuilder.delete_image(imageBuildVersionArn=newest)

    run = web.run()

    assert web.latest() == web.amis(older)
    assert (run.line["Problems"], run.error) == (0, "")


def test_latest_goes_back_only_in_the_region_where_its_ami_was_deregistered(web: Web) -> None:
    older, newest = web.build(), web.build()
    web.run()
    gone = web.amis(newest)[ABROAD]
    web.registry[ABROAD].deregister_image(ImageId=gone)

    run = web.run()

    assert web.latest() == {HOME: web.amis(newest)[HOME], ABROAD: web.amis(older)[ABROAD]}
    assert run.line["problems"] == [f"{ABROAD}: {newest} cannot be used: {gone} does not exist"]


def test_latest_stays_when_no_build_is_left(web: Web) -> None:
    build = web.build()
    amis = web.amis(build)
    web.run()
    web.other_imagebuilder.delete_image(imageBuildVersionArn=build)

    run = web.run()

    assert (web.latest(), run.error) == (amis, "")


def test_asks_aws_for_nothing_but_these_operations(web: Web) -> None:
    """The function's role has to allow these, and no others."""
    with asked(web.imagebuilder, *web.registry.values(), *(target.ssm for target in web.targets)) as operations:
        for _ in range(3):
            web.build()
            web.run()

        with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: answer["imageSummaryList"].clear()):
            web.run()

    assert operations == {
        *("ListImagePipelineImages", "GetImage", "TagResource", "UntagResource"),
        *("DescribeImages",),
        *("GetParametersByPath", "GetParameterHistory", "GetParameter", "PutParameter"),
    }


# What nobody did.


@pytest.mark.parametrize(("after_days", "overdue"), [(0, 0), (1, 0), (7, 1)])
def test_newest_build_that_is_too_old_is_counted_in_every_run(web: Web, after_days: int, overdue: int) -> None:
    web.image = replace(web.image, overdue_after_days=after_days)
    web.build()
    created = datetime.now(UTC) - timedelta(days=8 if overdue else 0, hours=5)

    def age(answer: dict[str, Any]) -> None:
        for image in answer["imageSummaryList"]:
            image["dateCreated"] = created.isoformat()

    for _ in range(2):
        with retold(web.imagebuilder, "ListImagePipelineImages", age):
            line = web.run().line
        assert line["Overdue"] == overdue
        named = [metric["Name"] for each in line["_aws"]["CloudWatchMetrics"] for metric in each["Metrics"]]
        assert ("Overdue" in named) == bool(overdue), "what is not the case costs nothing"


def test_image_without_a_build_is_not_overdue(web: Web) -> None:
    web.image = replace(web.image, overdue_after_days=1)
    assert web.run().line["Overdue"] == 0


# Messages.


def _foreign(web: Web) -> dict[str, Any]:
    arn = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db/1.0.0/1"
    pipeline = "arn:aws:imagebuilder:us-east-1:000000000000:image-pipeline/acme-db"
    return sns_event(json.dumps(documented_message(arn, pipeline=pipeline, status="FAILED")))


def _without(web: Web, *members: str) -> dict[str, Any]:
    message = documented_message(GONE, pipeline=web.image.pipeline_arn)
    return sns_event(json.dumps({key: value for key, value in message.items() if key not in members}))


def _several(web: Web) -> dict[str, Any]:
    failed = json.dumps(documented_message(GONE, pipeline=web.image.pipeline_arn, status="FAILED"))
    return sns_event(failed, "not JSON", failed)


GONE = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web/1.0.0/1"
MESSAGES: dict[str, tuple[Callable[[Web], object], dict[str, int]]] = {
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
def test_whatever_the_message_is_the_function_looks_and_ends_in_the_right_state(web: Web, name: str) -> None:
    message, counts = MESSAGES[name]
    build = web.build()

    run = web.run(message(web))

    assert web.latest() == web.amis(build)
    expected = {"Moved": 2, "Problems": 0, "Unfinished": 0, "FailedBuilds": 0, "IgnoredMessages": 0} | counts
    assert {metric: run.line[metric] for metric in expected} == expected
    assert run.error == ""


def test_line_has_no_metric_when_nothing_happened(web: Web) -> None:
    assert web.run().line["_aws"]["CloudWatchMetrics"] == []


def test_line_is_in_cloudwatchs_embedded_metric_format(web: Web) -> None:
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
def test_region_that_fails_is_named_the_others_are_written_and_the_next_run_converges(web: Web, name: str) -> None:
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
def test_error_that_retrying_will_not_fix_is_counted_and_not_raised(web: Web, name: str) -> None:
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


def test_image_builder_that_does_not_answer_is_raised_and_nothing_is_written(web: Web) -> None:
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


def test_image_builder_that_may_not_be_asked_is_a_problem(web: Web) -> None:
    web.build()

    with intercepted(web.imagebuilder, "ListImagePipelineImages", lambda: refused("AccessDeniedException", status=403)):
        run = web.run()

    assert (web.latest(), run.line["Problems"], run.error) == ({}, 1, "")


def test_parent_that_cannot_be_read_does_not_hold_the_release(web: Web) -> None:
    build = web.build()

    with intercepted(web.imagebuilder, "GetImage", lambda: refused("AccessDeniedException", status=403)):
        run = web.run()

    assert web.latest() == web.amis(build)
    assert "parent" not in web.channels(HOME)["latest"].record
    assert (run.line["Problems"], run.error) == (1, "")


def test_throttling_is_waited_out_before_anything_is_raised(local_aws: LocalAws) -> None:
    web = Web(local_aws, config=CONFIG)
    build = web.build()
    answers = iter([refused("ThrottlingException")])

    with intercepted(web.targets[0].ssm, "PutParameter", lambda: next(answers, None)) as puts:
        run = web.run()

    assert len(puts) == 2
    assert (web.latest(), run.error) == (web.amis(build), "")


def test_write_that_parameter_store_drops_in_silence_is_raised_with_what_it_shows(web: Web) -> None:
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


def test_write_that_shows_late_is_waited_for(web: Web) -> None:
    build = web.build()
    answers = iter([refused("ParameterNotFound"), refused("ParameterNotFound")])

    with intercepted(web.targets[1].ssm, "GetParameter", lambda: next(answers, None)) as reads:
        run = web.run(confirm_within_seconds=30)

    assert len(reads) == 3
    assert (web.latest(), run.error) == (web.amis(build), "")


def test_what_another_run_wrote_meanwhile_from_an_older_view_is_corrected(web: Web) -> None:
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
    web = Web(local_aws, parent=PARENT.replace("x86", "arm64"))
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
def test_ami_that_cannot_be_launched_is_not_chosen(web: Web, member: str, value: str, words: str) -> None:
    good = web.build()
    web.run()
    bad = web.build()
    ami = web.amis(bad)[ABROAD]

    with retold(web.registry[ABROAD], "DescribeImages", lambda answer: _describe(answer, ami, {member: value})):
        run = web.run()

    assert web.latest() == {HOME: web.amis(bad)[HOME], ABROAD: web.amis(good)[ABROAD]}
    assert (run.line["problems"], run.error) == ([f"{ABROAD}: {bad} cannot be used: {ami} {words}"], "")


def test_ami_that_is_still_pending_is_waited_for_by_a_retry(web: Web) -> None:
    build = web.build()
    ami = web.amis(build)[ABROAD]

    with retold(web.registry[ABROAD], "DescribeImages", lambda answer: _describe(answer, ami, {"State": "pending"})):
        run = web.run()

    assert web.latest() == {HOME: web.amis(build)[HOME]}
    assert run.error == f"acme/{web.name} needs another run: {ABROAD}: {ami} is still pending"


def test_ami_of_another_account_in_the_same_region_is_not_taken_for_ours(web: Web) -> None:
    build = web.build()

    def share(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            foreign = {"region": HOME, "image": "ami-0f", "accountId": "111111111111"}
            image["outputResources"]["amis"].append(foreign)

    with retold(web.imagebuilder, "ListImagePipelineImages", share):
        web.run()

    assert web.latest() == web.amis(build)


def test_region_that_no_build_has_reached_yet_is_no_problem(web: Web) -> None:
    build = web.build()

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            image["outputResources"]["amis"] = [a for a in image["outputResources"]["amis"] if a["region"] == HOME]

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        run = web.run()

    assert web.latest() == {HOME: web.amis(build)[HOME]}
    assert (run.line["Problems"], run.error) == (0, "")


def _date(answer: Any, times: dict[str, str]) -> None:
    for image in answer["imageSummaryList"]:
        image["dateCreated"] = times.get(image["arn"], image["dateCreated"])


def _hide(answer: Any, arn: str) -> None:
    answer["imageSummaryList"] = [image for image in answer["imageSummaryList"] if image["arn"] != arn]


def _describe(answer: Any, ami: str, members: dict[str, str]) -> None:
    for image in answer["Images"]:
        if image["ImageId"] == ami:
            image.update(members)
