"""Records the plans of `tests/report/plans`: real plans, which Terraform made against the local AWS.

    python -m tests.support.record_plans

writes a folder for each state of one estate: `<stack>.json` as `terraform show -json` has it, without the parts that a
report does not read, `plans.json` where a plan failed, and what AWS said at that moment (`facts/<state>.json`). Tests
read them; they are recorded again when the stacks have changed so much that Terraform's plans are not like them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from demo.world import World
from estate.load import load
from local_aws.server import LocalAws
from ops.report.facts import Facts
from ops.report.lookup import look_up
from ops.report.sources import read_sources
from scripts import terraform
from tests.support.estates import PROJECT, synthesize
from tests.support.provider import running_providers

FACTS = PROJECT / "tests" / "report" / "facts"
PLANS = PROJECT / "tests" / "report" / "plans"
HOME = "ap-northeast-1"
FLEETS = ("fleet-web-prod", "fleet-web-staging", "fleet-worker")

ESTATE = """\
settings:
  namespace: acme
  backend: {local: {}}
  freeze: [{from: 2026-12-28, to: 2027-01-05, why: year end}]
images:
  web:
    os: amazon-linux-2023
    build:
      - update-os
      - {use: install-packages, with: {packages: PACKAGES}}
      - components/app.yaml
    test: [boots]
    regions: [ap-northeast-1]
    channels: {stable: {from: latest}}
    image_scanning: {image_scanning_enabled: true}
GATE
environments:
  staging: {region: ap-northeast-1, channel: latest, subnets: [SUBNET]}
  prod: {region: ap-northeast-1, channel: stable, subnets: [SUBNET]}
fleets:
  web-staging:
    image: web
    environment: staging
    instance_type: t3.small
    capacity: {min: 2, max: 4, desired: 2}
    rollout: {by: goldsmith, warmup: 1 minute}
  web-prod:
    image: web
    environment: prod
    instance_type: TYPE
    capacity: {min: 12, max: 24, desired: 12}
    rollout: {by: goldsmith, warmup: 2 minutes, alarms: [web-5xx], checkpoints: [20, 100], bake: 15 minutes}
    window: sun 02:00-06:00 Asia/Tokyo
    after: {environment: staging, soak: 2 days}
WORKER
"""
WORKER = """\
  worker:
    image: web
    environment: prod
    instance_type: c7i.large
    capacity: {min: 3, max: 6, desired: 3}
    volumes: {/dev/sdf: {volume_size: 50}}
"""
PINNED = """\
  web-eu:
    image: web
    environment: prod
    updates: pull-request
    instance_type: m7i.large
    capacity: {min: 4, max: 8, desired: 4}
    rollout: {by: goldsmith, warmup: 2 minutes, alarms: [web-5xx], wave: 2}
"""
COMPONENT = """\
name: app
description: The application.
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - COMMAND
"""
SOMEBODY_ELSES = """\
variable "password" { sensitive = true }
variable "size" { default = "t3.micro" }
variable "ami" {}
resource "aws_launch_template" "bastion" {
  for_each      = toset(["a", "b"])
  name          = "bastion-${each.key}"
  image_id      = var.ami
  instance_type = var.size
  user_data     = base64encode("#!/bin/sh\\necho ${var.password}")
}
resource "aws_ssm_parameter" "password" {
  name        = "/somebody/password"
  description = "a [link](https://example.com) for @ops, see #12 <b>now</b>"
  type        = "SecureString"
  value       = var.password
}
resource "aws_ebs_volume" "data" {
  availability_zone = "ap-northeast-1a"
  size              = 10
  tags              = { Name = "data" }
}
resource "aws_s3_bucket" "logs" {
  bucket = "somebody-logs"
}
output "password" {
  value     = var.password
  sensitive = true
}
output "size" { value = var.size }
"""
_KEPT = ("format_version", "terraform_version", "applyable", "complete", "errored", "timestamp")
_CHANGES = ("resource_changes", "resource_drift", "output_changes", "checks")
_WITH_VALUES = ("aws_launch_template", "aws_autoscaling_group", "aws_lambda_function", "aws_imagebuilder_image_recipe")
"""Of other resources only those that change in place, or are replaced, have values in a recorded plan."""
_READ = ("aws_ami", "aws_region", "aws_caller_identity")


@dataclass
class Recording:
    """The estate, its stacks' folders, and where its plans are written."""

    world: World
    environment: Mapping[str, str]
    folder: Path
    subnet: str
    packages: str = "nginx-1.26.3"
    command: str = "systemctl enable nginx"
    type: str = "m7i.large"
    worker: str = WORKER
    pinned: str = ""
    gate: str = ""
    initialized: set[str] = field(default_factory=set)

    def declare(self, **changed: str) -> None:
        """Write configuration and stacks again."""
        for name, value in changed.items():
            setattr(self, name, value)
        config = self.world.folder / "config"
        shutil.rmtree(config)
        (config / "components").mkdir(parents=True)
        (config / "estate.yaml").write_text(self.estate)
        (config / "components" / "app.yaml").write_text(COMPONENT.replace("COMMAND", self.command))
        if self.pinned:
            self.world.goldsmith("pin", "web-eu")
        self.commit(config)
        for name, stack in synthesize(config, self.world.folder / "cdktf.out").items():
            del stack["terraform"]["backend"]
            stack["resource"].pop("aws_s3_bucket_lifecycle_configuration", None)  # a minute of waiting
            for function in stack["resource"].get("aws_lambda_function", {}).values():
                function["filename"] = str(self.world.folder / "cdktf.out" / "stacks" / name / function["filename"])
            self.write(name, "cdk.tf.json", json.dumps(stack, indent=1))

    @property
    def estate(self) -> str:
        """What is declared."""
        return (
            ESTATE.replace("WORKER", self.worker + self.pinned)
            .replace("SUBNET", self.subnet)
            .replace("TYPE", self.type)
            .replace("GATE", self.gate)
            .replace("PACKAGES", self.packages)
        )

    def commit(self, config: Path) -> None:
        """What a team has in git. The repository is beside, because the folder is written anew."""
        git = ["git", "-C", str(config), "-c", "user.name=Anna", "-c", "user.email=anna@example.com"]
        repository = self.world.folder / "repository"
        if not repository.exists():
            subprocess.run([*git, "init", "-q", f"--separate-git-dir={repository}"], check=True)
        (config / ".git").write_text(f"gitdir: {repository}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "change"], check=True)

    def write(self, stack: str, file: str, text: str) -> None:
        """Write a file of a stack."""
        (self.folder / stack).mkdir(parents=True, exist_ok=True)
        (self.folder / stack / file).write_text(text)

    def terraform(self, stack: str, *arguments: str) -> str:
        """Standard output of Terraform."""
        folder = self.folder / stack
        # the shared providers have only the resources that stacks use
        environ = self.world.environment if stack == "somebody" else self.environment
        if stack not in self.initialized:
            terraform.run("init", folder=folder, environ=environ)
            self.initialized.add(stack)
        return terraform.run(*arguments, folder=folder, environ=environ)

    def apply(self, *stacks: str, **variables: str) -> None:
        """Apply stacks."""
        for stack in stacks:
            print("apply", stack, flush=True)
            self.terraform(stack, "apply", "-auto-approve", *_given(variables))

    def plan(self, scenario: str, *stacks: str, arguments: Sequence[str] = (), **variables: str) -> None:
        """Plan stacks, and write what a report reads of that."""
        print("plan", scenario, flush=True)
        folder = PLANS / scenario
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stand = {"account": "000000000000", "region": HOME}
        entries: list[dict[str, Any]] = []
        for stack in stacks:
            try:
                self.terraform(stack, "plan", "-out=tfplan", *arguments, *_given(variables))
            except terraform.TerraformError as error:
                text = re.split(r"ended with status \d+: ", str(error), maxsplit=1)[1]
                entries.append({"stack": stack, "status": "failed", "error": text, **stand})
                continue
            shown = json.loads(self.terraform(stack, "show", "-json", "tfplan"))
            (folder / f"{stack}.json").write_text(_lines(trimmed(shown)))
            changes = [each["change"]["actions"] for each in shown.get("resource_changes", ())]
            status = "changes" if any(actions not in (["no-op"], ["read"]) for actions in changes) else "empty"
            entries.append({"stack": stack, "status": status, **stand})
        if any(entry["status"] == "failed" for entry in entries):
            (folder / "plans.json").write_text(json.dumps({"stacks": entries}, indent=1) + "\n")
        self.note_facts(scenario)

    def note_facts(self, scenario: str) -> None:
        """Write what `goldsmith report` would find out at this moment."""
        stacks, now = read_sources([str(PLANS / scenario)]), datetime.now(UTC)
        config = self.world.folder / "config"
        facts = look_up(stacks, load(config), configuration=config, asks_aws=True, now=now)
        FACTS.mkdir(exist_ok=True)
        members = {"now": now.isoformat(), "facts": json.loads(TypeAdapter(Facts).dump_json(facts))}
        (FACTS / f"{scenario}.json").write_text(json.dumps(members, indent=1, ensure_ascii=False) + "\n")

    def build(self) -> None:
        """Build the image, and wait until `latest` has it."""
        print("build", flush=True)
        self.world.goldsmith("build", "web")

    @property
    def latest(self) -> str:
        """The AMI of the channel."""
        ssm = self.world.aws.client("ssm", region=HOME)
        return str(ssm.get_parameter(Name="/imagebuilder/acme/web/latest")["Parameter"]["Value"])


def _given(variables: Mapping[str, str]) -> list[str]:
    return [f"-var={name}={value}" for name, value in variables.items()]


def trimmed(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A plan without what a report does not read."""
    members = {name: shown[name] for name in _KEPT if name in shown}
    for each in shown.get("resource_changes", ()):
        change = each["change"]
        if each["type"] not in _WITH_VALUES and change["actions"] in (["no-op"], ["create"], ["delete"]):
            each["change"] = {name: change[name] for name in ("actions", "importing") if name in change}
    prior = shown.get("prior_state", {}).get("values", {}).get("root_module", {}).get("resources", ())
    read = [each for each in prior if each["mode"] == "data" and each["type"] in _READ]
    return {
        **members,
        **{name: shown[name] for name in _CHANGES if name in shown},
        "prior_state": {"values": {"root_module": {"resources": read}}},
    }


def _lines(plan: Mapping[str, Any]) -> str:
    """JSON with one line for each change, so that a difference can be read and the file is small."""
    members = []
    for name, value in plan.items():
        if isinstance(value, list):
            inner = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value)
            members.append(f'"{name}": [\n  {inner}\n ]')
        else:
            members.append(f'"{name}": {json.dumps(value, ensure_ascii=False)}')
    return "{" + ",\n ".join(members) + "}\n"


def story(each: Recording) -> None:
    """The states, one after the other."""
    aws = each.world.aws
    aws.client("cloudwatch", region=HOME).put_metric_alarm(
        AlarmName="web-5xx",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
    )
    each.declare()
    each.plan("no-build", "fleet-web-prod", "fleet-worker")
    each.plan("first-image", f"history-{HOME}", "image-web")
    each.apply(f"history-{HOME}", "image-web")
    each.build()
    each.world.goldsmith("promote", "web", "stable", "--why", "the first one", "--yes")
    each.plan("first-deploy", *FLEETS)
    each.apply(*FLEETS)
    first = each.latest
    each.declare(pinned=PINNED)
    each.apply("fleet-web-eu")
    each.declare(pinned="")
    each.declare(packages="nginx-1.28.0 jq-1.7.1", command="systemctl enable --now nginx")
    each.plan("component-change", "image-web", *FLEETS)
    each.apply("image-web")
    finding = {"severity": "CRITICAL", "vulnerability": "CVE-2026-3", "package": "jq", "version": "1.7.1"}
    pipeline = aws.client("imagebuilder", region=HOME).list_image_pipelines()["imagePipelineList"][0]["arn"]
    aws.scan_next_build(pipeline, findings=[finding])
    each.build()
    each.world.goldsmith("promote", "web", "stable", "--why", "tested", "--yes")
    each.plan("image-move", *FLEETS)
    each.declare(gate="    gate: {max_severity: high}")
    each.plan("gate", *FLEETS)
    each.declare(gate="")
    each.declare(pinned=PINNED)
    each.plan("image-move-pinned", "fleet-web-eu")
    each.declare(pinned="")
    each.world.goldsmith("hold", "web", "--why", "year end", "--yes")
    each.plan("held", *FLEETS)
    each.world.goldsmith("hold", "web", "--undo", "--yes")
    each.apply("fleet-web-staging")
    aws.set_rollout_time(launch_seconds=1, scale=0.02, give_up_seconds=6)
    aws.break_instances(each.latest, reason="Instance failed its ELB health checks")
    each.world.goldsmith("rollout", "web-staging", "--yes", fails=True)
    aws.heal_instances(each.latest)
    each.plan("rolled-back-before", *FLEETS)
    each.declare(type="m7i.xlarge")
    each.plan("more-than-the-image", *FLEETS)
    each.plan("replacement", "fleet-web-prod", arguments=["-replace=aws_autoscaling_group.fleet"])
    each.plan("destroy", "fleet-worker", arguments=["-destroy"])
    scaling = aws.client("autoscaling", region=HOME)
    scaling.update_auto_scaling_group(AutoScalingGroupName="acme_worker", MaxSize=9)
    each.declare(type="m7i.large", worker=WORKER.replace("    volumes: {/dev/sdf: {volume_size: 50}}\n", ""))
    each.plan("drift-and-volume", "fleet-worker")
    each.declare(worker=WORKER)
    aws.date_ami(each.latest, "2026-01-02T03:04:05.000Z")
    each.plan("old", "fleet-web-prod")
    build = json.loads(each.world.goldsmith("status", "web@stable", "--json"))["images"][0]["channels"][0]["build"]
    each.world.goldsmith("revoke", f"web@{build}", "--why", "openssl is broken", "--yes")
    deadline = time.monotonic() + 60
    while each.latest != first:
        assert time.monotonic() < deadline, "latest still points to the revoked build"
        time.sleep(0.5)
    each.plan("revoked", *FLEETS)
    each.write("somebody", "main.tf", SOMEBODY_ELSES)
    each.write("somebody", "provider.tf", f'provider "aws" {{ region = "{HOME}" }}\n')
    each.plan("somebody-elses-first", "somebody", password="hunter2-very-secret", ami=first)
    each.apply("somebody", password="hunter2-very-secret", ami=first)
    changed = SOMEBODY_ELSES.replace('["a", "b"]', '["a"]').replace("ap-northeast-1a", "ap-northeast-1c")
    each.write("somebody", "main.tf", changed)
    each.plan("somebody-elses", "somebody", password="hunter3-very-secret", ami=first, size="t3.small")


def record(story: Callable[[Recording], None], *, of: type[Recording] = Recording) -> None:
    """Record everything of a story again."""
    with LocalAws() as aws, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2"])
        subnet = aws.client("ec2", region=HOME).describe_subnets()["Subnets"][0]["SubnetId"]
        world = World(aws, folder)
        os.environ.update(aws.environment(region=HOME))
        (folder / "provider").mkdir()
        with running_providers(world.environment, folder=folder / "provider") as environment:
            story(of(world, environment, folder / "stacks", subnet))


if __name__ == "__main__":
    record(story)
