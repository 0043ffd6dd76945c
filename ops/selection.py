"""What a command line names: references to images, channels, builds, fleets and AMIs, as names in the estate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from estate.estate import Estate
from estate.models.images import Image
from estate.names import LATEST
from estate.problems import RuleError
from estate.references import AmiReference, BuildReference, ChannelReference, Named, Reference, parse
from ops.arguments import check_image, check_names
from ops.errors import UsageError

OfImage = Named | ChannelReference | BuildReference
"""A reference to an image, or to something of an image."""


@dataclass(kw_only=True)
class Selection:
    """The parts of an estate that a command shows."""

    images: list[str] = field(default_factory=list)
    fleets: list[str] = field(default_factory=list)
    channels: dict[str, set[str]] = field(default_factory=dict)
    """Of an image of which only some channels are named, these; of other images, all are shown."""
    builds: list[BuildReference | AmiReference] = field(default_factory=list)
    detailed: list[str] = field(default_factory=list)
    """The images that are named themselves, of which more is shown."""


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


def reference_in(text: str) -> Reference | None:
    """The reference that a text is; None for another text."""
    try:
        return parse(text)
    except RuleError:
        return None


def of_image(text: str, estate: Estate, *, argument: str = "REF") -> OfImage:
    """The image, channel or build that a text names. Raises `UsageError` for anything else."""
    reference = reference_in(text)
    if reference is None or isinstance(reference, AmiReference):
        rule = "must name an image, or a channel or build of one"
        raise UsageError(f"argument {argument}: {rule}, got {text!r}; write web, web@stable or web@6718/3")
    check_image(reference.name if isinstance(reference, Named) else reference.image, estate)
    _check(reference, estate)
    return reference


def channel_to_move(channel: str, image: Image) -> str:
    """A channel that people move. Raises `UsageError` for `latest`, and for one that the image does not have."""
    if channel == LATEST:
        remedy = f"to move it away from a bad build: goldsmith revoke {image.name}@BUILD --why REASON"
        rule = "only the hand-off function moves it, to the newest good build"
        raise UsageError(f"{image.name}@{LATEST}: {rule}; {remedy}")
    check_names([channel], image.channels, kind=f"channel of {image.name}")
    return channel


def regions_to_move(text: str | None, image: Image) -> tuple[str, ...]:
    """The regions of `--regions eu-west-1,us-east-1`, in the image's order; without it, all of the image. Raises
    `UsageError`."""
    if text is None:
        return image.regions
    named = [name.strip() for name in text.split(",") if name.strip()]
    if not named:
        raise UsageError(f"argument --regions: must name regions, got {text!r}; write {','.join(image.regions)}")
    check_names(named, image.regions, kind=f"region of {image.name}")
    return tuple(region for region in image.regions if region in named)


def _check(reference: Reference, estate: Estate) -> None:
    """Raises `UsageError` for a name that the estate does not have."""
    images = {**estate.images, **estate.external_images}
    match reference:
        case Named(name):
            kind = "image or fleet" if estate.fleets else "image"
            check_names([name], [*images, *estate.fleets], kind=kind)
        case ChannelReference(image, channel):
            check_names([image], images, kind="image")
            check_names([channel], [LATEST, *images[image].channels], kind=f"channel of {image}")
        case BuildReference(image=image):
            check_image(image, estate)


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
        detailed=[name for name in estate.images if name in whole],
        builds=[reference for reference in references if isinstance(reference, BuildReference | AmiReference)],
    )
