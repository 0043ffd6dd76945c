"""Fields that images and fleets take from `defaults`, `environments` and bases."""

from pathlib import Path

import pytest

from estate.estate import Estate
from estate.load import explain, load
from estate.models.images import by_kind
from estate.problems import EstateError

ESTATE = """\
settings: {namespace: acme}
defaults:
  images: {regions: [eu-west-1], channels: [stable], root_volume: {volume_size: 20}}
  fleets: {instance_type: t4g.small, max_age: 20 days, rollout: {min_healthy_percentage: 50, warmup: 1 minute}}
environments:
  dev: {region: eu-west-1, channel: latest, subnets: [subnet-0a], capacity: {min: 1, max: 1}, max_age: 10 days}
images:
  base: {os: ubuntu-server-24.04, architecture: arm64, build: [update-os]}
  web: {parent: base@stable, build: [update-os]}
  app: {parent: {image: web}, build: [update-os], regions: [eu-west-1, us-east-1], root_volume: {volume_type: gp2}}
  box: {kind: container, parent: "amazonlinux:2023", build: [update-os]}
fleets:
  web-dev: {image: web, environment: dev}
  app-dev: {image: app, environment: dev, max_age: 5 days, rollout: {max_healthy_percentage: 120}}
  lone: {image: app, region: us-east-1, channel: stable, subnets: [subnet-0b], capacity: {min: 2, max: 2}}
"""


def loaded(folder: Path, text: str = ESTATE) -> Estate:
    (folder / "estate.yaml").write_text(text, encoding="utf-8")
    return load(folder)


def test_the_nearest_value_wins(tmp_path: Path) -> None:
    fleets = loaded(tmp_path).fleets
    assert [str(fleets[name].max_age) for name in ("app-dev", "web-dev", "lone")] == ["5 days", "10 days", "20 days"]
    assert (fleets["web-dev"].region, fleets["lone"].region) == ("eu-west-1", "us-east-1")
    assert {fleet.instance_type for fleet in fleets.values()} == {"t4g.small"}


def test_a_value_is_taken_whole(tmp_path: Path) -> None:
    estate = loaded(tmp_path)
    assert estate.fleets["web-dev"].rollout.min_healthy_percentage == 50
    assert estate.fleets["app-dev"].rollout.min_healthy_percentage == 90
    assert estate.fleets["app-dev"].rollout.warmup is None
    volumes = {name: image.root_volume for name, image in by_kind(estate.images)[0].items()}
    assert (volumes["web"].volume_size, volumes["app"].volume_size) == (20, None)


def test_an_image_takes_only_the_defaults_of_its_kind(tmp_path: Path) -> None:
    assert loaded(tmp_path).images["box"].regions == ("eu-west-1",)


def test_an_image_has_the_system_of_its_base(tmp_path: Path) -> None:
    images, _ = by_kind(loaded(tmp_path).images)
    systems = {name: (image.os, image.architecture) for name, image in images.items()}
    assert systems == dict.fromkeys(("base", "web", "app"), ("ubuntu-server-24.04", "arm64"))


def test_an_image_may_say_its_own_system(tmp_path: Path) -> None:
    text = ESTATE.replace("web: {parent: base@stable,", "web: {parent: base@stable, os: amazon-linux-2023,")
    with pytest.raises(EstateError, match=r"estate.yaml:9 images.web.parent: image base is ubuntu-server-24.04"):
        loaded(tmp_path, text)


def test_a_rule_names_the_fleet_and_the_line_of_the_environment(tmp_path: Path) -> None:
    text = ESTATE.replace("dev: {region: eu-west-1,", "dev: {region: eu-west-2,")
    with pytest.raises(EstateError) as raised:
        loaded(tmp_path, text)
    images = {"web-dev": "web", "app-dev": "app"}
    assert str(raised.value).splitlines() == [
        f"{tmp_path}/estate.yaml:6 fleets.{fleet}.region: image {image} is not distributed to this region, "
        f"got 'eu-west-2'; add it to images.{image}.regions, or did you mean 'eu-west-1'?"
        for fleet, image in images.items()
    ]


def test_files_share_defaults_and_environments(tmp_path: Path) -> None:
    first, fleets = ESTATE.split("fleets:\n  web-dev")
    (tmp_path / "fleets.yaml").write_text(f"fleets:\n  web-dev{fleets}", encoding="utf-8")
    assert loaded(tmp_path, first).fleets["web-dev"].channel == "latest"
    (tmp_path / "more.yaml").write_text("environments:\n  dev: {}\n", encoding="utf-8")
    with pytest.raises(EstateError, match=r"more.yaml:2 environments.dev: is declared twice"):
        load(tmp_path)


def test_each_value_says_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    found = {each.field: (each.value, each.key, each.place) for each in explain(tmp_path, "web-dev")}
    file = f"{tmp_path}/estate.yaml"
    assert found["image"] == ("web", "fleets.web-dev.image", f"{file}:13")
    assert found["region"] == ("eu-west-1", "environments.dev.region", f"{file}:6")
    assert found["instance_type"] == ("t4g.small", "defaults.fleets.instance_type", f"{file}:4")
    assert found["guards"] == ("stop", "", "")
    of_image = {each.field: (each.value, each.key) for each in explain(tmp_path, "app")}
    assert of_image["os"] == ("ubuntu-server-24.04", "images.base.os")
    assert of_image["channels"] == ("[stable]", "defaults.images.channels")


def test_only_an_image_or_a_fleet_can_be_explained(tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    with pytest.raises(EstateError, match=r"no image or fleet has this name, got 'wep'; did you mean 'web'"):
        explain(tmp_path, "wep")
