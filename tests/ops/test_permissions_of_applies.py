"""What `check`, `plan` and `apply` call themselves, beside Terraform, held against the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.calls import Call
from local_aws.server import LocalAws
from tests.support.permissions import TO_OPERATE, Estate, actions_of, by, check_called
from tests.support.rollout_world import DeployedFleet
from tests.support.team import Team, show, team_with_stand_in

IMAGES, PROD, REGION = "272000000001", "272000000002", "eu-west-1"
BUCKET = "acme-states-of-applies"
ESTATE = f"""\
settings:
  namespace: acme
  backend: {{s3: {{bucket: {BUCKET}, region: {REGION}, account: images}}}}
  accounts:
    images: {{id: "{IMAGES}", role: deployer}}
    prod: {{id: "{PROD}", role: deployer}}
images:
  web: {{account: images, os: amazon-linux-2023, build: [update-os], regions: [{REGION}]}}
fleets:
  web-prod:
    account: prod
    image: web
    channel: latest
    region: {REGION}
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {{min: 1, max: 1}}
    rollout: {{by: goldsmith}}
"""
STATES = Estate(namespace="acme", account=IMAGES, state_bucket=BUCKET)
OF_IMAGES = Estate(namespace="acme", account=IMAGES)
OF_FLEETS = Estate(namespace="acme", account=PROD, images_account=IMAGES)


@pytest.fixture
def team(local_aws: LocalAws, tmp_path: Path) -> Team:
    """A fleet that runs one build, whose plan, by a stand-in for Terraform, brings another one of another account."""
    for account in (IMAGES, PROD):
        local_aws.make_role("deployer", account=account, trusts=["000000000000"])
    local_aws.make_role("acme_web_reader_eu-west-1", account=IMAGES, trusts=[PROD])
    local_aws.client("s3", region=REGION, account=IMAGES).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    old, new = (build(local_aws, number) for number in (1, 2))
    fleet = DeployedFleet(local_aws, "web-prod", PROD)
    fleet.deploy(old, size=1)
    fleet.change(new)
    stand_in = team_with_stand_in(tmp_path)
    kept = {name: value for name, value in local_aws.environment().items() if name.startswith("AWS_")}
    change = {"actions": ["update"], "after": {"image_id": new}}
    template = {"address": "aws_launch_template.template", "type": "aws_launch_template", "change": change}
    show(tmp_path, resource_changes=[template])
    team = Team(tmp_path, {**stand_in.environment, **kept})
    team.declare(ESTATE)
    return team


def build(aws: LocalAws, number: int) -> str:
    """An AMI that `latest` points to, and which the fleet's account may launch."""
    arn = f"arn:aws:imagebuilder:{REGION}:{IMAGES}:image/acme-web/1.0.1/{number}"
    tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
    ec2 = aws.client("ec2", region=REGION, account=IMAGES)
    ami: str = ec2.register_image(
        Name=f"acme.web.applied.{number}", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=tags
    )["ImageId"]
    ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": PROD}]})
    aws.client("ssm", region=REGION, account=IMAGES).put_parameter(
        Name="/imagebuilder/acme/web/latest", Value=ami, Type="String", Overwrite=True
    )
    return ami


def calls(aws: LocalAws, team: Team, *arguments: str) -> list[Call]:
    """What a command calls, with roles of `settings.accounts`."""
    aws.record_calls("goldsmith")
    answer = team.run(*arguments)
    found = aws.calls()
    aws.record_calls(None)
    assert answer.status == 0, answer
    return [call for call in found if ":assumed-role/" in call.caller]


def test_policies_allow_what_an_apply_calls_and_check_calls_nothing(
    local_aws: LocalAws, team: Team, request: pytest.FixtureRequest
) -> None:
    local_aws.record_calls("goldsmith")
    assert team.run("check").status == 0
    assert local_aws.calls() == []
    planned = calls(local_aws, team, "plan", "fleet-web-prod")
    # no policy allows it, because it would allow to read the states of other estates: docs/permissions.md
    old_place = f"arn:aws:s3:::{BUCKET}/goldsmith/fleet-web-prod.{REGION}.tfstate"
    assert STATES.refused(planned, policies=["plan-state"]) == [f"s3:GetObject on {old_place} (s3 GetObject)"]

    applied = calls(local_aws, team, "apply", "cdktf.out/plans", "--yes")
    fleets = by(applied, PROD, role="deployer")
    assert "autoscaling:StartInstanceRefresh" in actions_of(fleets)
    assert OF_FLEETS.refused(fleets, policies=TO_OPERATE["rollout"]) == []
    assert OF_IMAGES.refused(by(applied, IMAGES, role="deployer"), policies=TO_OPERATE["viewer"]) == []
    (looked,) = {call.operation for call in by(applied, IMAGES, role="acme_web_reader_eu-west-1")} - {
        "GetCallerIdentity"
    }
    assert looked == "DescribeImages", "which the stack of the image allows to the role"
    check_called("commands-for-applies", sorted(f"rollout {action}" for action in actions_of(fleets)), request)
