"""The story, end to end: the real cdktf, Terraform, provider and Lambda function against the local AWS."""

from collections.abc import Iterator, Mapping

import pytest

from demo.story import STEPS
from demo.world import StepFailed, World
from local_aws.server import LocalAws
from tests.support.permissions import Estate, Recorder


@pytest.fixture(scope="module")
def world(terraform_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A local AWS and a folder of the story's own."""
    with LocalAws() as aws:
        world = World(aws=aws, folder=tmp_path_factory.mktemp("story"))
        try:
            yield world
        finally:
            world.end()


def test_the_story_runs_to_its_end(world: World) -> None:
    recorder = Recorder(world.aws)
    with recorder.recording():
        for step in STEPS:
            try:
                assert step.run(world)
            except StepFailed as error:
                error.add_note(f"in the step: {step.title}")
                raise
    # by the policies for images and fleets of one account together
    assert recorder.refused(Estate(namespace="acme", account="000000000000"), "images", "fleets") == []
