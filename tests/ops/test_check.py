"""What `goldsmith check` says about a configuration and about generated files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.estates import PROJECT
from tests.support.ops_world import Answer, run_ops

ESTATE = (
    "settings: {namespace: acme}\nimages: {web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}}\n"
)
BEGIN = "config/snapshots does not exist, so nothing is compared with it: goldsmith check --update begins with it"


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs it on a configuration with this text."""

    def run(text: str, *options: str) -> Answer:
        (tmp_path / "estate.yaml").write_text(text)
        return run_ops(["check", "--config", str(tmp_path), *options], capsys)

    return run


def test_a_correct_configuration_is_said_to_be_correct(check: Callable[..., Answer], tmp_path: Path) -> None:
    answer = check(ESTATE)
    assert (answer.out.splitlines()[0], answer.err, answer.status) == (f"{tmp_path} is correct", "", 0)
    assert json.loads(check(ESTATE, "--json").out) == {
        "configuration": str(tmp_path),
        "problems": [],
        "remarks": [],
        "unpinned": [],
        "snapshots": None,
        "out_of_date": [],
    }


def test_every_problem_is_shown_and_the_status_is_2(check: Callable[..., Answer], tmp_path: Path) -> None:
    broken = ESTATE.replace("amazon-linux-2023", "amazon-linux-2032").replace("acme", "Acme")
    answer = check(broken)
    place = f"{tmp_path}/estate.yaml"
    first, second = answer.err.splitlines()
    assert first.startswith(f"{place}:1 settings.namespace: ")
    assert second.startswith(f"{place}:2 images.web.os: unknown operating system, got 'amazon-linux-2032'; did you ")
    assert (answer.out, answer.status) == ("", 2)

    answer = check(broken, "--json")
    problem = json.loads(answer.out)["problems"][1]
    assert problem == {
        "place": f"{place}:2",
        "key": "images.web.os",
        "rule": "unknown operating system",
        "got": "'amazon-linux-2032'",
        "remedy": "did you mean 'amazon-linux-2023'?",
    }
    assert (answer.err, answer.status) == ("", 2)


def test_a_remark_is_shown_and_is_no_failure(check: Callable[..., Answer]) -> None:
    answer = check(ESTATE.replace("amazon-linux-2023", "centos-8").replace("build:", "parent: ami-0a1b2c3d, build:"))
    assert "is past the end of its support" in answer.err
    assert answer.status == 0


def test_pages_that_are_out_of_date_are_named_in_goldsmiths_own_repository(tmp_path: Path) -> None:
    parts = ("components", "config", "docs", "estate", "examples", "lambda_src", "ops", "pages", "scripts")
    for part in parts:
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("cdktf_out.py", "entry.py", "goldsmith", "main.py"):
        shutil.copy(PROJECT / file, tmp_path)
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    command, words = [str(tmp_path / "goldsmith"), "check"], "docs/configuration.md is out of date: run make docs\n"

    current = subprocess.run(command, cwd=tmp_path / "docs", capture_output=True, text=True)
    assert (current.stdout.splitlines()[0], current.stderr, current.returncode) == ("../config is correct", "", 0)
    (tmp_path / "docs" / "configuration.md").unlink()
    old = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (old.stdout.splitlines()[0], old.stderr, old.returncode) == ("config is correct", words, 1)
    team = tmp_path.parent / f"{tmp_path.name}-team"
    (team / "config").mkdir(parents=True)
    (team / "config" / "estate.yaml").write_text(ESTATE)
    other = subprocess.run(command, cwd=team, capture_output=True, text=True)
    assert other.stdout.splitlines() == ["config is correct", BEGIN]
    assert (other.stderr, other.returncode) == ("", 0)


def test_each_field_is_shown_with_its_value_and_the_line_where_it_is_written(
    check: Callable[..., Answer], tmp_path: Path
) -> None:
    text = "settings: {namespace: acme}\ndefaults: {images: {regions: [eu-west-1]}}\n"
    text += "images: {web: {os: amazon-linux-2023, build: [update-os]}}\n"
    answer = check(text, "--explain", "web")
    lines = {line.split()[0]: line.split(None, 1)[1] for line in answer.out.splitlines()}
    assert lines["os"] == f"amazon-linux-2023  ({tmp_path}/estate.yaml:3 images.web.os)"
    assert lines["regions"] == f"[eu-west-1]  ({tmp_path}/estate.yaml:2 defaults.images.regions)"
    assert lines["architecture"] == "x86_64  (default)"
    assert (answer.err, answer.status) == ("", 0)
    fields = {field["field"]: field for field in json.loads(check(text, "--explain", "web", "--json").out)}
    assert fields["regions"]["key"] == "defaults.images.regions"


def test_an_unknown_name_is_refused_with_the_nearest_one(check: Callable[..., Answer]) -> None:
    answer = check(ESTATE, "--explain", "wep")
    assert (answer.out, answer.err, answer.status) == (
        "",
        "no image or fleet has this name, got 'wep'; did you mean 'web'?\n",
        2,
    )
