"""A shell with the commands, and images in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ContainerImageWorld, ImageWorld
from tests.support.ops_world import OpsWorld, Shell, impatient_shell
from tests.support.rollout_world import RolloutWorld


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys, FORCE_COLOR="1")
    shell.declare("web", "api")
    return shell


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> Iterator[OpsWorld]:
    world = OpsWorld(web=ImageWorld(local_aws), config=shell.config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name)
    yield world
    local_aws.set_state_seconds(0)


@pytest.fixture
def two(world: OpsWorld) -> OpsWorld:
    """A world with two builds, which `latest` had one after the other: 1.0.7/1 and 1.0.7/2."""
    for _ in range(2):
        world.web.build()
        world.web.run()
    return world


@pytest.fixture
def container_world(local_aws: LocalAws, shell: Shell) -> OpsWorld:
    web = ContainerImageWorld(local_aws)
    world = OpsWorld(web=web, config=shell.config, environment=shell.environment, ops=shell.ops)
    fields = "kind: container, parent: 'amazonlinux:2023', build: [update-os], channels: [prod]"
    images = f"images: {{{web.name}: {{{fields}, regions: [us-east-1, eu-west-1]}}}}"
    world.config.write_text(f"settings: {{namespace: acme}}\n{images}\n")
    return world


@pytest.fixture
def fleets(local_aws: LocalAws, shell: Shell) -> Iterator[RolloutWorld]:
    """Fleets of one image, of which `dev` is declared."""
    fleets = RolloutWorld(local_aws, ImageWorld(local_aws), shell)
    fleets.declare()
    yield fleets
    local_aws.set_rollout_time()
