"""All images of a region at a glance: a dashboard in CloudWatch.

It belongs to no image, so it has a stack of its own: an image that comes or goes changes this one and no other. It
names alarms, metrics and log groups, which follow from names; it reads nothing of other stacks.
"""

import json
from collections.abc import Sequence
from typing import Any

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from constructs import Construct

from estate import names
from estate.estate import Estate
from estate.models.images import Image
from stacks.terraform import add_terraform

_WIDTH = 24
"""Of a dashboard, in AWS's units."""
_ALARMS_HEIGHT = 4
_MOST_ALARMS = 100
"""Of one widget ("Dashboard body structure and syntax" in CloudWatch's API reference)."""
_MOST_IMAGES = 400
"""Of one dashboard: six metrics each, of the 2,500 that it takes ("CloudWatch service quotas" in its user guide)."""
_ALARMS = ("failed_builds", "problems", "errors", "dead_letters")


class DashboardStack(TerraformStack):
    """The stack `overview-<region>`. Its output is the dashboard's name."""

    def __init__(self, scope: Construct, *, estate: Estate, region: str) -> None:
        super().__init__(scope, names.overview_stack(region))
        add_terraform(self, settings=estate.settings, region=region, tags={})
        account = DataAwsCallerIdentity(self, "account").account_id
        images = [image for image in estate.images.values() if image.home == region]
        for index, first in enumerate(range(0, len(images), _MOST_IMAGES)):
            shown = images[first : first + _MOST_IMAGES]
            suffix = f"_{index + 1}" if index else ""
            dashboard = CloudwatchDashboard(
                self,
                f"dashboard{suffix}",
                dashboard_name=names.overview(estate.settings.namespace) + suffix,
                dashboard_body=json.dumps({"widgets": _widgets(estate, shown, region=region, account=account)}),
            )
            TerraformOutput(self, f"dashboard_name{suffix}", value=dashboard.dashboard_name)


def _widgets(estate: Estate, images: Sequence[Image], *, region: str, account: str) -> list[dict[str, Any]]:
    """From the top: alarms of all images, what happened to each, and how the functions fare."""
    namespace = estate.settings.namespace
    title = f"Alarms of the images of {namespace}"
    arn = f"arn:{names.partition(region)}:cloudwatch:{region}:{account}:alarm:"

    def graph(title: str, metrics: list[list[Any]], *, x: int, y: int) -> dict[str, Any]:
        shown = {"title": title, "metrics": metrics, "region": region, "stat": "Sum", "period": 3600}
        return {"type": "metric", "x": x, "y": y, "width": _WIDTH // 2, "height": 6, "properties": shown}

    def of_images(metric: str) -> list[list[Any]]:
        return [["Goldsmith", metric, "Image", f"{namespace}/{image.name}"] for image in images]

    def of_functions(metric: str) -> list[list[Any]]:
        return [
            ["AWS/Lambda", metric, "FunctionName", names.handoff(namespace, image.name), {"label": image.name}]
            for image in images
        ]

    dead_letters: list[list[Any]] = [
        [
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            names.dead_letters(names.handoff(namespace, image.name)),
            {"label": image.name, "stat": "Maximum"},
        ]
        for image in images
    ]
    alarms = [arn + names.alarm(namespace, image.name, kind) for image in images for kind in _kinds(image)]
    states = [
        {
            "type": "alarm",
            "x": 0,
            "y": _ALARMS_HEIGHT * index,
            "width": _WIDTH,
            "height": _ALARMS_HEIGHT,
            "properties": {"title": title, "alarms": alarms[first : first + _MOST_ALARMS]},
        }
        for index, first in enumerate(range(0, len(alarms), _MOST_ALARMS))
    ]
    y = _ALARMS_HEIGHT * len(states)
    return [
        *states,
        graph("Builds that became latest, times regions", of_images("Moved"), x=0, y=y),
        graph("Failed builds", of_images("FailedBuilds"), x=_WIDTH // 2, y=y),
        graph("What no retry mends", of_images("Problems"), x=0, y=y + 6),
        graph("Events that were given up", dead_letters, x=_WIDTH // 2, y=y + 6),
        graph("Errors of the functions", of_functions("Errors"), x=0, y=y + 12),
        graph("Runs of the functions", of_functions("Invocations"), x=_WIDTH // 2, y=y + 12),
    ]


def _kinds(image: Image) -> tuple[str, ...]:
    return (*_ALARMS, "overdue") if image.notifications.no_new_image_for else _ALARMS
