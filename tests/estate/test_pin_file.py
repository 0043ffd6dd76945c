"""Pins as they are read: where pins.yaml is, which pins fit, and which fleets have none."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from estate.estate import Estate
from estate.load import assemble, load
from estate.models.pin import Pin
from estate.models.settings import Settings
from estate.problems import EstateError
from estate.remarks import lacks_of_pins, remarks
from tests.support.any_configuration import FULL, PINS, paths_of, plain, replaced
from tests.support.broken_estates import problems_in, smallest, written
from tests.support.models import fleet, image

PINNED = smallest("fleet", "updates: pull-request\n")
ACCOUNTS = """
accounts: {images: {id: "111111111111", role: images}, prod: {id: "333333333333", role: prod}}
"""
ELSEWHERE = (
    smallest("settings", ACCOUNTS)
    .replace("  web:\n", "  web:\n    account: images\n")
    .replace("  web-dev:\n", "  web-dev:\n    account: prod\n    updates: pull-request\n")
)
FIELDS: dict[str, Any] = {
    "image": "web",
    "build": "1.0.7/1",
    "channel": "prod",
    "region": "eu-west-1",
    "ami": "ami-0123456789abcdef0",
    "owner": "111111111111",
    "created": "2026-11-24T03:12:00+00:00",
}


def pin(name: str = "web-dev", **fields: Any) -> str:
    lines = "".join(f'    {field}: "{value}"\n' for field, value in (FIELDS | fields).items())
    return f"pins:\n  {name}:\n{lines}"


def estate(folder: Path, text: str, pins: str = "") -> Estate:
    written(folder, text)
    if pins:
        (folder / "pins.yaml").write_text(pins)
    return load(folder)


def test_a_folder_and_a_single_file_have_their_pins_beside_them(tmp_path: Path) -> None:
    estate(tmp_path, PINNED, pin())
    for path in (tmp_path, tmp_path / "estate.yaml"):
        loaded = load(path)
        assert loaded.pins == {"web-dev": Pin(name="web-dev", **FIELDS)}
        assert (loaded.fleet("web-dev").pin, loaded.unpinned) == (loaded.pins["web-dev"], {})


def test_an_estate_of_python_has_pins_too() -> None:
    pinned = fleet(name="web-dev", image="web", updates="pull-request")
    made = Pin(name="web-dev", **FIELDS)
    settings = Settings(namespace="acme")
    whole = assemble(settings=settings, images=[image()], fleets=[pinned], pins=[made])
    assert whole.pins == {"web-dev": made}
    with pytest.raises(EstateError, match=r"^pins\.web-dev: is declared twice; delete or rename one$"):
        assemble(settings=settings, images=[image()], fleets=[pinned], pins=[made, made.model_copy()])


def test_pins_yaml_is_no_configuration_by_itself(tmp_path: Path) -> None:
    estate(tmp_path, PINNED, pin())
    file = tmp_path / "pins.yaml"
    assert problems_in(file) == f"{file} settings: is required; write settings: {{namespace: …}}"


@pytest.mark.parametrize("alone", [True, False])
def test_pins_yaml_that_cannot_be_read_is_a_problem_and_not_an_estate_without_pins(tmp_path: Path, alone: bool) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    written(folder, PINNED)
    file, path = folder / "pins.yaml", folder / "estate.yaml" if alone else folder
    file.symlink_to("gone.yaml")
    assert problems_in(path) == f"{file}: cannot be read: No such file or directory"
    file.unlink()
    (tmp_path / "pins.yaml").write_text(pin())
    file.symlink_to("../pins.yaml")
    rule = "is a link to outside the configuration's folder; put a copy of the file here"
    assert problems_in(path) == f"{file}: {rule}"
    file.unlink()
    (folder / "kept").mkdir()
    (folder / "kept" / "pins").write_text(pin())
    file.symlink_to("kept/pins")
    assert [*load(path).pins] == ["web-dev"]


def test_a_fleet_without_a_pin_that_fits_is_named_with_the_command(tmp_path: Path) -> None:
    missing = estate(tmp_path, PINNED)
    assert lacks_of_pins(missing) == ["fleets.web-dev: has no pin; run goldsmith pin web-dev"]
    for fields, why in [
        ({"image": "api"}, "has a pin for image api, and not for web"),
        ({"region": "us-east-1"}, "has a pin for region us-east-1, and not for eu-west-1"),
    ]:
        other = estate(tmp_path, PINNED, pin(**fields))
        assert lacks_of_pins(other) == [f"fleets.web-dev: {why}; run goldsmith pin web-dev"]
        assert other.fleet("web-dev").pin is None


def test_a_pin_names_no_account_of_its_own(tmp_path: Path) -> None:
    """Whoever can write the file could otherwise let a fleet launch an AMI of any account."""
    key = "arn:aws:kms:eu-west-1:{}:key/1f2e"
    for fields, why in [
        ({"owner": "999999999999"}, "to an AMI of account 999999999999, and not of 111111111111 or 333333333333"),
        (
            {"key": key.format("999999999999")},
            "with a key of account 999999999999 in eu-west-1, and not of 111111111111 in eu-west-1",
        ),
        (
            {"key": key.format("111111111111").replace("eu-west-1", "us-east-1")},
            "with a key of account 111111111111 in us-east-1, and not of 111111111111 in eu-west-1",
        ),
    ]:
        assert estate(tmp_path, ELSEWHERE, pin(**fields)).unpinned == {"web-dev": f"has a pin {why}"}
    for fields in ({}, {"owner": "333333333333"}, {"key": key.format("111111111111")}):
        assert estate(tmp_path, ELSEWHERE, pin(**fields)).unpinned == {}
    central = key.format("555555555555")
    distribution = f"    distribution: {{eu-west-1: {{kms_key_id: '{central}'}}}}\n"
    configured = ELSEWHERE.replace("    account: images\n", f"    account: images\n{distribution}", 1)
    assert estate(tmp_path, configured, pin(key=central)).unpinned == {}


def test_pins_that_nothing_reads_are_remarks(tmp_path: Path) -> None:
    both = pin().replace("pins:\n", "") + pin("gone").replace("pins:\n", "")
    for updates in ("plan", "automatic"):
        idle = estate(tmp_path, smallest("fleet", f"updates: {updates}"), f"pins:\n{both}")
        assert [line for line in remarks(idle, today=date(2026, 11, 30)) if "pins" in line] == [
            f"pins.web-dev: nothing reads it, because the fleet has updates: {updates}; goldsmith pin deletes it",
            "pins.gone: nothing reads it, because there is no such fleet; goldsmith pin deletes it",
        ]
        assert idle.unpinned == {}


@pytest.mark.parametrize("path", list(paths_of(plain(PINS))), ids=lambda path: ".".join(map(str, path)))
def test_a_wrong_value_is_one_problem(path: tuple[Any, ...], tmp_path: Path) -> None:
    (tmp_path / "pins.yaml").write_text(json.dumps(replaced(plain(PINS), path, 12.5)))
    written(tmp_path, FULL)
    (found,) = problems_in(tmp_path).splitlines()
    assert " ".join(found.split(" ")[1:]).startswith(".".join(map(str, path)) + ": "), found
    assert "got 12.5" in found
