"""Fleets whose image is in another account: what is said when Terraform may not read there, and how they are
destroyed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.estates import PROJECT
from tests.support.team import READER, make_roles, two_accounts

IMAGES, PROD = "720000000001", "720000000002"
ESTATE = f"{two_accounts(IMAGES, PROD)}  web-spare: *fleet\n  web-tools: {{<<: *fleet, account: images}}\n"
STAND_IN = """\
#!/bin/sh
[ "$1" = version ] && { echo '{"terraform_version": "1.12.3"}'; exit; }
echo "$2 ${TF_VAR_read_images:-default}" >> "$RECORD"
[ "$2" != plan ] || exit 2
"""
CANNOT = f"arn:aws:iam::{PROD}:role/deployer cannot assume arn:aws:iam::{IMAGES}:role/{READER}"


@dataclass(frozen=True)
class Team:
    """A folder with a configuration, and a stand-in for Terraform that records its commands and `read_images`."""

    folder: Path
    aws: LocalAws

    def run(self, *command: str, **variables: str) -> tuple[int, list[str]]:
        """Exit status, and the lines on standard error."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in self.aws.environment().items() if not name.startswith("TF_")}
        places = {"PATH": path, "RECORD": str(self.folder / "record"), "GOLDSMITH_CONFIG": str(self.folder / "config")}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, **places, "PYTHONPATH": str(PROJECT), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr.splitlines()

    def destroy(self, stack: str, **variables: str) -> tuple[int, list[str]]:
        return self.run(str(PROJECT / "goldsmith"), "destroy", stack, "--yes", **variables)

    def cdktf(self, action: str, *stacks: str, program: str) -> tuple[int, list[str]]:
        """What `make ACTION` runs, with a stand-in for cdktf."""
        return self.run(sys.executable, "-m", "scripts.cdktf", program, action, *stacks, "--")

    def commands(self) -> list[str]:
        """Terraform's, since the last call."""
        record = self.folder / "record"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return lines


@pytest.fixture
def team(local_aws: LocalAws, tmp_path: Path) -> Iterator[Team]:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "estate.yaml").write_text(ESTATE)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "terraform"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    make_roles(local_aws, IMAGES, PROD)
    yield Team(tmp_path, local_aws)


def without_reader(team: Team) -> None:
    team.aws.client("iam", account=IMAGES).delete_role(RoleName=READER)


# --- Destroying


def test_a_fleet_is_destroyed_with_the_reader_role_if_it_can_be_assumed(team: Team) -> None:
    assert team.destroy("fleet-web-prod") == (0, [])
    assert team.commands() == ["init default", "plan default", "apply default"]


def test_a_fleet_is_destroyed_without_the_reader_role_if_it_is_gone(team: Team) -> None:
    without_reader(team)
    caller = f"arn:aws:sts::{PROD}:assumed-role/deployer/goldsmith"
    words = (
        f"fleet-web-prod: {caller} cannot assume arn:aws:iam::{IMAGES}:role/{READER}, so the image's account is not "
        "read (TF_VAR_read_images=false). The fleet can be destroyed without it"
    )
    without = ["init false", "plan false", "apply false"]
    assert team.destroy("fleet-web-prod") == (0, [words])
    assert team.commands() == without

    # its lines were deleted, and the synthesis keeps its last Terraform
    (team.folder / "config" / "estate.yaml").write_text(ESTATE.partition("fleets:")[0])
    assert team.run(str(PROJECT / "goldsmith"), "synth")[0] == 0
    status, said = team.destroy("fleet-web-prod")
    assert (status, said[1:]) == (0, [words])
    assert team.commands() == without


def test_what_was_set_by_hand_is_kept_and_other_stacks_have_no_variable(team: Team) -> None:
    without_reader(team)
    assert team.destroy("fleet-web-prod", TF_VAR_read_images="true") == (0, [])
    assert team.commands() == ["init true", "plan true", "apply true"]
    assert team.destroy("fleet-web-tools") == (0, [])
    assert team.commands() == ["init default", "plan default", "apply default"]


def test_the_fleets_of_other_accounts_are_named_before_an_image_is_destroyed(team: Team) -> None:
    _, words = team.destroy("image-web")
    assert words[:2] == [
        "image-web: in use by fleets web-prod (account prod), web-spare (account prod), web-tools. Instances, AMIs and "
        "channels stay, but there will be no new builds and no hand-off",
        "image-web: the plans of fleets web-prod, web-spare read its channels by a role of this stack, and fail until "
        "the stack is deployed again",
    ]
    automatic = ESTATE.replace("web-spare: *fleet", "web-spare: {<<: *fleet, updates: automatic}")
    (team.folder / "config" / "estate.yaml").write_text(automatic)
    assert team.destroy("image-web")[1][1].startswith(
        "image-web: the plans and functions of fleets web-prod, web-spare "
    )


# --- After Terraform's own words


@pytest.mark.parametrize("action", ["plan", "deploy", "destroy"])
def test_a_plan_that_failed_is_explained_if_the_role_cannot_be_assumed(team: Team, action: str) -> None:
    without_reader(team)
    status, words = team.cdktf(action, "fleet-web-prod", "fleet-web-tools", program="/bin/false")
    explained = (
        f"fleet-web-prod: {CANNOT}, which reads the image's account: run goldsmith plan image-web and "
        "apply it first, which makes the role"
    )
    other = ". goldsmith destroy fleet-web-prod does not need it" if action == "destroy" else ""
    assert (status, words) == (1, [explained + other])


def test_nothing_is_explained_that_can_be_read_or_went_well(team: Team) -> None:
    assert team.cdktf("plan", "fleet-*", program="/bin/false") == (1, [])
    without_reader(team)
    assert team.cdktf("plan", "fleet-*", program="/bin/true") == (0, [])
    assert team.cdktf("plan", "fleet-web-tools", program="/bin/false") == (1, [])


def test_an_account_that_cannot_be_reached_is_named_once(team: Team) -> None:
    team.aws.make_role("deployer", account=PROD, trusts=[IMAGES])
    status, (line,) = team.cdktf("plan", "fleet-*", program="/bin/false")
    assert line.startswith(f"account prod ({PROD}) cannot be reached: the role cannot be assumed: ")
    assert status == 1
