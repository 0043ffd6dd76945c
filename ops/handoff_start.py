"""Lets the hand-off function of an image run now, without waiting for it. It runs each hour anyway.

So the permission for it, `lambda:InvokeFunction`, is not necessary: without it everything takes up to an hour longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from estate.estate import EstateImage
from estate.models.images import Image
from lambda_src.handoff.failures import code_of
from ops.accounts import Accounts
from ops.aws import asking
from ops.errors import OpsError

_NO_FUNCTION = "ResourceNotFoundException"
_NOT_ALLOWED = "AccessDeniedException"


@dataclass(frozen=True, kw_only=True)
class HandoffStart:
    """Whether the hand-off function of an image was started."""

    image: str
    started: bool
    reason: str | None = None
    failed: bool = False
    """Whether that is an error; without the function or the permission it is none."""

    @property
    def text(self) -> str:
        """For people."""
        if self.started:
            return f"the hand-off function of {self.image} was started, and does the rest"
        return (
            f"the hand-off function of {self.image} was not started, and does the rest within the hour: {self.reason}"
        )


def start_handoff(image: EstateImage[Image], accounts: Accounts) -> HandoffStart:
    """Start it. Raises nothing."""
    name, home = image.image.name, image.image.home
    try:
        aws = accounts.of_image(image)
        with asking(home):
            aws.functions(home).invoke(FunctionName=image.names.handoff, InvocationType="Event", Payload=b"{}")
    except OpsError as error:
        cause = error.__cause__
        code = code_of(cause) if isinstance(cause, ClientError) else ""
        if code == _NO_FUNCTION:
            reason = f"it does not exist; apply {image.names.stack}"
            return HandoffStart(image=name, started=False, reason=reason)
        return HandoffStart(image=name, started=False, reason=str(error), failed=code != _NOT_ALLOWED)
    return HandoffStart(image=name, started=True)
