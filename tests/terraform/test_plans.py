"""`goldsmith plan` with Terraform and the local AWS: what it finds, and that Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from local_aws.server import LocalAws
from ops.programs import Programs
from ops.provider_schema import ProviderSchema
from ops.providers import REATTACH, Providers
from scripts import terraform
from tests.support.team import DASHBOARDS, Team, running_below, team_with_terraform

FLEET = """\
fleets:
  web-dev:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 1}
"""
STACKS = ("fleet-web-dev", "overview-eu-west-1")


def test_stacks_are_planned_until_they_are_as_declared_and_changes_outside_terraform_are_found(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path: Path
) -> None:
    team = team_with_terraform(tmp_path, shared_providers_environment)
    team.declare(DASHBOARDS.replace("acme", "plans") + FLEET)
    answer = team.run("plan", *STACKS)
    guard = "Fleet web-dev: channel latest of image plans/web has no build in eu-west-1 yet."
    assert answer.status == 1, answer.err
    assert team.statuses() == {"fleet-web-dev": "failed", "overview-eu-west-1": "changes"}
    assert guard in team.errors()["fleet-web-dev"]
    assert "2/2 " in answer.out and "overview-eu-west-1: 2 to add, 0 to change, 0 to destroy" in answer.out
    planned = json.loads((team.plans / "overview-eu-west-1" / "plan.json").read_text())
    assert {each["type"] for each in planned["resource_changes"]} == {"aws_cloudwatch_dashboard", "terraform_data"}
    assert not [*tmp_path.rglob("*.lock.info")], "no state is locked"

    stack = tmp_path / "cdktf.out" / "stacks" / "overview-eu-west-1"
    plan = team.plans / "overview-eu-west-1" / "tfplan"
    terraform.run("apply", str(plan), folder=stack, environ=team.environment)
    answer = team.run("plan", "overview-*", "--detailed-exitcode", "--drift")
    assert (answer.status, team.statuses()) == (0, {"overview-eu-west-1": "empty"})
    assert answer.out.splitlines()[-1] == "nothing was changed outside Terraform"

    cloudwatch = local_aws.client("cloudwatch", region="eu-west-1")
    cloudwatch.put_dashboard(DashboardName="plans_images", DashboardBody='{"widgets": []}')
    answer = team.run("plan", "overview-*", "--drift")
    drift = "overview-eu-west-1: changed outside Terraform: aws_cloudwatch_dashboard.dashboard"
    assert (answer.status, drift in answer.out.splitlines()) == (1, True), answer.out


def test_plans_are_shown_without_another_process_of_the_provider_as_terraform_shows_them(
    terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    team = team_with_terraform(tmp_path, terraform_environment)
    team.declare(DASHBOARDS.replace("acme", "shown"))
    assert team.run("plan", "image-web").status == 0
    out, plan = tmp_path / "cdktf.out", team.plans / "image-web" / "tfplan"
    stack = out / "stacks" / "image-web"
    shown = terraform.run("show", "-json", str(plan), folder=stack, environ=team.environment)
    assert (team.plans / "image-web" / "plan.json").read_text() == shown

    (stack / ".terraform.lock.hcl").unlink()
    shutil.rmtree(stack / ".terraform" / "providers")
    with Programs(writes=False) as programs, socket.socket(socket.AF_UNIX) as late:
        with ProviderSchema(
            Providers(folder=out / "providers"), [stack], programs=programs, environ=team.environment
        ) as schema:
            environ = {**team.environment, **schema.setting()}
            assert terraform.run("show", "-json", str(plan), folder=stack, environ=environ) == shown
            (running,) = json.loads(environ[REATTACH]).values()
            late.settimeout(30)
            late.connect(running["Addr"]["String"])
            assert late.recv(1024)
        while late.recv(1024):  # until it is closed, which ends what is still connected
            pass


def test_a_plan_is_shown_whose_state_has_resources_of_types_that_no_stack_has(
    terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    team = team_with_terraform(tmp_path, terraform_environment)
    team.declare(DASHBOARDS.replace("acme", "older"))
    assert team.run("plan", "overview-*").status == 0
    stack = tmp_path / "cdktf.out" / "stacks" / "overview-eu-west-1"
    written = json.loads((stack / "cdk.tf.json").read_text())
    written["resource"]["aws_ebs_volume"] = {"old": {"availability_zone": "eu-west-1a", "size": 1}}
    (stack / "cdk.tf.json").write_text(json.dumps(written))
    arguments = ("-auto-approve", "-target=aws_ebs_volume.old", "-target=terraform_data.estate")
    terraform.run("apply", *arguments, folder=stack, environ=team.environment)
    assert "1 to destroy" in team.run("plan", "overview-*").out


def test_ctrl_c_while_aws_does_not_answer_leaves_no_process_and_no_lock(
    terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        team = team_with_terraform(tmp_path, {**terraform_environment, "AWS_ENDPOINT_URL": url})
        team.declare(DASHBOARDS)
        with team.start("plan", "overview-*", "history-*", "--jobs", "2") as process:
            silent.settimeout(120)
            first, _ = silent.accept()  # a provider has asked
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
            first.close()
    assert (process.returncode, err.splitlines()[-1]) == (130, "0 of 2 stacks were planned, into cdktf.out/plans")
    assert running_below(tmp_path) == []
    assert not [*tmp_path.rglob("*.lock.info")]
    assert set(team.statuses().values()) == {"failed"}


def test_stacks_share_the_provider_that_was_installed_once(
    terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    team: Team = team_with_terraform(tmp_path, terraform_environment)
    team.declare(DASHBOARDS)
    assert team.run("plan", "overview-*", "history-*").status == 0
    out = tmp_path / "cdktf.out"
    (installed,) = (out / "providers" / ".terraform" / "providers").glob("*/*/*/*/*")
    lock = (out / "providers" / ".terraform.lock.hcl").read_text()
    for stack in team.statuses():
        (used,) = (out / "stacks" / stack / ".terraform" / "providers").glob("*/*/*/*/*")
        assert used.resolve() == installed.resolve()
        assert (out / "stacks" / stack / ".terraform.lock.hcl").read_text() == lock
        # so that later inits, also those of cdktf, look for providers as they always do
        assert not (out / "stacks" / stack / ".terraform" / "plugin_path").exists()
        terraform.run("init", folder=out / "stacks" / stack, environ=terraform_environment)
