"""The function's entry point: after an event of any kind it looks at Image Builder, moves channels, and logs one line.

An event only means that something may have happened. It comes from SNS (a message of Image Builder), from EventBridge
(the schedule, or a channel that was moved) or from an operator (`{}`). The function does the same for all of them, and
raises nothing because of what a message says.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .configuration import Configuration, Image, history_bucket, image_of, read_configuration
from .failures import Unfinished
from .history import History
from .log_line import log_line, shortened
from .messages import read_messages
from .notices import Topics
from .outputs import Amis, Containers, Outputs
from .reconciler import reconcile
from .run import Publish, Region, Report, Run, Target

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

# A service that does not answer takes three times five seconds and the waits between them. The function has 300
# seconds, so a dozen regions can fail like this and are still named in the log.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "adaptive", "total_max_attempts": 3})

RESERVED_SECONDS = 25
"""The longest that one call takes, and time to write the line. A call that begins later than that may not end."""

_LONGEST_MISTAKE = 300
"""Characters of an exception that nothing here expects."""


def handle(event: Any, context: Any) -> None:
    """Lambda calls this: `handoff.handler.handle` in the archive that the image's stack writes."""
    image = image_of(read_configuration(), environment=os.environ)
    respond(
        event,
        image=image,
        imagebuilder=_imagebuilder(image.pipeline_arn.split(":")[3]),
        targets=_targets(image),
        history=_history(image),
        publish=_publish(image),
        by=context.invoked_function_arn,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS,
    )


def respond(
    event: Any,
    *,
    image: Image,
    imagebuilder: ImagebuilderClient,
    targets: Sequence[Target],
    history: History,
    by: str,
    publish: Publish | None = None,
    now: datetime | None = None,
    confirm_within_seconds: float = 10.0,
    seconds_left: Callable[[], float] = lambda: math.inf,
) -> None:
    """Reconcile, and print the line also when that fails. Raises Unfinished when a retry can fix something.

    `Run` describes the arguments; `now` is the time by default.
    """
    messages = read_messages(event, pipeline_arn=image.pipeline_arn)
    report, mistake = Report(), ""
    run = Run(
        image=image,
        imagebuilder=imagebuilder,
        regions=tuple(map(Region, targets)),
        history=history,
        publish=publish,
        by=by,
        now=now or datetime.now(UTC),
        seconds_left=seconds_left,
        confirm_within_seconds=confirm_within_seconds,
        report=report,
    )
    try:
        reconcile(run)
    except Exception as error:
        mistake = f"{type(error).__name__}: {error}"[:_LONGEST_MISTAKE]
        raise
    finally:
        line = log_line(image, messages=messages, latest=run.latest, report=report, mistake=mistake)
        print(json.dumps(line), flush=True)
    if unfinished := report.failures.unfinished:
        raise Unfinished(f"{image.label} needs another run: {'; '.join(shortened(unfinished))}")


@cache
def _imagebuilder(region: str) -> ImagebuilderClient:
    return boto3.client("imagebuilder", region_name=region, config=CONFIG)


def _history(image: Image) -> History:
    home, account = image.pipeline_arn.split(":")[3:5]
    bucket = history_bucket(image.namespace, account=account, region=home)
    return History(boto3.client("s3", region_name=home, config=CONFIG), bucket, account, image.image)


def _publish(image: Image) -> Publish | None:
    if not (image.emails or image.topics):
        return None
    return Topics(
        boto3.client("sns", region_name=image.pipeline_arn.split(":")[3], config=CONFIG), image.emails, image.topics
    )


def _targets(configuration: Configuration) -> list[Target]:
    return [
        _target(region, repository=configuration.repository, architecture=configuration.architecture)
        for region in configuration.regions
    ]


@cache
def _target(region: str, *, repository: str, architecture: str) -> Target:
    """Container images for a configuration with a repository, AMIs for any other."""
    outputs: Outputs
    if repository:
        outputs = Containers(boto3.client("ecr", region_name=region, config=CONFIG), region, repository)
    else:
        outputs = Amis(boto3.client("ec2", region_name=region, config=CONFIG), region, architecture)
    return Target(region, outputs, boto3.client("ssm", region_name=region, config=CONFIG))
