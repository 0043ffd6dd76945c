"""Who is told what of an image: failed builds, and that none was made for too long."""

from typing import Annotated

from pydantic import BaseModel, Field

from estate.models.ages import Age
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
        "must be a topic's ARN, and not one of first-in-first-out",
        "write it as arn:aws:sns:eu-west-1:123456789012:…",
    ),
]


class Notifications(BaseModel):
    """Who is told when a build failed, and what else needs a person."""

    model_config = FROZEN

    emails: Annotated[tuple[Email, ...], Field(max_length=100), Distinct()] = ()
    """Who gets an e-mail when a build failed, with AWS's reason, and when an alarm of the image goes off. Each address
    has to confirm the one mail that AWS sends when the stack is deployed. Without it: nobody."""
    topic_arns: Annotated[tuple[TopicArn, ...], Field(max_length=4), Distinct()] = ()
    """Topics of yours in the home region that get EventBridge's event of each failed build as it is, which chats read
    (Amazon Q Developer for Slack and Teams) and pagers. Their policies must let `events.amazonaws.com` publish, and the
    policies of their keys let it encrypt. Without it: none."""
    no_new_image_for: Age | None = None
    """An alarm goes off when the newest good build is older; before the first one there is nothing to miss. Without it:
    none does."""


class FleetNotifications(BaseModel):
    """Who hears of a fleet's instance refreshes that failed, were cancelled or were rolled back.

    One that could not even be started has no event: `python -m ops status --check` finds it.
    """

    model_config = FROZEN

    emails: Annotated[tuple[Email, ...], Field(max_length=100), Distinct()] = ()
    """Who gets an e-mail. Each address has to confirm the one mail that AWS sends when the stack is deployed. Without
    it: nobody."""
    topic_arns: Annotated[tuple[TopicArn, ...], Field(max_length=4), Distinct()] = ()
    """Topics of yours in the fleet's region that get EventBridge's event as it is, which chats read (Amazon Q Developer
    for Slack and Teams) and pagers. Their policies must let `events.amazonaws.com` publish, and the policies of their
    keys let it encrypt. Without it: none."""
