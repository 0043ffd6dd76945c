"""The configuration of an image's hand-off function; the commands that move channels work by the same one."""

from estate.estate import EstateImage
from estate.models.ami_image import AmiImage
from estate.models.channels import Channel, channels_of
from estate.models.images import Image
from lambda_src.handoff.configuration import ChannelRule, Configuration, Gate


def handoff_of(declared: EstateImage[Image]) -> Configuration:
    """The configuration of an image's hand-off, as far as it is known at synthesis."""
    image = declared.image
    overdue = image.notifications.no_new_image_for
    return Configuration(
        namespace=declared.names.namespace,
        image=image.name,
        regions=tuple(image.regions),
        channels={name: _rule(channel) for name, channel in channels_of(image.channels).items()},
        gate=_gate(image),
        tags=declared.tags,
        topics=image.notifications.topic_arns,
        keep_newest=image.retention.newest if image.retention else 0,
        overdue_after_days=overdue.count("day") if overdue else 0,
        architecture=image.architecture if isinstance(image, AmiImage) else "",
        repository=declared.repository or "",
    )


def _rule(channel: Channel) -> ChannelRule:
    return ChannelRule(source=channel.from_, soak_minutes=channel.soak.count("minute") if channel.soak else 0)


def _gate(image: Image) -> Gate | None:
    gate = image.gate
    if gate is None:
        return None
    exempt = {each.cve: each.until.isoformat() for each in gate.except_}
    return Gate(max_severity=gate.max_severity, exempt=exempt)
