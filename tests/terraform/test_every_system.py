"""Every operating system of the catalogue, for every architecture: synthesis, the real provider, and a build.

One estate has an image of each. Its stacks are synthesized once and validated together, because the provider's schema
takes longest; builds run on the local AWS, which knows the parents by itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from estate.catalogue.operating_systems import CATALOGUE, Architecture, OperatingSystem
from local_aws.server import LocalAws
from ops.parent import newest_parent
from tests.support.estates import PROJECT, synthesize
from tests.support.modules import validate
from tests.support.stack_world import Stack

REGION = "us-east-1"
SYSTEMS: list[tuple[OperatingSystem, Architecture]] = [
    (system, architecture) for system in CATALOGUE.values() for architecture in system.architectures
]
NAMES = [f"{system.name}-{architecture}".replace("_", "-").replace(".", "-") for system, architecture in SYSTEMS]
Stacks = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("every-system")


@pytest.fixture(scope="module")
def stacks(local_aws: LocalAws, folder: Path) -> Stacks:
    """What is synthesized of all systems, by name, and of `base` and `child`."""
    with mock.patch.dict(os.environ, local_aws.environment(), clear=True):
        images = {f"system-{number}": _image(*system) for number, system in enumerate(SYSTEMS)}
    arm: dict[str, Any] = {"os": "amazon-linux-2023", "architecture": "arm64", "build": ["update-os"]}
    arm |= {"regions": [REGION], "schedule": {"rate": "1 day", "when": "dependency-updates"}}
    images |= {"base": {**arm, "root_volume": {"volume_size": 12}}, "child": {**arm, "parent": "base"}}
    config = folder / "estate.yaml"
    settings = {"namespace": "every", "backend": {"local": {"folder": "state"}}}
    config.write_text(json.dumps({"settings": settings, "images": images}))
    made = synthesize(config, folder / "cdktf.out")
    return {name: made[f"image-{image}"] for image, name in zip(images, [*NAMES, "base", "child"], strict=True)}


def _image(system: OperatingSystem, architecture: Architecture) -> dict[str, Any]:
    updates = (PROJECT / "components" / "update-os" / f"{system.platform.lower()}.yaml").exists()
    script = {"use": "run-script", "with": {"script": 'echo "${HOME} %{http_code}"'}}
    image: dict[str, Any] = {
        "os": system.name,
        "architecture": architecture,
        "build": ["update-os" if updates else script],
        "test": ["boots"],
        "regions": [REGION],
    }
    if system.parent(region=REGION, architecture=architecture) is None:  # the error names the command that finds it
        image["parent"] = newest_parent(system, region=REGION, architecture=architecture).parent
    if system.platform == "macOS":
        image["infrastructure"] = {"placement": {"tenancy": "host", "host_id": "h-0123456789abcdef0"}}
    return image


def test_provider_accepts_every_system(
    stacks: Stacks, shared_providers_environment: Mapping[str, str], tmp_path: Path
) -> None:
    assert validate(stacks, folder=tmp_path, environ=shared_providers_environment) == [], "warnings included"


@pytest.mark.parametrize(("system", "architecture"), SYSTEMS, ids=NAMES)
def test_build_moves_the_parameter(
    system: OperatingSystem, architecture: Architecture, stacks: Stacks, folder: Path, local_aws: LocalAws
) -> None:
    name = NAMES[SYSTEMS.index((system, architecture))]
    stack = Stack(stacks[name], aws=local_aws, out=folder / "cdktf.out")

    image = stack.build()
    line = stack.hand_off()

    assert image["state"] == {"status": "AVAILABLE"}
    (made,) = image["outputResources"]["amis"]
    parameter = f"/imagebuilder/every/system-{NAMES.index(name)}/latest"
    assert _latest(local_aws, parameter) == made["image"], line
    ami = _describe(local_aws, made["image"])
    mac = "_mac" if system.platform == "macOS" else ""
    assert ami["Architecture"] == architecture + mac
    assert ami.get("Platform") == ("windows" if system.platform == "Windows" else None)
    assert image["platform"] == system.platform
    assert image["osVersion"].rpartition(" ")[2] in system.title
    # a root volume under another name would be a second disk in addition to the parent's own
    assert [device["DeviceName"] for device in ami["BlockDeviceMappings"]] == [ami["RootDeviceName"]]


def test_child_is_built_from_what_its_base_is_then(stacks: Stacks, folder: Path, local_aws: LocalAws) -> None:
    out = folder / "cdktf.out"
    base, child = (Stack(stacks[name], aws=local_aws, out=out) for name in ("base", "child"))

    early = child.build()
    assert early["state"] == {
        "status": "FAILED",
        "reason": f"The parameter '/imagebuilder/every/base/latest' does not exist in {REGION}.",
    }

    sources = []
    for _ in range(2):
        base.build()
        base.hand_off()
        image = child.build()
        child.hand_off()
        assert (image["state"], image["osVersion"]) == ({"status": "AVAILABLE"}, "Amazon Linux 2023")
        made = _describe(local_aws, _latest(local_aws, "/imagebuilder/every/child/latest"))
        assert (made["Architecture"], made["RootDeviceName"]) == ("arm64", "/dev/xvda")
        assert made["SourceImageId"] == _latest(local_aws, "/imagebuilder/every/base/latest")
        sources.append(made["SourceImageId"])
    assert sources[0] != sources[1]


def _latest(aws: LocalAws, parameter: str) -> str:
    value: str = aws.client("ssm", region=REGION).get_parameter(Name=parameter)["Parameter"]["Value"]
    return value


def _describe(aws: LocalAws, ami: str) -> Mapping[str, Any]:
    (image,) = aws.client("ec2", region=REGION).describe_images(ImageIds=[ami])["Images"]
    found: Mapping[str, Any] = image
    return found
