"""What `goldsmith status` prints: tables that are easy to read on a terminal, and easy to search in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from estate import names
from estate.names import LATEST
from ops.ends import ENDED, GOOD, UNFINISHED
from ops.fleet_status import FleetStatus
from ops.image_status import ChannelStatus, ImageStatus
from ops.kept_builds import read_prices
from ops.screen import age, moment, short

_COLUMNS_OF_FLEETS = ("WANTED", "TEMPLATE", "RUNNING", "LAST REFRESH")


def print_images(
    statuses: Sequence[ImageStatus],
    *,
    accounts: Mapping[str, str],
    console: Console,
    command: Callable[[str], str],
    but: Collection[str],
) -> None:
    """The channels of images, and remarks. `command` completes `build web` to a command line with the configuration.

    `accounts` are the names of accounts by image and fleet, for a column; without any there is none. Errors in
    `but` are not printed.
    """
    _print_channels(statuses, accounts=accounts, console=console)
    for status in statuses:
        _print_remarks(status, console=console, command=command)
        _print_kept(status, console=console)
        _print_errors(status.image, status.errors, but=but)


def print_fleets(
    statuses: Sequence[FleetStatus], *, accounts: Mapping[str, str], console: Console, but: Collection[str]
) -> None:
    """What fleets should run and what they run, and one line for each gap; `accounts` and `but` as for images."""
    table = _table("FLEET", *_account_title(accounts), "REGION", "CHANNEL", *_COLUMNS_OF_FLEETS)
    for status in statuses:
        behind = "yellow" if status.gaps else ""
        account = [accounts[status.fleet]] if accounts else []
        where = [*account, status.region, f"{status.image}@{status.channel}"]
        table.add_row(Text(status.fleet, "bold"), *where, *(Text(cell, behind) for cell in _fleet_cells(status)))
    if table.row_count:
        console.print(table)
    for status in statuses:
        for gap in status.gaps:
            console.print(f"fleet {status.fleet}: {gap}", style="yellow", soft_wrap=True)
        if status.progress:
            console.print(f"fleet {status.fleet}: {status.progress}", soft_wrap=True)
        if status.queued:
            console.print(f"fleet {status.fleet}: {status.queued}", soft_wrap=True)
        _print_errors(f"fleet {status.fleet}", status.errors, but=but)


def _print_errors(subject: str, errors: Sequence[str], *, but: Collection[str]) -> None:
    for error in errors:
        if error not in but:
            print(f"{subject}: {error}", file=sys.stderr)


def _account_title(accounts: Mapping[str, str]) -> tuple[str, ...]:
    return ("ACCOUNT",) if accounts else ()


def _fleet_cells(status: FleetStatus) -> tuple[str, str, str, str]:
    wanted, template, refresh = status.wanted, status.template, status.refresh
    running = ", ".join(
        f"{each['count']} {each['build'] or each['ami'] or 'unknown'}"
        + (f" (version {each['template_version']})" if each["template_version"] else "")
        for each in status.instances
    )
    versions = [template["newest_version"], template["group_version"]]
    at = "" if refresh is None or refresh.percentage is None else f" {refresh.percentage}%"
    began = refresh.ended or refresh.started if refresh else None
    ago = f", {age(datetime.now(UTC) - began)} ago" if began else ""
    return (
        wanted["build"] or wanted["ami"] or "-",
        " and ".join(f"version {version}" for version in dict.fromkeys(filter(None, versions))) or "-",
        running or "-",
        f"{refresh.status}{at}{ago}" if refresh else "-",
    )


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in ("ACCOUNT", "REGION", "CHANNEL", "VALUE", "AGE"))
    return table


def _print_channels(statuses: Sequence[ImageStatus], *, accounts: Mapping[str, str], console: Console) -> None:
    """On a terminal, image, account and region are shown once. In a pipe, every line has all cells."""
    table = _table("IMAGE", *_account_title(accounts), "REGION", "CHANNEL", "VALUE", "AGE", "BUILD")
    now = datetime.now(UTC)
    for status in statuses:
        above: tuple[str, str] = "", ""
        for row in status.channels:
            image, region = status.image, row.region
            account = [accounts[status.image]] if accounts else []
            if console.is_terminal:
                account = [""] * len(account) if image == above[0] else account
                image, region = ("" if image == above[0] else image), ("" if region == above[1] else region)
            above = status.image, row.region
            table.add_row(Text(image, "bold"), *account, region, row.channel, *_cells(row, now=now, console=console))
    if table.row_count:
        console.print(table)


def _cells(row: ChannelStatus, *, now: datetime, console: Console) -> tuple[Text, Text, Text]:
    if row.value is None:
        empty = "not set" if row.newer_build else "no build yet"
        return Text(empty, "dim"), Text("-", "dim"), Text("-", "dim")
    style = "red" if row.problem else "yellow" if row.newer_build else ""
    build = Text(row.build or "unknown", style).append(" (by hand)" if row.by_hand else "", "dim")
    return (
        Text(short(row.value, console=console)),
        Text(age(now - row.created) if row.created else "unknown"),
        build,
    )


def _print_remarks(status: ImageStatus, *, console: Console, command: Callable[[str], str]) -> None:
    """What the table of channels does not show: no pipeline, no build, a newest build that failed, a newer build."""
    stack = names.image_stack(status.image)
    if status.deployed is False:
        _remark(f"{stack} is not deployed: run goldsmith plan {stack} and apply it", status=status, console=console)
    elif status.deployed and status.newest is None:
        _remark(f"no build yet: {command(f'build {status.image}')}", status=status, console=console)
    for row in status.problems:
        remedy = "" if row.channel == LATEST else "; point it to a build of the image"
        _remark(f"{row.channel} in {row.region}: {row.problem}{remedy}", status=status, console=console)
    for gap in status.gaps:
        _remark(f"{gap.channel}: {gap.reason}", status=status, console=console)
    for channel, regions in _elsewhere(status).items():
        _remark(f"{channel} points to {regions}", status=status, console=console)
    newest = status.newest
    if newest and newest.revoked is not None:
        _remark(f"{newest.build}, the newest build, is revoked: {newest.revoked}", status=status, console=console)
    if newest and newest.status != GOOD:
        verb = "" if newest.status in ENDED else "is "
        since = f", started {age(datetime.now(UTC) - newest.created)} ago" if newest.created else ""
        _remark(f"{newest.build} {verb}{newest.status}{since}{_more(status, command)}", status=status, console=console)


def _more(status: ImageStatus, command: Callable[[str], str]) -> str:
    """Why the newest build failed, or how to follow it."""
    newest = status.newest
    assert newest is not None
    if newest.status in UNFINISHED:
        logs = f"; its log is in {newest.logs}" if newest.logs else ""
        return f": {newest.reason or 'Image Builder gave no reason'}{logs}"
    if newest.status in ENDED:
        return ""
    return f"; follow it: {command(f'build {status.image} --attach {newest.build}')}"


def _elsewhere(status: ImageStatus) -> dict[str, str]:
    """Channels that point to another build in some region than at home, each with these builds and regions."""
    at_home = {row.channel: row.build for row in status.channels if row.region == status.region}
    other: dict[str, list[str]] = {}
    for row in status.channels:
        if row.value and not row.problem and row.build != (wanted := at_home.get(row.channel)):
            other.setdefault(row.channel, []).append(
                f"{row.build or 'unknown'} in {row.region}, not to {wanted or 'none'}"
            )
    return {channel: " and ".join(texts) for channel, texts in other.items()}


def _print_kept(status: ImageStatus, *, console: Console) -> None:
    """The builds that are kept, and what they cost."""
    if not status.kept:
        return
    prices = read_prices()
    table = _table("BUILD", "CREATED", "KEPT", "GB", "A MONTH")
    for kept in status.kept:
        created = moment(kept.created) if kept.created else "unknown"
        table.add_row(
            kept.build, created, kept.why or "until retention deletes it", f"{kept.gb:g}", _money(kept.monthly_cost)
        )
    gb, cost = sum(kept.gb for kept in status.kept), sum(kept.monthly_cost for kept in status.kept)
    table.add_row(Text("together", "bold"), "", f"{len(status.kept)} builds", f"{gb:g}", _money(cost))
    console.print(table)
    console.print(
        f"{status.image}: at most, by AWS's list prices of {prices.region} for what volumes can store",
        style="dim",
        soft_wrap=True,
    )


def _money(amount: float) -> str:
    return f"{read_prices().currency}{amount:.2f}"


def _remark(text: str, *, status: ImageStatus, console: Console) -> None:
    console.print(f"{status.image}: {text}", style="yellow", soft_wrap=True)
