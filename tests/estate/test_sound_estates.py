"""What AWS takes is taken: estates that were refused once, or look as if they should be."""

from pathlib import Path

import pytest

from estate.load import load
from tests.support.broken_estates import smallest, written

SOUND = {
    "shared YAML below keys of its own": """\
x-common: &common
  build: [update-os]
  regions: [eu-west-1]
  # read only where it is merged
  no-field: 1
x-web: &web {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
x-: [anything]
settings: {namespace: acme}
images:
  web: *web
  shop: {<<: *web, channels: [prod]}
""",
    "more operations a second for a container's build instance, with either provider": """\
settings: {namespace: acme}
images:
  box:
    kind: container
    parent: nginx:1
    build: [update-os]
    regions: [eu-west-1]
    instance: {root_volume: {volume_size: 200, iops: 64000}}
""",
    "more operations a second than provider 5 takes, with 6": """\
settings: {namespace: acme, providers: {aws: "~> 6.40"}}
images:
  db:
    os: amazon-linux-2023
    build: [update-os]
    regions: [eu-west-1]
    root_volume: {volume_type: io2, volume_size: 64, iops: 64000}
""",
    "the least that a gp3 volume has, however small it is": smallest(
        "image", "root_volume: {volume_size: 1, iops: 3000}"
    ),
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_is_taken(text: str, tmp_path: Path) -> None:
    assert load(written(tmp_path, text)).images
