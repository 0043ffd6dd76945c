"""The workflow files in `examples/ci`: their structure, what they may do, and their shell."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.estates import PROJECT

CI = PROJECT / "examples" / "ci"
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
GITHUB = {file.stem: file for file in sorted((CI / "github" / "workflows").glob("*.yml"))}
ACTION = CI / "github" / "actions" / "setup-goldsmith" / "action.yml"
GITLAB = CI / "gitlab" / "gitlab-ci.yml"
PINNED = re.compile(r"uses: (?:\./\S+|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")
# of GitHub's reference "Workflow syntax for GitHub Actions", and GitLab's "CI/CD YAML syntax reference"
WORKFLOW = {"name", "on", "permissions", "concurrency", "jobs"}
JOB = {
    *("runs-on", "needs", "if", "permissions", "strategy", "steps", "timeout-minutes", "outputs", "environment"),
    *("concurrency", "uses", "with"),
}
STEP = {"id", "name", "uses", "with", "env", "run", "if", "shell"}
GITLAB_JOB = {
    *("extends", "image", "variables", "before_script", "id_tokens", "stage", "rules", "script", "parallel"),
    *("artifacts", "needs", "resource_group", "environment", "timeout"),
}


def content(file: Path) -> Any:
    """Of a YAML file; `!reference` is the list of its names."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))
    return yaml.load(file)


def steps(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The steps of a workflow, each with the name of its job."""
    for name, job in content(file)["jobs"].items():
        for step in job.get("steps", ()):
            yield name, step


def gitlab_jobs() -> dict[str, Mapping[str, Any]]:
    return {name: job for name, job in content(GITLAB).items() if name not in ("stages", "workflow")}


def scripts() -> dict[str, str]:
    """All shell, by where it is."""
    found = {}
    for name, file in GITHUB.items():
        for number, (job, step) in enumerate(steps(file)):
            if "run" in step:
                found[f"{name}/{job}/{number}"] = step["run"]
    for step in content(ACTION)["runs"]["steps"]:
        if "run" in step:
            found[f"action/{step['name']}"] = step["run"]
    for name, parts in gitlab_jobs().items():
        lines = [line for part in ("before_script", "script") for line in parts.get(part, ()) if isinstance(line, str)]
        if lines:
            found[f"gitlab/{name}"] = "\n".join(lines)
    return found


# --- GitHub


@pytest.mark.parametrize("name", GITHUB)
def test_a_workflow_has_the_keys_of_github_and_ends_in_time(name: str) -> None:
    workflow = content(GITHUB[name])
    assert workflow.keys() <= WORKFLOW
    for job in workflow["jobs"].values():
        assert job.keys() <= JOB
        assert ("uses" in job) != ("steps" in job and "timeout-minutes" in job)
        needs = job.get("needs", [])
        assert {needs} if isinstance(needs, str) else set(needs) <= workflow["jobs"].keys()
    for _, step in steps(GITHUB[name]):
        assert step.keys() <= STEP
        assert ("uses" in step) != ("run" in step)


@pytest.mark.parametrize("file", [*GITHUB.values(), ACTION], ids=lambda file: file.stem)
def test_actions_are_pinned_to_commits(file: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if " uses: " in f" {line}"]
    uses = [line for line in used if line.startswith("uses: ")]
    assert uses
    assert [line for line in uses if not PINNED.match(line)] == []


@pytest.mark.parametrize("name", GITHUB)
def test_a_workflow_may_do_little_unless_a_job_says_more(name: str) -> None:
    workflow = content(GITHUB[name])
    assert workflow["permissions"]["contents"] == "read"
    assert "pull_request_target" not in workflow["on"], "which gives forks the secrets"
    granted = {
        permission
        for job in workflow["jobs"].values()
        for permission, level in job.get("permissions", {}).items()
        if level == "write"
    }
    assert granted <= {"id-token", *(["pull-requests"] if name == "pull-request" else [])}


def test_a_pull_request_of_a_fork_gets_no_role_and_no_secret() -> None:
    text = GITHUB["pull-request"].read_text()
    assert "secrets." not in text
    jobs = content(GITHUB["pull-request"])["jobs"]
    assert jobs["plan"]["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    with_roles = {job for job, step in steps(GITHUB["pull-request"]) if "role-to-assume" in step.get("with", {})}
    assert with_roles == {"plan", "report"}
    assert "needs.plan.result != 'skipped'" in jobs["report"]["if"]


def test_artifacts_are_short_lived_and_those_of_a_pull_request_cannot_be_applied() -> None:
    uploads = [
        (name, step["with"])
        for name, file in GITHUB.items()
        for _, step in steps(file)
        if step.get("uses", "").startswith("actions/upload-artifact@")
    ]
    assert {name for name, _ in uploads} == {"pull-request", "apply"}
    for name, upload in uploads:
        assert upload["retention-days"] == 1
        if name == "pull-request":
            assert all(line.endswith(".json") for line in upload["path"].splitlines())


def test_what_others_write_reaches_no_shell_as_code() -> None:
    assert {place: text for place, text in scripts().items() if "${{" in text} == {}


def test_an_apply_waits_for_the_environment_of_its_account_and_for_other_applies() -> None:
    apply = content(GITHUB["apply"])["jobs"]["apply"]
    assert apply["environment"] == "${{ inputs.account }}"
    assert apply["concurrency"] == {"group": "apply-${{ inputs.account }}", "cancel-in-progress": False}
    jobs = content(GITHUB["main"])["jobs"]
    assert {name: (job.get("needs"), job["with"]["account"]) for name, job in jobs.items()} == {
        "images": (None, "images"),
        "nonprod": ("images", "nonprod"),
        "prod": ("nonprod", "prod"),
    }
    # success(), the default, is false after a skipped job, such as the apply of an account without changes
    assert {job["if"] for job in jobs.values() if "needs" in job} == {"${{ !cancelled() && !failure() }}"}


def test_the_pull_request_of_pins_is_made_by_an_app_so_that_it_starts_workflows() -> None:
    (app,) = (step for _, step in steps(GITHUB["daily"]) if "create-github-app-token@" in step.get("uses", ""))
    (checkout,) = (
        step["with"] for job, step in steps(GITHUB["daily"]) if job == "pin" and "/checkout@" in step.get("uses", "")
    )
    assert checkout["token"] == f"${{{{ steps.{app['id']}.outputs.token }}}}"


# --- GitLab


def test_the_jobs_of_gitlab_have_its_keys_and_fit_together() -> None:
    jobs, stages = gitlab_jobs(), content(GITLAB)["stages"]
    for name, job in jobs.items():
        assert job.keys() <= GITLAB_JOB, name
        assert job.get("extends", ".goldsmith") in jobs
        assert set(job.get("needs", ())) <= jobs.keys()
        assert job.get("stage", stages[0]) in stages
    for name in ("review", ".plan"):
        artifacts = jobs[name]["artifacts"]
        assert (artifacts["access"], artifacts["expire_in"]) == ("developer", "1 day")
    assert all(path.endswith(".json") for path in jobs["review"]["artifacts"]["paths"])
    assert jobs[".apply"]["rules"][0]["when"] == "manual"
    assert "CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in jobs["review"]["rules"][0]["if"]


# --- Shell


@pytest.mark.parametrize("place", scripts())
def test_shellcheck_finds_nothing(place: str) -> None:
    done = subprocess.run(
        [SHELLCHECK, "--shell=bash", "--severity=style", "--exclude=SC1091,SC2154", "-"],
        input=scripts()[place],
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
