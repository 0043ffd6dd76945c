"""Any value in a configuration: one cause is one problem, and every value gets a message of ours."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate.load import load
from estate.problems import EstateError
from tests.support.any_configuration import FULL, PINS, WRITTEN, alone, paths_of, plain, replaced
from tests.support.broken_estates import problems_in, smallest, written
from tests.support.estates import ESTATES, PROJECT

"""An estate that says everything once; the two that exclude each other are elsewhere."""

LEFT_OUT = {
    *("backend.local", "local.folder", "backend.cloud", "cloud.organization", "cloud.hostname", "cloud.project"),
    *("backend.other", "schedule.rate", "subnets.ids", "subnets.tags"),
}


def test_smallest_and_full_estates_are_sound(tmp_path: Path) -> None:
    estate = load(written(tmp_path, smallest()))
    assert estate.fleets["web-dev"].image == "web"
    full = load(written(tmp_path, FULL))
    assert full.images["web"].version == "2.3"
    assert full.images["web"].build[0].with_ == {"packages": "nginx"}
    assert full.fleets["web-prod"].subnets.ids == ("subnet-0a", "subnet-0b")


def test_full_estate_has_every_key() -> None:
    definitions = json.loads((PROJECT / "docs" / "estate.schema.json").read_text())["$defs"]
    keys = {key for definition in definitions.values() for key in definition["properties"]}
    written = {path[-1] for text in (FULL, PINS) for path in paths_of(plain(text))}
    assert keys - written == {each.split(".")[1] for each in LEFT_OUT} - {"tags"}


# --- One cause, one problem


@pytest.mark.parametrize("path", list(paths_of(plain(FULL))), ids=lambda path: ".".join(map(str, path)))
def test_a_wrong_value_is_one_problem_and_hides_no_other(path: tuple[Any, ...], tmp_path: Path) -> None:
    broken = replaced(alone(plain(FULL), path), path, 12.5)
    broken.setdefault("images" if path[0] != "images" else "fleets", {})
    found = problems_in(written(tmp_path, broken))
    assert len(found.splitlines()) == 1, found
    assert " ".join(found.split(" ")[1:]).startswith(".".join(map(str, path)) + ": "), found
    assert "got 12.5" in found


@pytest.mark.parametrize(
    ("section", "name", "field"),
    [
        ("images", "web", "os"),
        ("images", "web", "regions"),
        ("fleets", "web-prod", "image"),
        ("fleets", "web-prod", "channel"),
        ("fleets", "web-prod", "region"),
        ("fleets", "web-prod", "instance_type"),
        ("fleets", "web-prod", "subnets"),
        ("fleets", "web-prod", "capacity"),
    ],
)
def test_a_missing_field_is_one_problem(section: str, name: str, field: str, tmp_path: Path) -> None:
    broken = deepcopy(plain(FULL))
    del broken[section][name][field]
    assert problems_in(written(tmp_path, broken)).endswith(f" {section}.{name}.{field}: is required")


# --- Whatever is written


SOURCES = [plain(FULL), plain((ESTATES["systems"] / "estate.yaml").read_text())]


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_gets_a_message_of_ours(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = data.draw(st.sampled_from(SOURCES))
    path = data.draw(st.sampled_from(list(paths_of(source))))
    value = replaced(source, path, data.draw(WRITTEN))
    file = written(tmp_path_factory.getbasetemp(), value)
    try:
        load(file)
    except EstateError as error:
        for line in str(error).split("\n"):
            assert line.startswith(str(file)) and line.isprintable(), line
            for foreign in ("Input should", "Value error", "valid dictionary", "pydantic", "must match", "Traceback"):
                assert foreign not in line.partition(", got ")[0], line


@given(content=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
@settings(max_examples=100, deadline=None)
def test_whatever_a_document_holds_gets_a_message_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = written(folder, smallest("image", "build: [document.yml]"))
    (folder / "document.yml").write_bytes(content)
    with pytest.raises(EstateError, match=r"^.*document\.yml(:\d+)?"):
        load(file)
