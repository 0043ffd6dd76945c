"""The stack of a region's dashboard in CloudWatch, which shows all images of the region.

It has a stack of its own because it belongs to no image. It refers to alarms, metrics and queues by their names, and
reads nothing from other stacks.
"""

import json
from collections.abc import Sequence
from typing import Any

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from constructs import Construct

from estate import names
from estate.estate import Estate, EstateImage
from estate.models.images import Image
from stacks.terraform import add_terraform

_WIDTH = 24
"""The width of a dashboard, in AWS's units."""
_ALARMS_HEIGHT = 4
_GRAPH_HEIGHT = 6
_MOST_ALARMS = 100
"""Of one widget ("Dashboard body structure and syntax" in CloudWatch's API reference)."""
_MOST_IMAGES = 400
"""Of one dashboard: six metrics each, of the 2,500 that it takes ("CloudWatch service quotas" in its user guide)."""
_ALARMS = ("failed_builds", "problems", "errors", "dead_letters")


class DashboardStack(TerraformStack):
    """The stack `overview-<region>`. Its output is the dashboard's name."""

    def __init__(self, scope: Construct, *, estate: Estate, region: str) -> None:
        super().__init__(scope, names.overview_stack(region))
        account_name = estate.account_of_overview(region)
        add_terraform(
            self,
            settings=estate.settings,
            region=region,
            tags={},
            account=account_name,
            provider=estate.settings.provider_of(account_name, region=region),
        )
        account = DataAwsCallerIdentity(self, "account").account_id
        images = [estate.image(name) for name, image in estate.images.items() if image.home == region]
        title = f"Alarms of the images of {estate.namespace}"
        for index, first in enumerate(range(0, len(images), _MOST_IMAGES)):
            shown = images[first : first + _MOST_IMAGES]
            suffix = f"_{index + 1}" if index else ""
            dashboard = CloudwatchDashboard(
                self,
                f"dashboard{suffix}",
                dashboard_name=names.overview(estate.namespace) + suffix,
                dashboard_body=json.dumps({"widgets": _widgets(shown, title=title, account=account)}),
            )
            TerraformOutput(self, f"dashboard_name{suffix}", value=dashboard.dashboard_name)


def _widgets(images: Sequence[EstateImage[Image]], *, title: str, account: str) -> list[dict[str, Any]]:
    """From the top: the alarms of all images, their builds, and their hand-off functions."""
    alarms = _alarm_widgets(images, title=title, account=account)
    top = _ALARMS_HEIGHT * len(alarms)
    graphs = {
        "Moves of latest, counted in each region": _metrics_of_images(images, "Moved"),
        "Failed builds": _metrics_of_images(images, "FailedBuilds"),
        "Errors that retrying will not fix": _metrics_of_images(images, "Problems"),
        "Events in the dead-letter queues": _dead_letters(images),
        "Errors of the hand-off functions": _metrics_of_functions(images, "Errors"),
        "Runs of the hand-off functions": _metrics_of_functions(images, "Invocations"),
    }
    return [
        *alarms,
        *(
            {
                "type": "metric",
                "x": _WIDTH // 2 * (index % 2),
                "y": top + _GRAPH_HEIGHT * (index // 2),
                "width": _WIDTH // 2,
                "height": _GRAPH_HEIGHT,
                "properties": {
                    "title": title,
                    "metrics": metrics,
                    "region": images[0].image.home,
                    "stat": "Sum",
                    "period": 3600,
                },
            }
            for index, (title, metrics) in enumerate(graphs.items())
        ),
    ]


def _alarm_widgets(images: Sequence[EstateImage[Image]], *, title: str, account: str) -> list[dict[str, Any]]:
    alarms = [
        image.arn("cloudwatch", f"alarm:{image.names.alarm(kind)}", account=account)
        for image in images
        for kind in (*_ALARMS, *(["overdue"] if image.image.notifications.no_new_image_for else []))
    ]
    return [
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


def _metrics_of_images(images: Sequence[EstateImage[Image]], metric: str) -> list[list[Any]]:
    return [["Goldsmith", metric, "Image", image.names.label] for image in images]


def _metrics_of_functions(images: Sequence[EstateImage[Image]], metric: str) -> list[list[Any]]:
    return [
        ["AWS/Lambda", metric, "FunctionName", image.names.handoff, {"label": image.names.image}] for image in images
    ]


def _dead_letters(images: Sequence[EstateImage[Image]]) -> list[list[Any]]:
    return [
        [
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            names.dead_letters(image.names.handoff),
            {"label": image.names.image, "stat": "Maximum"},
        ]
        for image in images
    ]
