"""Volumes in addition to the root volume: from an image to its AMIs, to images built from it, and to its fleets."""

from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.estates import synthesize
from tests.support.stack_world import Stack

REGION = "eu-west-1"
ESTATE = """\
settings: {namespace: disks}
images:
  base:
    os: amazon-linux-2023
    build: [update-os]
    regions: [eu-west-1]
    root_volume: {encrypted: false}
    volumes:
      /dev/sdg: {volume_size: 20}
      /dev/sdf: {volume_size: 200, volume_type: st1, delete_on_termination: false}
  web:
    os: amazon-linux-2023
    parent: {image: base}
    build: [update-os]
    regions: [eu-west-1]
    root_volume: {encrypted: false}
    volumes: {/dev/sdg: {iops: 4000}}
fleets:
  web-dev: &fleet
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a]
    security_group_ids: [sg-0a]
    capacity: {min: 1, max: 2}
  web-prod:
    <<: *fleet
    volumes: {/dev/sdh: {volume_size: 100, volume_type: io2, iops: 5000}, /dev/sdf: {}}
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volumes") / "cdktf.out"


@pytest.fixture(scope="module")
def stacks(out: Path) -> dict[str, dict[str, Any]]:
    (out.parent / "estate.yaml").write_text(ESTATE)
    return synthesize(out.parent / "estate.yaml", out)


def mappings(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The volumes of a fleet's launch template by device."""
    template = stack["resource"]["aws_launch_template"]["launch_template"]
    return {each["device_name"]: each["ebs"] for each in template["block_device_mappings"]}


def test_an_ami_has_the_volumes_of_its_image_and_of_what_that_is_built_from(
    stacks: dict[str, dict[str, Any]], out: Path, local_aws: LocalAws
) -> None:
    sizes = []
    for name in ("image-base", "image-web"):
        stack = Stack(stacks[name], aws=local_aws, out=out)
        built = stack.build()
        assert built["state"]["status"] == "AVAILABLE", built["state"]
        stack.hand_off()
        (output,) = built["outputResources"]["amis"]
        (ami,) = local_aws.client("ec2", region=REGION).describe_images(ImageIds=[output["image"]])["Images"]
        sizes.append({each["DeviceName"]: each["Ebs"]["VolumeSize"] for each in ami["BlockDeviceMappings"]})
    assert sizes == [{"/dev/xvda": 8, "/dev/sdf": 200, "/dev/sdg": 20}] * 2


def test_a_fleet_encrypts_the_volumes_of_an_image_that_is_not_encrypted(stacks: dict[str, dict[str, Any]]) -> None:
    volumes = mappings(stacks["fleet-web-dev"])
    assert list(volumes) == ["${one(data.aws_ami.ami[*].root_device_name)}", "/dev/sdg", "/dev/sdf"]
    assert {each["encrypted"] for each in volumes.values()} == {"true"}
    assert volumes["/dev/sdf"].items() >= {"volume_type": "st1", "delete_on_termination": "false"}.items()
    assert volumes["/dev/sdg"].items() >= {"iops": 4000, "throughput": 125, "volume_size": 0}.items()


def test_what_a_mapping_leaves_out_cannot_come_from_an_earlier_mapping_in_its_place(
    stacks: dict[str, dict[str, Any]],
) -> None:
    """The provider takes what is left out from there: only a throughput, of which it takes no zero, may be."""
    for name in ("fleet-web-dev", "fleet-web-prod"):
        template = stacks[name]["resource"]["aws_launch_template"]["launch_template"]
        kept = [rule["condition"] for rule in template["lifecycle"]["postcondition"]]
        for index, ebs in enumerate(mappings(stacks[name]).values()):
            assert ebs.keys() >= {"volume_size", "volume_type", "iops", "encrypted", "delete_on_termination"}
            looked_at = any(f"block_device_mappings[{index}].ebs[0].throughput" in condition for condition in kept)
            assert looked_at == ("throughput" not in ebs)


def test_a_volume_that_is_added_does_not_get_the_throughput_of_another(
    stacks: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Neither it nor those that it pushes down are, without a throughput, where there was one before."""
    added = "/dev/sde: {volume_size: 20, volume_type: io1, iops: 500}, /dev/sdb: {volume_size: 20}, /dev/sdf: {}"
    (tmp_path / "estate.yaml").write_text(ESTATE.replace("/dev/sdf: {}", added))
    after = mappings(synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web-prod"])
    before = mappings(stacks["fleet-web-prod"])
    assert len(after) == len(before) + 2
    for old, new in zip(before.values(), after.values(), strict=False):
        assert "throughput" in new or "throughput" not in old


def test_a_fleet_has_its_own_volumes_beside_and_in_place_of_those_of_its_image(
    stacks: dict[str, dict[str, Any]],
) -> None:
    volumes = mappings(stacks["fleet-web-prod"])
    assert volumes["/dev/sdf"].items() >= {"volume_type": "gp3", "delete_on_termination": "true"}.items()
    assert volumes["/dev/sdh"].items() >= {"volume_type": "io2", "iops": 5000, "volume_size": 100}.items()
