"""What commands and plans need on this machine."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten

from estate.models.providers import Providers
from ops.finding import MISSING, Finding
from scripts import terraform

_PROJECT = Path(__file__).parents[1]
_SETUP = f"run make setup in {_PROJECT}"
_LONGEST_REASON = 300
_TESTED = "5.100.0"
"""The version of AWS's provider with which the tests of this project run."""


def check_machine(environ: Mapping[str, str], *, providers: Providers) -> Iterator[Finding]:
    """Python, Terraform with AWS's provider in a version that the settings allow, and Node.

    `environ` is that of the program.
    """
    yield Finding(subject="Python", text=f"{platform.python_version()} in {sys.prefix}")
    lack = terraform.missing_terraform(environ)
    if lack:
        yield Finding(subject="Terraform", state=MISSING, text=lack)
    else:
        version = json.loads(terraform.run("version", "-json", folder=_PROJECT, environ=environ))["terraform_version"]
        yield Finding(subject="Terraform", text=version)
        yield _provider(environ, constraint=providers.aws_constraint)
    yield _node(environ)


def _provider(environ: Mapping[str, str], *, constraint: str) -> Finding:
    """Whether Terraform finds AWS's provider, installed into a temporary folder as it would be for a stack."""
    subject = "AWS's provider for Terraform"
    required = {"terraform": {"required_providers": {"aws": {**terraform.PROVIDER, "version": constraint}}}}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf.json").write_text(json.dumps(required))
        try:
            output = terraform.run(
                "init", "-backend=false", "-input=false", folder=Path(folder), environ=terraform.cached(environ)
            )
        except terraform.TerraformError as error:
            remedy = "allow registry.terraform.io, or name a mirror that has it in Terraform's CLI configuration"
            if "no available releases match" in " ".join(str(error).split()):
                remedy = "allow a version in settings.providers.aws that the mirror or registry has, or add one there"
            return Finding(subject=subject, state=MISSING, text=_reason(error), remedy=remedy)
    found = re.search(r"hashicorp/aws v([0-9]+(?:[.][0-9]+)*)", output)
    version = found[1] if found else "installed"
    return Finding(subject=subject, text=version if version == _TESTED else f"{version}, tested is {_TESTED}")


def _reason(error: terraform.TerraformError) -> str:
    """Terraform's error without the command, in one line."""
    text = " ".join(str(error).split()).partition(" To see which modules")[0]
    return shorten(text.partition("Error: ")[2] or text, _LONGEST_REASON, placeholder=" …")


def _node(environ: Mapping[str, str]) -> Finding:
    """The Node that cdktf's library starts, and the cdktf command, which `make plan` runs."""
    path = f"{Path(sys.executable).parent}:{environ.get('PATH', '')}"
    node = shutil.which("node", path=path)
    if node is None:
        return Finding(subject="Node", state=MISSING, text="node is not installed", remedy=_SETUP)
    done = subprocess.run([node, "--version"], capture_output=True, text=True)
    if done.returncode != 0:
        return Finding(subject="Node", state=MISSING, text=f"{node} does not run: {done.stderr.strip()}", remedy=_SETUP)
    if not (_PROJECT / "node_modules" / ".bin" / "cdktf").exists():
        return Finding(subject="Node", state=MISSING, text="the cdktf command is not installed", remedy=_SETUP)
    return Finding(subject="Node", text=f"{done.stdout.strip().removeprefix('v')}, with the cdktf command")
