"""The commands that move channels, in memory: the code of `goldsmith promote` and `rollback`, from the look to the last
write, without a question and without texts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from estate.estate import EstateImage
from estate.load import load
from estate.models.images import Image
from estate.references import BuildReference
from lambda_src.handoff.run import Run
from ops.errors import OpsError
from ops.moving import Mover, Plan
from ops.pipeline import Pipeline
from ops.promote import Promotion, plan_promotion
from ops.rollback import Place, Rollback, place_to_return_to, plan_rollback
from ops.sight import Sight
from tests.support.memory_aws import ACCOUNT
from tests.support.memory_world import REGIONS, MemoryWorld

CHANNELS = """{
  stable: {from: latest, soak: 60 minutes},
  gold: {from: stable, soak: 90 minutes},
  prod: {from: stable},
}"""
"""The channels of the image, beside `latest`."""


@cache
def declared_image(*, container: bool) -> EstateImage[Image]:
    """The image `web` of a configuration with these channels."""
    kind = (
        "kind: container, parent: 'public.ecr.aws/amazonlinux/amazonlinux:2023'"
        if container
        else "os: amazon-linux-2023"
    )
    fields = f"{kind}, build: [update-os], regions: [{', '.join(REGIONS)}], channels: {CHANNELS}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "estate.yaml").write_text(f"settings: {{namespace: acme}}\nimages:\n  web: {{{fields}}}\n")
        return load(Path(folder)).image("web")


@dataclass(frozen=True, kw_only=True)
class MemoryMover(Mover):
    """Moves channels of an image in memory."""

    web: MemoryWorld

    def open_run(self) -> Run:
        """A run that has not read anything yet."""
        return self.web.person()


def promote(web: MemoryWorld, channel: str, arn: str) -> bool:
    """Promote a build; whether that was not refused and did not fail."""
    mover = _mover(web)
    number = int(arn.rpartition("/")[2])
    wish = Promotion(
        pipeline=mover.pipeline,
        source=BuildReference("web", "1.0.7", number),
        channel=channel,
        regions=web.image.regions,
    )
    return _ended(mover, lambda sight: plan_promotion(wish, arn, sight))


def roll_back(web: MemoryWorld, channel: str) -> bool:
    """Roll a channel back; whether that was not refused and did not fail."""
    mover = _mover(web)
    wish = Rollback(pipeline=mover.pipeline, channel=channel)
    chosen: list[tuple[Place, list[str]]] = []

    def decide(sight: Sight) -> Plan:
        chosen[:] = chosen or [place_to_return_to(wish, sight, aws=mover.aws)]
        return plan_rollback(wish, chosen[0][0], sight, aws=mover.aws, notes=())

    return _ended(mover, decide)


def _mover(web: MemoryWorld) -> MemoryMover:
    declared: Any = declared_image(container=web.container)
    aws: Any = None  # what it would reach is in memory
    return MemoryMover(declared=declared, pipeline=Pipeline(declared=declared, account=ACCOUNT), aws=aws, web=web)


def _ended(mover: Mover, decide: Callable[[Sight], Plan]) -> bool:
    try:
        return not mover.move(decide).failed
    except OpsError:
        return False
