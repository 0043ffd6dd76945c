"""Who is notified of failed builds, of alarms and of rollouts: the `notifications:` of an image or a fleet."""

from typing import Annotated

from pydantic import BaseModel, Field

from estate.models.durations import Age
from estate.models.types import FROZEN, Distinct, Matching

Email = Annotated[
    str,
    Matching(
        r"(?=.{3,256}$)[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "must be an e-mail address",
        "write it as team@example.com",
    ),
]
TopicArn = Annotated[
    str,
    Matching(
        r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}",
        "must be a standard topic's ARN, not a FIFO topic's",
        "write it as arn:aws:sns:eu-west-1:123456789012:…",
    ),
]


class Notifications(BaseModel):
    """Who is notified when a build fails or something else needs a person."""

    model_config = FROZEN

    emails: Annotated[tuple[Email, ...], Field(max_length=100), Distinct()] = ()
    """Who gets an e-mail when a build fails, with AWS's reason, and when an alarm of the image goes off. Each address
    has to confirm the one e-mail that AWS sends when the stack is deployed. Default: nobody."""
    topic_arns: Annotated[tuple[TopicArn, ...], Field(max_length=4), Distinct()] = ()
    """Topics of yours in the home region that get EventBridge's event of each failed build unchanged, in the form that
    Amazon Q Developer (for Slack and Teams) and pagers understand. Their policies must let `events.amazonaws.com`
    publish, and the policies of their keys must let it encrypt. Default: none."""
    no_new_image_for: Age | None = None
    """An alarm goes off when the newest good build is older than this; before the first good build there is no alarm.
    Default: no alarm."""


class FleetNotifications(BaseModel):
    """Who is notified of a fleet's instance refreshes that failed, were cancelled or were rolled back.

    An instance refresh that could not be started has no event: `goldsmith status --check` finds it. The function of a
    fleet with `updates: automatic` sends one sentence about each rollout that has ended, whether well or not, and when
    a person is needed.
    """

    model_config = FROZEN

    emails: Annotated[tuple[Email, ...], Field(max_length=100), Distinct()] = ()
    """Who gets an e-mail. Each address has to confirm the one e-mail that AWS sends when the stack is deployed.
    Default: nobody."""
    topic_arns: Annotated[tuple[TopicArn, ...], Field(max_length=4), Distinct()] = ()
    """Topics of yours in the fleet's region that get EventBridge's event unchanged, in the form that Amazon Q Developer
    (for Slack and Teams) and pagers understand. Their policies must let `events.amazonaws.com` publish, and the
    policies of their keys must let it encrypt. With `updates: automatic` they get the function's sentences as custom
    notifications of Amazon Q Developer instead; the policies of their keys must let the function's role encrypt.
    Default: none."""
