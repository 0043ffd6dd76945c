"""A team's folder with a configuration, in which `goldsmith` runs with Terraform, or with a stand-in for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_aws.server import LocalAws
from tests.support.estates import PROJECT

GOLDSMITH = str(PROJECT / "goldsmith")
DASHBOARDS = """\
settings: {namespace: acme, dashboards: true}
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
"""
PINNED_FLEET = """\
fleets:
  web-dev:
    image: web
    channel: latest
    updates: pull-request
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 1}
"""
PIN = """\
pins:
  web-dev: {image: web, build: "1.0.7/NUMBER", channel: latest, region: eu-west-1, ami: ami-0a1b2c3NUMBER,
    owner: "000000000000", created: "2026-11-24T03:12:00+00:00"}
"""
_TWO_ACCOUNTS = """\
settings:
  namespace: acme
  accounts:
    images: {id: "IMAGES", role: deployer}
    prod: {id: "PROD", role: deployer}
images:
  web: {account: images, os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
fleets:
  web-prod: &fleet
    account: prod
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 1}
"""
READER = "acme_web_reader_eu-west-1"
"""The role with which plans of `web-prod` read the account of the image, in `two_accounts`."""
_STAND_IN = """\
#!/bin/sh
[ "$1" = version ] && { echo '{"terraform_version": "1.12.3"}'; exit; }
stack=${1##*/}
echo "$stack $2" >> "$TEAM/record"
slow() { trap 'kill $! 2>&-; exit 1' INT; touch "$TEAM/slow"; sleep 60 & wait; }
case " $SLOW " in *" $stack:$2 "*) slow ;; esac
case " $BROKEN " in *" $stack:$2 "*) echo "Error: no $2 of $stack" >&2; exit 1 ;; esac
[ "$2" = apply ] && case " $STALE " in *" $stack "*)
    echo '{"diagnostic": {"severity": "error", "summary": "Saved plan is stale", "detail": "It can not be applied."}}'
    exit 1 ;;
esac
for option; do case $option in -out=*) echo plan > "${option#-out=}" ;; esac; done
[ "$2" = show ] && { cat "$TEAM/plan.json"; exit; }
[ "$2" = plan ] && exit ${PLANNED:-2}
exit 0
"""
_CHANGE = {"address": "terraform_data.estate", "change": {"actions": ["create"]}}


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Team:
    """The folder, and the environment of its commands."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def plans(self) -> Path:
        return self.folder / "cdktf.out" / "plans"

    def declare(self, text: str, *, pins: str = "") -> None:
        """Write the configuration."""
        config = self.folder / "config"
        config.mkdir(exist_ok=True)
        (config / "estate.yaml").write_text(text)
        if pins:
            (config / "pins.yaml").write_text(pins)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """A command, without a terminal."""
        return subprocess.Popen(
            [GOLDSMITH, *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> Answer:
        """A command to its end."""
        with self.start(*arguments, **variables) as process:
            out, err = process.communicate()
        return Answer(process.returncode, out, err)

    def statuses(self, folder: Path | None = None) -> dict[str, str]:
        """The list that a plan has written: the status of each stack."""
        stacks = json.loads(((folder or self.plans) / "plans.json").read_text())["stacks"]
        return {each["stack"]: each["status"] for each in stacks}

    def errors(self) -> dict[str, str]:
        """The errors in the list, by stack."""
        stacks = json.loads((self.plans / "plans.json").read_text())["stacks"]
        return {each["stack"]: each["error"] for each in stacks if each["error"]}

    def recorded(self) -> list[str]:
        """The commands of the stand-in for Terraform, such as `image-web plan`."""
        record = self.folder / "record"
        return record.read_text().splitlines() if record.exists() else []

    def git(self, *arguments: str) -> str:
        """What git prints."""
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def commit(self) -> None:
        """Commit the configuration."""
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "config")
        self.git("commit", "--quiet", "--message=a")


def two_accounts(images: str, prod: str) -> str:
    """An estate whose image `web` and fleet `web-prod` are in two accounts; further lines are about fleets."""
    return _TWO_ACCOUNTS.replace("IMAGES", images).replace("PROD", prod)


def make_roles(aws: LocalAws, images: str, prod: str) -> None:
    """Make the roles of both accounts, and that with which fleets read."""
    for account in (images, prod):
        aws.make_role("deployer", account=account, trusts=["000000000000"])
    aws.make_role(READER, account=images, trusts=[prod])


def team_with_stand_in(folder: Path) -> Team:
    """A team whose Terraform is a stand-in: BROKEN and SLOW name commands such as `image-web:plan`, PLANNED is the exit
    status of plans, STALE names stacks whose plans are stale, and the file plan.json what they show."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "terraform"
    program.write_text(_STAND_IN)
    program.chmod(0o755)
    show(folder, resource_changes=[_CHANGE])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    places = {"PATH": f"{folder / 'bin'}{os.pathsep}{kept['PATH']}", "TEAM": str(folder)}
    return Team(folder, {**kept, **places, "TF_PLUGIN_CACHE_DIR": str(folder / "cache")})


def team_with_stand_in_on(aws: LocalAws, folder: Path) -> Team:
    """The same, whose commands reach the local AWS."""
    team = team_with_stand_in(folder)
    kept = {name: value for name, value in aws.environment().items() if name.startswith("AWS_")}
    return Team(team.folder, {**team.environment, **kept})


def team_with_terraform(folder: Path, environment: Mapping[str, str]) -> Team:
    """A team with Terraform in an environment such as `terraform_environment`."""
    return Team(folder, environment)


def show(folder: Path, **members: Any) -> None:
    """Let the stand-in's plans show this."""
    (folder / "plan.json").write_text(json.dumps({"format_version": "1.2", **members}))


def wait_for(file: Path) -> None:
    """Until a file exists."""
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"{file} does not appear")


def running_below(folder: Path) -> list[str]:
    """The processes that work in a folder or name it, except this one."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "pid"]):
        about = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if process.info["pid"] != os.getpid() and any(str(folder) in each for each in about):
            found.append(" ".join(about))
    return found
