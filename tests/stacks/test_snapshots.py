"""Every example estate, through the whole program, as reviewed JSON: `tests/snapshots/<estate>/<stack>.json`.

`make snapshots` writes them again. Terraform addresses are part of the state contract, so a changed one is a breaking
change. The hash of the function's archive, which differs by content only, is masked by the configuration in it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.estates import ESTATES, PROJECT, SNAPSHOTS, configuration, synthesize


@pytest.mark.parametrize("estate", ESTATES)
def test_synthesizes_what_was_reviewed(estate: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    stacks = synthesize(ESTATES[estate], tmp_path / "cdktf.out")
    texts = {name: _reviewed_text(stack, tmp_path / "cdktf.out" / "stacks" / name) for name, stack in stacks.items()}
    folder = SNAPSHOTS / estate
    if request.config.getoption("--snapshot-update"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in texts.items():
            (folder / f"{name}.json").write_text(text)
    reviewed = {file.stem: file.read_text() for file in folder.glob("*.json")}
    assert texts.keys() == reviewed.keys(), "make snapshots, and review what has changed"
    for name, text in texts.items():
        assert text == reviewed[name], "make snapshots, and review what has changed"


def test_nothing_of_the_place_or_the_time_reaches_the_json(tmp_path: Path) -> None:
    texts = []
    for name in ("here", "there"):
        synthesize(ESTATES["sample"], tmp_path / name)
        files = sorted((tmp_path / name / "stacks").rglob("*"))
        texts.append({str(file.relative_to(tmp_path / name)): file.read_bytes() for file in files if file.is_file()})
    assert texts[0] == texts[1]
    assert not [name for name, text in texts[0].items() if str(tmp_path.parent.parent).encode() in text]


def test_leaves_no_stack_that_is_not_declared_any_more(tmp_path: Path) -> None:
    synthesize(ESTATES["environments"], tmp_path / "a" / "cdktf.out")
    stacks = synthesize(ESTATES["minimal"], tmp_path / "a" / "cdktf.out")
    assert {folder.name for folder in (tmp_path / "a" / "cdktf.out" / "stacks").iterdir()} == stacks.keys()
    assert stacks.keys() == {"image-base", "fleet-base-dev", "history-eu-west-1"}


def test_the_readmes_estate_in_python_is_the_minimal_one(tmp_path: Path) -> None:
    code = (PROJECT / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    fleet = json.loads((tmp_path / "cdktf.out" / "stacks" / "fleet-base-dev" / "cdk.tf.json").read_text())
    reviewed = json.loads((SNAPSHOTS / "minimal" / "fleet-base-dev.json").read_text())
    assert _reviewable(fleet) == reviewed


def test_every_snapshot_has_its_estate() -> None:
    assert {folder.name for folder in SNAPSHOTS.iterdir()} == ESTATES.keys()


def _reviewed_text(stack: dict[str, Any], folder: Path) -> str:
    made = _reviewable(stack)
    if (folder / "removed.tf.json").exists():
        made = dict(sorted({**made, **json.loads((folder / "removed.tf.json").read_text())}.items()))
    if known := configuration(folder):
        made["resource"]["aws_lambda_function"]["function"]["source_code_hash"] = {
            "(hash of the archive, with this configuration.json)": json.loads(known.to_json())
        }
    return json.dumps(made, indent=2) + "\n"


def _reviewable(value: Any) -> Any:
    """Without cdktf's notes to itself, and with policies as structures rather than as text in text."""
    if isinstance(value, dict):
        return {
            key: "(hash of the archive)" if key == "source_code_hash" else _reviewable(each)
            for key, each in value.items()
            if key != "//"
        }
    if isinstance(value, list):
        return [_reviewable(each) for each in value]
    if isinstance(value, str) and value.startswith(("{", "[")):
        return _reviewable(json.loads(value))
    return value
