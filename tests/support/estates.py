"""The estates that the tests synthesize: the sample, and every example."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import main
from lambda_src.handoff.configuration import FILE, Configuration

PROJECT = Path(__file__).parents[2]
ESTATES = {"sample": PROJECT / "config"} | {
    folder.name: folder for folder in sorted((PROJECT / "examples").iterdir()) if any(folder.glob("*.yaml"))
}
SNAPSHOTS = PROJECT / "tests" / "snapshots"


def reviewed(estate: str) -> dict[str, dict[str, Any]]:
    """The JSON of every stack of an estate by name, from the snapshots, which are what is synthesized."""
    return {file.stem: json.loads(file.read_text()) for file in sorted((SNAPSHOTS / estate).glob("*.json"))}


def synthesize(config: Path, out: Path) -> dict[str, dict[str, Any]]:
    """The JSON of every stack by name, made by the whole program in this process (so that Node starts once)."""
    with mock.patch.dict(os.environ, {"GOLDSMITH_CONFIG": str(config), "CDKTF_OUTDIR": str(out)}):
        assert main.main() == 0
    files = sorted((out / "stacks").glob("*/cdk.tf.json"))
    return {file.parent.name: json.loads(file.read_text()) for file in files}


def configuration(stack: Path) -> Configuration | None:
    """That of the hand-off in the archive of a synthesized stack's folder; None for a stack without."""
    archive = stack / "handoff.zip"
    if not archive.exists():
        return None
    with zipfile.ZipFile(archive) as zipped:
        return Configuration.from_json(zipped.read(f"handoff/{FILE}").decode())
