"""How Terraform is found and set up on this machine, with real folders and, where it matters, the real Terraform."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts import terraform

BARE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "USERPROFILE": "/nonexistent"}
"""An environment without any setting of Terraform's."""


def add_on_mirror(add_ons: Path) -> Path:
    """A folder laid out like a mirror, one level under the folder for add-on software."""
    mirror = add_ons / "providers"
    (mirror / "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64").mkdir(parents=True)
    return mirror


def configuration(environ: Mapping[str, str]) -> str:
    return Path(environ["TF_CLI_CONFIG_FILE"]).read_text()


def fake_terraform(folder: Path, *, script: str) -> dict[str, str]:
    """An environment whose only `terraform` is this shell script."""
    folder.mkdir()
    (folder / "terraform").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "terraform").chmod(0o755)
    return BARE | {"PATH": str(folder)}


def test_a_mirror_among_the_add_on_software_serves_the_aws_provider_and_nothing_else(tmp_path: Path) -> None:
    mirror = add_on_mirror(tmp_path / "add-ons")
    environ = terraform.environment(BARE, folder=tmp_path, add_ons=tmp_path / "add-ons")
    assert f'path    = "{mirror}"' in configuration(environ)
    assert 'include = ["registry.terraform.io/hashicorp/aws"]' in configuration(environ)
    assert 'exclude = ["registry.terraform.io/hashicorp/aws"]' in configuration(environ)


def test_a_configuration_that_the_user_names_is_left_alone(tmp_path: Path) -> None:
    add_on_mirror(tmp_path / "add-ons")
    own = tmp_path / "own.tfrc"
    own.touch()
    given = BARE | {"TF_CLI_CONFIG_FILE": str(own)}
    environ = terraform.environment(given, folder=tmp_path, add_ons=tmp_path / "add-ons")
    assert environ["TF_CLI_CONFIG_FILE"] == str(own)
    assert "TF_PLUGIN_CACHE_DIR" not in environ


def test_the_configuration_in_the_users_home_is_left_alone(tmp_path: Path) -> None:
    add_on_mirror(tmp_path / "add-ons")
    (tmp_path / ".terraformrc").touch()
    given = BARE | {"HOME": str(tmp_path)}
    environ = terraform.environment(given, folder=tmp_path, add_ons=tmp_path / "add-ons")
    assert "TF_CLI_CONFIG_FILE" not in environ


def test_a_named_configuration_that_does_not_exist_is_replaced(tmp_path: Path) -> None:
    given = BARE | {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(tmp_path / "gone.tfrc")}
    environ = terraform.environment(given, folder=tmp_path, add_ons=tmp_path / "none")
    assert configuration(environ) == ""


def test_without_a_mirror_a_downloaded_provider_is_kept_where_cdktf_keeps_it(tmp_path: Path) -> None:
    environ = terraform.environment(BARE | {"HOME": str(tmp_path)}, folder=tmp_path, add_ons=tmp_path / "none")
    assert environ["TF_PLUGIN_CACHE_DIR"] == str(tmp_path / ".terraform.d/plugin-cache")
    assert Path(environ["TF_PLUGIN_CACHE_DIR"]).is_dir()


def test_settings_of_the_users_other_terraform_work_do_not_reach_ours(tmp_path: Path) -> None:
    given = BARE | {"TF_WORKSPACE": "prod", "TF_CLI_ARGS_plan": "-destroy", "TF_LOG": "debug"}
    environ = terraform.environment(given, folder=tmp_path, add_ons=add_on_mirror(tmp_path).parent)
    assert "TF_WORKSPACE" not in environ
    assert "TF_CLI_ARGS_plan" not in environ
    assert environ["TF_LOG"] == "debug"


def test_says_that_terraform_is_not_installed(tmp_path: Path) -> None:
    lack = terraform.missing(BARE | {"PATH": str(tmp_path)})
    assert lack is not None
    assert lack.startswith("terraform is not installed, and Goldsmith needs Terraform 1.11 or newer")


def test_says_that_terraform_is_too_old(tmp_path: Path) -> None:
    old = fake_terraform(tmp_path / "bin", script="""echo '{"terraform_version": "1.9.8"}'""")
    lack = terraform.missing(old)
    assert lack is not None
    assert lack.startswith("terraform is 1.9.8, and Goldsmith needs Terraform 1.11 or newer")


def test_takes_a_version_with_two_digits_after_the_point(tmp_path: Path) -> None:
    new = fake_terraform(tmp_path / "bin", script="""echo '{"terraform_version": "1.20.0-beta1"}'""")
    assert terraform.missing_terraform(new) is None


@pytest.mark.usefixtures("terraform_environment")
def test_says_that_the_provider_is_not_available(tmp_path: Path) -> None:
    own = tmp_path / "own.tfrc"
    own.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path}"\n  }}\n}}\n')
    given = BARE | {"TF_CLI_CONFIG_FILE": str(own)}
    lack = terraform.missing(terraform.environment(given, folder=tmp_path))
    assert lack is not None
    assert lack.startswith("the AWS provider is neither in a mirror nor available from the registry: `terraform init")
    assert "hashicorp/aws" in lack
    assert "\n" not in lack


def test_a_failing_command_is_reported_with_its_folder_and_terraforms_message(tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_text("\033[31m╷\n│ Error: no such stack\n╵\033[0m\n")
    environ = fake_terraform(tmp_path / "bin", script=f"/bin/cat '{said}' >&2; exit 3")
    with pytest.raises(terraform.TerraformError) as caught:
        terraform.run("plan", "-json", folder=tmp_path, environ=environ)
    expected = f"`terraform plan -json` in {tmp_path} ended with status 3: Error: no such stack"
    assert str(caught.value) == expected


def test_a_command_answers_with_its_output_in_the_folder(tmp_path: Path) -> None:
    environ = fake_terraform(tmp_path / "bin", script='printf "\\033[1m$1 in $(pwd)\\033[0m"')
    assert terraform.run("show", folder=tmp_path, environ=environ) == f"show in {tmp_path}"


def test_as_a_program_it_says_what_is_missing_and_fails(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "scripts.terraform"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(program, cwd=root, env=BARE | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("terraform is not installed")
    assert ended.stderr.count("\n") == 1
