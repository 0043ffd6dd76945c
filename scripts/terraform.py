"""Terraform and the `cdktf` command as the demo and the tests run them: unattended, on this machine.

Terraform's own behaviour is left alone wherever it suffices. It finds providers in the mirrors that its documentation
implies (`~/.terraform.d/plugins` and its like) and in the registry by itself; a mirror among the machine's add-on
software (`/opt/*/registry.terraform.io`) has to be named to it. Uses only the standard library, so that what is
missing can be said before anything is installed: `python -m scripts.terraform` says it, with exit status 1.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

OLDEST = (1, 11)
"""Of this version on, locking state in S3 (`use_lockfile`) is no experiment any more."""

PROVIDER = {"source": "hashicorp/aws", "version": ">= 5.100.0, < 7.0.0"}
"""The AWS provider, as every synthesized stack requires it."""

_MIRROR = """\
provider_installation {{
  filesystem_mirror {{
    path    = {path}
    include = ["registry.terraform.io/hashicorp/aws"]
  }}
  direct {{
    exclude = ["registry.terraform.io/hashicorp/aws"]
  }}
}}
"""

# Terraform colours and frames what it says also when nobody looks.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"^[╷│╵] ?", re.MULTILINE)


class TerraformError(Exception):
    """A terraform command failed; the message has the command, its folder and Terraform's own words."""


def environment(environ: Mapping[str, str], *, folder: Path, add_ons: Path = Path("/opt")) -> dict[str, str]:
    """`environ`, such as `LocalAws.environment()`, with what Terraform and `cdktf` need to run unattended.

    A CLI configuration is written into `folder`, which must stay for as long as the environment is used, unless
    the user has one. The virtual environment's `node` comes first on PATH.
    """
    of_other_work = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
    kept = {name: value for name, value in environ.items() if not name.startswith(of_other_work)}
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)]),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        # cdktf would ask the registry for checksums before the first plan, also when a mirror has the provider.
        "CDKTF_SKIP_PROVIDER_LOCK": "true",
        **_provider_settings(environ, folder=folder, add_ons=add_ons),
    }


def missing(environ: Mapping[str, str]) -> str | None:
    """What this machine lacks to run stacks, as a sentence, or None. `environ` is what `environment` made.

    Asks Terraform to install the AWS provider in a passing folder: about two seconds with a mirror.
    """
    if lack := missing_terraform(environ):
        return lack
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": {"aws": PROVIDER}}}))
        try:
            run("init", "-backend=false", folder=Path(folder), environ=environ)
        except TerraformError as error:
            reason = " ".join(str(error).split())
            return f"the AWS provider is neither in a mirror nor to be had from the registry: {reason}"
    return None


def missing_terraform(environ: Mapping[str, str]) -> str | None:
    """Whether `terraform` is not on PATH or too old, as a sentence with what to do, or None."""
    needed = (
        f"Goldsmith needs Terraform {OLDEST[0]}.{OLDEST[1]} or newer: see developer.hashicorp.com/terraform/install"
    )
    if shutil.which("terraform", path=environ.get("PATH")) is None:
        return f"terraform is not installed, and {needed}"
    try:
        answer = run("version", "-json", folder=Path.cwd(), environ={**environ, "CHECKPOINT_DISABLE": "1"})
    except TerraformError as error:
        return f"terraform does not run ({' '.join(str(error).split())}), and {needed}"
    version = str(json.loads(answer)["terraform_version"])
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        return f"terraform is {version}, and {needed}"
    return None


def run(*arguments: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Standard output, without colours, of `terraform ARGUMENTS...` in `folder`.

    Raises `TerraformError` when it fails.
    """
    program = shutil.which("terraform", path=environ.get("PATH"))
    if program is None:
        raise TerraformError("terraform is not installed")
    done = subprocess.run([program, *arguments], cwd=folder, env=dict(environ), text=True, capture_output=True)
    output, errors = (_COLOUR.sub("", text) for text in (done.stdout, done.stderr))
    if done.returncode != 0:
        said = _FRAME.sub("", errors or output).strip()
        command = " ".join(["terraform", *arguments])
        raise TerraformError(f"`{command}` in {folder} ended with status {done.returncode}: {said}")
    return output


def _provider_settings(environ: Mapping[str, str], *, folder: Path, add_ons: Path) -> dict[str, str]:
    home = Path(environ.get("HOME", Path.home()))
    if Path(environ.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc").is_file():
        return {}
    configuration = folder / "terraform.rc"
    mirrors = sorted(add_ons.glob("*/registry.terraform.io/hashicorp/aws"))
    if mirrors:
        path = mirrors[0].parents[2]
        configuration.write_text(_MIRROR.format(path=json.dumps(str(path))))
        return {"TF_CLI_CONFIG_FILE": str(configuration), "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "true"}
    # Empty: one that is named and missing would make every command warn. A downloaded provider is kept where cdktf
    # keeps it, and taken from there for every stack.
    configuration.write_text("")
    cache = Path(environ.get("TF_PLUGIN_CACHE_DIR") or home / ".terraform.d" / "plugin-cache")
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_PLUGIN_CACHE_DIR": str(cache),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "true",
    }


if __name__ == "__main__":
    sys.exit(missing_terraform(os.environ))
