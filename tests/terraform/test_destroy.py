"""`goldsmith destroy`: what it shows, when it asks, and that nothing is destroyed by half."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.team import DASHBOARDS, GOLDSMITH, PINNED_FLEET, wait_for
from tests.support.terminals import on_a_terminal, read_until

ESTATE = DASHBOARDS
FLEET = PINNED_FLEET.replace("    updates: pull-request\n", "")
STAND_IN = """\
#!/bin/sh
[ "$1" = version ] && { echo '{"terraform_version": "1.12.3"}'; exit; }
echo "$2" >> "$RECORD"
case $2 in
    plan) echo 'Plan: 0 to add, 0 to change, 3 to destroy.'; exit ${PLANNED:-2} ;;
    apply) trap 'kill $! 2>&-; echo interrupted; exit 1' INT; [ -z "$SLOW" ] || { touch "$SLOW"; sleep 30 & wait; } ;;
esac
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A folder with a configuration, and a stand-in for Terraform that records its commands."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "estate.yaml").write_text(ESTATE + FLEET)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "terraform"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return tmp_path


def environment(team: Path, **variables: str) -> dict[str, str]:
    path = f"{team / 'bin'}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    bindings = os.environ.get("GOLDSMITH_CACHE") or str(Path.home() / ".cache" / "goldsmith")
    places = {"PATH": path, "HOME": str(team), "GOLDSMITH_CACHE": bindings, "RECORD": str(team / "record")}
    return {**kept, **places, **variables}


def destroy(team: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit status, standard output and standard error, without a terminal."""
    done = subprocess.run(
        [GOLDSMITH, "destroy", *arguments],
        cwd=team,
        env=environ or environment(team),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def commands(team: Path) -> list[str]:
    """The commands of Terraform that were run."""
    record = team / "record"
    return record.read_text().split() if record.exists() else []


# --- What it shows


def test_it_names_what_uses_the_stack_shows_the_plan_and_applies_it(team: Path) -> None:
    status, printed, words = destroy(team, "image-web", "--yes")
    assert (status, commands(team)) == (0, ["init", "plan", "apply"])
    assert words == (
        "image-web: in use by fleet web-dev. Instances, AMIs and channels stay, but there will be no new builds and no "
        "hand-off\n"
    )
    assert printed == (
        "Plan: 0 to add, 0 to change, 3 to destroy.\n"
        "image-web is destroyed; delete its lines, or the next deploy makes it again\n"
    )


def test_nothing_is_applied_when_there_is_nothing_to_destroy_or_the_plan_fails(team: Path) -> None:
    status, printed, _ = destroy(team, "fleet-web-dev", environ=environment(team, PLANNED="0"))
    assert status == 1, "the question comes before the plan"
    status, printed, _ = destroy(team, "fleet-web-dev", "--yes", environ=environment(team, PLANNED="0"))
    assert (status, printed.splitlines()[-1]) == (0, "fleet-web-dev: there is nothing to destroy")
    status, _, words = destroy(team, "fleet-web-dev", "--yes", environ=environment(team, PLANNED="1"))
    assert (status, words) == (1, "fleet-web-dev: nothing was destroyed, because terraform plan failed\n")
    assert "apply" not in commands(team)


def test_a_stack_whose_lines_were_deleted_is_destroyed_with_its_last_terraform(team: Path) -> None:
    folder = team / "cdktf.out" / "removed" / "fleet-web-old"
    folder.mkdir(parents=True)
    (folder / "cdk.tf.json").write_text("{}")
    words = f"fleet-web-old is not declared any more: this uses its last Terraform, in {Path(*folder.parts[-3:])}\n"
    status, printed, said = destroy(team, "fleet-web-old", "--yes", environ=environment(team, PLANNED="1"))
    assert (status, folder.exists()) == (1, True)
    status, printed, said = destroy(team, "fleet-web-old", "--yes")
    assert (status, printed.splitlines()[-1], said) == (0, "fleet-web-old is destroyed", words)
    assert not folder.exists()


def test_an_unknown_stack_and_a_broken_configuration_are_refused(team: Path) -> None:
    words = "unknown stack 'image-wbe'; did you mean 'image-web'?\n"
    assert destroy(team, "image-wbe", "--yes") == (2, "", words)
    (team / "config" / "estate.yaml").write_text("settings: {}")
    assert destroy(team, "image-web", "--yes") == (2, "", "config/estate.yaml:1 settings.namespace: is required\n")
    assert commands(team) == []


# --- When it asks


def test_without_a_terminal_it_needs_yes(team: Path) -> None:
    words = "fleet-web-dev: nobody can be asked, because standard input is not a terminal; add --yes\n"
    assert destroy(team, "fleet-web-dev") == (1, "", words)
    assert commands(team) == []


def destroying(
    team: Path, *arguments: str, **variables: str
) -> AbstractContextManager[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of its own, and the other end of the terminal."""
    return on_a_terminal([GOLDSMITH, "destroy", *arguments], folder=team, environment=environment(team, **variables))


@pytest.mark.parametrize(
    ("typed", "last", "status"),
    [
        (b"yes\n", "fleet-web-dev is destroyed; delete its lines, or the next deploy makes it again", 0),
        (b"y\n", "fleet-web-dev: nothing was destroyed", 1),
        (b"\x03", "fleet-web-dev: nothing was destroyed", 130),
        (b"\x04", "fleet-web-dev: nothing was destroyed", 1),
    ],
    ids=["yes", "y", "Ctrl-C", "Ctrl-D"],
)
def test_on_a_terminal_only_yes_destroys(team: Path, typed: bytes, last: str, status: int) -> None:
    with destroying(team, "fleet-web-dev") as (process, terminal):
        read_until(terminal, "Type yes: ")
        os.write(terminal, typed)
        shown = read_until(terminal, "")
        assert process.wait(timeout=60) == status
    assert shown.splitlines()[-1] == last
    assert ("apply" in commands(team)) == (status == 0)


# --- Ctrl-C while Terraform works


def test_ctrl_c_lets_terraform_end_properly_and_shows_how_to_destroy_the_rest(team: Path) -> None:
    slow = team / "slow"
    again = "fleet-web-dev may be destroyed in part; its state has what is left: goldsmith destroy fleet-web-dev"

    with destroying(team, "fleet-web-dev", "--yes", SLOW=str(slow)) as (process, terminal):
        wait_for(slow)
        os.write(terminal, b"\x03")
        shown = read_until(terminal, "")
        assert process.wait(timeout=60) == 130
    assert [line for line in shown.splitlines() if line][-2:] == ["^Cinterrupted", again], "once, from the terminal"

    slow.unlink()
    with subprocess.Popen(
        [GOLDSMITH, "destroy", "fleet-web-dev", "--yes"],
        cwd=team,
        env=environment(team, SLOW=str(slow)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        wait_for(slow)
        job.send_signal(signal.SIGINT)
        printed, words = job.communicate(timeout=60)
    assert (job.returncode, words.splitlines()[-1]) == (130, again)
    assert printed.splitlines()[-1] == "interrupted", "passed on, without a terminal"


# --- With Terraform


def test_terraform_destroys_what_the_stack_has_in_aws(
    local_aws: LocalAws,
    terraform_environment: Mapping[str, str],
    shared_providers_environment: Mapping[str, str],
    team: Path,
) -> None:
    environ = {**terraform_environment, "CDKTF_OUTDIR": str(team / "out")}
    cloudwatch = local_aws.client("cloudwatch", region="eu-west-1")
    synthesize(team / "config", team / "out")
    folder = team / "out" / "stacks" / "overview-eu-west-1"
    # so that destroy has to install the provider
    terraform.run("init", folder=folder, environ=shared_providers_environment)
    terraform.run("apply", "-auto-approve", folder=folder, environ=shared_providers_environment)

    def exists() -> bool:  # other tests have theirs in the same local AWS
        return "acme_images" in {each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]}

    assert exists()

    status, printed, words = destroy(team, "overview-eu-west-1", "--yes", environ=environ)
    state = team / "state" / "acme" / "overview-eu-west-1.eu-west-1.tfstate"
    assert (status, words) == (0, f"overview-eu-west-1: its state has 2 resources, in {state}\n")
    assert "Plan: 0 to add, 0 to change, 2 to destroy." in printed
    assert not exists()
    assert json.loads(state.read_text())["resources"] == []
