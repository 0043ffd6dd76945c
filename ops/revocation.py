"""Revocation of builds: what is to be written, what it affects, and writing it.

The tag of a build in Image Builder is the only thing that is written. The hand-off function does the rest: it copies
the tag to the AMIs, where guards read it, and moves the channels that move by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from estate.estate import Estate, EstateImage
from estate.models.channels import channels_of
from estate.models.images import Image
from estate.references import BuildReference
from lambda_src.handoff.builds import REVOKED_TAG, Build, Revocation, good_builds, version_of
from ops.accounts import Accounts
from ops.affected import Affected, read_affected
from ops.ancestry import Children, find_children, read_others
from ops.aws import asking
from ops.errors import OpsError
from ops.moving import Mover, Refused
from ops.named_build import find_build
from ops.read_back import read_back
from ops.sight import Sight, reasons

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_imagebuilder import ImagebuilderClient

State = Literal["to write", "unchanged", "written", "failed"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants."""

    estate: Estate
    reference: BuildReference
    why: str = ""
    at: datetime | None = None
    """Since when; now by default."""
    children: bool = False
    """Whether the builds of other images that were made on it are meant, too."""
    undo: bool = False
    rolls_back: bool = False
    """Whether channels that people move are rolled back, too."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The tag of one build: what it is, and what it is to be."""

    image: EstateImage[Image]
    build: Build
    after: str | None
    """None without the tag."""
    state: State
    reason: str | None = None
    """Why it failed."""

    @property
    def label(self) -> str:
        """`web@1.0.7/2`."""
        return f"{self.image.image.name}@{version_of(self.build.arn)}"


@dataclass(frozen=True, kw_only=True)
class Revoking:
    """What will be done, and what is known about it."""

    changes: tuple[Change, ...]
    """The first one is the build that is named."""
    left: tuple[str, ...]
    """Builds that were made on it and are not meant, as references."""
    affected: tuple[Affected, ...]
    """By image."""
    sights: tuple[Sight, ...]
    errors: tuple[str, ...]
    """What could not be read."""

    @property
    def subject(self) -> Change:
        """The build that is named."""
        return self.changes[0]

    @property
    def may_miss_channels(self) -> bool:
        """Whether channels could not be read that may point to one of the builds."""
        failed = any(region.failed for sight in self.sights for region in sight.run.regions)
        return failed or len(self.sights) < len(self.images)

    @property
    def images(self) -> list[EstateImage[Image]]:
        """The images whose builds are meant."""
        return list({change.image.image.name: change.image for change in self.changes}.values())


def prepare(wish: Wish, *, accounts: Accounts, pool: Executor) -> Revoking:
    """Look at everything. Raises `OpsError` without the build or its image, and `Refused`."""
    declared = wish.estate.image(wish.reference.image)
    mover = Mover.of(declared, accounts)
    sight = mover.look_as_far_as_possible()
    build = find_build(wish.reference, sight.known.builds)
    base = Change(image=declared, build=build, after=_after(wish, build), state="unchanged")
    children = _undone(wish, base, accounts, pool) if wish.undo else _made_on(wish, base, accounts, pool)
    changes = (base, *children.meant) if wish.children else (base,)
    affected, sights, errors = [], [], [*children.errors, *_of_history(sight)]
    for name, image in {change.image.image.name: change.image for change in changes}.items():
        builds = [change.build for change in changes if change.image.image.name == name]
        try:
            here = sight if name == declared.image.name else Mover.of(image, accounts).look_as_far_as_possible()
        except OpsError as error:
            errors.append(f"{name}: its channels cannot be read: {error}")
            continue
        sights.append(here)
        affected.append(read_affected(image, builds, sight=here, accounts=accounts, pool=pool))
    return Revoking(
        changes=tuple(
            replace(change, state="unchanged" if change.build.tags.get(REVOKED_TAG) == change.after else "to write")
            for change in changes
        ),
        left=() if wish.children else tuple(change.label for change in children.meant),
        affected=tuple(affected),
        sights=tuple(sights),
        errors=tuple(errors),
    )


def _of_history(sight: Sight) -> list[str]:
    return reasons(sight.run, [failure for failure in sight.run.failures.collection if failure.place == "history"])


@dataclass(frozen=True, kw_only=True)
class _Meant:
    meant: tuple[Change, ...]
    errors: tuple[str, ...]


def _after(wish: Wish, build: Build) -> str | None:
    """The tag that the named build is to have. Raises `Refused`."""
    if wish.undo:
        return None
    now, present = datetime.now(UTC), build.revocation
    if present and build.is_revoked(now) and wish.at and wish.at > now:
        label = f"{wish.reference.image}@{version_of(build.arn)}"
        rule = f"must not be revoked yet with --at in the future, and is revoked: {present.why}"
        raise Refused([f"{label}: {rule}; goldsmith revoke {label} --undo first"])
    since = wish.at or now
    if present and build.is_revoked(now) and not present.is_since_ever:
        since = min(since, present.since)
    return Revocation(since, wish.why).tag


def _made_on(wish: Wish, base: Change, accounts: Accounts, pool: Executor) -> _Meant:
    """The builds that were made on the base, with the tags that they are to have."""
    others = read_others(wish.estate, base.image.image.name, accounts=accounts, pool=pool)
    found: Children = find_children(base.image, base.build, others=others, accounts=accounts, pool=pool)
    wanted = Revocation.from_tag(base.after or "")
    tag = Revocation(wanted.since, f"{_because(base)} {wish.why}").tag
    changes = []
    for name, builds in found.builds.items():
        for build in builds:
            own = build.revocation
            after = build.tags[REVOKED_TAG] if own and own.since <= wanted.since else tag
            changes.append(Change(image=wish.estate.image(name), build=build, after=after, state="unchanged"))
    return _Meant(meant=tuple(changes), errors=found.errors)


def _undone(wish: Wish, base: Change, accounts: Accounts, pool: Executor) -> _Meant:
    """The builds that are revoked because of the base."""
    others = read_others(wish.estate, base.image.image.name, accounts=accounts, pool=pool)
    changes = [
        Change(image=each.image, build=build, after=None, state="unchanged")
        for each in others
        for build in each.builds
        if build.revocation and build.revocation.why.startswith(_because(base))
    ]
    return _Meant(meant=tuple(changes), errors=tuple(each.error for each in others if each.error))


def _because(base: Change) -> str:
    """How the reason of a build begins that is revoked because of the build on which it was made."""
    return f"made on {base.label}:"


def carry_out(revoking: Revoking, accounts: Accounts) -> Iterator[Change]:
    """Write the tags, one build after the other: the named build first. Raises `OpsError` when that fails."""
    for number, change in enumerate(revoking.changes):
        if change.state != "to write":
            yield change
            continue
        try:
            _write(change, accounts)
        except OpsError as error:
            if number == 0:
                raise OpsError(f"{change.label}: {error}") from error
            yield replace(change, state="failed", reason=str(error))
        else:
            yield replace(change, state="written")


def _write(change: Change, accounts: Accounts) -> None:
    """Write the tag of a build, and read it until it is there. Raises `OpsError`."""
    home, arn = change.image.image.home, change.build.arn
    client = accounts.of_image(change.image).imagebuilder(home)
    with asking(home):
        if change.after is None:
            client.untag_resource(resourceArn=arn, tagKeys=[REVOKED_TAG])
        else:
            client.tag_resource(resourceArn=arn, tags={REVOKED_TAG: change.after})
        read_back(lambda: _tag(client, arn), change.after, what=f"the tag {REVOKED_TAG}")


def _tag(client: ImagebuilderClient, arn: str) -> str | None:
    return client.get_image(imageBuildVersionArn=arn)["image"].get("tags", {}).get(REVOKED_TAG)


def comes_back(revoking: Revoking) -> Iterator[str]:
    """What becomes of the channels of the named image when the revocation is undone, as messages."""
    change, sight = revoking.subject, revoking.sights[0]
    image, arn = change.image.image, change.build.arn
    rest = [build for build in sight.known.builds if build.arn != arn]
    good = good_builds([*rest, replace(change.build, tags={})], now=sight.run.now)
    if good and good[0].arn == arn:
        yield f"{image.name}@latest moves to it again, unless the gate or a hold stops it"
    elif any(build.arn == arn for build in good):
        yield f"{image.name}@latest stays where it is: there are newer good builds"
    for name in channels_of(image.channels):
        home = sight.run.home
        versions = home.channels[name].versions if name in home.channels else ()
        builds = [sight.known.of_version(version, region=home.name) for version in versions]
        *past, present = [build.arn if build else "" for build in builds] or [""]
        if arn in past and present != arn:
            yield f"{image.name}@{name} does not come back to it by itself: goldsmith promote {change.label} {name}"
