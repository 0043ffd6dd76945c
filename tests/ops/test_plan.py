"""`goldsmith plan` with a stand-in for Terraform: what is planned, what is written and printed, and every failure."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.team import (
    DASHBOARDS,
    PIN,
    PINNED_FLEET,
    Team,
    running_below,
    show,
    team_with_stand_in,
    wait_for,
)

STACKS = ["image-web", "overview-eu-west-1", "history-eu-west-1"]
APP = "  app: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}"
ACCOUNTS = DASHBOARDS.replace(
    "dashboards: true}", 'accounts: {images: {id: "111111111111"}, prod: {id: "222222222222"}}}'
).replace("build:", "account: images, build:")


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = team_with_stand_in(tmp_path)
    team.declare(DASHBOARDS)
    return team


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


# --- What is planned


def test_all_stacks_are_planned_into_a_folder_that_only_the_owner_can_read(team: Team) -> None:
    answer = team.run("plan")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "the plans are in cdktf.out/plans: goldsmith apply cdktf.out/plans"
    assert json.loads((team.plans / "plans.json").read_text())["stacks"][0] == {
        "stack": "image-web",
        "status": "changes",
        "error": "",
        "account": None,
        "region": "eu-west-1",
    }
    assert [*team.statuses()] == STACKS
    for stack in STACKS:
        assert (team.plans / stack / "plan.json").read_text() == (team.folder / "plan.json").read_text()
        assert {file.name: mode(file) for file in (team.plans / stack).iterdir()} == {
            "cdk.tf.json": "0o600",
            "plan.json": "0o600",
            "tfplan": "0o600",
        }
        assert mode(team.plans / stack) == "0o700"
    assert (mode(team.plans), mode(team.plans / "plans.json")) == ("0o700", "0o600")
    team.commit()
    untracked = team.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert not [line for line in untracked if "/plans/" in line], "nobody commits the secrets in plans"


def test_terraform_is_initialized_once_for_the_providers_and_locks_nothing(team: Team) -> None:
    program = team.folder / "bin" / "terraform"
    program.write_text(program.read_text().replace('"$stack $2"', '"$stack" "$@"'))
    team.run("plan", "image-web")
    first, init, plan, *_ = team.recorded()
    assert first.startswith("providers -chdir=") and first.endswith(" init -backend=false -input=false -no-color")
    assert " -plugin-dir=" in init and init.startswith("image-web ")
    assert " plan -json -input=false -lock=false -detailed-exitcode -out=" in plan


def test_some_stacks_are_named_also_by_patterns(team: Team) -> None:
    team.run("plan", "image-*", "overview-eu-west-1")
    assert [*team.statuses()] == ["image-web", "overview-eu-west-1"]
    team.run("plan", "history-*")
    assert [*team.statuses()] == ["history-eu-west-1"], "of other plans nothing is left"
    assert sorted(file.name for file in team.plans.iterdir()) == [".gitignore", "history-eu-west-1", "plans.json"]
    answer = team.run("plan", "history-*", "--out", "new plans")
    assert answer.out.splitlines()[-1] == "the plans are in new plans: goldsmith apply 'new plans'"
    answer = team.run("plan", "image-wbe", "nothing-*")
    assert (answer.status, answer.err.splitlines()[0]) == (2, "unknown stack 'image-wbe'; did you mean 'image-web'?")


def test_the_stacks_of_an_account_are_planned_and_its_id_is_in_the_list(team: Team) -> None:
    team.declare(ACCOUNTS)
    assert team.run("plan", "--account", "images").status == 0
    listed = json.loads((team.plans / "plans.json").read_text())["stacks"]
    assert [each["account"] for each in listed] == ["111111111111", "111111111111"]
    answer = team.run("plan", "--account", "prod")
    assert (answer.status, answer.out) == (0, "")
    assert answer.err == "nothing is planned: no stack of account prod is declared\n"
    answer = team.run("plan", "image-*", "--account", "prod", "--out", "of prod", "--json")
    assert answer.err == "nothing is planned: no stack of account prod is named image-*\n"
    assert json.loads(answer.out) == {"out": "of prod", "stacks": []}
    assert team.statuses() == {}
    answer = team.run("plan", "--account", "prodd")
    assert (answer.status, answer.err) == (2, "unknown account 'prodd'; did you mean 'prod'?\n")


def test_a_lock_file_beside_the_configuration_decides_the_providers(team: Team) -> None:
    program = team.folder / "bin" / "terraform"
    program.write_text(program.read_text().replace('"$stack $2"', '"$stack" "$@"'))
    (team.folder / "config" / ".terraform.lock.hcl").write_text("# of the team\n")
    assert team.run("plan", "image-web").status == 0
    assert [line.split()[-1] for line in team.recorded() if " init " in line] == ["-lockfile=readonly"] * 2
    stack = team.folder / "cdktf.out" / "stacks" / "image-web"
    for file in (stack / ".terraform.lock.hcl", team.plans / "image-web" / "terraform.lock.hcl"):
        assert file.read_text() == "# of the team\n"


PROVIDER = "registry.terraform.io/hashicorp/aws/5.0.0/linux_amd64"


def install(team: Team, provider: str) -> None:
    """Let the stand-in's first init install a provider: a shell script."""
    (team.folder / "provider").write_text(f"#!/bin/sh\n{provider}\n")
    program = team.folder / "bin" / "terraform"
    lock = 'provider \\"registry.terraform.io/hashicorp/aws\\" {\n  version = \\"5.0.0\\"\n}'
    installs = f"""
echo "$stack $2 $TF_REATTACH_PROVIDERS" >> "$TEAM/reattached"
[ "$stack $2" = "providers init" ] || exit 0
package=${{1#-chdir=}}/.terraform/providers/{PROVIDER}
mkdir -p "$package" && install "$TEAM/provider" "$package/terraform-provider-aws_v5.0.0_x5"
echo "{lock}" > "${{1#-chdir=}}/.terraform.lock.hcl"
"""
    program.write_text(program.read_text().replace("\nexit 0", installs))


def test_stacks_share_one_installed_provider_whose_checksum_no_init_computes(team: Team) -> None:
    install(team, "exit 1")
    out = team.folder / "cdktf.out"
    stack = out / "stacks" / "image-web"
    stale = stack / ".terraform" / "providers" / "registry.terraform.io" / "stale"
    stale.mkdir(parents=True)
    answer = team.run("plan", "image-web")
    assert (answer.status, answer.err) == (0, ""), "also with a provider that ends before it names its schema"
    package = stack / ".terraform" / "providers" / PROVIDER
    assert package.samefile(out / "providers" / ".terraform" / "providers" / PROVIDER)
    assert not stale.exists(), "of providers before nothing is left"
    assert (stack / ".terraform.lock.hcl").read_text().startswith("provider ")
    providers, init = (team.folder / "reattached").read_text().splitlines()
    assert providers == "providers init "
    assert init.startswith('image-web init {"registry.terraform.io/hashicorp/aws": ')


def test_ctrl_c_while_the_provider_is_asked_for_its_schema_ends_it(team: Team) -> None:
    install(team, f"touch {team.folder}/asked; exec sleep 60")
    with team.start("plan", "image-web") as process:
        wait_for(team.folder / "asked")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "\n0 of 1 stacks were planned, into cdktf.out/plans\n")
    assert running_below(team.folder) == []


# --- Since a commit


def test_only_stacks_whose_snapshot_or_pin_has_changed_since_a_commit_are_planned(team: Team) -> None:
    team.declare(DASHBOARDS + PINNED_FLEET, pins=PIN.replace("NUMBER", "1"))
    assert team.run("check", "--update").status == 0
    team.commit()
    answer = team.run("plan", "--changed-since", "HEAD")
    assert (answer.status, answer.out, answer.err) == (0, "", "no stack has changed since HEAD\n")

    team.declare(DASHBOARDS + PINNED_FLEET, pins=PIN.replace("NUMBER", "2"))
    team.run("plan", "--changed-since", "main")
    assert [*team.statuses()] == ["fleet-web-dev"]

    changed = DASHBOARDS.replace("build:", "description: for the web, build:").replace(", dashboards: true", "")
    team.declare(changed + PINNED_FLEET, pins=PIN.replace("NUMBER", "1"))
    answer = team.run("plan", "--changed-since", "main")
    assert [*team.statuses()] == ["image-web"]
    assert answer.err == (
        "overview-eu-west-1 is not declared any more, and is not planned: what it has in AWS stays until goldsmith "
        "destroy overview-eu-west-1\n"
    )
    team.run("plan", "fleet-*", "--changed-since", "main")
    assert team.statuses() == {}


def test_a_commit_without_snapshots_means_all_stacks_and_an_unknown_one_is_refused(team: Team) -> None:
    answer = team.run("plan", "--changed-since", "main")
    assert answer.status == 1
    assert answer.err == "argument --changed-since: config is in no git repository; plan without it\n"
    team.commit()
    answer = team.run("plan", "--changed-since", "main")
    assert [*team.statuses()] == STACKS
    words = "main has no snapshots, so all stacks are planned; write them with goldsmith check --update\n"
    assert answer.err == words
    answer = team.run("plan", "--changed-since", "--all")
    assert answer.status == 2, "which git would take for an option"
    answer = team.run("plan", "--changed-since", "origin/main")
    assert (answer.status, answer.err) == (
        2,
        f"argument --changed-since: 'origin/main' is no commit of {team.folder}; fetch it first (in CI, a checkout has "
        "often one commit only)\n",
    )


def test_a_repository_of_another_user_is_not_taken_for_none(team: Team) -> None:
    team.commit()
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(team.folder)}
    answer = team.run("plan", "--changed-since", "main", LANG="de_DE.UTF-8", **other)
    words = "argument --changed-since: git does not open the repository of config: detected dubious ownership in "
    assert (answer.status, answer.err.startswith(words)) == (1, True), answer.err
    assert f"git config --global --add safe.directory {team.folder}" in answer.err


def test_a_fleet_without_a_pin_is_an_error_or_waits_for_one(team: Team) -> None:
    team.declare(DASHBOARDS + PINNED_FLEET)
    answer = team.run("plan")
    assert answer.status == 2
    assert answer.err.splitlines()[-1] == "nothing was planned"
    assert "run goldsmith pin web-dev" in answer.err
    assert team.run("plan", GOLDSMITH_ALLOW_UNBUILT="0").err == answer.err
    assert team.run("plan", "--allow-unbuilt").status == 0
    assert "fleet-web-dev" in team.statuses()


# --- What is printed, and the exit status


def test_changes_are_status_2_and_a_broken_configuration_1_if_that_is_asked_for(team: Team) -> None:
    assert team.run("plan", "image-web", "--detailed-exitcode").status == 2
    assert team.run("plan", "image-web", "--detailed-exitcode", PLANNED="0").status == 0
    assert team.run("plan", "image-web", "--detailed-exitcode", BROKEN="image-web:plan").status == 1
    assert team.run("plan", "--detailed-exitcode", "--jobs", "none").status == 1
    assert team.run("plan", "--detailed-exitcode", "--fast").status == 1
    team.declare("settings: {}")
    answer = team.run("plan", "--detailed-exitcode")
    assert (answer.status, answer.err) == (1, "config/estate.yaml:1 settings.namespace: is required\n")
    assert team.run("plan").status == 2


def test_changes_warnings_and_drift_are_read_from_terraforms_json(team: Team) -> None:
    check: dict[str, Any] = {"address": {"kind": "check"}, "status": "fail"}
    check |= {"instances": [{"status": "fail", "problems": [{"message": "the image is old"}]}]}
    moved = {"address": "aws_a.moved", "change": {"actions": ["update"]}}
    ignored = {"address": "aws_a.ignored", "change": {"actions": ["update"]}}
    show(
        team.folder,
        checks=[check],
        resource_drift=[moved, ignored],
        resource_changes=[
            moved,
            {"address": "aws_a.ignored", "change": {"actions": ["no-op"]}},
            {"address": "aws_b.replaced", "change": {"actions": ["create", "delete"]}},
            {"address": "data.aws_c.read", "change": {"actions": ["read"]}},
        ],
    )
    answer = team.run("plan", "image-web")
    assert answer.status == 0
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert lines == [
        "1/1 image-web: 1 to add, 1 to change, 1 to destroy",
        "STACK ACCOUNT REGION PLAN ADD CHANGE DESTROY WARNINGS",
        "image-web - eu-west-1 changes 1 1 1 1",
        "image-web: warning: the image is old",
        "the plans are in cdktf.out/plans: goldsmith apply cdktf.out/plans",
    ]
    answer = team.run("plan", "image-web", "--drift")
    assert (answer.status, answer.out.splitlines()[-2]) == (1, "image-web: changed outside Terraform: aws_a.moved")
    (found,) = json.loads(team.run("plan", "image-web", "--json").out)["stacks"]
    counts = {name: found[name] for name in ("add", "change", "destroy", "warnings", "drift")}
    assert counts == {"add": 1, "change": 1, "destroy": 1, "warnings": ["the image is old"], "drift": ["aws_a.moved"]}


def test_without_drift_that_is_said(team: Team) -> None:
    answer = team.run("plan", "--drift", PLANNED="0")
    assert (answer.status, answer.out.splitlines()[-1]) == (0, "nothing was changed outside Terraform")


# --- Failures


def test_failures_leave_the_other_stacks(team: Team) -> None:
    team.declare(DASHBOARDS.replace("images:", f"images:\n{APP}"))
    failing = {"image-web": "init", "overview-eu-west-1": "plan", "history-eu-west-1": "show"}
    answer = team.run("plan", BROKEN=" ".join(f"{stack}:{step}" for stack, step in failing.items()))
    assert answer.status == 1
    assert team.statuses() == dict.fromkeys(failing, "failed") | {"image-app": "changes"}
    assert team.errors() == {stack: f"Error: no {step} of {stack}" for stack, step in failing.items()}
    lines = {f"{stack}: failed: Error: no {step} of {stack}" for stack, step in failing.items()}
    assert lines <= set(answer.out.splitlines())
    assert [stack for stack in team.statuses() if (team.plans / stack / "tfplan").exists()] == ["image-app"]


def test_errors_have_no_colours_and_frames(team: Team) -> None:
    terraform = team.folder / "bin" / "terraform"
    error = r"\033[31m╷\033[0m\n\033[31m│\033[0m \033[1mError: \033[0mno flag\n\033[31m╵\033[0m\n"
    line = f"""[ "$2" = show ] && {{ printf '{error}' >&2; exit 1; }}\n"""
    text = terraform.read_text()
    terraform.write_text(text.replace("stack=", f"{line}stack=", 1))
    answer = team.run("plan", "image-web", FORCE_COLOR="1")
    assert (answer.status, team.errors()) == (1, {"image-web": "Error: no flag"})
    assert answer.out.splitlines()[-1] == "image-web: failed: Error: no flag"


def test_providers_that_cannot_be_installed_are_one_message(team: Team) -> None:
    answer = team.run("plan", BROKEN="providers:init")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "Error: no init of providers\nTerraform's AWS provider cannot be installed\n"
    assert set(team.statuses().values()) == {"failed"}


def test_a_missing_terraform_is_one_line(team: Team) -> None:
    (team.folder / "bin" / "terraform").unlink()
    path = os.pathsep.join(["/usr/bin", "/bin"])
    answer = team.run("plan", PATH=path)
    assert answer.status == 1
    assert answer.err.startswith("terraform is not installed, and Goldsmith needs Terraform 1.11 or newer: see ")


def test_plans_that_terraform_does_not_show_as_json_have_failed(team: Team) -> None:
    (team.folder / "plan.json").write_text("no JSON")
    assert team.run("plan", "image-web").status == 1
    assert team.errors()["image-web"].startswith("terraform show -json wrote something unexpected: ")


def test_a_folder_with_something_else_is_refused_and_kept(team: Team) -> None:
    (team.folder / "home").mkdir()
    (team.folder / "home" / "letter").touch()
    answer = team.run("plan", "--out", "home")
    words = "argument --out: home has something else than plans, got letter; name a folder of its own\n"
    assert (answer.status, answer.err) == (2, words)
    assert (team.folder / "home" / "letter").exists()
    (team.folder / "home" / "letter").rename(team.folder / "file")
    assert team.run("plan", "--out", "home").status == 0
    answer = team.run("plan", "--out", "file/plans")
    words = "file/plans: cannot be written: Not a directory; --out names the folder of the plans\n"
    assert (answer.status, answer.err) == (1, words)


def test_a_full_disk_fails_the_stack_whose_plan_cannot_be_written(team: Team) -> None:
    show(team.folder, resource_changes=[], text="a" * 3_000_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))  # writing more fails, as on a full disk
    try:
        answer = team.run("plan", "image-web")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.status == 1
    assert team.errors()["image-web"].endswith(
        "image-web/plan.json: cannot be written: File too large; --out names the folder of the plans"
    )


def test_two_commands_do_not_work_in_one_folder(team: Team) -> None:
    with team.start("plan", "image-web", SLOW="image-web:plan") as first:
        wait_for(team.folder / "slow")
        answer = team.run("plan", "image-web")
        first.send_signal(signal.SIGINT)
        first.communicate()
    assert (answer.status, answer.err) == (
        1,
        "another goldsmith plan or apply works in cdktf.out: wait for its end, or name another folder with "
        "CDKTF_OUTDIR\n",
    )
    assert team.run("plan", "image-web").status == 0, "the lock ends with the process"


@pytest.mark.parametrize("step", ["providers:init", "image-web:init", "history-eu-west-1:plan"])
def test_ctrl_c_ends_every_terraform_and_the_list_says_what_was_not_planned(team: Team, step: str) -> None:
    with team.start("plan", "--jobs", "1", SLOW=step) as process:
        wait_for(team.folder / "slow")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert running_below(team.folder) == []
    errors = team.errors()
    assert set(errors.values()) == {"it was not planned, because the command ended before"}
    if step.startswith("providers"):
        assert err == "nothing was planned\n"
    else:
        planned = 3 - len(errors)
        assert planned == (2 if step.startswith("history") else 0)
        assert err == f"\n{planned} of 3 stacks were planned, into cdktf.out/plans\n"
