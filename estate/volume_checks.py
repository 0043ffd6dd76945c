"""Rules of an image's volumes that depend on the settings."""

from collections.abc import Iterator

from estate.image import Image
from estate.parts import Parts
from estate.problems import Key, Problem
from estate.volumes import IOPS_OF_AN_AMI


def check_volumes(image: Image, parts: Parts) -> Iterator[Problem]:
    """What AWS's provider of the settings' version does not take."""
    key: Key = ("images", image.name)
    iops = image.root_volume.iops or 0
    if not (parts.settings and parts.sound(("settings",), "provider_version") and parts.sound(key, "root_volume")):
        return
    if parts.settings.provider_version < 6 and iops > IOPS_OF_AN_AMI:
        rule = f"AWS's provider 5 takes at most {IOPS_OF_AN_AMI} for an AMI"
        yield Problem((*key, "root_volume", "iops"), rule, str(iops), "write settings: {provider_version: 6}, or fewer")
