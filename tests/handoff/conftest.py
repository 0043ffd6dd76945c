"""The image that the tests of the hand-off share."""

from __future__ import annotations

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import (
    ImageWorld,
)


@pytest.fixture
def web(local_aws: LocalAws) -> ImageWorld:
    return ImageWorld(local_aws)
