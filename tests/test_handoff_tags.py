"""The tags by which the hand-off tells lifecycle policies which builds are whose, in use, and among the newest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.handoff_world import ABROAD, Web, intercepted, refused, retold


@pytest.fixture
def web(local_aws: LocalAws) -> Web:
    return Web(local_aws)


def test_builds_are_tagged_and_those_that_channels_point_or_pointed_to_are_in_use(web: Web) -> None:
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


def test_of_latest_only_the_present_build_and_the_one_before_are_in_use(web: Web) -> None:
    builds = []
    for _ in range(3):
        builds.append(web.build())
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == [None, "true", "true"]


def test_value_that_two_runs_wrote_is_one_value(web: Web) -> None:
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


def test_newest_builds_are_tagged_and_lose_the_tag_to_newer_ones(web: Web) -> None:
    web.image = replace(web.image, keep_newest=2)
    builds = [web.build() for _ in range(2)]
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == ["true", "true"]

    # another version of the recipe: Image Builder counts anew for it, the function does not
    web.change_recipe("1.0.8")
    builds.append(web.build())
    web.build(fail=True)
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == [None, "true", "true"]

    web.image = replace(web.image, keep_newest=0)
    web.run()
    assert [web.tags(build).get("goldsmith:newest") for build in builds] == [None] * 3


def test_policy_selects_only_builds_that_were_looked_at_with_its_number(web: Web) -> None:
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


def test_what_a_policy_selects_by_comes_together_with_what_spares_the_build(web: Web) -> None:
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


def test_policy_does_not_select_what_may_be_among_the_newest_soon(web: Web) -> None:
    web.image = replace(web.image, keep_newest=1)
    build = web.build()

    def unfinished(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            image["state"] = {"status": "DISTRIBUTING"}

    with retold(web.imagebuilder, "ListImagePipelineImages", unfinished):
        web.run()
    assert web.tags(build) == {"goldsmith:image": f"acme/{web.name}"}


def test_nothing_loses_a_tag_while_a_region_cannot_be_read(web: Web) -> None:
    """Whether a channel there still points to a build is not known."""
    builds = []
    for _ in range(2):
        builds.append(web.build())
        web.run()
    builds.append(web.build())
    with intercepted(web.targets[1].ssm, "GetParametersByPath", lambda: refused("ThrottlingException")):
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == ["true", "true", "true"]


def test_nothing_loses_a_tag_when_the_image_no_longer_goes_to_a_region(web: Web) -> None:
    """Its channels there stay, and fleets that follow them, but nobody reads them any more."""
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


def test_nothing_loses_a_tag_when_another_build_could_not_be_tagged(web: Web) -> None:
    builds = []
    for _ in range(2):
        builds.append(web.build())
        web.run()
    builds.append(web.build())
    with intercepted(web.imagebuilder, "TagResource", lambda: refused("InvalidParameterException")):
        web.run()
    assert [web.tags(build).get("goldsmith:in-use") for build in builds] == ["true", "true", None]


def test_tags_that_fail_do_not_stop_the_hand_off_and_are_retried(web: Web) -> None:
    build = web.build()

    with intercepted(web.imagebuilder, "TagResource", lambda: refused("CallRateLimitExceededException", status=429)):
        run = web.run()
    assert web.latest() == web.amis(build)
    assert f"tags of {build}: " in run.error

    again = web.run()
    assert (again.line["Moved"], again.error) == (0, "")
    assert web.tags(build)["goldsmith:in-use"] == "true"


def test_tag_that_one_build_refuses_leaves_the_other_builds_alone(web: Web) -> None:
    older, newest = web.build(), web.build()
    answers = iter([refused("InvalidParameterException")])

    with intercepted(web.imagebuilder, "TagResource", lambda: next(answers, None)):
        run = web.run()

    assert [web.tags(build).get("goldsmith:image") for build in (newest, older)] == [None, f"acme/{web.name}"]
    assert (run.line["Problems"], run.error) == (1, "")
