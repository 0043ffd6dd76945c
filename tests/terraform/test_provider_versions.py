"""Which version of AWS's provider Terraform takes for a stack, from mirrors with packages of no content."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from estate.models.providers import Providers
from scripts import terraform

ANY = Providers()
ONLY_6 = Providers(aws=">= 6.40.0, < 7.0.0")


def selected(*versions: str, folder: Path, environ: Mapping[str, str], providers: Providers = ANY) -> str:
    """The version that Terraform installs from a mirror with these versions."""
    for version in versions:
        for platform in ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"):
            package = folder / "mirror" / "registry.terraform.io" / "hashicorp" / "aws" / version / platform
            package.mkdir(parents=True)
            (package / f"terraform-provider-aws_v{version}").touch(mode=0o755)
    settings = folder / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}/mirror"\n  }}\n}}\n')
    required = {"source": "hashicorp/aws", "version": providers.aws_constraint}
    (folder / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": {"aws": required}}}))
    output = terraform.run("init", folder=folder, environ={**environ, "TF_CLI_CONFIG_FILE": str(settings)})
    (line,) = (line for line in output.splitlines() if "Installed hashicorp/aws" in line)
    return line.split()[3].removeprefix("v")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("5.99.1", "5.100.0"), "5.100.0"),
        (("5.100.0", "6.22.0", "6.22.1", "6.30.0", "6.39.0"), "5.100.0"),
        (("6.21.0", "6.22.0", "6.35.1", "6.39.0"), "6.21.0"),
        (("6.39.0", "6.40.0", "7.0.0"), "6.40.0"),
    ],
)
def test_versions_that_plan_the_same_change_for_ever_are_not_taken(
    versions: tuple[str, ...], expected: str, tmp_path: Path, terraform_environment: Mapping[str, str]
) -> None:
    assert selected(*versions, folder=tmp_path, environ=terraform_environment) == expected


def test_no_version_is_taken_where_there_are_only_faulty_ones(
    tmp_path: Path, terraform_environment: Mapping[str, str]
) -> None:
    with pytest.raises(terraform.TerraformError, match="no available releases match"):
        selected("6.25.0", "6.32.1", folder=tmp_path, environ=terraform_environment)


def test_version_6_alone_needs_no_exclusions(tmp_path: Path, terraform_environment: Mapping[str, str]) -> None:
    versions = ("6.39.0", "6.40.0", "6.69.1")
    assert selected(*versions, folder=tmp_path, environ=terraform_environment, providers=ONLY_6) == "6.69.1"
    assert ONLY_6.aws_constraint == ">= 6.40.0, < 7.0.0"
