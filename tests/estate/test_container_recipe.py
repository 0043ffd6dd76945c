"""Container recipes: their versions follow from their content, and each field of the estate reaches what it is for."""

import re
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import pytest

from estate.estate import Estate, EstateImage
from estate.load import assemble, load
from estate.models.ami_image import ImageBase
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.models.settings import Settings
from estate.recipes import recipe_of
from estate.recipes.ami import Component, Device, RecipeComponent
from estate.recipes.container import ContainerRecipe, container_recipe_of
from tests.support.estates import PROJECT
from tests.support.mutations import mutations

TEMPLATE = DEFAULT_DOCKERFILE + "EXPOSE 80\n"
UPDATE = Component(name="acme_web_update-os", platform="Linux", description="Updates", data="schemaVersion: 1.0\n")
RECIPE = ContainerRecipe(
    name="acme_web",
    major_minor="1.0",
    description="web, built from nginx:1.29",
    parent_image="nginx:1.29",
    platform_override="Linux",
    dockerfile=TEMPLATE,
    repository="acme/web",
    working_directory=None,
    instance_image=None,
    root_device=Device(
        device_name="/dev/xvda", volume_type="gp3", volume_size=None, iops=None, throughput=None, encrypted=True
    ),
    steps=(RecipeComponent(UPDATE, ()),),
)
IMAGE = {"kind": "container", "parent": "nginx:1.29", "build": "[update-os]", "regions": "[eu-west-1]"}


def test_each_argument_that_changes_makes_a_new_version() -> None:
    changed = [mutated for mutated in mutations(RECIPE) if mutated != RECIPE]
    versions = [each.version for each in changed]
    assert RECIPE.version not in versions, changed[versions.index(RECIPE.version)]
    assert len(set(versions)) == len(versions), "two contents have one version"
    for field in fields(RECIPE):
        assert any(getattr(each, field.name) != getattr(RECIPE, field.name) for each in changed), field.name


def test_versions_stay_what_they_were() -> None:
    assert RECIPE.version == "1.0.408141474"


def estate_of(folder: Path, **changes: str) -> Estate:
    """An estate of one container image, with some lines in place of others."""
    lines = "".join(f"    {key}: {value}\n" for key, value in {**IMAGE, **changes}.items())
    (folder / "estate.yaml").write_text(f"settings: {{namespace: acme}}\nimages:\n  web:\n{lines}")
    return load(folder)


def recipe(folder: Path, **changes: str) -> ContainerRecipe:
    estate = estate_of(folder, **changes)
    made = recipe_of(estate.image("web"))
    assert isinstance(made, ContainerRecipe)
    return made


CHANGES: dict[str, tuple[str, bool]] = {
    "parent": ("nginx:1.30", True),
    "architecture": ("arm64", True),
    "version": ('"1.1"', True),
    "description": ("The web", True),
    "build": ("[update-os, {use: install-packages, with: {packages: curl}}]", True),
    "test": ("[{use: command-succeeds, with: {command: nginx -t}}]", True),
    "dockerfile": ("|\n" + "".join(f"      {line}\n" for line in TEMPLATE.splitlines()), True),
    "working_directory": ("/work", True),
    "repository": ("team/web", True),
    "instance": ("{root_volume: {volume_size: 50}}", True),
    "container_tags": ("[newest]\n    repository: {image_tag_mutability: MUTABLE}", False),
    "regions": ("[eu-west-1, us-east-1]", False),
    "schedule": ("{rate: 7 days, when: always}", False),
    "channels": ("[prod]", False),
    "infrastructure": ("{instance_types: [t3.large]}", False),
    "image_tests": ("{timeout: 61 minutes}", False),
    "log_retention": ("1 day", False),
    "tags": ("{team: web}", False),
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_each_field_changes_the_version_or_does_not(field: str, tmp_path: Path) -> None:
    before = recipe(tmp_path)
    value, is_content = CHANGES[field]
    assert (recipe(tmp_path, **{field: value}).version != before.version) == is_content


def test_every_field_that_only_containers_have_is_tried() -> None:
    # a platform changes its components, too
    own = ContainerImage.model_fields.keys() - ImageBase.model_fields.keys() - {"kind", "platform"}
    assert own <= CHANGES.keys()


def test_platform_is_written_only_for_a_parent_in_a_registry(tmp_path: Path) -> None:
    parent = "arn:aws:imagebuilder:eu-west-1:aws:image/windows-server-2019-x86-core-ltsc2019-amd64/x.x.x"
    made = recipe(tmp_path, platform="Windows", parent=parent)
    assert (made.platform_override, made.root_device.device_name) == (None, "/dev/sda1")
    assert [component.platform for component in made.components.values()] == ["Windows"]

    assert recipe(tmp_path, parent="nginx:1.29").platform_override == "Linux", "Image Builder knows only its own"


def test_template_of_a_file_is_the_same_as_in_the_configuration_whatever_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(TEMPLATE.replace("\n", "\r\n").encode())
    assert recipe(tmp_path, dockerfile="Dockerfile") == recipe(tmp_path, dockerfile=CHANGES["dockerfile"][0])


def test_template_too_long_for_a_request_has_a_key_made_from_its_content(tmp_path: Path) -> None:
    def filled(size: int) -> ContainerRecipe:
        (tmp_path / "Dockerfile").write_text(TEMPLATE + "#" * (size - len(TEMPLATE)))
        return recipe(tmp_path, dockerfile="Dockerfile")

    longest, longer = filled(16_000), filled(16_001)
    assert (longest.is_inline, longer.is_inline) == (True, False)
    assert longer.object_key == f"dockerfiles/{sha256(longer.dockerfile.encode()).hexdigest()}"
    assert longest.version != longer.version
    (tmp_path / "Dockerfile").write_text(TEMPLATE + "#" + "あ" * 5_400)
    assert not recipe(tmp_path, dockerfile="Dockerfile").is_inline, "AWS's provider counts bytes"


@pytest.mark.parametrize(
    "parent",
    [
        "amazonlinux:2023",
        "library/nginx:1.29.1-alpine3.22",
        "public.ecr.aws/docker/library/golang:1.25",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/base:v1",
        f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/base@sha256:{'0a' * 32}",
        "registry.example.com:5000/base:v1",
        "mcr.microsoft.com/windows/servercore:ltsc2022",
        "arn:aws:imagebuilder:eu-west-1:123456789012:image/base/1.2.3/4",
    ],
)
def test_parent_is_taken_as_it_is_written(parent: str, tmp_path: Path) -> None:
    assert recipe(tmp_path, parent=f'"{parent}"').parent_image == parent


def test_estate_assembled_in_python_is_the_one_that_files_declare(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(TEMPLATE)
    declared = estate_of(tmp_path, dockerfile="Dockerfile")
    fields = {"kind": "container", "parent": "nginx:1.29", "build": ["update-os"], "regions": ["eu-west-1"]}
    image = ContainerImage.model_validate({**fields, "name": "web", "dockerfile": "Dockerfile"})
    assembled = assemble(settings=Settings(namespace="acme"), images=[image], folder=tmp_path)
    assert assembled == declared
    assert container_recipe_of(EstateImage(assembled, image)).dockerfile == TEMPLATE


def test_page_shows_an_estate_that_is_sound(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs" / "containers.md").read_text(), re.DOTALL)
    (tmp_path / "estate.yaml").write_text(shown)
    assert load(tmp_path).images.keys() == {"toolbox"}
