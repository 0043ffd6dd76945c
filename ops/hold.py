"""`goldsmith hold`: nothing moves the channels of an image, or one of them, until the hold ends.

A hold is a parameter in the image's home region (`lambda_src.handoff.holds`), which the hand-off function and every
command that moves channels read before they move one. `ops.commands.hold` lists the members of the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from estate.estate import EstateImage
from estate.models.images import Image
from estate.names import LATEST
from lambda_src.handoff.channels import hold_parameter, read_holds
from lambda_src.handoff.failures import code_of
from lambda_src.handoff.holds import Hold
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.errors import Interrupted, OpsError
from ops.handoff_start import HandoffStart, start_handoff
from ops.question import check_terminal, confirm
from ops.read_back import read_back
from ops.screen import moment, open_console

MOST_IN_A_VALUE = 4096
"""Bytes of a parameter's value."""
_EXISTS = "ParameterAlreadyExists"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants."""

    image: EstateImage[Image]
    channel: str = ""
    """Empty for all channels of the image."""
    why: str = ""
    until: datetime | None = None
    undo: bool = False

    @property
    def place(self) -> str:
        """What is held, as a reference."""
        return f"{self.image.image.name}@{self.channel}" if self.channel else self.image.image.name


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The holds of an image before anything is written."""

    holds: dict[str, Hold]
    """Those that hold now, by channel; `""` is everything."""
    exists: bool
    """Whether the parameter of the wish exists."""

    def of(self, channel: str) -> Hold | None:
        """What holds a channel, or everything, by itself."""
        return self.holds.get(channel)


def run_hold(wish: Wish, *, as_json: bool, asks: bool) -> int:
    """Show, ask and write; the exit status. Raises `OpsError`."""
    console = open_console(to_stderr=as_json)
    accounts = Accounts()
    aws = accounts.of_image(wish.image)
    seen = _read(wish, aws)
    before = seen.of(wish.channel)
    after = _wanted(wish, before, by=aws.caller)
    if len(after.to_json().encode()) > MOST_IN_A_VALUE:
        raise OpsError(f"{wish.place}: the reason must fit into a parameter of {MOST_IN_A_VALUE} bytes; write less")
    is_done = before is None if wish.undo else before is not None and _is_same(before, after)
    state = "unchanged" if is_done else "written"
    started: HandoffStart | None = None
    if state == "written":
        _show(wish, before, after, seen, console=console)
        if asks:
            check_terminal(wish.place)
            question = f"End the hold of {wish.place}?" if wish.undo else f"Hold {wish.place}?"
            confirm(question, otherwise=f"{wish.place}: nothing was changed")
        try:
            _write(wish, after, aws, exists=seen.exists)
            started = start_handoff(wish.image, accounts) if wish.undo else None
        except KeyboardInterrupt:
            raise Interrupted(f"\n{wish.place}: it may be written; the same command shows it") from None
    if as_json:
        open_console().print(json.dumps(_members(wish, before, after, seen, state, started), indent=2), soft_wrap=True)
    _report(wish, after if state == "written" else before, seen, started, console=console)
    if started and started.failed:
        raise OpsError(started.text)
    return 0


def _read(wish: Wish, aws: Aws) -> Seen:
    declared, now = wish.image, datetime.now(UTC)
    with asking(declared.image.home):
        written = read_holds(aws.ssm(declared.image.home), path=declared.names.path)
    holds = {channel: Hold.from_json(value) for channel, value in written.items()}
    now_held = {channel: hold for channel, hold in holds.items() if hold.holds_at(now)}
    return Seen(holds=now_held, exists=wish.channel in written)


def _wanted(wish: Wish, before: Hold | None, *, by: str) -> Hold:
    until = wish.until.astimezone(UTC).isoformat(timespec="seconds") if wish.until else None
    return Hold(held=not wish.undo, by=by, why=wish.why, until=until)


def _is_same(before: Hold, after: Hold) -> bool:
    return (before.why, before.until) == (after.why, after.until)


def _write(wish: Wish, hold: Hold, aws: Aws, *, exists: bool) -> None:
    """Write the parameter, and read it until it is there. Raises `OpsError`."""
    declared = wish.image
    home, value = declared.image.home, hold.to_json()
    name = f"{declared.names.path}/{hold_parameter(wish.channel)}"
    with asking(home):
        ssm = aws.ssm(home)
        tags: Any = [{"Key": key, "Value": value} for key, value in declared.tags.items()]
        try:
            if exists:
                ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
            else:
                ssm.put_parameter(Name=name, Value=value, Type="String", Tags=tags)
        except ClientError as error:
            if code_of(error) != _EXISTS:
                raise
            raise OpsError(f"{wish.place}: somebody else has just held it; look again") from error
        read_back(
            lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"], hold.to_json(), what=f"{wish.place}: {name}"
        )


# --- What is shown


def _show(wish: Wish, before: Hold | None, after: Hold, seen: Seen, *, console: Console) -> None:
    if wish.undo:
        console.print(f"{wish.place} is held{described(before)}", soft_wrap=True)
    else:
        now = f" (now held{described(before)})" if before else ""
        console.print(f"{wish.place} is to be held{_end(after)}: {wish.why}{now}", soft_wrap=True)
        if not wish.channel:
            channels = ", ".join([LATEST, *wish.image.image.channels])
            console.print(f"neither the hand-off function nor a command moves {channels} then", soft_wrap=True)


def described(hold: Hold | None) -> str:
    """` by alice until 05 Jan 00:00 UTC: year end`."""
    if hold is None:
        return ""
    by = f" by {re.split('[/:]', hold.by)[-1]}" if hold.by else ""
    return f"{by}{_end(hold)}: {hold.why}"


def _end(hold: Hold) -> str:
    return f" until {moment(datetime.fromisoformat(hold.until))} UTC" if hold.until else ""


def _report(wish: Wish, now: Hold | None, seen: Seen, started: HandoffStart | None, *, console: Console) -> None:
    if now and now.held:
        console.print(f"{wish.place} is held{described(now)}", style="green", soft_wrap=True)
        console.print(f"to end it: goldsmith hold {wish.place} --undo", soft_wrap=True)
    elif now:
        console.print(f"{wish.place} is not held any more", style="green", soft_wrap=True)
    else:
        console.print(f"{wish.place} is not held", style="green", soft_wrap=True)
    for line in _other_holds(wish, seen):
        console.print(line, style="yellow", soft_wrap=True)
    if started and not started.failed:
        console.print(started.text, soft_wrap=True)


def _other_holds(wish: Wish, seen: Seen) -> Iterator[str]:
    """The hold of the image beside that of a channel, or the other way round: each has to end by itself."""
    image = wish.image.image.name
    for channel, hold in sorted(seen.holds.items()):
        if channel == wish.channel or (wish.channel and channel):
            continue
        place = f"{image}@{channel}" if channel else image
        what = "which holds all channels" if not channel else "which is a hold of its own"
        yield f"{place} is held besides, {what}{described(hold)}; to end it: goldsmith hold {place} --undo"


def _members(
    wish: Wish, before: Hold | None, after: Hold, seen: Seen, state: str, started: HandoffStart | None
) -> dict[str, Any]:
    now = after if state == "written" else before
    return {
        "image": wish.image.image.name,
        "channel": wish.channel or None,
        "before": asdict(before) if before else None,
        "now": asdict(now) if now and now.held else None,
        "state": state,
        "other_holds": [
            {"channel": channel or None, **asdict(hold)}
            for channel, hold in sorted(seen.holds.items())
            if channel != wish.channel
        ],
        "handoff": {"started": started.started, "reason": started.reason} if started else None,
    }
