"""What a command line names: references to images, channels, builds, fleets and AMIs, as names in the estate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from estate.estate import Estate
from estate.names import LATEST
from estate.problems import RuleError
from estate.references import AmiReference, BuildReference, ChannelReference, Named, Reference, parse
from ops.arguments import check_names
from ops.errors import UsageError


@dataclass(kw_only=True)
class Selection:
    """The parts of an estate that a command shows."""

    images: list[str] = field(default_factory=list)
    fleets: list[str] = field(default_factory=list)
    channels: dict[str, set[str]] = field(default_factory=dict)
    """Of an image of which only some channels are named, these; of other images, all are shown."""
    builds: list[BuildReference | AmiReference] = field(default_factory=list)


def select(estate: Estate, texts: Sequence[str]) -> Selection:
    """What references name; without any, all images and fleets. Raises `UsageError` with a line for each wrong one."""
    if not texts:
        return Selection(images=list(estate.images), fleets=list(estate.fleets))
    references: list[Reference] = []
    problems: list[str] = []
    for text in texts:
        try:
            reference = parse(text)
            _check(reference, estate)
            references.append(reference)
        except RuleError as error:
            problems.append(f"{text!r} {error.rule}; {error.remedy}")
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    return _selection(references, estate)


def _check(reference: Reference, estate: Estate) -> None:
    """Raises `UsageError` for a name that the estate does not have."""
    images = estate.images
    match reference:
        case Named(name):
            kind = "image or fleet" if estate.fleets else "image"
            check_names([name], [*images, *estate.fleets], kind=kind)
        case ChannelReference(image, channel):
            check_names([image], images, kind="image")
            check_names([channel], [LATEST, *images[image].channels], kind=f"channel of {image}")
        case BuildReference(image=image):
            check_names([image], images, kind="image")


def _selection(references: Sequence[Reference], estate: Estate) -> Selection:
    """In the order of the estate."""
    whole = {reference.name for reference in references if isinstance(reference, Named)}
    channels: dict[str, set[str]] = {}
    for reference in references:
        if isinstance(reference, ChannelReference) and reference.image not in whole:
            channels.setdefault(reference.image, set()).add(reference.channel)
    return Selection(
        images=[name for name in estate.images if name in whole or name in channels],
        fleets=[
            name
            for name, fleet in estate.fleets.items()
            if whole & {name, fleet.image} or fleet.channel in channels.get(fleet.image, ())
        ],
        channels=channels,
        builds=[reference for reference in references if isinstance(reference, BuildReference | AmiReference)],
    )
