"""The story, end to end: the real cdktf, Terraform, provider and Lambda function against the local AWS.

`make demo` has Terraform start the provider for each command; here it stays, which spares half of the time.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.story import DEV, IMAGE, STAGING, STEPS
from demo.world import HOME, StepFailed, World
from local_aws.server import LocalAws
from ops.providers import REATTACH
from scripts import terraform
from tests.support.permissions import Estate, Recorder
from tests.support.provider import running_providers


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the provider runs, and looks for the archives of functions."""
    return tmp_path_factory.mktemp("provider")


@pytest.fixture(scope="module")
def world(providers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A local AWS and a folder of the story's own."""
    folder = tmp_path_factory.mktemp("story")
    with ExitStack() as stack:
        aws = stack.enter_context(LocalAws())
        environ = terraform.environment(aws.environment(region=HOME), folder=folder)
        running = stack.enter_context(running_providers(environ, folder=providers))
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(REATTACH, running[REATTACH])
        world = World(aws=aws, folder=folder)
        stack.callback(world.end)
        yield world


def _link_archives(world: World, providers: Path) -> None:
    """Those of the image, and of the fleet whose function is deployed next: theirs have the same name."""
    is_made = (world.folder / "state" / "acme" / f"{DEV}.{HOME}.tfstate").exists()
    for owner, archive in ((IMAGE, "handoff.zip"), (STAGING if is_made else DEV, "rollout.zip")):
        (providers / archive).unlink(missing_ok=True)
        (providers / archive).symlink_to(world.folder / "cdktf.out" / "stacks" / owner / archive)


@pytest.mark.usefixtures("terraform_environment")  # which says whether Terraform is there
def test_the_story_runs_to_its_end(world: World, providers: Path) -> None:
    recorder = Recorder(world.aws)
    with recorder.recording():
        for step in STEPS:
            _link_archives(world, providers)
            try:
                assert step.run(world)
            except StepFailed as error:
                error.add_note(f"in the step: {step.title}")
                raise
    assert world.comment.startswith("<!-- goldsmith report -->\n## web ")
    assert "\n\n| Fleet | Where | Runs now | Will run |" in world.comment, "Markdown needs the empty lines"
    # by the policies for images and fleets of one account together
    assert recorder.refused(Estate(namespace="acme", account="000000000000"), "images", "fleets") == []
