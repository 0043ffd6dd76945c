"""`status` of images, AMIs and containers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import OpsWorld

# --- status


def test_status_shows_each_channel_with_ami_age_and_build_and_which_are_behind(world: OpsWorld) -> None:
    old = world.web.amis(world.web.build())
    world.web.run()
    world.point("prod", region="us-east-1", build="1.0.7/1", created=datetime.now(UTC) - timedelta(days=3, hours=1))
    world.web.change_recipe("1.0.912")
    new = world.web.amis(world.web.build())
    world.web.run()
    answer = world.ops("status")

    lines = answer.out.splitlines()
    assert [re.split("  +", line.strip()) for line in lines[:-1]] == [
        ["IMAGE", "REGION", "CHANNEL", "VALUE", "AGE", "BUILD"],
        [world.name, "us-east-1", "latest", new["us-east-1"], "seconds", "1.0.912/1"],
        [world.name, "us-east-1", "prod", old["us-east-1"], "3 days", "1.0.7/1"],
        [world.name, "eu-west-1", "latest", new["eu-west-1"], "seconds", "1.0.912/1"],
        [world.name, "eu-west-1", "prod", "not set", "-", "-"],
    ]
    promote = f"goldsmith promote {world.name} prod"
    assert lines[-1] == f"{world.name}: prod: 1.0.912/1 waits for somebody to promote it: {promote}"
    assert (answer.err, answer.status) == ("", 0)


def test_status_says_what_is_not_deployed_not_built_or_not_good(world: OpsWorld, local_aws: LocalAws) -> None:
    failed, unbuilt, running = world.name, ImageWorld(local_aws).name, ImageWorld(local_aws)
    local_aws.fail_next_build(at="BUILDING", reason="nginx did not answer")
    world.web.build()
    local_aws.set_state_seconds(60)
    running.other_imagebuilder.start_image_pipeline_execution(imagePipelineArn=running.image.pipeline_arn)
    world.declare("api", unbuilt, failed, running.name)
    answer = world.ops("status")

    config = f"--config {world.config}"
    assert [line for line in answer.out.splitlines() if ":" in line] == [
        "api: image-api is not deployed: run goldsmith plan image-api and apply it",
        f"{unbuilt}: no build yet: goldsmith build {unbuilt} {config}",
        f"{failed}: 1.0.7/1 FAILED, started seconds ago: nginx did not answer",
        f"{running.name}: 1.0.7/1 is PENDING, started seconds ago; "
        f"follow it: goldsmith build {running.name} --attach 1.0.7/1 {config}",
    ]
    assert answer.status == 0, "a report of what is wrong is a good report"


def test_status_on_a_terminal_names_image_and_region_once(world: OpsWorld) -> None:
    world.web.build()
    world.web.run()
    written = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", world.on_a_terminal("status"))
    first = [re.split("  +", line)[0:3] for line in written[written.index("IMAGE") :].splitlines()[1:5]]
    assert [row[0] for row in first] == [world.name, "", "", ""]
    assert [row[1] for row in first] == ["us-east-1", "prod", "eu-west-1", "prod"]


def test_json_of_status_has_iso_dates_the_newer_build_and_why_the_newest_failed(
    world: OpsWorld, local_aws: LocalAws
) -> None:
    ami = world.web.amis(world.web.build())["us-east-1"]
    local_aws.fail_next_build(at="BUILDING", reason="nginx did not answer")
    world.web.build()
    world.declare(world.name, regions="us-east-1")
    image = json.loads(world.ops("status", "--json").out)["images"][0]

    created = [
        datetime.fromisoformat(world.web.details(world.arn(build))["dateCreated"]).isoformat()
        for build in ("1.0.7/1", "1.0.7/2")
    ]
    newest = {"build": "1.0.7/2", "arn": world.arn("1.0.7/2"), "status": "FAILED", "created": created[1]}
    good = {"build": "1.0.7/1", "arn": world.arn("1.0.7/1"), "status": "AVAILABLE", "created": created[0]}
    fine = {"by_hand": False, "problem": None}
    none = dict.fromkeys(("value", "build", "arn", "created", "moved")) | fine | {"newer_build": "1.0.7/1"}
    assert image == {
        "image": world.name,
        "account": "000000000000",
        "region": "us-east-1",
        "deployed": True,
        "newest": {**newest, "reason": "nginx did not answer", "logs": None, "revoked": None},
        "newest_good": {**good, "reason": None, "logs": None, "revoked": None},
        "channels": [
            {"region": "us-east-1", "channel": "latest", **none},
            {"region": "us-east-1", "channel": "prod", **none},
        ],
        "gaps": [
            {"channel": "latest", "reason": "the hand-off has not moved it to 1.0.7/1 yet", "needs_person": False}
        ],
        "kept": None,
        "errors": [],
    }

    world.web.run()
    latest = json.loads(world.ops("status", "--json").out)["images"][0]["channels"][0]
    moved = datetime.fromisoformat(latest.pop("moved"))
    assert moved.tzinfo and datetime.now(UTC) - moved < timedelta(minutes=1)
    pointed = {"value": ami, "build": "1.0.7/1", "arn": world.arn("1.0.7/1"), "created": created[0]}
    assert latest == {"region": "us-east-1", "channel": "latest", **pointed, **fine, "newer_build": None}
