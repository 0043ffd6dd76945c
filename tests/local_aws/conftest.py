"""What the tests of the local AWS share: Image Builder in one region, and a pipeline."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import REGION, make_pipeline

numbers = itertools.count(1)


@pytest.fixture
def image_builder(local_aws: LocalAws) -> Any:
    return local_aws.client("imagebuilder", region=REGION)


@pytest.fixture
def name() -> str:
    """A name that no other test uses, because the server is shared."""
    return f"Test_image {next(numbers)}"


@pytest.fixture
def pipeline(local_aws: LocalAws, name: str) -> dict[str, str]:
    """A pipeline with all that it needs, by the names of the ARN members, and its `topic`."""
    return make_pipeline(local_aws, name)
