"""The packages of builds on the local AWS, which follow from their parents and components."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import MANAGED_PARENT, TEST_DOCUMENT, build, instance_profile, refusal

INSTALLS = """\
schemaVersion: 1.0
parameters:
  - packages: {type: string, default: ""}
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - |
              # dnf install is for others
              dnf install -y --setopt=x=y git "jq" {{ packages }} && echo installed
              yum -y install \\
                nginx-1.20.0-2.amzn2 \\
                java-17-amazon-corretto
              apt-get install ${unknown} 'vim=2:9.0-1'; echo done
"""
numbers = itertools.count(1)


class Packed:
    """A pipeline with a component that installs packages."""

    def __init__(self, aws: LocalAws, image_builder: Any, *, packages: str = "", document: str = INSTALLS) -> None:
        self._image_builder, self._name = image_builder, f"packed {next(numbers)}"
        self._profile = instance_profile(aws)
        self._component = image_builder.create_component(
            name=self._name, semanticVersion="1.0.0", platform="Linux", data=document
        )["componentBuildVersionArn"]
        self._values = {"parameters": [{"name": "packages", "value": [packages]}]} if packages else {}

    def build(self, *, parent: str = MANAGED_PARENT, **pipeline: Any) -> dict[str, Any]:
        """A build, as GetImage has it."""
        name = f"{self._name} {next(numbers)}"
        component = {"componentArn": self._component, **self._values}
        recipe = self._image_builder.create_image_recipe(
            name=name, semanticVersion="1.0.0", parentImage=parent, components=[component]
        )
        infrastructure = self._image_builder.create_infrastructure_configuration(
            name=name, instanceProfileName=self._profile
        )
        arns = {key: arn for made in (recipe, infrastructure) for key, arn in made.items() if key.endswith("Arn")}
        return build(self._image_builder, self._image_builder.create_image_pipeline(name=name, **arns, **pipeline))

    def packages(self, image: dict[str, Any]) -> dict[str, str]:
        """The versions of a build's packages by name."""
        pages = self._image_builder.get_paginator("list_image_packages").paginate(imageBuildVersionArn=image["arn"])
        return {each["packageName"]: each["packageVersion"] for page in pages for each in page["imagePackageList"]}


def test_packages_are_those_of_the_parent_and_what_components_install(local_aws: LocalAws, image_builder: Any) -> None:
    packed = Packed(local_aws, image_builder, packages="curl-8.3.0 htop")
    packages = packed.packages(packed.build())
    assert {"bash", "openssl", "openssh", "systemd"} < packages.keys()
    installed = ("git", "jq", "curl", "htop", "nginx", "java-17-amazon-corretto", "vim")
    assert {name: packages.get(name) for name in installed} == {
        "git": "1.0.0",
        "jq": "1.0.0",
        "curl": "8.3.0",
        "htop": "1.0.0",
        "nginx": "1.20.0",
        "java-17-amazon-corretto": "1.0.0",
        "vim": "2:9.0",
    }
    assert not packages.keys() & {"is", "for", "others", "echo", "installed", "done", "-y", "${unknown}"}


def test_child_has_the_packages_of_its_base_and_its_own_versions(local_aws: LocalAws, image_builder: Any) -> None:
    base = Packed(local_aws, image_builder, packages="htop-3.2 curl-8.3.0").build()
    child = Packed(local_aws, image_builder, packages="curl-8.9.1")
    packages = child.packages(child.build(parent=base["outputResources"]["amis"][0]["image"]))
    assert (packages["htop"], packages["curl"]) == ("3.2", "8.9.1")


def test_component_that_tests_installs_nothing(local_aws: LocalAws, image_builder: Any) -> None:
    document = TEST_DOCUMENT.replace("ExecuteBash", 'ExecuteBash, inputs: {commands: ["dnf install -y strace"]}')
    packed = Packed(local_aws, image_builder, document=document)
    assert "strace" not in packed.packages(packed.build())


def test_packages_are_listed_in_pages(local_aws: LocalAws, image_builder: Any) -> None:
    packed = Packed(local_aws, image_builder, packages=" ".join(f"package{number}" for number in range(40)))
    image = packed.build()
    page = image_builder.list_image_packages(imageBuildVersionArn=image["arn"])
    assert len(page["imagePackageList"]) == 25
    assert "nextToken" in page
    assert len(packed.packages(image)) > 45


def test_only_enhanced_metadata_has_packages(local_aws: LocalAws, image_builder: Any) -> None:
    packed = Packed(local_aws, image_builder)
    image = packed.build(enhancedImageMetadataEnabled=False)
    assert packed.packages(image) == {}


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("{build}9", "ResourceNotFoundException: "),
        ("{version}", "InvalidParameterValueException: "),
    ],
)
def test_packages_are_those_of_one_build(local_aws: LocalAws, image_builder: Any, arn: str, expected: str) -> None:
    image = Packed(local_aws, image_builder).build()["arn"]
    asked = arn.format(build=image, version=image.rpartition("/")[0])
    assert refusal(image_builder.list_image_packages, imageBuildVersionArn=asked).startswith(expected)
