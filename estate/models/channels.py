"""The channels of an image: names for one of its builds each, beside `latest`, which every image has.

In YAML a list of names is enough: `[staging, prod]` is `{staging: {}, prod: {}}`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from estate import names
from estate.models.durations import Counted, Duration
from estate.models.types import FROZEN, Distinct, Name
from estate.problems import UNSEEN, RuleError, did_you_mean, shown

MOST_CHANNELS = 100
_REMEDY = "write [staging, prod], or {staging: {from: latest}}"


class Channel(BaseModel):
    """A channel beside `latest`."""

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    from_: Annotated[Name, Field(alias="from")] = names.LATEST
    """The channel from which it takes builds: only those that this channel points to, or pointed to before. Default:
    `latest`."""
    soak: Annotated[Duration, Counted("minute", least=1, most=525_600)] | None = None
    """How long a build must have been in the channel of `from` before this one takes it. Default: builds are not taken
    by time; people move the channel."""


def _kind(value: Any) -> str:
    return f"{UNSEEN}mapping" if isinstance(value, dict) else f"{UNSEEN}list"


def _written(value: Any) -> Any:
    if not isinstance(value, list | tuple | dict):
        raise RuleError("must be a list or a mapping of channels", got=shown(value), remedy=_REMEDY)
    if isinstance(value, list | tuple):
        return value
    # `{staging: }` is a channel of which nothing is said
    return {name: {} if channel is None else channel for name, channel in value.items()}


def without_latest(channels: tuple[str, ...]) -> tuple[str, ...]:
    """The names, of which none may be `latest`. Raises `RuleError`."""
    if names.LATEST in channels:
        index = channels.index(names.LATEST)
        raise RuleError("every image has this channel", got=shown(names.LATEST), remedy="delete it", key=(index,))
    return channels


def _from_each_other(channels: dict[str, Channel]) -> dict[str, Channel]:
    if names.LATEST in channels:
        rule = "every image has this channel"
        raise RuleError(rule, got=shown(names.LATEST), remedy="delete it", key=(names.LATEST,))
    known = (names.LATEST, *channels)
    for name, channel in channels.items():
        if channel.from_ not in known:
            rule, remedy = "the image has no such channel", did_you_mean(channel.from_, known)
            raise RuleError(rule, got=shown(channel.from_), remedy=remedy, key=(name, "from"))
    for name in channels:
        if circle := _circle(name, channels):
            remedy = f"let one of them take builds from {names.LATEST}"
            rule = "channels take builds from each other in a circle"
            raise RuleError(rule, got=" from ".join(circle), remedy=remedy, key=(name, "from"))
    return channels


def _circle(name: str, channels: Mapping[str, Channel]) -> list[str]:
    """The channels from one back to itself, if it leads there."""
    path = [name]
    while (source := channels[path[-1]].from_) != names.LATEST and len(path) <= len(channels):
        path.append(source)
        if source == name:
            return path
    return []


Channels = Annotated[
    Annotated[
        tuple[Name, ...],
        Field(max_length=MOST_CHANNELS),
        Distinct(),
        AfterValidator(without_latest),
        Tag(f"{UNSEEN}list"),
    ]
    | Annotated[
        dict[Name, Channel],
        Field(max_length=MOST_CHANNELS),
        AfterValidator(_from_each_other),
        Tag(f"{UNSEEN}mapping"),
    ],
    Discriminator(_kind),
    BeforeValidator(_written, json_schema_input_type=tuple[Name, ...] | dict[Name, Channel]),
]
"""A list of names, or a mapping that says more about each."""


def channels_of(channels: tuple[str, ...] | Mapping[str, Channel]) -> dict[str, Channel]:
    """The channels by name, however they are written."""
    return dict(channels) if isinstance(channels, Mapping) else {name: Channel() for name in channels}
