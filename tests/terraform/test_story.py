"""The story, end to end: the real cdktf, Terraform, provider and Lambda function against the local AWS.

`make demo` has Terraform start the provider for each command; here it stays, which spares half of the time.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from demo.story import AUTOMATIC, IMAGE, STEPS
from demo.world import HOME, StepFailed, World
from local_aws.server import LocalAws
from ops.providers import REATTACH
from scripts import terraform
from tests.support.permissions import Estate, Recorder
from tests.support.provider import running_providers


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A local AWS and a folder of the story's own."""
    folder, providers = tmp_path_factory.mktemp("story"), tmp_path_factory.mktemp("provider")
    # which the provider looks for in its folder
    for owner, archive in ((IMAGE, "handoff.zip"), (AUTOMATIC, "rollout.zip")):
        (providers / archive).symlink_to(folder / "cdktf.out" / "stacks" / owner / archive)
    with ExitStack() as stack:
        aws = stack.enter_context(LocalAws())
        environ = terraform.environment(aws.environment(region=HOME), folder=folder)
        running = stack.enter_context(running_providers(environ, folder=providers))
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(REATTACH, running[REATTACH])
        world = World(aws=aws, folder=folder)
        stack.callback(world.end)
        yield world


@pytest.mark.usefixtures("terraform_environment")  # which says whether Terraform is there
def test_the_story_runs_to_its_end(world: World) -> None:
    recorder = Recorder(world.aws)
    with recorder.recording():
        for step in STEPS:
            try:
                assert step.run(world)
            except StepFailed as error:
                error.add_note(f"in the step: {step.title}")
                raise
    assert world.comment.startswith("<!-- goldsmith report -->\n## web ")
    assert "\n\n| Fleet | Where | Runs now | Will run |" in world.comment, "Markdown needs the empty lines"
    # by the policies for images and fleets of one account together
    assert recorder.refused(Estate(namespace="acme", account="000000000000"), "images", "fleets") == []
