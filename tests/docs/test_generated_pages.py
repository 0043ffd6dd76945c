"""The pages that follow from the models: current, and true of every estate that there is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from estate.catalogue.operating_systems import CATALOGUE
from estate.component_documents.document import parse
from estate.load import load
from estate.models.parent import Base
from tests.support.any_configuration import FULL
from tests.support.broken_estates import BROKEN_ESTATES, BrokenEstate, smallest
from tests.support.estates import ESTATES, PROJECT

PAGES = (
    "docs/configuration.md",
    "docs/estate.schema.json",
    "docs/operating-systems.md",
    "docs/components.md",
    "docs/rules.md",
    "docs/coverage.md",
    "docs/generations.md",
    "docs/values.md",
    "docs/pictures/report-light.svg",
    "docs/pictures/report-dark.svg",
)
SCHEMA: dict[str, Any] = json.loads((PROJECT / "docs" / "estate.schema.json").read_text())
ESTATE_FILES = [file for folder in ESTATES.values() for file in sorted(folder.glob("*.yaml"))]


def generate(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-X", "importtime", "-m", "pages", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)


def test_pages_are_current_and_cost_no_node() -> None:
    run = generate(PROJECT, "--check")
    messages = [line for line in run.stderr.splitlines() if not line.startswith("import time:")]
    assert (run.returncode, messages) == (0, [])
    assert " pydantic" in run.stderr
    assert " cdktf" not in run.stderr
    assert " boto" not in run.stderr


def test_check_names_stale_pages_and_the_program_writes_them(tmp_path: Path) -> None:
    for part in ("estate", "components", "docs", "examples", "lambda_src", "pages"):
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / PAGES[0]).unlink()
    (tmp_path / PAGES[1]).write_text("{}")
    for page in PAGES[2:]:
        (tmp_path / page).write_text("")
    run = generate(tmp_path, "--check")
    assert run.returncode == 1
    for page in PAGES:
        assert f"{page} is stale: run python -m pages\n" in run.stderr
    assert not (tmp_path / PAGES[0]).exists()
    assert generate(tmp_path).returncode == 0
    for page in PAGES:
        assert (tmp_path / page).read_bytes() == (PROJECT / page).read_bytes()


def test_schema_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


def objections(text: str) -> list[str]:
    """What the schema has against a file, in which editors take days for text."""
    try:
        content = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), skipkeys=True, default=str))
    except (YAMLError, ValueError) as error:  # the second is an estate that contains itself
        return [str(error)]
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(content)]


@pytest.mark.parametrize("file", ESTATE_FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_schema_takes_the_sample_and_every_example(file: Path) -> None:
    assert objections(file.read_text()) == []


def test_schema_takes_what_the_models_take() -> None:
    assert objections(FULL) == []
    assert objections(smallest()) == []
    assert objections(smallest("settings", "backend: {local: {folder: state}}")) == []
    assert objections(smallest("fleet", "subnets: {tags: {tier: private}}")) == []
    assert objections(smallest("image", "parent: base")) == []
    assert objections(smallest("image", "parent: {image: base, channel: prod}")) == []
    assert (
        objections(smallest("image", "build: [{use: boots, with: {wait_seconds: 60}}]\nschedule: {rate: 1 day}")) == []
    )


@pytest.mark.parametrize(
    "written",
    [
        "colour: red",
        "version: 1.10",
        "os: centos",
        "architecture: x86",
        "regions: []",
        "regions: eu-west-1",
        "regions: [europe]",
        "channels: [Prod]",
        "build: update-os",
        "build: [{with: {}}]",
        "build: [{use: boots, with: {wait_seconds: 1.5}}]",
        "tags: {'aws:team': platform}",
        "parent: CentOS",
        "parent: {image: Base}",
        "parent: {image: base, chanel: prod}",
        "infrastructure: {placement: {host: h-0a}}",
        "log_retention: 0 days",
    ],
)
def test_schema_refuses_what_an_editor_can_know(written: str) -> None:
    assert objections(smallest("image", written))


def test_schema_refuses_most_of_what_is_broken() -> None:
    """The rest are rules between fields, files, and what AWS has."""
    unseen = [broken.name for broken in BROKEN_ESTATES if not any(map(objections, estate_files(broken)))]
    assert len(unseen) < len(BROKEN_ESTATES) / 2, unseen


def estate_files(broken: BrokenEstate) -> list[str]:
    return [text for name, text in broken.files.items() if "/" not in name]


def test_page_shows_an_estate_that_is_sound(tmp_path: Path) -> None:
    page = (PROJECT / PAGES[0]).read_text()
    component = "schemaVersion: 1.0\nphases: [{name: build, steps: [{name: Wait, action: Reboot}]}]\n"
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "web.yaml").write_text(component)
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    for text in shown:
        (tmp_path / "estate.yaml").write_text(text)
        assert load(tmp_path).fleets["web-dev"].image == "web"
        assert objections(text) == []


def test_page_of_operating_systems_has_each_and_shows_an_estate_that_is_sound(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "operating-systems.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| `") and not line.startswith("| `os`")]
    rows = [line.split(" | ") for line in lines]
    table = [row for row in rows if len(row) == 8]
    assert [row[0].strip("| `") for row in table] == list(CATALOGUE)
    assert all(cell.strip(" |") for row in rows for cell in row)
    to_find = [row[0].strip("| `") for row in rows if len(row) == 3]
    assert to_find == [row[0].strip("| `") for row in table if row[2] == "AMI ID"]
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "estate.yaml").write_text("settings: {namespace: acme}\n" + shown)
    estate = load(tmp_path)
    assert estate.images["web"].parent == Base(image="base")
    assert objections(shown) == []


def test_page_of_components_has_each_and_shows_what_is_sound(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "components.md").read_text()
    shipped = sorted({file.parent.name for file in (PROJECT / "components").glob("*/*.yaml")})
    assert re.findall(r"^## `(.*)`$", page, re.MULTILINE) == shipped
    headings = re.findall(r"^#+ `?(.*?)`?$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= anchors
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in page.splitlines() if line.startswith("| `")]
    assert all(len(row) == 5 and all(row) for row in rows), rows
    for shown in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        if "schemaVersion" in shown:
            assert parse(shown, source="app.yaml", platform="Linux").parameters["width"].kind == "a whole number"
        else:
            (tmp_path / "estate.yaml").write_text(smallest("image", shown))
            assert load(tmp_path).images["web"].uses


def test_page_leads_to_what_is_on_it_and_says_of_each_key_what_it_is() -> None:
    page = (PROJECT / PAGES[0]).read_text()
    headings = re.findall(r"^#+ `?(.*?)`?$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= anchors
    assert len(headings) == len(set(headings)), "a link would lead to the first of two"
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert rows
    for row in rows:
        assert len(row) == 4, row
        assert all(cell.strip(" |") for cell in row), f"a cell is empty: {row}"


def test_pages_lead_to_pages_that_are_there() -> None:
    pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text())}
    assert len(links) > 20
    gone = [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()]
    assert gone == []


def test_sample_tells_editors_where_the_schema_is() -> None:
    for file in (PROJECT / "config").glob("*.yaml"):
        first = file.read_text().splitlines()[0]
        path = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / path).resolve() == PROJECT / PAGES[1], first
