"""How a report names builds: date first, and for the version the shortest beginning that can be typed.

AMI IDs and versions of nine digits say nothing to a person, so they stand below the fold only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lambda_src.handoff.builds import version_of
from ops.screen import moment

_AMI = re.compile(r"\bami-[0-9a-z]{8,17}\b")
_VERSION = re.compile(r"\b[0-9]+\.[0-9]+\.([0-9]{5,})(/[0-9]+)?")
_SHORTEST = 4
"""Digits of a patch that are shown: few builds of an image have the same."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """A build or AMI."""

    short: str
    """`30 Nov 01:15 (6247/1)`."""
    exact: str
    """`1.0.624735453/1, ami-19a416e2d135cb547`."""


class Labels:
    """The labels of the AMIs and builds of a report. `now` decides whether a year is shown."""

    def __init__(
        self, *, builds: Mapping[str, str], created: Mapping[str, datetime], ids: Iterable[str], now: datetime
    ) -> None:
        """`builds` are ARNs by AMI, `created` times by AMI or ARN, and `ids` all ARNs that are shown."""
        self._builds, self._created, self._now = builds, created, now
        patches = {match[1] for arn in {*builds.values(), *ids} if (match := _VERSION.search(version_of(arn)))}
        self._length = _SHORTEST
        while len({patch[: self._length] for patch in patches}) < len(patches):
            self._length += 1

    def of_ami(self, ami: str) -> Label:
        """The label of an AMI."""
        arn = self._builds.get(ami, "")
        created = self._created.get(ami) or self._created.get(arn)
        version = version_of(arn)
        day = moment(created, now=self._now) if created else ""
        typed = self.plain(version)
        short = f"{day} ({typed})" if day and typed else day or typed or ("another AMI" if ami else "unknown")
        return Label(short=short, exact=", ".join(filter(None, (version, ami))))

    def of_build(self, arn: str) -> Label:
        """The label of a build by its ARN."""
        ami = next((ami for ami, other in self._builds.items() if other == arn), "")
        created = self._created.get(arn) or self._created.get(ami)
        typed = self.plain(version_of(arn))
        short = f"{moment(created, now=self._now)} ({typed})" if created else typed
        return Label(short=short, exact=version_of(arn))

    def typed(self, arn: str) -> str:
        """`web@6247/1`, as a command takes it; empty for no ARN. `arn` names the image with its namespace."""
        return self.plain(version_of(arn))

    def plain(self, text: str) -> str:
        """A text for above the fold: AMIs and versions in it by their short labels."""

        def ami(found: re.Match[str]) -> str:
            return self.of_ami(found[0]).short if self._builds.get(found[0]) else "an AMI"

        def version(found: re.Match[str]) -> str:
            return f"{found[1][: self._length]}{found[2] or ''}"

        return _VERSION.sub(version, _AMI.sub(ami, text))
