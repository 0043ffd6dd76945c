"""The tags on builds in Image Builder, by which lifecycle policies select some builds and keep others.

`goldsmith:image` names the image of every build. `goldsmith:in-use` means that a channel points to the build or
pointed to it before. `goldsmith:newest` means that it is one of the newest builds that can be used.
`goldsmith:retention` is what the policy selects by: the build is finished, and its other tags were written by a
function that knew how many builds the policy keeps. That number is in the tag's value, and the tag is written in the
same call as the other tags. So a policy that is new, or keeps another number, does not touch a build before the
function has looked at it with that number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from .answers import ask
from .builds import Build
from .channels import in_use
from .run import Region, Run

IMAGE_TAG = "goldsmith:image"
IN_USE_TAG = "goldsmith:in-use"
NEWEST_TAG = "goldsmith:newest"
RETENTION_TAG = "goldsmith:retention"

_FINISHED = ("AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED")
"""The statuses that do not change without a request."""

_MOST_REFUSALS = 10
"""After so many builds whose tags AWS refuses to change, the run does not try the others."""


@dataclass(frozen=True)
class TagRules:
    """What the tags of an image's builds depend on."""

    image: str
    """namespace/name"""
    outputs_in_use: Collection[str]
    """The outputs that a channel points to or pointed to, as Image Builder names them."""
    keep_newest: int
    """How many of the newest builds the policy keeps; 0 when there is no policy."""
    regions_read: Collection[str]
    regions_not_read: Collection[str]
    """The regions of the image whose channels could not all be read: what is in use there is not known."""

    def wanted(self, builds: Sequence[Build]) -> dict[str, dict[str, str]]:
        """The tags that each build should have, by its ARN; no tags for a build without outputs.

        A finished build about which Image Builder's answer was unclear counts as in use. A build that went to a region
        that could not be read is not selected for the policy, unless another tag protects it.
        """
        newest = self._newest(builds)
        return {build.arn: self._wanted(build, is_newest=build.arn in newest) for build in builds}

    def _wanted(self, build: Build, *, is_newest: bool) -> dict[str, str]:
        if not (build.outputs or build.unclear):
            return {}
        tags = {IMAGE_TAG: self.image}
        finished = build.status in _FINISHED
        if not set(self.outputs_in_use).isdisjoint(build.outputs.values()) or (finished and build.unclear):
            tags[IN_USE_TAG] = "true"
        if is_newest:
            tags[NEWEST_TAG] = "true"
        if self.keep_newest and finished:  # a build that is not finished may become one of the newest
            protected = IN_USE_TAG in tags or is_newest
            if protected or build.outputs.keys().isdisjoint(self.regions_not_read):
                tags[RETENTION_TAG] = f"{self.image}/{self.keep_newest}"
            elif RETENTION_TAG in build.tags:
                tags[RETENTION_TAG] = build.tags[RETENTION_TAG]
        return tags

    def outdated(self, build: Build, *, wanted: Mapping[str, str]) -> list[str]:
        """The keys of tags that no longer apply. None for an unclear build, and `in-use` only when every region that
        the build went to was read."""
        if build.unclear:
            return []
        keys = [key for key in (IN_USE_TAG, NEWEST_TAG, RETENTION_TAG) if key in build.tags and key not in wanted]
        all_read = build.outputs.keys() <= set(self.regions_read)
        return [key for key in keys if key != IN_USE_TAG or all_read]

    def _newest(self, builds: Sequence[Build]) -> set[str]:
        """The newest builds that can be used. An unclear build may not be usable, so it does not count as one of
        them."""
        usable = [build for build in builds if build.outputs and build.status in ("AVAILABLE", "DEPRECATED")]
        clear = sorted((build for build in usable if not build.unclear), key=lambda build: build.order, reverse=True)
        return {build.arn for build in clear[: self.keep_newest]}


def tag_builds(run: Run, builds: Sequence[Build]) -> int:
    """Write the tags that are missing, then remove those that no longer apply; how many builds are left for later.

    There is one call for each build that needs a change. First come builds that the policy could delete now although
    it must not, then the others that must be kept, then the rest, each from the newest to the oldest. Tags are
    removed only when no tag is missing any more.
    """
    rules = _rules(run)
    wanted = rules.wanted(builds)
    missing = {
        build.arn: tags
        for build in sorted(builds, key=lambda build: build.order, reverse=True)
        if (tags := {key: value for key, value in wanted[build.arn].items() if build.tags.get(key) != value})
    }
    outdated = {build.arn: keys for build in builds if (keys := rules.outdated(build, wanted=wanted[build.arn]))}
    selected = {build.arn for build in builds if RETENTION_TAG in build.tags}

    def urgency(arn: str) -> int:
        if missing[arn].keys().isdisjoint((IN_USE_TAG, NEWEST_TAG)):
            return 2
        return 0 if arn in selected else 1

    def add(arn: str) -> None:
        ask(run.imagebuilder.tag_resource, resourceArn=arn, tags=missing[arn])

    def remove(arn: str) -> None:
        ask(run.imagebuilder.untag_resource, resourceArn=arn, tagKeys=outdated[arn])

    untagged = _change_each(run, sorted(missing, key=urgency), add)
    if untagged:
        return len(untagged.union(outdated))
    return len(_change_each(run, outdated, remove))


def _rules(run: Run) -> TagRules:
    outputs_in_use: set[str] = set()
    for region in run.regions:
        with run.attempt_in(region):
            outputs_in_use |= region.target.outputs.named(in_use(region.channels) | region.written | _pending(region))
    read = {region.name for region in run.working_regions}
    return TagRules(
        image=run.image.label,
        outputs_in_use=outputs_in_use,
        keep_newest=run.image.keep_newest,
        regions_read=read,
        regions_not_read={region.name for region in run.regions} - read,
    )


def _pending(region: Region) -> set[str]:
    """The values that moves will write which are not completed."""
    return {move.changes[region.name].value for move in region.pending.values()}


def _change_each(run: Run, arns: Collection[str], change: Callable[[str], None]) -> set[str]:
    """Change the tags of one build after the other; the builds whose tags were not changed.

    It ends when no time is left, when AWS throttles or does not answer, because the next call would probably fail too,
    and after many refusals. One refusal does not end it, because AWS may accept the other builds.
    """
    left, refusals = set(arns), 0
    for arn in arns:
        if run.seconds_left() <= 0 or refusals == _MOST_REFUSALS:
            break
        with run.failures.collected(f"tags of {arn}") as attempt:
            change(arn)
        if attempt.retryable:
            break
        if attempt.failed:
            refusals += 1
        else:
            left.remove(arn)
    return left
