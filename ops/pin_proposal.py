"""What a fleet could be pinned to: a build, looked at by the rules of guards and rollouts, and every reason against."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from estate.estate import EstateFleet
from estate.models.channels import channels_of
from estate.models.pin import BUILD, LONGEST_PROOF, MOST_PROOFS, Pin
from estate.names import LATEST
from estate.references import BuildReference
from estate.sharing import key_for
from lambda_src.handoff.answers import text
from lambda_src.handoff.builds import Build, list_builds, time_in, version_of
from lambda_src.handoff.channels import Channel, in_use, read_channels
from lambda_src.rollout.configuration import FleetRules
from lambda_src.rollout.evidence import Wanted
from lambda_src.rollout.guards import build_of
from lambda_src.rollout.look import Amis, describe_by, evidence_of, faults_of, holding, read_folders, read_runs
from lambda_src.rollout.record import read_records
from lambda_src.rollout.run import Fleet
from ops.accounts import Accounts, access_to_image_of
from ops.aws import Aws, asking
from ops.errors import OpsError, UsageError
from ops.named_build import find_build
from ops.pipeline import Pipeline
from ops.rollout_fleets import fleet_of
from ops.screen import moment_in_zone


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


def propose(declared: EstateFleet, accounts: Accounts, wish: Wish, now: datetime) -> Proposal:
    name, before = declared.fleet.name, declared.estate.pins.get(declared.fleet.name)
    try:
        with asking(declared.fleet.region):
            return _looked_at(declared, accounts, wish, now, before)
    except UsageError:
        raise
    except OpsError as error:
        return Proposal(fleet=name, before=before, refused=tuple(str(error).splitlines()))


def _looked_at(declared: EstateFleet, accounts: Accounts, wish: Wish, now: datetime, before: Pin | None) -> Proposal:
    fleet, images = fleet_of(declared, accounts), accounts.reach(access_to_image_of(declared))
    rules = fleet.rules
    values, holds = read_folders(rules, fleet.image)
    channels = read_channels(fleet.image.ssm, path=rules.channels)
    value = _chosen(declared, fleet, images, wish.build, channels) if wish.build else values.get(rules.channel, "")
    if not value:
        reason = f"{rules.image}@{rules.channel} points to no build in {rules.region} yet: {_how_to_fill(declared)}"
        return Proposal(fleet=rules.fleet, before=before, refused=(reason,))
    found = _found(fleet, value)
    wanted = Wanted(build=found.build, ami=found.ami)
    proved = evidence_of(rules, wanted, runs_of=fleet.runs_of, now=now)
    faulty = [*faults_of(rules, found.amis, found.ami, place=fleet.place, image=fleet.image, now=now)]
    is_fit = rules.warns_only and found.can_be_pinned
    refused = [
        *(() if is_fit else faulty),
        *(rule.text for rule in holding(rules, holds, now)),
        *_failed_before(fleet, found),
        *_not_kept(declared, value, channels),
        *(_never_there(rules, value, found.build, channels) if wish.build else ()),
        *(() if wish.skip_after else (_with_time(lack.text, lack.until) for lack in proved.lacks)),
    ]
    if found.made and found.here and not found.can_be_pinned:
        refused.append(f"{value} has no build of Image Builder and no time, which a pin needs: build the image")
    if refused:
        return Proposal(fleet=rules.fleet, before=before, refused=tuple(dict.fromkeys(refused)))
    skipped = [f"SKIPPED after: {wish.why}"] if wish.skip_after and proved.lacks else []
    pin = Pin(
        name=rules.fleet,
        image=rules.image,
        build=found.build,
        channel=rules.channel,
        region=rules.region,
        ami=found.ami,
        owner=found.owner or fleet.place.account,
        key=_key(declared, images),
        created=found.created,
        proved=tuple(_proof(each) for each in (*proved.proofs, *skipped)[:MOST_PROOFS]),
    )
    if before and _same(before, pin):
        pin = before  # with what proved it at first, so that the file does not change
    notes = (*_notes(before, pin), *(f"guards: warn, although {fault}" for fault in faulty))
    return Proposal(fleet=rules.fleet, before=before, pin=pin, notes=notes)


def _proof(text: str) -> str:
    return text.encode(errors="replace").decode()[:LONGEST_PROOF]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The AMI of a build: as the account of its image has it, and as the fleet's has it."""

    value: str
    made: Mapping[str, Any] | None
    here: Mapping[str, Any] | None

    @property
    def ami(self) -> str:
        """In the fleet's account."""
        return (text(self.here, "ImageId") if self.here else None) or self.value

    @property
    def amis(self) -> Amis:
        """The same, as the rules of rollouts read it."""
        return Amis(
            here={self.ami: self.here} if self.here else {},
            made={self.ami: self.made} if self.made else {},
        )

    @property
    def build(self) -> str:
        """`1.0.912/3`; empty if the AMI is not a build."""
        build = version_of(build_of(self.made)) if self.made and build_of(self.made) else ""
        return build if re.fullmatch(BUILD, build) else ""

    @property
    def owner(self) -> str | None:
        return text(self.here, "OwnerId") if self.here else None

    @property
    def created(self) -> str:
        """When it was made; empty if that cannot be read."""
        created = time_in(text(self.made, "CreationDate")) if self.made else None
        return created.astimezone(UTC).isoformat(timespec="seconds") if created else ""

    @property
    def can_be_pinned(self) -> bool:
        return bool(self.here and self.build and self.created)


def _found(fleet: Fleet, value: str) -> _Found:
    made = describe_by(fleet.image.ec2, "image-id", {value}).get(value)
    return _Found(value=value, made=made, here=_here(fleet, value, made))


def _same(before: Pin, pin: Pin) -> bool:
    return _without_proofs(before) == _without_proofs(pin)


def _without_proofs(pin: Pin) -> Pin:
    return pin.model_copy(update={"proved": ()})


def _chosen(
    declared: EstateFleet, fleet: Fleet, images: Aws, reference: BuildReference, channels: Mapping[str, Channel]
) -> str:
    """The AMI of a build in the fleet's region. Raises `OpsError`."""
    image, region = declared.image.image, declared.fleet.region
    if declared.image.is_external:  # whose builds cannot be listed from here: those that the channel has had
        had = channels[fleet.rules.channel].history if fleet.rules.channel in channels else ()
        found = describe_by(fleet.image.ec2, "image-id", {value for value in had if value.startswith("ami-")})
        builds = [_as_build(ami, found[ami], region) for ami in found if build_of(found[ami])]
    else:
        pipeline = Pipeline(declared=declared.image, account=images.account)
        with asking(image.home):
            builds = list_builds(images.imagebuilder(image.home), pipeline_arn=pipeline.arn)
    build = find_build(reference, builds)
    if region not in build.outputs:
        raise OpsError(f"{reference} has no AMI in {region}")
    return build.outputs[region]


def _as_build(ami: str, made: Mapping[str, Any], region: str) -> Build:
    created = time_in(text(made, "CreationDate"))
    return Build(arn=build_of(made), status="AVAILABLE", created=created, outputs={region: ami}, tags={})


def _how_to_fill(declared: EstateFleet) -> str:
    image, channel = declared.image.image, declared.fleet.channel
    if declared.image.is_external:
        return f"the estate {declared.image.names.namespace} has to move it"
    if channel == LATEST:
        return f"goldsmith build {image.name}"
    soak = channels_of(image.channels)[channel].soak
    if soak:
        return f"it moves by itself, {soak} after its source"
    return f"goldsmith promote {image.name} {channel}"


def _here(fleet: Fleet, value: str, made: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The AMI in the fleet's account: the same one, or its copy, which has the same name."""
    if not fleet.rules.runs_copy:
        return describe_by(fleet.place.ec2, "image-id", {value}).get(value)
    name = text(made, "Name") if made else None
    copies = describe_by(fleet.place.ec2, "name", {name} if name else set()).values()
    return next((copy for copy in copies if text(copy, "OwnerId") in (None, fleet.place.account)), None)


def _failed_before(fleet: Fleet, found: _Found) -> Iterator[str]:
    """The build did not end well here, or in a fleet that holds it for the others."""
    rules = fleet.rules
    records = read_records(fleet.place.ssm, rules.records)
    # with what only AWS knows, such as the end of a rollout that nobody followed
    records[rules.fleet] = read_runs(rules, fleet.place, fleet.image).record
    for name, record in records.items():
        last = record.verdict(found.ami)
        if last is None or not last.has_failed or not (name == rules.fleet or last.holds):
            continue
        why = f" ({last.reason.rstrip('.')})" if last.reason else ""
        where = "here" if name == rules.fleet else f"in fleet {name}, which holds it for the others"
        build = found.build or found.ami
        yield f"{build} {last.ended_how} {where}{why}: pin another build, or goldsmith rollout {name} --retry"


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
    """The ARN of the key of the image's account on which the fleet needs a grant. Raises `OpsError`."""
    key, region = key_for(declared), declared.fleet.region
    if key is None or ":alias/" not in key:
        return key
    with asking(region):
        found = images.kms(region).describe_key(KeyId=key)["KeyMetadata"]
    arn, state = str(found["Arn"]), str(found["KeyState"])
    if state != "Enabled":
        raise OpsError(f"the key of the AMIs, {arn}, cannot be used: it is {state}; enable it or cancel its deletion")
    return arn


def _with_time(lack: str, until: datetime | None) -> str:
    return f"{lack}: until {moment_in_zone(until)}" if until else lack


def _notes(before: Pin | None, pin: Pin) -> Iterator[str]:
    if before and before.image == pin.image and _order(pin) < _order(before):
        yield "an older build than before"


def _order(pin: Pin) -> tuple[str, int]:
    """Builds of one recipe may be made in the same second."""
    return pin.created, int(pin.build.rpartition("/")[2])
