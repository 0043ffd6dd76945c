"""The commands with container images."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from tests.support.ops_world import OpsWorld

# --- Containers


def test_commands_work_for_containers_too(container_world: OpsWorld) -> None:
    world, label = container_world, f"{container_world.name} 1.0.7/1"
    with world.running("build", world.name) as process:
        assert process.stdout is not None
        while "started in" not in process.stdout.readline():
            pass
        world.hand_off_when_built("1.0.7/1")
        out, err = process.communicate(timeout=30)
    values = world.web.latest()
    assert (err, process.returncode, set(values)) == ("", 0, {"us-east-1", "eu-west-1"})
    assert out.splitlines()[-2:] == [
        f"us-east-1 {values['us-east-1']} latest points to it",
        f"eu-west-1 {values['eu-west-1']} latest points to it",
    ]

    world.web.build()
    answer = world.ops("build", world.name, "--attach", "1.0.7/1", "--json")
    assert json.loads(answer.out)["regions"] == [
        {"region": region, "value": value, "latest": value, "latest_build": "1.0.7/1", "handed_off": True}
        for region, value in values.items()
    ]
    world.point("prod", region="eu-west-1", build="1.0.7/1", created=datetime(2026, 7, 1, tzinfo=UTC))
    (image,) = json.loads(world.ops("status", "--json").out)["images"]
    rows = {(row["region"], row["channel"]): row for row in image["channels"]}
    assert rows["eu-west-1", "latest"]["value"] == values["eu-west-1"]
    assert {key: (row["build"], row["newer_build"]) for key, row in rows.items()} == {
        ("us-east-1", "latest"): ("1.0.7/1", "1.0.7/2"),
        ("us-east-1", "prod"): (None, "1.0.7/2"),
        ("eu-west-1", "latest"): ("1.0.7/1", "1.0.7/2"),
        ("eu-west-1", "prod"): ("1.0.7/1", "1.0.7/2"),
    }
    world.web.run()
    (image,) = json.loads(world.ops("status", "--json").out)["images"]
    assert [row["newer_build"] for row in image["channels"] if row["channel"] == "latest"] == [None, None]
    assert label not in world.ops("status").out, "the newest build is good"


def test_container_shows_without_registry_and_most_of_its_digest_on_a_terminal(container_world: OpsWorld) -> None:
    world = container_world
    value = world.web.values(world.web.build())["us-east-1"]
    world.web.run()
    name, _, digest = value.partition("/")[2].partition("@sha256:")
    assert f" {name}@sha256:{digest[:12]} " in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", world.on_a_terminal("status"))
    assert f" {value} " in world.ops("status").out


def test_region_without_a_container_image_is_reported(container_world: OpsWorld) -> None:
    world = container_world
    world.config.write_text(world.config.read_text().replace("eu-west-1", "ap-northeast-1"))
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--attach")
    assert answer.status == 1
    assert answer.err.startswith(f"{world.name} 1.0.7/1 has no container image in ap-northeast-1: run goldsmith ")
