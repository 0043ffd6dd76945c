"""Runs jobs of `examples/ci` as GitHub and GitLab do: each in a fresh clone of a remote repository, with its own
session of an AWS role, and with the artifacts of the jobs before.

The shell of the jobs, git, Terraform and `goldsmith` are real; the provider, which all tests share, has the credentials
of the tests instead of those of the job's role. GitHub's actions, `gh`, `curl` and GitLab's API are stand-ins, and what
installs Terraform and Goldsmith is left out: the jobs need bash, git, Python and Terraform only.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from local_aws.server import LocalAws
from tests.support.estates import PROJECT
from tests.support.team import Team

EXAMPLES = PROJECT / "examples" / "ci"
GITLAB_TOKEN = "glpat-1"
_GITHUB_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""Of GitHub's reference of `jobs.<job_id>.steps[*].shell`, for `bash`."""
_GITLAB_SHELL = ("bash", "-eo", "pipefail", "-c")
"""GitLab's runner writes `set -eo pipefail` before the lines of a job (`shells/bash.go`)."""
_PROGRAMS = Path(__file__).with_name("ci_programs")
"""The stand-ins for `gh` and `curl`."""
_AFTER_A_PUSH = """\
#!/bin/sh
n=0
while [ "$n" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "echo \\"\\$GIT_PUSH_OPTION_$n\\"" >> push-options
    n=$((n + 1))
done
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a job ended, and its clone."""

    status: int
    out: str
    err: str
    folder: Path
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Of its steps, as `$GITHUB_OUTPUT` has them."""
    summary: str = ""
    """What is in `$GITHUB_STEP_SUMMARY`."""

    @property
    def lines(self) -> list[str]:
        """Of standard output."""
        return self.out.splitlines()


def gitlab_jobs() -> dict[str, Any]:
    """The jobs of GitLab's file, with what they extend; `!reference` is the list of its names."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))
    jobs = yaml.load(EXAMPLES / "gitlab" / "gitlab-ci.yml")
    found = {name: job for name, job in jobs.items() if name not in ("stages", "workflow")}
    return {name: _extended(found, job) for name, job in found.items()}


def _extended(jobs: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """GitLab merges mappings, and replaces lists."""
    parent = _extended(jobs, jobs[job["extends"]]) if "extends" in job else {}
    merged = {**parent, **job}
    for key in ("variables", "artifacts"):
        if isinstance(parent.get(key), Mapping):
            merged[key] = {**parent[key], **job.get(key, {})}
    return merged


@dataclass(frozen=True)
class GitHub:
    """The pull requests of a repository, of which number 7 has comments, as the stand-in for gh keeps them in files."""

    folder: Path

    def add(self, login: str, body: str) -> None:
        """A comment of somebody; their IDs are 1, 2 and so on."""
        comments = self.comments
        comments.append({"id": len(comments) + 1, "user": {"login": login}, "body": body})
        (self.folder / "comments.json").write_text(json.dumps(comments))

    @property
    def comments(self) -> list[Any]:
        """As GitHub's API writes them."""
        return self._read("comments")

    @property
    def pulls(self) -> list[Any]:
        """Each with `number`, `head`, `base`, `title` and `body`."""
        return self._read("pulls")

    def _read(self, name: str) -> list[Any]:
        file = self.folder / f"{name}.json"
        found: list[Any] = json.loads(file.read_text()) if file.exists() else []
        return found


def install_programs(folder: Path, github: GitHub, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which jobs find gh, curl, python3 and goldsmith."""
    folder.mkdir()
    github.folder.mkdir()
    commands = {name: f"-I {shlex.quote(str(_PROGRAMS / f'{name}.py'))}" for name in ("gh", "curl")} | {"python3": ""}
    for name, script in commands.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {script} "$@"\n')
        (folder / name).chmod(0o755)
    path = os.pathsep.join([str(folder), str(PROJECT), environment["PATH"]])
    return {**environment, "GITHUB_STAND_IN": str(github.folder), "PATH": path}


def make_remote(team: Team, folder: Path) -> None:
    """A bare repository with what the team has, which keeps the options of pushes in a file; the team's `origin`."""
    subprocess.run(["git", "clone", "--quiet", "--bare", team.folder, folder], check=True)
    subprocess.run(["git", "-C", folder, "config", "receive.advertisePushOptions", "true"], check=True)
    (folder / "hooks" / "post-receive").write_text(_AFTER_A_PUSH)
    (folder / "hooks" / "post-receive").chmod(0o755)
    team.git("remote", "add", "origin", str(folder))
    team.git("fetch", "--quiet", "origin")


@dataclass
class Jobs:
    """Jobs of one remote repository."""

    aws: LocalAws
    remote: Path
    folder: Path
    environment: Mapping[str, str]
    """With Terraform, the local AWS and what `install_programs` has installed."""
    roles: Mapping[str, str]
    """The ARNs of the roles for CI by the name of a variable, such as `PLAN_ROLE_prod`."""
    artifacts: dict[str, Path] = field(default_factory=dict)
    """By the names that GitHub's jobs give them, and by GitLab's jobs."""
    number: int = 0

    def git(self, *arguments: str) -> str:
        """What git prints about the remote repository."""
        done = subprocess.run(["git", "-C", self.remote, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    # --- GitHub

    def github(
        self, file: str, job: str, *, ref: str = "main", account: str = "", only: str = "", folder: Path | None = None
    ) -> Done:
        """A job with all its steps, for one account if there is one for each; or `only` one step, again in a clone."""
        values = {
            **{f"{place}.account": account for place in ("inputs", "matrix")},
            **{
                f"vars[format('GOLDSMITH_{kind}_ROLE_{{0}}', {place}.account)]": self.roles.get(
                    f"{kind}_ROLE_{account}", ""
                )
                for kind in ("PLAN", "APPLY")
                for place in ("inputs", "matrix")
            },
            **{f"vars.GOLDSMITH_{name}": role for name, role in self.roles.items()},
            **_GITHUB_VALUES,
        }
        folder = folder or self._clone("+refs/heads/*:refs/remotes/origin/*", ref=ref)
        output, summary = (self.folder / f"{self.number}-{name}" for name in ("output", "summary.md"))
        output.touch()
        summary.touch()
        environ = {**self.environment, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        status, out, err = 0, "", ""
        for step in _workflow(file)["jobs"][job]["steps"]:
            if (only and step.get("name") != only) or not _is_run(step, _outputs(output), status):
                continue
            if "uses" in step:
                read = {key: text for key, text in step.get("with", {}).items() if key in _READ}
                action = step["uses"].partition("@")[0]
                environ |= self._act(action, {key: _filled(text, values) for key, text in read.items()}, folder)
                continue
            own = {name: _filled(text, values) for name, text in step.get("env", {}).items()}
            done = _run(_GITHUB_SHELL, step["run"], folder=folder, environ={**environ, **own})
            status, out, err = status or done.returncode, out + done.stdout, err + done.stderr
        return Done(
            status=status, out=out, err=err, folder=folder, outputs=_outputs(output), summary=summary.read_text()
        )

    def _act(self, action: str, read: Mapping[str, str], folder: Path) -> dict[str, str]:
        """What an action does; the variables that it exports."""
        match action:
            case "aws-actions/configure-aws-credentials":
                return self._session(read["role-to-assume"])
            case "actions/upload-artifact":
                self._keep(read["name"], folder, read["path"].split(), below=_root(folder, read["path"].split()))
            case "actions/download-artifact" if "pattern" in read:
                for name in fnmatch.filter(self.artifacts, read["pattern"]):
                    shutil.copytree(self.artifacts[name], folder / read["path"] / name)
            case "actions/download-artifact":
                shutil.copytree(self.artifacts[read["name"]], folder / read["path"])
        return {}

    def _session(self, role: str) -> dict[str, str]:
        """Credentials of a role for a token of GitHub."""
        answer = self.aws.client("sts", region="eu-west-1").assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="GitHubActions", WebIdentityToken="a.b.c"
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
            "AWS_SESSION_TOKEN": answer["SessionToken"],
        }

    # --- GitLab

    def gitlab(self, name: str, *, ref: str = "main", artifacts: Sequence[str] = (), **variables: str) -> Done:
        """A job, with the artifacts of other jobs. What installs programs is left out."""
        job = gitlab_jobs()[name]
        folder = self._clone(f"+refs/heads/{ref}:refs/remotes/origin/{ref}", ref=ref)
        for other in artifacts:
            shutil.copytree(self.artifacts[other], folder, dirs_exist_ok=True)
        home = self.folder / f"{self.number}-home"
        home.mkdir()
        (home / ".cache").symlink_to(Path.home() / ".cache")  # what make setup fills
        kept = {key: value for key, value in self.environment.items() if not key.startswith("AWS_ACCESS_KEY")}
        environ = {
            **kept,
            **self.roles,
            **{key: str(value) for key, value in job.get("variables", {}).items()},
            "HOME": str(home),
            "CI_JOB_ID": str(self.number),
            "CI_DEFAULT_BRANCH": "main",
            "CI_SERVER_HOST": "gitlab.example.com",
            "CI_PROJECT_PATH": "acme/estate",
            "GITLAB_TOKEN_FOR_AWS": "a.b.c",
            "GOLDSMITH_TOKEN": GITLAB_TOKEN,
            # where Terraform looks for web identities; it does not read AWS_ENDPOINT_URL for these
            "AWS_ENDPOINT_URL_STS": self.environment["AWS_ENDPOINT_URL"],
            # so that git reaches the remote repository by GitLab's address, and with its token
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.remote}.insteadOf",
            "GIT_CONFIG_VALUE_0": f"https://goldsmith:{GITLAB_TOKEN}@gitlab.example.com/acme/estate.git",
            **variables,
        }
        lines = [*(line for line in job["before_script"] if ".goldsmith" not in line), *job["script"]]
        if job["before_script"] == gitlab_jobs()[".goldsmith"]["before_script"]:
            lines = job["script"]
        done = _run(_GITLAB_SHELL, "\n".join(lines), folder=folder, environ=environ)
        keeps = job.get("artifacts", {})
        if done.returncode == 0 or keeps.get("when") == "always":
            key = f"{name}/{variables['ACCOUNT']}" if "ACCOUNT" in variables else name
            self._keep(key, folder, keeps.get("paths", ()))
        return Done(status=done.returncode, out=done.stdout, err=done.stderr, folder=folder)

    # --- Both

    def _clone(self, fetched: str, *, ref: str) -> Path:
        """With all branches on GitHub (`fetch-depth: 0`), and in GitLab with the one of the job."""
        self.number += 1
        folder = self.folder / f"{self.number}-clone"
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        for command in (
            ["remote", "add", "origin", self.remote],
            ["fetch", "--quiet", "origin", fetched],
            ["checkout", "--quiet", "--detach", f"origin/{ref}"],
        ):
            subprocess.run(["git", "-C", folder, *command], check=True)
        return folder

    def _keep(self, name: str, folder: Path, patterns: Sequence[str], *, below: Path | None = None) -> None:
        """Artifacts: files and folders by their places in the clone, or below one of its folders."""
        target = self.folder / f"{self.number}-artifacts"
        for file in _files(folder, patterns):
            place = target / file.relative_to(below or folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)  # modes are not kept
        self.artifacts[name] = target


_READ = ("role-to-assume", "name", "path", "pattern")
"""What the stand-ins read of `with`."""
_GITHUB_VALUES = {
    "vars.AWS_REGION": "eu-west-1",
    "github.base_ref": "main",
    "github.token": "ghs-1",
    "github.repository": "acme/estate",
    "github.event.pull_request.number": "7",
    "steps.app.outputs.token": "ghs-2",
}
"""What else is between `${{` and `}}`."""


def _outputs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def _root(folder: Path, patterns: Sequence[str]) -> Path:
    """What is the root of an artifact: what the paths have in common, each as far as it has no `*` (README of
    actions/upload-artifact, "Upload using Multiple Paths and Exclusions")."""
    fixed = [str(folder / pattern.partition("*")[0].rstrip("/")) for pattern in patterns]
    common = Path(os.path.commonpath(fixed))
    return common.parent if common.is_file() else common


def _workflow(file: str) -> Any:
    return YAML(typ="safe").load(EXAMPLES / "github" / "workflows" / f"{file}.yml")


def _is_run(step: Mapping[str, Any], outputs: Mapping[str, str], status: int) -> bool:
    """Whether a step is not skipped."""
    match step.get("if"):
        case None:
            return status == 0
        case "${{ !cancelled() }}":
            return True
        case "steps.plan.outputs.changes == 'true'":
            return status == 0 and outputs.get("changes") == "true"
    raise AssertionError(step)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """A text with the values of its `${{ … }}`."""
    before, found, after = text.partition("${{")
    if not found:
        return text
    expression, _, rest = after.partition("}}")
    return before + values[expression.strip()] + _filled(rest, values)


def _files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Without hidden files, which upload-artifact leaves out."""
    for pattern in patterns:
        for found in folder.glob(pattern):
            inside = found.rglob("*") if found.is_dir() else [found]
            yield from (file for file in inside if file.is_file() and not file.name.startswith("."))


def _run(
    shell: Sequence[str], script: str, *, folder: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, script], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
