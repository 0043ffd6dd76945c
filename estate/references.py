"""References: how images, channels, builds, fleets and AMIs are named, in YAML and on the command line.

web              an image, or a fleet
web@stable       a channel of an image
web@6718         a build: the beginning of its version's last number, as long as only one build has it
web@6718/3       the same, with the number of the build of that version
web@1.0.6718/3   the same, with the whole version
ami-0a1b2c3d     an AMI
"""

import re
from dataclasses import dataclass

from estate.problems import RuleError, shown

_NAME = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_AMI = re.compile(r"ami-[0-9a-f]{8,17}")
_REFERENCE = re.compile(
    rf"(?P<image>{_NAME})"
    rf"(?:@(?:(?P<channel>{_NAME})|(?P<version>(?:[0-9]+\.[0-9]+\.)?[0-9]+)(?:/(?P<number>[1-9][0-9]*))?))?"
)
_REMEDY = "write web, web@stable, web@6718/3 or ami-0a1b2c3d"


@dataclass(frozen=True)
class Named:
    """An image or a fleet by its name: an estate has no image and fleet of one name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ChannelReference:
    """A channel of an image."""

    image: str
    channel: str

    def __str__(self) -> str:
        return f"{self.image}@{self.channel}"


@dataclass(frozen=True)
class BuildReference:
    """A build of an image, as far as it is written."""

    image: str
    version: str
    """The beginning of the recipe version's patch, or a whole version, `1.0.671820532`."""
    number: int | None = None
    """Which build of that version; None for the only one, or the newest."""

    @property
    def is_whole(self) -> bool:
        """Whether it has the whole version and the number."""
        return "." in self.version and self.number is not None

    def matches(self, build: str) -> bool:
        """Whether it can mean a build, `1.0.671820532/3`."""
        version, _, number = build.partition("/")
        if self.number is not None and number != str(self.number):
            return False
        return version == self.version if "." in self.version else version.split(".")[-1].startswith(self.version)

    def __str__(self) -> str:
        return f"{self.image}@{self.version}" + (f"/{self.number}" if self.number else "")


@dataclass(frozen=True)
class AmiReference:
    """An AMI by its ID."""

    ami: str

    def __str__(self) -> str:
        return self.ami


Reference = Named | ChannelReference | BuildReference | AmiReference


def parse(text: str) -> Reference:
    """The reference that a text is. Raises `RuleError` for a text that is none."""
    if _AMI.fullmatch(text):
        return AmiReference(text)
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise RuleError("must name an image, channel, build, fleet or AMI", got=shown(text), remedy=_REMEDY)
    image, channel, version, number = match.group("image", "channel", "version", "number")
    if channel:
        return ChannelReference(image, channel)
    return BuildReference(image, version, int(number[:9]) if number else None) if version else Named(image)
