"""The jobs of `examples/ci` from new builds to instances: GitLab and GitHub take turns, with one repository.

The fleet is in another account than its image; each job runs in a fresh clone, and the states are in a
folder beside the clones. One test goes on where the one before has ended, because the fleet is deployed once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.ci_jobs import GITLAB_TOKEN, GitHub, Jobs, install_programs, make_remote
from tests.support.gitlab_api import GitLabApi, gitlab_api
from tests.support.team import Team, team_with_terraform

REGION = "eu-west-1"
ACCOUNTS = {"images": ACCOUNT, "prod": "291000000002"}
STACK = "fleet-web-prod"
NOTES = "/api/v4/projects/5/merge_requests/9/notes"
ESTATE = """\
settings:
  namespace: merged
  backend: {local: {folder: ../states}}
  accounts: {ACCOUNTS}
  FREEZE
images:
  web:
    account: images
    os: amazon-linux-2023
    build: [update-os]
    regions: [eu-west-1]
    channels: [stable]
    root_volume: {encrypted: false}
fleets:
  web-prod:
    account: prod
    image: web
    channel: stable
    updates: pull-request
    region: eu-west-1
    instance_type: t3.micro
    subnets: [SUBNET]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::291000000002:instance-profile/web
    capacity: {min: 1, max: 1}
    rollout: {by: goldsmith}
"""


@dataclass
class World:
    aws: LocalAws
    team: Team
    jobs: Jobs
    github: GitHub
    amis: list[str]

    def client(self, service: str, account: str) -> Any:
        return self.aws.client(service, region=REGION, account=ACCOUNTS[account])

    def estate(self, freeze: str = "") -> str:
        accounts = ", ".join(f"{name}: {{id: '{number}', role: ci-deploys}}" for name, number in ACCOUNTS.items())
        subnet = self.client("ec2", "prod").describe_subnets()["Subnets"][0]["SubnetId"]
        return ESTATE.replace("FREEZE", freeze).replace("ACCOUNTS", accounts).replace("SUBNET", subnet)

    def build(self) -> str:
        """A build in both channels, which the account of the fleet may launch."""
        arn = f"arn:aws:imagebuilder:{REGION}:{ACCOUNT}:image/merged-web/1.0.1/{len(self.amis) + 1}"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
        ami = str(
            self.client("ec2", "images").register_image(
                Name=f"merged.web.{len(self.amis) + 1}",
                Architecture="x86_64",
                RootDeviceName="/dev/xvda",
                TagSpecifications=tags,
            )["ImageId"]
        )
        record = json.dumps({"build": arn, "created": "2026-11-24T03:12:00+00:00"})
        for channel in ("latest", "stable"):
            self.client("ssm", "images").put_parameter(
                Name=f"/imagebuilder/merged/web/{channel}", Value=ami, Type="String", Description=record, Overwrite=True
            )
        self.amis.append(ami)
        self.share("Add")
        return ami

    def share(self, how: str) -> None:
        """The newest AMI with the account of the fleet, or not any more."""
        permission = {how: [{"UserId": ACCOUNTS["prod"]}]}
        self.client("ec2", "images").modify_image_attribute(ImageId=self.amis[-1], LaunchPermission=permission)

    def merge(self) -> None:
        """What the pull request of the pins brings."""
        self.jobs.git("update-ref", "refs/heads/main", "refs/heads/goldsmith/pins")

    def push(self, text: str) -> None:
        """A commit of somebody on main."""
        self.team.git("fetch", "--quiet", "origin")
        self.team.git("checkout", "--quiet", "-B", "main", "origin/main")
        self.team.declare(text)
        self.team.commit()
        self.team.git("push", "--quiet", "origin", "main")

    @property
    def runs(self) -> set[str]:
        """The AMIs that the instances of the fleet run."""
        found = self.client("autoscaling", "prod").describe_auto_scaling_groups(
            AutoScalingGroupNames=["merged_web-prod"]
        )["AutoScalingGroups"]
        ids = [each["InstanceId"] for group in found for each in group["Instances"]]
        reserved = self.client("ec2", "prod").describe_instances(InstanceIds=ids)["Reservations"] if ids else []
        return {instance["ImageId"] for each in reserved for instance in each["Instances"]}


@pytest.fixture(scope="module")
def world(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> World:
    """A remote repository whose main has the fleet, without a pin."""
    folder = tmp_path_factory.mktemp("merged")
    roles: dict[str, str] = {}
    for name, number in ACCOUNTS.items():
        roles |= {
            f"{kind}_ROLE_{name}": local_aws.make_role(f"ci-{kind.lower()}", account=number, trusts=[number])
            for kind in ("PLAN", "APPLY")
        }
    roles |= {
        f"{kind}_ROLE": local_aws.make_role(f"ci-{kind.lower()}", account=ACCOUNT, trusts=[ACCOUNT])
        for kind in ("VIEW", "PIN", "ROLLOUT")
    }
    for number in ACCOUNTS.values():
        local_aws.make_role("ci-deploys", account=number, trusts=[*ACCOUNTS.values()])
    github = GitHub(folder / "github")
    environment = install_programs(folder / "bin", github, shared_providers_environment)
    (folder / "team").mkdir()
    team = team_with_terraform(folder / "team", environment)
    jobs = Jobs(local_aws, folder / "remote.git", folder, environment, roles)
    world = World(local_aws, team, jobs, github, [])
    team.declare(world.estate())
    assert team.run("check", "--update").status == 1, "the fleet has no pin"
    team.commit()
    make_remote(team, jobs.remote)
    return world


@pytest.fixture
def api() -> Iterator[GitLabApi]:
    with gitlab_api(token=GITLAB_TOKEN, notes_path=NOTES) as api:
        yield api


def test_gitlab_opens_a_merge_request_with_the_pins_and_pushes_the_same_pins_once(world: World) -> None:
    done = world.jobs.gitlab("pin", SCHEDULE="daily")
    assert (done.status, "points to no build" in done.out) == (1, True), "there is nothing to pin"
    assert not (world.jobs.remote / "push-options").exists()

    ami = world.build()
    done = world.jobs.gitlab("pin", SCHEDULE="daily")
    assert (done.status, world.team.statuses(done.folder / "plans")) == (0, {STACK: "changes"}), done
    assert world.jobs.git("show", "goldsmith/pins:config/pins.yaml").count(ami) == 1
    assert world.jobs.git("diff", "--name-only", "main", "goldsmith/pins") == "config/pins.yaml\n"
    report = (done.folder / "body.txt").read_text()
    assert "web-prod" in report
    message = world.jobs.git("log", "-1", "--format=%B", "goldsmith/pins")
    assert message.split() == ["Pin", "new", "builds", *report.split()]
    assert (world.jobs.remote / "push-options").read_text().splitlines() == [
        "merge_request.create",
        "merge_request.target=main",
        "merge_request.title=Pin new builds",
        "merge_request.remove_source_branch",
    ]

    pushed = world.jobs.git("rev-parse", "goldsmith/pins")
    done = world.jobs.gitlab("pin", SCHEDULE="daily")
    assert (done.status, world.jobs.git("rev-parse", "goldsmith/pins")) == (0, pushed), done


def test_gitlab_checks_a_merge_request_and_reports_it_in_one_note_also_when_a_plan_fails(
    world: World, api: GitLabApi
) -> None:
    ref, base = "goldsmith/pins", world.jobs.git("rev-parse", "main").strip()
    about = {"CI_API_V4_URL": api.url, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "9"}
    assert world.jobs.gitlab("check", ref=ref).status == 0
    world.share("Remove")
    done = world.jobs.gitlab("review", ref=ref, ACCOUNT="prod", CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert done.status == 1, "what cannot be planned fails the job"
    api.add("<!-- goldsmith report --> by somebody else", author=8)
    done = world.jobs.gitlab("report", ref=ref, artifacts=["review/prod"], **about)
    assert done.status == 0, done
    assert [note["author"]["id"] for note in api.notes] == [8, 7]
    assert api.notes[1]["body"] == (done.folder / "comment.md").read_text()
    assert "the plan of fleet-web-prod" in api.notes[1]["body"]

    assert world.jobs.gitlab("report", ref=ref, artifacts=["review/prod"], **about).status == 0
    assert (api.requests[-1], len(api.notes)) == (f"PUT {NOTES}/101", 2)
    world.share("Add")


def test_gitlab_applies_what_is_merged_and_github_asks_nobody_when_nothing_changes(world: World) -> None:
    world.merge()
    done = world.jobs.gitlab("plan-prod")
    assert done.status == 0, done
    assert "web-prod (new)" in done.out, "the report, which the one who approves reads"
    done = world.jobs.gitlab("apply-prod", artifacts=["plan-prod"])
    assert done.status == 0, done
    assert world.runs == {world.amis[0]}

    world.jobs.artifacts.clear()
    done = world.jobs.github("apply", "plan", account="prod")
    assert (done.status, done.outputs, world.jobs.artifacts) == (0, {"changes": "false"}, {}), done


def test_drift_fails_the_daily_job(world: World) -> None:
    done = world.jobs.gitlab("drift", ACCOUNT="prod", SCHEDULE="daily")
    assert done.status == 0, done
    groups = world.client("autoscaling", "prod")
    groups.update_auto_scaling_group(AutoScalingGroupName="merged_web-prod", MaxSize=2)
    done = world.jobs.github("daily", "drift", account="prod")
    assert done.status == 1
    assert "aws_autoscaling_group.fleet" in done.out, done
    groups.update_auto_scaling_group(AutoScalingGroupName="merged_web-prod", MaxSize=1)


def test_github_opens_one_pull_request_with_the_pins_and_pushes_the_same_pins_once(world: World) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    world.push(world.estate(f"freeze: [{{from: {yesterday:%Y-%m-%d}, to: 2999-12-30, why: year end}}]"))
    ami = world.build()
    done = world.jobs.github("daily", "pin")
    assert done.status == 0, done
    assert world.jobs.git("show", "goldsmith/pins:config/pins.yaml").count(ami) == 1
    report = (done.folder / "body.txt").read_text()
    assert "web-prod" in report and "year end" in report
    opened = {"number": 1, "head": "goldsmith/pins", "base": "main", "title": "Pin new builds"}
    assert world.github.pulls == [{**opened, "body": f"```text\n{report}\n```\n"}]

    pushed = world.jobs.git("rev-parse", "goldsmith/pins")
    done = world.jobs.github("daily", "pin")
    assert (done.status, world.jobs.git("rev-parse", "goldsmith/pins")) == (0, pushed), done


def test_github_reports_a_pull_request_in_one_comment(world: World) -> None:
    ref, bot = "goldsmith/pins", "github-actions[bot]"
    done = world.jobs.github("pull-request", "plan", ref=ref, account="prod")
    assert done.status == 0, done
    kept = world.jobs.artifacts["review-prod"]
    files = {str(file.relative_to(kept)) for file in kept.rglob("*") if file.is_file()}
    assert files == {"plans.json", f"{STACK}/plan.json"}, "no plan can be applied"
    marker = "<!-- goldsmith report -->"
    world.github.add("anna", f"{marker}\nof hers")
    world.github.add(bot, f"another\n{marker}")
    done = world.jobs.github("pull-request", "report", ref=ref)
    assert done.status == 0, done
    assert [comment["body"] for comment in world.github.comments[2:]] == [done.summary]
    assert done.summary.startswith(marker) and "year end" in done.summary, done.summary

    (done.folder / "comment.md").write_text(f"{marker}\nof the next commit")
    done = world.jobs.github("pull-request", "report", ref=ref, only="Comment", folder=done.folder)
    assert done.status == 0, done
    assert [comment["body"] for comment in world.github.comments[2:]] == [f"{marker}\nof the next commit"]


def test_github_stops_at_a_failure_and_a_rollout_that_has_to_wait_is_started_by_the_hourly_job(world: World) -> None:
    world.merge()
    done = world.jobs.github("apply", "plan", account="prod")
    assert (done.status, done.outputs) == (0, {"changes": "true"}), done
    assert "web-prod" in done.summary, "the report, which the one who approves reads"
    world.share("Remove")
    done = world.jobs.github("apply", "apply", account="prod")
    assert done.status == 1
    assert done.err.startswith(f"{STACK}: ") and world.amis[1] in done.err, done.err
    assert "nothing was applied" in done.err, done.err
    world.share("Add")
    done = world.jobs.github("apply", "apply", account="prod")
    assert done.status == 0, "the same job again applies the same plan"
    assert done.lines[-1].startswith("web-prod: queued for "), done
    done = world.jobs.gitlab("rollouts", SCHEDULE="hourly")
    assert (done.status, done.lines[-1]) == (0, "no rollout can start now"), done
    assert world.runs == {world.amis[0]}

    world.push(world.estate())
    done = world.jobs.github("daily", "rollouts")
    assert done.status == 0, done
    assert world.runs == {world.amis[1]}
