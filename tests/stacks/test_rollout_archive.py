"""The archive of the function that rolls out a fleet's builds."""

import ast
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from estate.load import load
from lambda_src.rollout.configuration import Configuration
from stacks.fleet.rollout_archive import OF_THE_HANDOFF, rollout_code
from stacks.function import SOURCES
from tests.support.broken_estates import smallest, written

FIELDS = """
updates: automatic
window: ["mon-thu 10:00-16:00 Asia/Tokyo", "daily 22:00-02:00 America/Argentina/Salta"]
rollout: {alarms: [web-5xx], checkpoints: [20, 100], bake: 15 minutes}
"""
FREEZE = "freeze: [{from: 2026-12-28, to: 2027-01-05, why: year end, time_zone: Europe/Berlin}]"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    text = smallest("fleet", FIELDS).replace("settings:\n", f"settings:\n  {FREEZE}\n")
    estate = load(written(tmp_path_factory.mktemp("estate"), text))
    return rollout_code(estate.fleet("web-dev")).archive


def _imported(package: str) -> set[str]:
    """The modules of the hand-off that modules of a package, or those of the list, import when they run."""
    names = [*OF_THE_HANDOFF] if package == "handoff" else [file.stem for file in (SOURCES / package).glob("*.py")]
    found = set()
    for name in names:
        tree = ast.parse((SOURCES / package / f"{name}.py").read_text())
        for each in tree.body:  # not those below TYPE_CHECKING
            if isinstance(each, ast.ImportFrom) and each.level == (1 if package == "handoff" else 2):
                found.add((each.module or "").removeprefix("handoff."))
    return found


def test_it_has_those_modules_of_the_hand_off_that_it_imports_and_no_others() -> None:
    assert {*OF_THE_HANDOFF} == {"__init__"} | _imported("rollout") | _imported("handoff")


def test_it_has_the_configuration_of_the_fleet(archive: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        text = opened.read("lambda_src/rollout/configuration.json").decode()
    configuration = Configuration.from_json(text)
    assert configuration.to_json() == text
    assert configuration.label == "acme/web-dev"
    assert configuration.rules.is_automatic
    assert configuration.rules.preferences["BakeTime"] == 900
    assert [freeze.why for freeze in configuration.rules.freezes] == ["year end"]


def test_what_others_do_not_need_to_know_of_a_fleet_changes_no_other_function(tmp_path: Path) -> None:
    first = (
        "  web-first: {image: web, region: eu-west-1, channel: latest, instance_type: t3.small, subnets: [subnet-0a], "
    )
    text = smallest("fleet", "updates: automatic\nafter: {fleets: [web-first]}")
    archives = set()
    for fields in ("", 'window: "daily 22:00-02:00 UTC", tags: {team: web}, rollout: {bake: 1 hour}'):
        estate = load(written(tmp_path, f"{text}{first}capacity: {{min: 1, max: 2}}, updates: automatic, {fields}}}\n"))
        archives.add(rollout_code(estate.fleet("web-dev")).archive)
    assert len(archives) == 1


def test_it_runs_where_there_is_no_database_of_time_zones(archive: bytes, tmp_path: Path) -> None:
    """With boto3 from elsewhere, as in Lambda's runtime, and nothing else of this project."""
    (tmp_path / "function.zip").write_bytes(archive)
    program = f"""
import sys, zoneinfo
sys.path[:] = [each for each in sys.path if each not in ("", {str(Path.cwd())!r})]
zoneinfo.reset_tzpath([])
sys.path.insert(0, "function.zip")
import tzdata
assert "function.zip" in tzdata.__file__, tzdata.__file__
from lambda_src.rollout import handler
from lambda_src.rollout.windows import parse_window
import json, pkgutil
from lambda_src.rollout.configuration import Configuration
rules = Configuration.from_json(pkgutil.get_data("lambda_src.rollout", "configuration.json").decode()).rules
print(json.dumps([parse_window(each).zone.key for each in rules.windows] + [each.zone.key for each in rules.freezes]))
"""
    environment = {"PYTHONPATH": "", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["Asia/Tokyo", "America/Argentina/Salta", "Europe/Berlin"]
