"""Which build `latest` points to, and what its record says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.handoff.builds import list_builds, newest_good
from local_aws.server import LocalAws
from tests.support.handoff_world import (
    ABROAD,
    BY,
    HOME,
    PARENT,
    REGIONS,
    ImageWorld,
    asked,
    intercepted,
    retold,
)

# What it does.


def test_first_good_build_creates_latest_in_every_region(web: ImageWorld) -> None:
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


def test_each_version_of_the_parameter_records_where_it_came_from(web: ImageWorld) -> None:
    first = web.build()
    web.run()
    second = web.build()
    with intercepted(web.targets[1].ssm, "PutParameter") as puts:
        web.run()

    assert len(puts) == 1, "value and record move together"
    latest = web.channels(ABROAD)["latest"]
    created = datetime.fromisoformat(web.details(second)["dateCreated"])
    assert latest.record == {
        "move": "2",
        "how": "new build",
        "build": second,
        "created": created.isoformat(),
        "parent": PARENT,
        "previous": web.amis(first)[ABROAD],
        "by": BY,
    }
    assert latest.version == 2
    assert latest.history == (web.amis(first)[ABROAD], web.amis(second)[ABROAD])
    assert latest.modified <= datetime.now(UTC)


def test_before_the_first_good_build_nothing_is_written_and_nothing_is_wrong(web: ImageWorld) -> None:
    web.build(fail=True)

    run = web.run()

    assert web.latest() == {}
    assert (run.line["Moved"], run.line["Problems"], run.line["newest"], run.error) == (0, 0, None, "")


def test_second_run_writes_nothing(web: ImageWorld) -> None:
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


def test_newest_build_is_found_on_whatever_page_the_list_has_it(web: ImageWorld) -> None:
    builds = [web.build() for _ in range(27)]  # a page has 25

    web.run()

    assert web.latest() == web.amis(builds[-1])
    found = list_builds(web.other_imagebuilder, pipeline_arn=web.image.pipeline_arn)
    assert [build.arn for build in found] == builds[::-1], "newest first"
    assert newest_good(found) == found[0]


def test_creation_times_are_compared_as_times(web: ImageWorld) -> None:
    late, early = web.build(), web.build()
    times = {late: "2026-07-01T00:00:01.5Z", early: "2026-07-01T00:00:01Z"}  # as text, the other way round

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, times)):
        web.run()

    assert web.latest() == web.amis(late)


def test_build_version_decides_between_builds_of_the_same_time(web: ImageWorld) -> None:
    builds = [web.build() for _ in range(10)]
    times = dict.fromkeys(builds, "2026-07-01T00:00:00Z")

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, times)):
        web.run()

    assert web.latest() == web.amis(builds[9]), "10 comes after 9"


def test_build_with_a_time_that_nobody_can_read_is_a_problem_and_never_chosen(web: ImageWorld) -> None:
    good, odd = web.build(), web.build()

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _date(answer, {odd: "Jul 28, 2026"})):
        run = web.run()

    assert web.latest() == web.amis(good)
    assert run.line["problems"] == [f"Image Builder: {odd} has no creation time that can be read"]


def test_build_that_appears_while_writing_is_found_by_the_second_look(web: ImageWorld) -> None:
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
    web: ImageWorld, local_aws: LocalAws, description: str
) -> None:
    build = web.build()
    other = ImageWorld(local_aws)
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


def test_parameter_that_another_run_made_first_is_moved_all_the_same(web: ImageWorld) -> None:
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
    web = ImageWorld(local_aws, parent=f"ssm:{parameter}")
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


def test_latest_stays_while_image_builders_list_does_not_have_its_build_yet(web: ImageWorld) -> None:
    web.build()
    newest = web.build()
    web.run()

    with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: _hide(answer, newest)):
        run = web.run()

    assert web.latest() == web.amis(newest)
    assert (run.line["Moved"], run.line["newest"]) == (0, newest)


def test_latest_goes_back_when_its_build_was_deleted(web: ImageWorld) -> None:
    older, newest = web.build(), web.build()
    web.run()
    web.other_imagebuilder.delete_image(imageBuildVersionArn=newest)

    run = web.run()

    assert web.latest() == web.amis(older)
    assert (run.line["Problems"], run.error) == (0, "")
    record = web.channels(HOME)["latest"].record
    assert (record["how"], record["why"]) == ("moved back", "the build is gone")


def test_latest_goes_back_only_in_the_region_where_its_ami_was_deregistered(web: ImageWorld) -> None:
    older, newest = web.build(), web.build()
    web.run()
    gone = web.amis(newest)[ABROAD]
    web.registry[ABROAD].deregister_image(ImageId=gone)

    run = web.run()

    assert web.latest() == {HOME: web.amis(newest)[HOME], ABROAD: web.amis(older)[ABROAD]}
    assert run.line["problems"] == [f"{ABROAD}: {newest} cannot be used: {gone} does not exist"]
    record = web.channels(ABROAD)["latest"].record
    assert (record["how"], record["why"]) == ("moved back", "its output cannot be used any more")


def test_latest_stays_when_no_build_is_left(web: ImageWorld) -> None:
    build = web.build()
    amis = web.amis(build)
    web.run()
    web.other_imagebuilder.delete_image(imageBuildVersionArn=build)

    run = web.run()

    assert (web.latest(), run.error) == (amis, "")


def test_asks_aws_for_nothing_but_these_operations(web: ImageWorld) -> None:
    """The function's role has to allow these, and no others."""
    with asked(web.imagebuilder, *web.registry.values(), *(target.ssm for target in web.targets)) as operations:
        for _ in range(3):
            web.build()
            web.run()

        with retold(web.imagebuilder, "ListImagePipelineImages", lambda answer: answer["imageSummaryList"].clear()):
            web.run()

    assert set(operations) == {
        *("ListImagePipelineImages", "GetImage", "TagResource", "UntagResource"),
        *("DescribeImages",),
        *("GetParametersByPath", "GetParameterHistory", "GetParameter", "PutParameter"),
    }


# What nobody did.


@pytest.mark.parametrize(("after_days", "overdue"), [(0, 0), (1, 0), (7, 1)])
def test_newest_build_that_is_too_old_is_counted_in_every_run(web: ImageWorld, after_days: int, overdue: int) -> None:
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


def test_image_without_a_build_is_not_overdue(web: ImageWorld) -> None:
    web.image = replace(web.image, overdue_after_days=1)
    assert web.run().line["Overdue"] == 0


def _date(answer: Any, times: dict[str, str]) -> None:
    for image in answer["imageSummaryList"]:
        image["dateCreated"] = times.get(image["arn"], image["dateCreated"])


def _hide(answer: Any, arn: str) -> None:
    answer["imageSummaryList"] = [image for image in answer["imageSummaryList"] if image["arn"] != arn]
