"""The catalogue: each system that there is to choose from, and what an image of it is built from."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from estate.catalogue.instance_types import architecture_of, is_mac
from estate.catalogue.operating_systems import CATALOGUE, Architecture, ManagedImage, OperatingSystem, Published
from estate.estate import Estate, EstateImage
from estate.load import assemble
from estate.models.ami_image import AmiImage
from estate.models.settings import Settings
from estate.problems import EstateError
from estate.recipes.ami import Recipe, ami_recipe_of
from estate.remarks import remarks
from tests.support.estates import ESTATES, synthesize

AMI = "ami-0123456789abcdef0"
ANY_PLATFORM = "arn:aws:imagebuilder:{region}:aws:component/hello-world/x.x.x"
BOTH: list[tuple[OperatingSystem, Architecture]] = [
    (system, architecture) for system in CATALOGUE.values() for architecture in system.architectures
]
EACH = pytest.mark.parametrize(
    ("system", "architecture"), BOTH, ids=[f"{system.name}-{architecture}" for system, architecture in BOTH]
)


def image(system: str, *, region: str = "eu-west-1", **fields: Any) -> AmiImage:
    if CATALOGUE[system].platform == "macOS":
        fields.setdefault("infrastructure", {"placement": {"tenancy": "host", "host_id": "h-0a"}})
    build = (ANY_PLATFORM.format(region=region),)
    return AmiImage.model_validate({"name": "web", "os": system, "build": build, "regions": (region,), **fields})


def estate(*images: AmiImage) -> Estate:
    return assemble(settings=Settings(namespace="acme"), images=images)


def recipe(system: str, **fields: Any) -> Recipe:
    made = image(system, **fields)
    return ami_recipe_of(EstateImage(estate(made), made))


def test_every_system_has_its_one_clear_name() -> None:
    editions = [
        f"{year}-{edition}" for year in ("2012", "2012-r2", 2016, 2019, 2022, 2025) for edition in ("core", "full")
    ]
    assert list(CATALOGUE) == [
        *("amazon-linux-2", "amazon-linux-2023"),
        *(f"windows-server-{edition}" for edition in editions),
        *(f"ubuntu-server-{year}.04" for year in (16, 18, 20, 22, 24)),
        *(f"red-hat-enterprise-linux-{version}" for version in (7, 8, 9, 10)),
        *("centos-7", "centos-8", "centos-stream-9"),
        *("suse-linux-enterprise-server-12", "suse-linux-enterprise-server-15"),
        *("macos-sonoma", "macos-sequoia"),
    ]


@EACH
def test_builds_run_on_instances_that_fit(system: OperatingSystem, architecture: Architecture) -> None:
    types = system.instance_types(architecture)
    assert types
    for instance_type in types:
        assert architecture_of(instance_type) == architecture
        assert is_mac(instance_type) == (system.platform == "macOS")


@EACH
def test_has_a_parent_that_aws_follows_or_asks_for_one(system: OperatingSystem, architecture: Architecture) -> None:
    source = system.parents[architecture]
    if isinstance(source, Published):
        with pytest.raises(EstateError) as caught:
            recipe(system.name, architecture=architecture)
        option = "" if architecture == "x86_64" else f" --architecture {architecture}"
        assert str(caught.value) == (
            f"images.web.parent: {system.name} has neither a managed image nor a public parameter; write an AMI ID, "
            f"which goldsmith doctor --parent {system.name} --region eu-west-1{option} finds"
        )
        assert recipe(system.name, architecture=architecture, parent=AMI).parent_image == AMI
        return
    reference = recipe(system.name, architecture=architecture).parent_image
    if isinstance(source, ManagedImage):
        assert reference == f"arn:aws:imagebuilder:eu-west-1:aws:image/{source.name}/x.x.x"
        assert source.name.endswith("-x86" if architecture == "x86_64" else "-arm64")
    else:
        assert reference == f"ssm:{source.path}"
        assert source.path.startswith("/aws/service/"), "Image Builder may read no other"
    # what is written here is what could be written in an image
    assert recipe(system.name, architecture=architecture, parent=reference).parent_image == reference


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [
        ("t3.medium", "x86_64"),
        ("m7i-flex.large", "x86_64"),
        ("a1.large", "arm64"),
        ("c7gn.metal", "arm64"),
        ("mac1.metal", "x86_64"),
        ("mac2.metal", "arm64"),
        ("mac2-m1ultra.metal", "arm64"),
        ("mac2-m2pro.metal", "arm64"),
        ("mac-m4max.metal", "arm64"),
    ],
)
def test_an_instance_type_says_its_architecture(instance_type: str, architecture: Architecture) -> None:
    assert architecture_of(instance_type) == architecture


def test_an_ami_of_a_mac_has_an_architecture_of_its_own() -> None:
    assert image("macos-sequoia", architecture="arm64").ami_architecture == "arm64_mac"
    assert image("macos-sonoma").ami_architecture == "x86_64_mac"
    assert image("amazon-linux-2023", architecture="arm64").ami_architecture == "arm64"


# --- Bases


@pytest.mark.parametrize(
    ("parent", "channel"),
    [("base", "latest"), ({"image": "base"}, "latest"), ({"image": "base", "channel": "approved"}, "approved")],
)
def test_a_child_is_built_from_what_the_channel_of_its_base_says(parent: Any, channel: str) -> None:
    base = image("amazon-linux-2023", name="base", channels=("approved",))
    child = image("amazon-linux-2023", parent=parent, schedule={"rate": "1 day"})
    made = ami_recipe_of(EstateImage(estate(base, child), child))
    assert made.parent_image == f"ssm:/imagebuilder/acme/base/{channel}"


def test_a_schedule_of_dependency_updates_fires_for_a_base_alone() -> None:
    own: dict[str, Any] = {"build": ("update-os",), "schedule": {"rate": "1 day", "when": "dependency-updates"}}
    base = image("amazon-linux-2023", name="base")
    assert estate(base, image("amazon-linux-2023", parent="base", **own))
    with pytest.raises(EstateError, match="would never start a build"):
        estate(base, image("amazon-linux-2023", parent=AMI, **own))


def test_a_chain_of_bases_is_not_a_circle() -> None:
    images = [
        image("amazon-linux-2023", name="one"),
        image("amazon-linux-2023", name="two", parent="one"),
        image("amazon-linux-2023", name="three", parent="two"),
        image("amazon-linux-2023", name="four", parent="two"),
    ]
    assert estate(*images)
    assert estate(*reversed(images))


# --- The agent


def test_an_agent_that_the_parent_lacks_or_may_lack_stays_in_the_image() -> None:
    named = {
        system.name
        for system, architecture in BOTH
        if recipe(system.name, architecture=architecture, parent=AMI).keeps_agent
    }
    # AWS refuses to hear of it for Windows
    assert named == {system.name for system in CATALOGUE.values() if system.platform != "Windows"}
    with_its_own = [each for each in BOTH if not each[0].needs_parent]
    assert {
        system.name
        for system, architecture in with_its_own
        if recipe(system.name, architecture=architecture).keeps_agent
    } == {system.name for system, _ in with_its_own if system.name.startswith("red-hat-")}
    for parent in ("ssm:/aws/service/minimal", "arn:aws:imagebuilder:eu-west-1:aws:image/minimal/x.x.x"):
        assert recipe("amazon-linux-2023", parent=parent).keeps_agent


def test_a_base_says_itself_whether_its_agent_stays() -> None:
    images = (image("amazon-linux-2023", name="base", parent=AMI), image("amazon-linux-2023", parent="base"))
    declared = estate(*images)
    assert [ami_recipe_of(EstateImage(declared, each)).keeps_agent for each in images] == [True, False]


# --- Support


def test_a_system_past_the_end_of_its_support_works_and_is_reported_in_one_line() -> None:
    images = (
        image("centos-8", parent=AMI),
        image("macos-sonoma", name="mac"),
        image("centos-8", name="lab", parent=AMI),
    )
    old = estate(*images)
    assert remarks(old, today=date(2021, 12, 31)) == []
    assert remarks(old, today=date(2022, 1, 1)) == [
        f"images.{name}.os: CentOS Linux 8 is past the end of its support, 2021-12-31: it no longer gets "
        "security updates"
        for name in ("web", "lab")
    ]
    assert ami_recipe_of(EstateImage(old, images[0])).parent_image == AMI


def test_synthesis_writes_it_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    synthesize(ESTATES["systems"], tmp_path)
    output = capfd.readouterr()
    for name, title, day in (("pinned", "Amazon Linux 2", "2026-06-30"), ("legacy", "CentOS Linux 7", "2024-06-30")):
        assert f"images.{name}.os: {title} is past the end of its support, {day}: " in output.err
    assert "support" not in output.out
