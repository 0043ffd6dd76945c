"""Rules of what must be in the region of a stack: AWS takes it from no other."""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.context import Context
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.problems import Key, Problem, shown

_HOME = "the image's home"
_OF_THE_FLEET = "the fleet's region"


def settings(context: Context) -> Iterator[Problem]:
    """The alarm actions and the KMS key of the settings are in the home region of every image."""
    # once for each home, however many images have it
    homes: dict[str, str] = {}
    for image in context.images.values():
        homes.setdefault(image.home, image.name)
    for home, name in homes.items():
        why = f"the home of image {name}"
        if context.settings.kms_key_id:
            yield from _elsewhere(context.settings.kms_key_id, home, ("settings", "kms_key_id"), why)
        for index, arn in enumerate(context.settings.alarm_actions):
            yield from _elsewhere(arn, home, ("settings", "alarm_actions", index), why)


def components(image: Image, context: Context) -> Iterator[Problem]:
    """Components that are named by ARN are in the image's home region."""
    for key, use in context.components_of(image):
        if use.is_managed:
            yield from _elsewhere(use.use, image.home, key, _HOME)


def parent(image: Image, context: Context) -> Iterator[Problem]:
    """A parent that is named by ARN is in the image's home region."""
    if isinstance(image.parent, str) and image.parent.startswith("arn:"):
        yield from _elsewhere(image.parent, image.home, ("parent",), _HOME)


def placement(image: Image, context: Context) -> Iterator[Problem]:
    """The host resource group and the Availability Zone of builds are in the image's home region."""
    of_builds, key = image.infrastructure.placement, ("infrastructure", "placement")
    if of_builds and (group := of_builds.host_resource_group_arn):
        yield from _elsewhere(group, image.home, (*key, "host_resource_group_arn"), _HOME)
    if of_builds and (zone := of_builds.availability_zone) and not zone.startswith(image.home):
        yield Problem((*key, "availability_zone"), f"must be in {image.home}, {_HOME}", shown(zone))


def topics(image: Image, context: Context) -> Iterator[Problem]:
    """Topics for failed builds are in the image's home region."""
    for index, arn in enumerate(image.notifications.topic_arns):
        yield from _elsewhere(arn, image.home, ("notifications", "topic_arns", index), _HOME)


def workflows(image: Image, context: Context) -> Iterator[Problem]:
    """Workflows that are named by ARN are in the image's home region."""
    for _, key, use in image.workflows.placed:
        if not use.is_own:
            yield from _elsewhere(use.use, image.home, ("workflows", *key), _HOME)


def topics_of_a_fleet(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """Topics for failed rollouts are in the fleet's region."""
    for index, arn in enumerate(fleet.notifications.topic_arns):
        yield from _elsewhere(arn, fleet.region, ("notifications", "topic_arns", index), _OF_THE_FLEET)


def target_groups(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """Target groups are in the fleet's region."""
    for index, arn in enumerate(fleet.target_group_arns):
        yield from _elsewhere(arn, fleet.region, ("target_group_arns", index), _OF_THE_FLEET)


def key_of_the_root_volume(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The KMS key of the root volume is in the fleet's region."""
    if arn := fleet.root_volume.kms_key_id:
        yield from _elsewhere(arn, fleet.region, ("root_volume", "kms_key_id"), _OF_THE_FLEET)


def keys_of_volumes(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The KMS keys of other volumes are in the fleet's region."""
    for name, volume in fleet.volumes.items():
        if volume.kms_key_id:
            yield from _elsewhere(volume.kms_key_id, fleet.region, ("volumes", name, "kms_key_id"), _OF_THE_FLEET)


def placement_of_a_fleet(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The host resource group is in the fleet's region."""
    if fleet.placement and (group := fleet.placement.host_resource_group_arn):
        yield from _elsewhere(group, fleet.region, ("placement", "host_resource_group_arn"), _OF_THE_FLEET)


def licenses(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """License configurations are in the fleet's region."""
    for index, arn in enumerate(fleet.license_configuration_arns):
        yield from _elsewhere(arn, fleet.region, ("license_configuration_arns", index), _OF_THE_FLEET)


def _elsewhere(arn: str, region: str, key: Key, why: str) -> Iterator[Problem]:
    if Arn.parse(arn).region not in ("", region):
        yield Problem(key, f"must be in {region}, {why}", shown(arn))
