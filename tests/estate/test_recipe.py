"""Versions follow from content: same content, same version; any other content, another version."""

import os
import subprocess
import sys
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estate.estate import Estate, EstateImage
from estate.load import load
from estate.models.ami_image import AmiImage
from estate.recipes.ami import Component, Device, Recipe, RecipeComponent, ami_recipe_of
from tests.support.broken_estates import smallest
from tests.support.estates import PROJECT
from tests.support.mutations import mutations

DOCUMENT = """\
name: app
description: The application
schemaVersion: 1.0
parameters:
  - port: {type: string, default: '80'}
  - path: {type: string, default: /}
phases:
  - name: build
    steps: [{name: Reboot, action: Reboot}]
"""
USING = DOCUMENT.replace(
    "{name: Reboot, action: Reboot}",
    "{name: Write, action: CreateFile, inputs: [{path: '{{ path }}', content: '{{ port }}'}]}",
)
MANAGED = "arn:aws:imagebuilder:eu-west-1:aws:component/amazon-cloudwatch-agent-linux/x.x.x"
IMAGE = f"""\
build: [update-os, {MANAGED}, components/app.yaml]
test: [boots]
"""

APP = Component(name="acme_web_app", platform="Linux", description="The application", data=DOCUMENT)
RECIPE = Recipe(
    name="acme_web",
    major_minor="1.0",
    description="web, built from amazon-linux-2023",
    parent_image="arn:aws:imagebuilder:eu-west-1:aws:image/amazon-linux-2023-x86/x.x.x",
    root_device=Device(
        device_name="/dev/xvda", volume_type="gp3", volume_size=20, iops=3000, throughput=None, encrypted=True
    ),
    steps=(RecipeComponent(APP, (("path", "/"), ("port", "80"))), RecipeComponent(MANAGED, ())),
    keeps_agent=False,
)


@pytest.mark.parametrize("made", [APP, RECIPE], ids=["component", "recipe"])
def test_each_argument_that_changes_makes_a_new_version(made: Component | Recipe) -> None:
    changed = [mutated for mutated in mutations(made) if mutated != made]
    versions = [each.version for each in changed]
    assert made.version not in versions, changed[versions.index(made.version)]
    assert len(set(versions)) == len(versions), "two contents have one version"
    for field in fields(made):
        others = [each for each in changed if getattr(each, field.name) != getattr(made, field.name)]
        assert others, f"{field.name} was never changed"


def test_versions_stay_what_they_were() -> None:
    """Another way to derive versions would create every recipe of every user again."""
    assert APP.version == "1.0.362456948"
    assert RECIPE.version == "1.0.118246471"


@given(st.text(), st.text())
def test_patches_are_below_what_aws_takes(description: str, data: str) -> None:
    major, minor, patch = replace(APP, description=description, data=data).version.split(".")
    assert (major, minor) == ("1", "0")
    assert 0 <= int(patch) < 2**30


def written(folder: Path, image: str = IMAGE, document: str = USING, settings: str = "") -> Estate:
    """The smallest estate with some lines in its image."""
    (folder / "components").mkdir(exist_ok=True)
    (folder / "components" / "app.yaml").write_bytes(document.encode())
    (folder / "estate.yaml").write_text(smallest("image", image).replace("settings:\n", f"settings:\n{settings}"))
    return load(folder)


def recipe(folder: Path, image: str = IMAGE, **files: str) -> Recipe:
    estate = written(folder, image, **files)
    return ami_recipe_of(EstateImage(estate, estate.amis["web"]))


def versions(made: Recipe) -> dict[str, str]:
    return {"recipe": made.version} | {name: component.version for name, component in made.components.items()}


CHANGES: dict[str, tuple[str, set[str]]] = {
    "os": ("os: amazon-linux-2", {"recipe"}),
    "architecture": ("architecture: arm64", {"recipe"}),
    "version": ('version: "1.1"', {"recipe"}),
    "description": ("description: Web servers", {"recipe"}),
    "parent": ("parent: ami-0123456789abcdef0", {"recipe"}),
    "build": (f"build: [{MANAGED}, update-os, components/app.yaml]", {"recipe"}),
    "test": ("test: [{use: boots, with: {wait_seconds: 60}}]", {"recipe"}),
    "root_volume": ("root_volume: {volume_size: 20}", {"recipe"}),
    "volumes": ("volumes: {/dev/sdf: {volume_size: 20}}", {"recipe"}),
    "distribution": ("distribution: {eu-west-1: {ami_tags: {tier: web}}}", set()),
    # these four need something else, which the recipe has
    "launch_permission": (
        "launch_permission: {accounts: ['444455556666']}\nroot_volume: {encrypted: false}",
        {"recipe"},
    ),
    "target_accounts": ("target_accounts: ['444455556666']\nroot_volume: {encrypted: false}", {"recipe"}),
    "external_fleets": (
        "external_fleets: true\naccount: images\nlaunch_permission: {accounts: ['444455556666']}",
        {"recipe"},
    ),
    "export": ("export: {disk_image_format: RAW}\nroot_volume: {encrypted: false}", {"recipe"}),
    "regions": ("regions: [eu-west-1, us-east-1]", set()),
    "account": ("account: images", set()),
    "schedule": ("schedule: {rate: 7 days}", set()),
    "channels": ("channels: [prod, staging]", set()),
    "infrastructure": ("infrastructure: {instance_types: [t3.large]}", set()),
    "image_tests": ("image_tests: {timeout: 61 minutes}", set()),
    "workflows": (
        "workflows: {build: 'arn:aws:imagebuilder:eu-west-1:aws:workflow/build/build-image/x.x.x'}",
        set(),
    ),
    "image_scanning": ("image_scanning: {image_scanning_enabled: true}", set()),
    "enhanced_image_metadata_enabled": ("enhanced_image_metadata_enabled: false", set()),
    "log_retention": ("log_retention: 1 day", set()),
    "retention": ("retention: {keep_newest: 5}", set()),
    "notifications": ("notifications: {emails: [team@example.com]}", set()),
    "gate": ("gate: {max_severity: high}\nimage_scanning: {image_scanning_enabled: true}", set()),
    "accept": ("accept: [ami-0123456789abcdef0]", set()),
    "tags": ("tags: {team: web}", set()),
}


@pytest.mark.parametrize("field", sorted(AmiImage.model_fields.keys() - {"name"}))
def test_each_field_of_an_image_changes_what_it_must_and_nothing_else(field: str, tmp_path: Path) -> None:
    text, expected = CHANGES[field]
    kept = "".join(line for line in IMAGE.splitlines(keepends=True) if not line.startswith(f"{field}:"))
    # the smallest estate has a fleet, whose instance type follows the architecture
    estate_file = smallest("image", kept + text)
    if field == "architecture":
        estate_file = estate_file.replace("t3.small", "t4g.small")
    if field in ("account", "external_fleets"):
        account = "  accounts: {images: {id: '111111111111'}}\n"
        estate_file = estate_file.replace("settings:\n", f"settings:\n{account}")
    before = versions(recipe(tmp_path))
    (tmp_path / "estate.yaml").write_text(estate_file)
    estate = load(tmp_path)
    after = versions(ami_recipe_of(EstateImage(estate, estate.amis["web"])))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == expected


def test_a_changed_document_changes_its_component_and_the_recipe(tmp_path: Path) -> None:
    before = versions(recipe(tmp_path))
    after = versions(recipe(tmp_path, document=USING + "# one more line\n"))
    assert {name for name in before if before[name] != after[name]} == {"recipe", "app"}


def test_line_ends_of_a_checkout_change_nothing(tmp_path: Path) -> None:
    assert recipe(tmp_path, document=USING.replace("\n", "\r\n")) == recipe(tmp_path)


def test_a_document_too_long_for_a_request_has_a_key_made_from_its_content(tmp_path: Path) -> None:
    def filled(size: int) -> Component:
        return recipe(tmp_path, document=f"{USING}#{'x' * (size - len(USING) - 1)}").components["app"]

    longest, longer, next_one = (filled(size) for size in (16_000, 16_001, 16_002))
    assert longest.is_inline
    assert not longer.is_inline
    assert longer.object_key == f"components/{sha256(longer.data.encode()).hexdigest()}.yaml"
    assert len({each.object_key for each in (longest, longer, next_one)}) == 3
    assert len({each.version for each in (longest, longer, next_one)}) == 3
    # AWS's provider counts bytes
    assert not recipe(tmp_path, document=f"{USING}#{'あ' * 5_400}").components["app"].is_inline


def test_tags_of_the_settings_change_nothing_and_the_namespace_all(tmp_path: Path) -> None:
    before = recipe(tmp_path)
    assert recipe(tmp_path, settings="  tags: {team: platform}\n") == before
    estate = written(tmp_path)
    other = estate.model_copy(update={"settings": estate.settings.model_copy(update={"namespace": "other"})})
    after = versions(ami_recipe_of(EstateImage(other, other.amis["web"])))
    assert not versions(before).items() & after.items()


def test_versions_are_the_same_in_every_process(tmp_path: Path) -> None:
    expected = versions(recipe(tmp_path))
    program = (
        "import sys; from pathlib import Path; from estate.load import load\n"
        "from estate.recipes import recipe_of\n"
        "estate = load(Path(sys.argv[1])); made = recipe_of(estate.image('web'))\n"
        "print({'recipe': made.version} | {name: each.version for name, each in made.components.items()})"
    )
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
        command = [sys.executable, "-c", program, str(tmp_path)]
        run = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == str(expected)


def test_components_are_in_the_order_that_is_written(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    assert [step.component if isinstance(step.component, str) else step.component.name for step in made.steps] == [
        "acme_web_update-os",
        MANAGED,
        "acme_web_app",
        "acme_web_boots",
    ]
    assert list(made.components) == ["update-os", "app", "boots"]


def test_a_component_that_is_used_twice_is_made_once() -> None:
    twice = replace(RECIPE, steps=(*RECIPE.steps, RecipeComponent(APP, ())))
    assert twice.components == {"app": APP}


def test_the_order_of_parameters_does_not_matter_and_their_values_do(tmp_path: Path) -> None:
    one = recipe(tmp_path, "build: [{use: components/app.yaml, with: {port: 8080, path: /up}}]")
    other = recipe(tmp_path, 'build: [{use: components/app.yaml, with: {path: /up, port: "8080"}}]')
    assert one == other
    assert one.steps[0].parameters == (("path", "/up"), ("port", "8080"))
    third = recipe(tmp_path, "build: [{use: components/app.yaml, with: {port: 8081, path: /up}}]")
    assert third.version != one.version
    assert third.components == one.components


def test_images_share_no_component(tmp_path: Path) -> None:
    estate = written(tmp_path)
    image = estate.amis["web"]
    twins = (image, image.model_copy(update={"name": "twin"}))
    web, other = (ami_recipe_of(EstateImage(estate, each)) for each in twins)
    assert not {each.name for each in web.components.values()} & {each.name for each in other.components.values()}
    assert not versions(web).items() & versions(other).items()


@pytest.mark.parametrize(
    ("region", "system", "architecture", "parent"),
    [
        ("eu-west-1", "amazon-linux-2023", "x86_64", "arn:aws:imagebuilder:eu-west-1:aws:image/amazon-linux-2023-x86"),
        ("us-east-1", "amazon-linux-2", "arm64", "arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2-arm64"),
        (
            "cn-north-1",
            "ubuntu-server-24.04",
            "x86_64",
            "arn:aws-cn:imagebuilder:cn-north-1:aws:image/ubuntu-server-24-lts-x86",
        ),
        (
            "us-gov-west-1",
            "windows-server-2022-core",
            "x86_64",
            "arn:aws-us-gov:imagebuilder:us-gov-west-1:aws:image/windows-server-2022-english-core-base-x86",
        ),
    ],
)
def test_the_parent_is_aws_s_newest_image_of_the_home_region(
    region: str, system: str, architecture: str, parent: str, tmp_path: Path
) -> None:
    text = f"""
settings: {{namespace: acme}}
images:
  web: {{os: {system}, architecture: {architecture}, build: [update-os], regions: [{region}]}}
"""
    (tmp_path / "estate.yaml").write_text(text)
    estate = load(tmp_path)
    assert ami_recipe_of(EstateImage(estate, estate.amis["web"])).parent_image == f"{parent}/x.x.x"


def test_a_parent_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    parent = "ssm:/imagebuilder/acme/base/latest"
    assert recipe(tmp_path, f"{IMAGE}parent: {parent}").parent_image == parent
