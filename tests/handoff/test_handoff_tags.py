"""The tags by which the hand-off shows lifecycle policies which builds belong to an image, are in use, and are the
newest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.answers import refused
from tests.support.handoff_world import ABROAD, HOME, ImageWorld, intercepted, retold


@pytest.fixture
def web(local_aws: LocalAws) -> ImageWorld:
    return ImageWorld(local_aws)


def test_builds_are_tagged_and_those_that_channels_point_or_pointed_to_are_in_use(web: ImageWorld) -> None:
    never, once, now, newest = (web.build() for _ in range(4))
    failed = web.build(fail=True)
    for build in (once, now):
        web.other_ssm[ABROAD].put_parameter(
            Name=f"{web.path}/prod", Value=web.amis(build)[ABROAD], Type="String", Overwrite=build == now
        )

    web.run()

    mine = {"goldsmith:image": f"acme/{web.name}"}
    in_use = {**mine, "goldsmith:in-use": "true"}
    assert [web.tags(build) for build in (never, once, now, newest)] == [mine, in_use, in_use, in_use]
    assert web.tags(failed) == {}, "it left nothing behind that could be in use"


def test_of_latest_only_the_present_build_and_the_one_before_are_in_use(web: ImageWorld) -> None:
    builds = []
    for _ in range(3):
        builds.append(web.build())
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == [None, "true", "true"]


def test_value_that_two_runs_wrote_is_one_value(web: ImageWorld) -> None:
    """Of latest the build before is in use, not only the version of the parameter before."""
    builds = [web.build()]
    web.run()
    builds.append(web.build())
    web.run()
    for region, ami in web.amis(builds[1]).items():
        web.other_ssm[region].put_parameter(
            Name=f"{web.path}/latest", Value=ami, Type="String", DataType="aws:ec2:image", Overwrite=True
        )
    web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == ["true", "true"]


def test_newest_builds_are_tagged_and_lose_the_tag_to_newer_ones(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=2)
    builds = [web.build() for _ in range(2)]
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == ["true", "true"]

    # another version of the recipe: Image Builder starts a new count for it, the function does not
    web.change_recipe("1.0.8")
    builds.append(web.build())
    web.build(fail=True)
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == [None, "true", "true"]

    web.image = replace(web.image, keep_newest=0)
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == [None] * 3


def test_policy_selects_only_builds_that_were_tagged_for_its_number(web: ImageWorld) -> None:
    builds = [web.build() for _ in range(2)]

    def selected() -> list[str | None]:
        web.run()
        return [web.tags(build).get("goldsmith:retention") for build in builds]

    assert selected() == [None, None], "there is no policy"
    for keep_newest in (1, 2):
        web.image = replace(web.image, keep_newest=keep_newest)
        assert selected() == [f"acme/{web.name}/{keep_newest}"] * 2
    web.image = replace(web.image, keep_newest=0)
    assert selected() == [None, None], "it would not know that nobody protects the newest any more"


def test_tag_that_a_policy_selects_is_written_together_with_those_that_keep_the_build(web: ImageWorld) -> None:
    """Or a policy that runs between the two would take one of the newest."""
    web.image = replace(web.image, keep_newest=2)
    build = web.build()
    with intercepted(web.imagebuilder, "TagResource") as calls:
        web.run()
    (tags,) = [json.loads(call)["tags"] for call in calls]
    assert tags == {
        "goldsmith:image": f"acme/{web.name}",
        "goldsmith:in-use": "true",
        "goldsmith:newest": "true",
        "goldsmith:retention": f"acme/{web.name}/2",
    }
    web.image = replace(web.image, keep_newest=0)
    with intercepted(web.imagebuilder, "UntagResource") as calls:
        web.run()
    assert len(calls) == 1
    assert web.tags(build).keys() == {"goldsmith:image", "goldsmith:in-use"}


def test_policy_does_not_select_what_may_be_among_the_newest_soon(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=1)
    build = web.build()

    def unfinished(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            image["state"] = {"status": "DISTRIBUTING"}

    with retold(web.imagebuilder, "ListImagePipelineImages", unfinished):
        web.run()
    assert web.tags(build) == {"goldsmith:image": f"acme/{web.name}"}


def test_nothing_loses_a_tag_while_a_region_cannot_be_read(web: ImageWorld) -> None:
    """Whether a channel there still points to a build is not known."""
    builds = []
    for _ in range(2):
        builds.append(web.build())
        web.run()
    builds.append(web.build())
    with intercepted(web.targets[1].ssm, "GetParametersByPath", lambda: refused("ThrottlingException")):
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == ["true", "true", "true"]


def test_nothing_loses_a_tag_when_the_image_no_longer_goes_to_a_region(web: ImageWorld) -> None:
    """Its channels there still exist, with fleets that follow them, but the hand-off does not read them any longer."""
    abroad = web.targets.pop()
    builds = []
    for _ in range(3):
        builds.append(web.build())
        web.targets.append(abroad)
        web.run()
        web.targets.pop()
    web.run()
    last = web.build()
    web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in (*builds, last)] == [None, "true", "true", "true"]


def test_nothing_loses_a_tag_when_another_build_could_not_be_tagged(web: ImageWorld) -> None:
    builds = []
    for _ in range(2):
        builds.append(web.build())
        web.run()
    builds.append(web.build())
    with intercepted(web.imagebuilder, "TagResource", lambda: refused("InvalidParameterException")):
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == ["true", "true", None]


def test_tags_that_fail_do_not_stop_the_hand_off_and_are_retried(web: ImageWorld) -> None:
    build = web.build()

    with intercepted(web.imagebuilder, "TagResource", lambda: refused("CallRateLimitExceededException", status=429)):
        run = web.run()
    assert web.latest() == web.amis(build)
    assert f"tags of {build}: " in run.error

    again = web.run()
    assert (again.line["Moved"], again.error) == (0, "")
    assert web.tags(build)["goldsmith:in-use"] == "true"


def test_tag_that_one_build_refuses_leaves_the_other_builds_alone(web: ImageWorld) -> None:
    older, newest = web.build(), web.build()
    answers = iter([refused("InvalidParameterException")])

    with intercepted(web.imagebuilder, "TagResource", lambda: next(answers, None)):
        run = web.run()

    assert [web.tags(build).get("goldsmith:image") for build in (newest, older)] == [None, f"acme/{web.name}"]
    assert (run.line["Problems"], run.error) == (1, "")


# When time or AWS sets an end.


def _time_for(calls: list[str], count: int) -> Callable[[], float]:
    """Time is over after so many of the calls that are collected there."""
    return lambda: 1.0 if len(calls) < count else 0.0


def test_latest_moves_first_and_tags_that_are_left_are_counted_and_written_by_the_next_runs(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=1)
    builds = [web.build() for _ in range(5)]

    left, tagged = [], []
    for _ in range(4):
        with intercepted(web.imagebuilder, "TagResource") as calls:
            run = web.run(seconds_left=_time_for(calls, 2))
        assert (web.latest(), run.error) == (web.amis(builds[-1]), ""), "nothing that a retry would have to finish"
        named = [metric["Name"] for each in run.line["_aws"]["CloudWatchMetrics"] for metric in each["Metrics"]]
        assert ("Untagged" in named) == (run.line["Untagged"] > 0)
        left.append(run.line["Untagged"])
        tagged.append([build for build in reversed(builds) if "goldsmith:retention" in web.tags(build)])

    assert left == [3, 1, 0, 0]
    assert tagged == [builds[:2:-1], builds[:0:-1], builds[::-1], builds[::-1]], "the newest first"


def test_builds_that_a_policy_may_delete_are_tagged_first(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=1)
    builds = [web.build() for _ in range(3)]
    web.run()
    assert "goldsmith:in-use" not in web.tags(builds[0])
    builds += [web.build() for _ in range(2)]
    web.other_ssm[ABROAD].put_parameter(Name=f"{web.path}/prod", Value=web.amis(builds[0])[ABROAD], Type="String")

    with intercepted(web.imagebuilder, "TagResource") as calls:
        run = web.run(seconds_left=_time_for(calls, 1))

    assert web.tags(builds[0])["goldsmith:in-use"] == "true"
    assert [web.tags(build) for build in builds[3:]] == [{}, {}]
    assert web.tags(builds[2])["goldsmith:newest"] == "true", "nothing is taken away before everything is tagged"
    assert run.line["Untagged"] == 3


def test_removing_tags_also_waits_for_time(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=3)
    builds = [web.build() for _ in range(3)]
    web.run()
    web.image = replace(web.image, keep_newest=0)

    with intercepted(web.imagebuilder, "UntagResource") as calls:
        run = web.run(seconds_left=_time_for(calls, 1))
    assert run.line["Untagged"] == 2
    assert web.run().line["Untagged"] == 0
    assert not [build for build in builds if "goldsmith:newest" in web.tags(build)]


def test_run_without_time_does_nothing_and_says_so(web: ImageWorld) -> None:
    web.build()
    run = web.run(seconds_left=lambda: 0.0)
    assert web.latest() == {}
    assert run.line["unfinished"] == [f"{region}: no time was left for this region" for region in (HOME, ABROAD)]
    assert run.error.startswith(f"acme/{web.name} needs another run: ")


def test_build_is_not_handed_to_the_policy_while_one_of_its_regions_cannot_be_read(web: ImageWorld) -> None:
    """A channel there may point to it."""
    web.image = replace(web.image, keep_newest=1)
    builds = [web.build() for _ in range(2)]
    web.run()
    older, *_ = builds
    web.image = replace(web.image, keep_newest=2)
    builds += [web.build() for _ in range(2)]
    with intercepted(web.abroad("ssm"), "GetParametersByPath", lambda: refused("AccessDeniedException")):
        web.run()
    selected = [web.tags(build).get("goldsmith:retention", "").rpartition("/")[2] for build in builds]
    assert selected == ["1", "2", "2", "2"], "what is spared by another tag may be"
    web.run()
    assert web.tags(older)["goldsmith:retention"].endswith("/2")


def test_build_with_an_incomplete_answer_counts_as_in_use(web: ImageWorld) -> None:
    web.image = replace(web.image, keep_newest=1)
    odd, _, _ = (web.build() for _ in range(3))

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            if image["arn"] == odd:
                image["outputResources"]["amis"][0].pop("image")

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        web.run()
    assert web.tags(odd)["goldsmith:in-use"] == "true"
    web.run()
    assert "goldsmith:in-use" not in web.tags(odd)


def test_repeated_refusals_end_the_tagging_and_the_line_is_written(web: ImageWorld) -> None:
    build = web.build()
    web.run()

    def multiply(answer: Any) -> None:
        (image,) = answer["imageSummaryList"]
        versions = (f"{image['arn'].rpartition('/')[0]}/{number}" for number in range(1, 31))
        answer["imageSummaryList"] = [{**image, "arn": arn, "tags": {}} for arn in versions]

    with (
        retold(web.imagebuilder, "ListImagePipelineImages", multiply),
        intercepted(web.imagebuilder, "TagResource", lambda: refused("AccessDeniedException", status=403)) as calls,
    ):
        run = web.run()
    assert (len(calls), run.line["Problems"], run.line["Untagged"]) == (10, 10, 30)
    assert web.latest() == web.amis(build)


def test_nothing_is_read_twice_that_cannot_have_changed(web: ImageWorld) -> None:
    """After the move, the history of latest alone; what the last run read is in the history bucket."""
    build = web.build()
    for channel in ("staging", "prod"):
        web.other_ssm[ABROAD].put_parameter(Name=f"{web.path}/{channel}", Value=web.amis(build)[ABROAD], Type="String")
    web.run()
    web.build()
    with intercepted(web.abroad("ssm"), "GetParameterHistory") as calls:
        web.run()
    assert len(calls) == 1
