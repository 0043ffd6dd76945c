"""The commit of the configuration's repository, as a tag of the build that `goldsmith build` starts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from estate.recipes import recipe_of
from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import OpsWorld, impatient_shell


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> OpsWorld:
    """An image that is deployed as it is declared, and whose configuration is in no repository."""
    config = tmp_path / "team" / "config" / "estate.yaml"
    config.parent.mkdir(parents=True)
    shell = impatient_shell(local_aws, config, monkeypatch, capsys, HOME=str(tmp_path))
    world = OpsWorld(web=ImageWorld(local_aws), config=config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name)
    world.web.change_recipe(recipe_of(load(config).image(world.name)).version)
    return world


def commit(world: OpsWorld) -> str:
    """Commit everything in the repository of the configuration, which is made if there is none; the commit."""
    folder = world.config.parents[1]
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "--all"], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    answer = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def build(world: OpsWorld) -> tuple[dict[str, Any], dict[str, str]]:
    """The JSON of a build that is started, and the build's tags."""
    started = json.loads(world.ops("build", world.name, "--no-wait", "--json").out)
    return started, world.web.details(started["arn"]).get("tags", {})


def test_a_build_has_the_commit_of_a_repository_without_changes(world: OpsWorld) -> None:
    sha = commit(world)
    started, tags = build(world)
    assert (started["commit"], started["no_commit"], tags) == (sha, None, {"goldsmith:commit": sha})
    assert f"\ntagged goldsmith:commit={sha}\n" in world.ops("build", world.name, "--no-wait").out
    attached = world.ops("build", world.name, "--attach", "--handoff-timeout", "0 seconds", "--json")
    assert json.loads(attached.out)["commit"] == sha
    assert f"configuration of commit {sha}\n" in world.ops("status", f"{world.name}@{started['build']}").out


def test_a_build_has_no_commit_that_does_not_describe_it(world: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build(world)[0]["no_commit"] == "the configuration is in no git repository that has a commit"

    commit(world)
    (world.config.parents[1] / "notes.txt").touch()
    started, tags = build(world)
    changed = "the repository of the configuration has changes that are not committed, such as notes.txt"
    assert (started["commit"], started["no_commit"], tags) == (None, changed, {})
    assert f"\nnot tagged with goldsmith:commit: {changed}\n" in world.ops("build", world.name, "--no-wait").out

    commit(world)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", "")
        assert build(world)[0]["no_commit"] == "git is not installed"

    deployed = recipe_of(load(world.config).image(world.name)).version
    world.web.change_recipe("1.0.8")
    assert build(world)[0]["no_commit"] == f"the configuration declares {deployed}, and this builds 1.0.8"


def test_the_repository_is_that_of_the_configuration_whatever_variables_say(
    world: OpsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook of git."""
    sha = commit(world)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "none"))
    assert build(world)[0]["commit"] == sha
