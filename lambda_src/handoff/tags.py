"""The tags of builds in Image Builder, by which lifecycle policies select some builds and spare others.

`goldsmith:image` says whose every build is; `goldsmith:in-use` that a channel points or pointed to it;
`goldsmith:newest` that it is among the newest that can be used; `goldsmith:retention`, by which the policy selects,
that it is done and that how many are kept was known. Its value says how many, and it is written together with the
build's other tags: so a policy that is new, or keeps another number, touches nothing that was not looked at in its
light.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import ask
from .builds import Build
from .failures import Failures

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

IMAGE_TAG = "goldsmith:image"
IN_USE_TAG = "goldsmith:in-use"
NEWEST_TAG = "goldsmith:newest"
RETENTION_TAG = "goldsmith:retention"

_DONE = ("AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED")
"""The states in which nothing more happens to a build by itself."""

_REFUSALS = 10
"""Builds whose tags AWS refuses before the others are not tried any more in this run."""


@dataclass(frozen=True)
class Sight:
    """What the tags follow from: `used` are the outputs in use, as Image Builder names them, and `keep_newest` how
    many builds the policy spares as the newest, 0 where there is none.

    All channels were read in the regions `read`, and in those of `unread` not, although the image goes there.
    """

    image: str  # namespace/name
    used: Collection[str]
    keep_newest: int
    read: Collection[str]
    unread: Collection[str]

    def tags(self, builds: Sequence[Build]) -> dict[str, dict[str, str]]:
        """The tags that each build should have, by its ARN; none for one that has no output.

        What is not known counts as in use: so does a build about which Image Builder's answer was unclear. And one that
        went to a region which was not read is not handed to the policy, unless other tags spare it.
        """
        wanted: dict[str, dict[str, str]] = {build.arn: {} for build in builds}
        newest = self._newest(builds)
        for build in builds:
            if not (build.outputs or build.unclear):
                continue
            tags = wanted[build.arn]
            tags[IMAGE_TAG] = self.image
            done = build.status in _DONE  # one that is not may be among the newest soon
            if not set(self.used).isdisjoint(build.outputs.values()) or (done and build.unclear):
                tags[IN_USE_TAG] = "true"
            if build.arn in newest:
                tags[NEWEST_TAG] = "true"
            if self.keep_newest and done:
                spared = not tags.keys().isdisjoint((IN_USE_TAG, NEWEST_TAG))
                if spared or build.outputs.keys().isdisjoint(self.unread):
                    tags[RETENTION_TAG] = f"{self.image}/{self.keep_newest}"
                elif RETENTION_TAG in build.tags:
                    tags[RETENTION_TAG] = build.tags[RETENTION_TAG]
        return wanted

    def stale(self, build: Build, *, wanted: Mapping[str, str]) -> list[str]:
        """The tags that no longer apply: of an unclear build none, and `in-use` only where all regions that the build
        went to were read."""
        if build.unclear:
            return []
        keys = [key for key in (IN_USE_TAG, NEWEST_TAG, RETENTION_TAG) if key in build.tags and key not in wanted]
        unknown = not build.outputs.keys() <= set(self.read)
        return [key for key in keys if not (key == IN_USE_TAG and unknown)]

    def _newest(self, builds: Sequence[Build]) -> set[str]:
        """The newest that can be used; one that is unclear, and may not be usable, takes no other's place."""
        usable = [build for build in builds if build.outputs and build.status in ("AVAILABLE", "DEPRECATED")]
        clear = sorted((build for build in usable if not build.unclear), key=lambda build: build.order, reverse=True)
        return {build.arn for build in clear[: self.keep_newest]}


def tag_builds(
    imagebuilder: ImagebuilderClient,
    *,
    builds: Sequence[Build],
    sight: Sight,
    failures: Failures,
    seconds_left: Callable[[], float],
) -> int:
    """Write the tags that the list does not show; how many builds are left for the next run.

    A call for each build that needs one, none for the others: first those that a policy may take now and must not,
    then the others that stay, then the rest, the newest first. Tags that no longer apply are taken away only after
    everything was tagged. Ends when no time is left, at the first failure that is transient, and when one build
    after the other is refused; a refusal alone leaves the next builds alone.
    """
    wanted = sight.tags(builds)
    missing = {
        build.arn: tags
        for build in sorted(builds, key=lambda build: build.order, reverse=True)
        if (tags := {key: value for key, value in wanted[build.arn].items() if build.tags.get(key) != value})
    }
    selected = {build.arn for build in builds if RETENTION_TAG in build.tags}
    stale = {build.arn: keys for build in builds if (keys := sight.stale(build, wanted=wanted[build.arn]))}

    def urgency(arn: str) -> int:
        if missing[arn].keys().isdisjoint((IN_USE_TAG, NEWEST_TAG)):
            return 2
        return 0 if arn in selected else 1

    def add(arn: str) -> None:
        ask(imagebuilder.tag_resource, resourceArn=arn, tags=missing[arn])

    def remove(arn: str) -> None:
        ask(imagebuilder.untag_resource, resourceArn=arn, tagKeys=stale[arn])

    untagged = _each(sorted(missing, key=urgency), add, failures=failures, seconds_left=seconds_left)
    if untagged:
        return len(untagged.union(stale))
    return len(_each(stale, remove, failures=failures, seconds_left=seconds_left))


def _each(
    arns: Collection[str], change: Callable[[str], None], *, failures: Failures, seconds_left: Callable[[], float]
) -> set[str]:
    """Change one build after the other; those that were not changed."""
    left, refused = set(arns), 0
    for arn in arns:
        if seconds_left() <= 0 or refused == _REFUSALS:
            break
        place, unfinished = f"tags of {arn}", len(failures.unfinished)
        with failures.collected(place):
            change(arn)
            left.remove(arn)
        if len(failures.unfinished) > unfinished:
            break
        refused += arn in left
    return left
