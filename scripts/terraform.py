"""Terraform and the `cdktf` command as the demo and the tests run them: unattended, on this machine.

Terraform itself finds providers in its implied mirrors (`~/.terraform.d/plugins` and others) and in the registry. Only
mirrors among the machine's add-on software (`/opt/*/registry.terraform.io`) have to be configured. This module uses
only the standard library, so that `python -m scripts.terraform` can report a missing Terraform, with exit status 1,
before anything is installed.
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
"""Since this version, locking a state in S3 (`use_lockfile`) is not experimental anymore."""

PROVIDER = {"source": "hashicorp/aws", "version": ">= 5.100.0, < 7.0.0"}
"""The AWS provider, in the versions that stacks can have; theirs exclude some more (`estate.models.providers`)."""

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

# Terraform prints colours and frames even if its output is not a terminal.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"^[╷│╵] ?", re.MULTILINE)


class TerraformError(Exception):
    """A terraform command has failed; the message has the command, its folder and Terraform's error."""


def environment(environ: Mapping[str, str], *, folder: Path, add_ons: Path = Path("/opt")) -> dict[str, str]:
    """`environ`, for example `LocalAws.environment()`, with what Terraform and `cdktf` need to run unattended.

    Unless the user has a CLI configuration, one is written into `folder`, which must be kept while the environment is
    used. The virtual environment's `node` is first on PATH.
    """
    of_other_work = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE")
    kept = {name: value for name, value in environ.items() if not name.startswith(of_other_work)}
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)]),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        # otherwise cdktf asks the registry for checksums before the first plan, even if a mirror has the provider
        "CDKTF_SKIP_PROVIDER_LOCK": "true",
        # Terraform and the provider read a large schema and end within seconds. To collect garbage less often costs
        # a tenth more memory and spares a fifth of the time.
        "GOGC": environ.get("GOGC", "400"),
        **_provider_settings(environ, folder=folder, add_ons=add_ons),
    }


def cached(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with the cache of providers that the cdktf command uses, so that a provider is downloaded once; without
    it where the user has a CLI configuration or does not want the cache."""
    checked = {**environ, "CHECKPOINT_DISABLE": "1"}
    if "CDKTF_DISABLE_PLUGIN_CACHE_ENV" in environ or "TF_CLI_CONFIG_FILE" in environ:
        return checked
    return {**checked, **_cache(environ)}


def missing(environ: Mapping[str, str]) -> str | None:
    """What this machine lacks to run stacks, as a sentence, or None. `environ` comes from `environment`.

    Terraform installs the AWS provider in a temporary folder, which takes about two seconds with a mirror.
    """
    if lack := missing_terraform(environ):
        return lack
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": {"aws": PROVIDER}}}))
        try:
            run("init", "-backend=false", folder=Path(folder), environ=environ)
        except TerraformError as error:
            reason = " ".join(str(error).split())
            return f"the AWS provider is neither in a mirror nor available from the registry: {reason}"
    return None


def missing_terraform(environ: Mapping[str, str]) -> str | None:
    """A sentence with what to do if `terraform` is not on PATH, does not run or is too old; otherwise None."""
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
        message = plain(errors or output)
        command = " ".join(["terraform", *arguments])
        raise TerraformError(f"`{command}` in {folder} ended with status {done.returncode}: {message}")
    return output


def plain(text: str) -> str:
    """What Terraform has printed, without colours and frames."""
    return _FRAME.sub("", _COLOUR.sub("", text)).strip()


def _cache(environ: Mapping[str, str]) -> dict[str, str]:
    home = Path(environ.get("HOME", Path.home()))
    cache = Path(environ.get("TF_PLUGIN_CACHE_DIR") or home / ".terraform.d" / "plugin-cache")
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "TF_PLUGIN_CACHE_DIR": str(cache),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "true",
    }


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
    # empty, because every command warns about a configuration that does not exist; a downloaded provider is kept in
    # cdktf's cache and reused for every stack
    configuration.write_text("")
    return {"TF_CLI_CONFIG_FILE": str(configuration), **_cache(environ)}


if __name__ == "__main__":
    sys.exit(missing_terraform(os.environ))
