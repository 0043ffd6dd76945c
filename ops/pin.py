"""`goldsmith pin`: writes what fleets with `updates: pull-request` run into `pins.yaml`.

What a channel points to is taken, looked at by the rules of guards and rollouts, and refused with every reason. A pull
request that changes the file is the promotion, and reverting its commit is the way back. `ops.commands.pin` lists the
members of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from estate.estate import Estate, EstateFleet
from estate.models.pin import LONGEST_PROOF, MOST_PROOFS, Pin
from estate.names import LATEST
from estate.references import BuildReference
from estate.sharing import key_for
from lambda_src.handoff.answers import text
from lambda_src.handoff.builds import list_builds, time_in
from lambda_src.handoff.channels import Channel, in_use, read_channels
from lambda_src.rollout.configuration import FleetRules
from lambda_src.rollout.evidence import Evidence, Wanted, evidence
from lambda_src.rollout.guards import build_of, faults
from lambda_src.rollout.look import describe_by, holding, read_folders
from lambda_src.rollout.record import Record, read_records
from lambda_src.rollout.run import Fleet
from ops.accounts import Accounts, access_to_fleet, access_to_image_of
from ops.aws import Aws, asking
from ops.configuration import Configuration
from ops.errors import OpsError, UsageError
from ops.named_build import find_build
from ops.pin_file import pin_file, write_pins
from ops.pipeline import Pipeline, version_of
from ops.rollout_fleets import fleet_of
from ops.screen import build_label, moment_in_zone, new_table, open_console

_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants."""

    build: BuildReference | None = None
    """Another build than the one that the channel points to, for exactly one fleet."""
    skip_after: bool = False
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What one fleet should run, or why it cannot be pinned."""

    fleet: str
    before: Pin | None
    pin: Pin | None = None
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """refused, unchanged or pinned."""
        return "refused" if self.refused else "unchanged" if self.pin == self.before else "pinned"


def run_pin(configuration: Configuration, estate: Estate, names: Sequence[str], wish: Wish, *, as_json: bool) -> int:
    """Look, write and print; the exit status. Raises `OpsError`."""
    console = open_console(to_stderr=as_json)
    fleets = [estate.fleet(name) for name in names]
    accounts, now = Accounts(), datetime.now(UTC)
    with console.status("Reading channels, AMIs and records"), ThreadPoolExecutor(_AT_ONCE) as pool:
        accounts.reach_all([*map(access_to_fleet, fleets), *map(access_to_image_of, fleets)], pool=pool)
        proposals = list(pool.map(lambda fleet: _propose(fleet, accounts, wish, now), fleets))
    kept = {name: pin for name, pin in estate.pins.items() if name in estate.fleets and estate.fleets[name].is_pinned}
    pins = kept | {each.fleet: each.pin for each in proposals if each.pin and not each.refused}
    file = pin_file(configuration.path)
    if pins != estate.pins:
        write_pins(file, pins)
    if as_json:
        open_console().print(json.dumps(_members(str(file), proposals), indent=2), soft_wrap=True)
    _print(proposals, changed=str(file) if pins != estate.pins else "", console=console)
    return 1 if any(each.refused for each in proposals) else 0


def _propose(declared: EstateFleet, accounts: Accounts, wish: Wish, now: datetime) -> Proposal:
    name = declared.fleet.name
    before = declared.pin
    try:
        with asking(declared.fleet.region):
            return _looked_at(declared, accounts, wish, now, before)
    except UsageError:
        raise
    except OpsError as error:
        return Proposal(fleet=name, before=before, refused=tuple(str(error).splitlines()))


def _looked_at(declared: EstateFleet, accounts: Accounts, wish: Wish, now: datetime, before: Pin | None) -> Proposal:
    fleet, images = fleet_of(declared, accounts), accounts.reach(access_to_image_of(declared))
    rules, place = fleet.rules, fleet.place
    values, holds = read_folders(rules, fleet.image)
    value = _chosen(declared, images, wish.build) if wish.build else values.get(rules.channel, "")
    if not value:
        text_ = f"{rules.image}@{rules.channel} points to no build in {rules.region} yet: {_how_to_fill(declared)}"
        return Proposal(fleet=rules.fleet, before=before, refused=(text_,))
    made = describe_by(fleet.image.ec2, "image-id", {value}).get(value)
    here = _here(fleet, value, made)
    ami = text(here, "ImageId") or value if here else value
    version = version_of(build_of(made)) if made else ""
    created = time_in(text(made, "CreationDate")) if made else None
    records = read_records(place.ssm, rules.records)
    channels = read_channels(fleet.image.ssm, path=rules.channels)
    proved = _evidence(fleet, Wanted(build=version, ami=ami), now)
    refused = [
        *faults(
            ami,
            rules.ami,
            made=made,
            here=here,
            owner=fleet.image.account,
            place=f"account {place.account} and {rules.region}",
            now=now,
        ),
        *(rule.text for rule in holding(rules, holds, now)),
        *_failed_before(rules.fleet, records, ami, version),
        *_not_kept(declared, value, channels),
        *(_never_there(rules, value, version, channels) if wish.build else ()),
        *(() if wish.skip_after else (_with_time(lack.text, lack.until) for lack in proved.lacks)),
    ]
    if made and not version:
        refused.append(f"{value} is not a build of Image Builder, and a pin names a build")
    if refused or here is None or not version or created is None:
        return Proposal(fleet=rules.fleet, before=before, refused=tuple(dict.fromkeys(refused)))
    skipped = [f"SKIPPED after: {wish.why}"] if wish.skip_after and proved.lacks else []
    pin = Pin(
        name=rules.fleet,
        image=rules.image,
        build=version,
        channel=rules.channel,
        region=rules.region,
        ami=ami,
        owner=text(here, "OwnerId") or place.account,
        key=_key(declared, images),
        created=created.astimezone(UTC).isoformat(timespec="seconds"),
        proved=tuple(proof[:LONGEST_PROOF] for proof in (*proved.proofs, *skipped)[:MOST_PROOFS]),
    )
    if before and _same(before, pin):
        pin = before  # with what proved it at first, so that the file does not change
    return Proposal(fleet=rules.fleet, before=before, pin=pin, notes=tuple(_notes(before, pin)))


def _same(before: Pin, pin: Pin) -> bool:
    return _without_proofs(before) == _without_proofs(pin)


def _without_proofs(pin: Pin) -> Pin:
    return pin.model_copy(update={"proved": ()})


def _chosen(declared: EstateFleet, images: Aws, reference: BuildReference) -> str:
    """The AMI of a build in the fleet's region. Raises `OpsError`."""
    pipeline = Pipeline(declared=declared.image, account=images.account)
    home, region = declared.image.image.home, declared.fleet.region
    with asking(home):
        builds = list_builds(images.imagebuilder(home), pipeline_arn=pipeline.arn)
    build = find_build(reference, builds)
    if region not in build.outputs:
        raise OpsError(f"{reference} has no AMI in {region}")
    return build.outputs[region]


def _how_to_fill(declared: EstateFleet) -> str:
    image, channel = declared.fleet.image, declared.fleet.channel
    if declared.image.is_external:
        return f"the estate {declared.image.names.namespace} has to move it"
    return f"goldsmith build {image}" if channel == LATEST else f"goldsmith promote {image} {channel}"


def _here(fleet: Fleet, value: str, made: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The AMI in the fleet's account: the same one, or its copy, which has the same name."""
    if not fleet.rules.runs_copy:
        return describe_by(fleet.place.ec2, "image-id", {value}).get(value)
    name = text(made, "Name") if made else None
    copies = describe_by(fleet.place.ec2, "name", {name} if name else set()).values()
    return next((copy for copy in copies if text(copy, "OwnerId") in (None, fleet.place.account)), None)


def _evidence(fleet: Fleet, wanted: Wanted, now: datetime) -> Evidence:
    after = fleet.rules.after
    if after is None:
        return Evidence()
    return evidence(after, {name: fleet.runs_of(name) for name in after.fleets}, wanted=wanted, now=now)


def _failed_before(fleet: str, records: Mapping[str, Record], ami: str, build: str) -> Iterator[str]:
    """The build did not end well here, or in a fleet that holds it for the others."""
    for name, record in records.items():
        last = next((each for each in record.attempts if each.end and each.brought(ami)), None)
        if last is None or not last.has_failed or not (name == fleet or last.holds):
            continue
        why = f" ({last.reason.rstrip('.')})" if last.reason else ""
        where = "here" if name == fleet else f"in fleet {name}, which holds it for the others"
        yield f"{build or ami} {last.ended_how} {where}{why}: pin another build, or goldsmith rollout {name} --retry"


def _never_there(rules: FleetRules, value: str, build: str, channels: Mapping[str, Channel]) -> Iterator[str]:
    """What a channel's soak time, the gate and people have let into it can be pinned, and nothing else."""
    channel = channels.get(rules.channel)
    if channel is None or value not in channel.history:
        target = f"{rules.image}@{rules.channel}"
        remedy = f"goldsmith promote {rules.image}@{build} {rules.channel}"
        yield f"{target} has never pointed to {build or value}, so nothing has approved it: {remedy}"


def _not_kept(declared: EstateFleet, value: str, channels: Mapping[str, Channel]) -> Iterator[str]:
    """Retention may delete the build, because no channel keeps it."""
    image = declared.image.image
    retention = getattr(image, "retention", None)
    if retention is None or not (retention.delete_after or retention.disable_after):
        return
    others = {name: channel for name, channel in channels.items() if name != LATEST}
    if value in in_use(others):
        return
    keeping = [name for name in image.channels if name != LATEST]
    spared = f"let the fleet follow {' or '.join(keeping)}, which keeps" if keeping else "add a channel, which keeps"
    yield (
        f"retention of image {image.name} may delete it, because {LATEST} keeps only the last two builds: {spared} "
        "what it points to and pointed to"
    )


def _key(declared: EstateFleet, images: Aws) -> str | None:
    """The ARN of the key of the image's account on which the fleet needs a grant."""
    key, region = key_for(declared), declared.fleet.region
    if key is None or ":alias/" not in key:
        return key
    with asking(region):
        return str(images.kms(region).describe_key(KeyId=key)["KeyMetadata"]["Arn"])


def _with_time(lack: str, until: datetime | None) -> str:
    return f"{lack}: until {moment_in_zone(until)}" if until else lack


def _notes(before: Pin | None, pin: Pin) -> Iterator[str]:
    times = [time_in(each.created) for each in (before, pin) if each]
    if before and before.build != pin.build and times[0] and times[1] and times[1] < times[0]:
        yield "an older build than before"


def _print(proposals: Sequence[Proposal], *, changed: str, console: Any) -> None:
    table = new_table("FLEET", "CHANNEL", "PINNED", "NOW", "WHAT HAPPENS")
    for each in proposals:
        shown = each.pin or each.before
        style = {"refused": "red", "pinned": "green"}.get(each.state, "")
        what = "; ".join(each.refused or (each.state, *each.notes))
        table.add_row(
            each.fleet, shown.channel if shown else "-", _label(each.before), _label(each.pin), Text(what, style)
        )
    if proposals:
        console.print(table)
    if changed:
        console.print(f"{changed} is written: commit it, and open a pull request", soft_wrap=True)


def _label(pin: Pin | None) -> str:
    return build_label(pin.build, time_in(pin.created)) if pin else "-"


def _members(file: str, proposals: Sequence[Proposal]) -> dict[str, Any]:
    return {
        "file": file,
        "fleets": [
            {
                "fleet": each.fleet,
                "state": each.state,
                "before": each.before.model_dump(mode="json") if each.before else None,
                "pin": each.pin.model_dump(mode="json") if each.pin else None,
                "refused": list(each.refused),
                "notes": list(each.notes),
            }
            for each in proposals
        ],
    }
