"""The function: an event of any kind -> look at Image Builder, move `latest`, write one log line.

An event is a hint that something happened, never a source of truth. It comes from SNS (Image Builder's
messages, each `Records[].Sns.Message` a JSON text), from an EventBridge schedule, or from an operator
(`{}`). What a message says is logged and counted, and whatever it says, the same look follows: nothing is
raised for a message. What is raised, and what is only counted, says `failures`.

The line is in CloudWatch's embedded metric format: namespace Goldsmith, dimension
Image=<namespace>/<image>, the counts Moved, Problems, Unfinished, FailedBuilds, IgnoredMessages, Overdue and
Untagged (builds whose tags are left for the next run). `handle` reads the configuration and the environment.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .builds import Build
from .configuration import PIPELINE_ARN, Configuration, read_configuration
from .failures import Unfinished
from .outputs import Amis, Containers, Outputs
from .reconciler import Image, Report, Target, reconcile

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

# A place that does not answer costs three times five seconds and the waits between; the function has 300, so that it
# can still say which of a dozen they were.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "adaptive", "total_max_attempts": 3})
# So long does a call last at worst, and then the line has to be written: what is begun later than that may not end.
RESERVED_SECONDS = 25
LOG_LIMIT = 300  # characters of what a message says
# CloudWatch takes no metrics from a line that Lambda has cut, which is at 256 KB.
MOST_TEXTS = 50
LONGEST_TEXT = 1000


def handle(event: Any, context: Any) -> None:
    """Lambda's entry point, `handoff.handler.handle`, in the archive that the image's stack writes."""
    configuration = read_configuration()
    image = image_of(configuration, pipeline_arn=os.environ[PIPELINE_ARN])
    respond(
        event,
        image=image,
        imagebuilder=_imagebuilder(image.pipeline_arn.split(":")[3]),
        targets=[
            _target(region, repository=configuration.repository, architecture=configuration.architecture)
            for region in configuration.regions
        ],
        by=context.invoked_function_arn,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS,
    )


def image_of(configuration: Configuration, *, pipeline_arn: str) -> Image:
    """The image of a configuration, which this pipeline builds."""
    return Image(
        namespace=configuration.namespace,
        name=configuration.image,
        pipeline_arn=pipeline_arn,
        tags=configuration.tags,
        keep_newest=configuration.keep_newest,
        overdue_after_days=configuration.overdue_after_days,
    )


def respond(
    event: Any,
    *,
    image: Image,
    imagebuilder: ImagebuilderClient,
    targets: Sequence[Target],
    by: str,
    confirm_within_seconds: float = 10.0,
    seconds_left: Callable[[], float] = lambda: math.inf,
) -> None:
    """Reconcile and print the line, whatever happened; then raise Unfinished when a retry may finish something.

    When no `seconds_left`, what is not done is left for the next run.
    """
    messages = [_message(record, pipeline_arn=image.pipeline_arn) for record in _records(event)]
    report, mistake = Report(), ""
    try:
        reconcile(
            image,
            imagebuilder=imagebuilder,
            targets=targets,
            by=by,
            report=report,
            confirm_within_seconds=confirm_within_seconds,
            seconds_left=seconds_left,
        )
    except Exception as error:
        mistake = f"{type(error).__name__}: {error}"[:LOG_LIMIT]
        raise
    finally:
        print(json.dumps(_line(image, messages=messages, report=report, mistake=mistake)), flush=True)
    if unfinished := report.failures.unfinished:
        raise Unfinished(f"{image.label} needs another run: {'; '.join(_bounded(unfinished))}")


@cache
def _imagebuilder(region: str) -> ImagebuilderClient:
    return boto3.client("imagebuilder", region_name=region, config=CONFIG)


@cache
def _target(region: str, *, repository: str, architecture: str) -> Target:
    """A container image has a repository, an AMI an architecture."""
    outputs: Outputs
    if repository:
        outputs = Containers(boto3.client("ecr", region_name=region, config=CONFIG), region, repository)
    else:
        ec2 = boto3.client("ec2", region_name=region, config=CONFIG)
        outputs = Amis(ec2, region, architecture)
    return Target(region, outputs, boto3.client("ssm", region_name=region, config=CONFIG))


def _records(event: Any) -> list[Any]:
    records = event.get("Records") if isinstance(event, dict) else None
    return records if isinstance(records, list) else []


def _message(record: Any, *, pipeline_arn: str) -> dict[str, str]:
    """What the log says of one SNS record: the image and its status, or why the message is ignored."""
    body = image = status = None
    try:
        body = record["Sns"]["Message"]
        message = json.loads(body)
        image, status = message["arn"], message["state"]["status"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # said below
    if not isinstance(image, str) or not isinstance(status, str):
        return {"ignored": "not of Image Builder", "body": body[:LOG_LIMIT] if isinstance(body, str) else ""}
    # A build that no pipeline started has no sourcePipelineArn, and may still have this topic.
    if message.get("sourcePipelineArn", pipeline_arn) != pipeline_arn:
        return {"ignored": "of another pipeline", "image": image[:LOG_LIMIT]}
    return {"image": image[:LOG_LIMIT], "status": status[:LOG_LIMIT]}


def _is_overdue(newest: Build | None, *, after_days: int) -> bool:
    """Whether the newest good build is older; before the first one nothing is overdue."""
    if not after_days or not newest or not newest.created:
        return False
    return datetime.now(UTC) - newest.created > timedelta(days=after_days)


def _line(image: Image, *, messages: Sequence[dict[str, str]], report: Report, mistake: str) -> dict[str, Any]:
    """The log line; CloudWatch reads in `_aws` which members are metrics."""
    metrics = {
        "Moved": len(report.moves),
        "Problems": len(report.failures.problems),
        "Unfinished": len(report.failures.unfinished),
        "FailedBuilds": sum(message.get("status") == "FAILED" for message in messages),
        "IgnoredMessages": sum("ignored" in message for message in messages),
        "Overdue": int(_is_overdue(report.newest, after_days=image.overdue_after_days)),
        "Untagged": report.untagged,
    }
    definition = {
        "Namespace": "Goldsmith",
        "Dimensions": [["Image"]],
        # CloudWatch charges for a metric by the hours in which it has data, and its alarms take none for none
        "Metrics": [{"Name": name, "Unit": "Count"} for name, count in metrics.items() if count],
    }
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [definition] if definition["Metrics"] else [],
        },
        "Image": image.label,
        **metrics,
        "newest": report.newest.arn if report.newest else None,
        "latest": report.latest,
        "moves": [asdict(move) for move in report.moves],
        "problems": _bounded(report.failures.problems),
        "unfinished": _bounded(report.failures.unfinished),
        "messages": list(messages),
        **({"mistake": mistake} if mistake else {}),
    }


def _bounded(texts: Sequence[str]) -> list[str]:
    """As many, and as much of each, as a line of a log takes."""
    shown = [text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…" for text in texts[:MOST_TEXTS]]
    return [*shown, f"and {len(texts) - MOST_TEXTS} more"] if len(texts) > MOST_TEXTS else shown
