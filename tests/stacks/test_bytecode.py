"""Setup writes the bytecode of what synthesis imports, so that no run compiles a package, whatever the environment."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.estates import ESTATES, PROJECT


def test_a_synthesis_imports_no_package_that_setup_has_not_compiled(tmp_path: Path) -> None:
    bytecode = tmp_path / "bytecode"
    _run("-m", "scripts.bytecode", PYTHONPYCACHEPREFIX=bytecode)
    compiled = _files(bytecode)
    assert any("/cdktf_cdktf_provider_aws/imagebuilder_image_pipeline/" in file for file in compiled)
    _run("main.py", PYTHONPYCACHEPREFIX=bytecode, GOLDSMITH_CONFIG=ESTATES["sample"], CDKTF_OUTDIR=tmp_path / "out")
    assert [file for file in sorted(_files(bytecode) - compiled) if f"{sys.prefix}/" in file] == []


def _run(*arguments: str, **environment: Path) -> None:
    added = {name: str(value) for name, value in environment.items()}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, env={**inherited, **added}, check=True)


def _files(folder: Path) -> set[str]:
    return {str(file) for file in folder.rglob("*.pyc")}
