"""Retention: runs of an image's lifecycle policy on the local AWS, and which builds, AMIs and snapshots are kept.

The rules are AWS's, from its user guide; the tags that keep builds are those of the hand-off function.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.estates import synthesize
from tests.support.handoff_world import ABROAD, HOME, ImageWorld
from tests.support.requests import request

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "imagebuilder.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@dataclass(frozen=True)
class Policy:
    """The lifecycle policy of an image's stack, made by the API as Terraform would make it."""

    web: ImageWorld
    folder: Path
    role: str
    """That Image Builder assumes."""

    def declare(self, retention: str) -> dict[str, Any]:
        estate = f"""
settings: {{namespace: acme}}
images:
  {self.web.name}:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{HOME}, {ABROAD}]
    channels: [prod]
    retention: {retention}
"""
        (self.folder / "estate.yaml").write_text(estate)
        return synthesize(self.folder / "estate.yaml", self.folder / "cdktf.out")[f"image-{self.web.name}"]

    def apply(self, retention: str) -> None:
        arguments = self.declare(retention)["resource"]["aws_imagebuilder_lifecycle_policy"]["retention"]
        client = self.web.other_imagebuilder
        shape = client.meta.service_model.operation_model("CreateLifecyclePolicy").input_shape
        create = request({**arguments, "execution_role": self.role}, shape)
        if made := self.all():
            del create["name"]
            client.update_lifecycle_policy(lifecyclePolicyArn=made[0]["arn"], **create)
        else:
            client.create_lifecycle_policy(**create)

    def all(self) -> list[dict[str, Any]]:
        """The policies of the image, as Image Builder has them."""
        client = self.web.other_imagebuilder
        listed = client.list_lifecycle_policies()["lifecyclePolicySummaryList"]
        return [
            client.get_lifecycle_policy(lifecyclePolicyArn=each["arn"])["lifecyclePolicy"]
            for each in listed
            if each["name"].endswith(f"_{self.web.name}")
        ]

    def run(self, *, days: int) -> None:
        """As if `days` had passed."""
        (policy,) = self.all()
        client = self.web.other_imagebuilder
        execution = self.web.aws.run_lifecycle_policy(policy["arn"], at=datetime.now(UTC) + timedelta(days=days))
        found = client.get_lifecycle_execution(lifecycleExecutionId=execution)["lifecycleExecution"]
        assert found["state"]["status"] == "SUCCESS"


@pytest.fixture
def policy(local_aws: LocalAws, tmp_path: Path) -> Policy:
    web = ImageWorld(local_aws)
    role = local_aws.client("iam").create_role(RoleName=f"lifecycle-{web.name}", AssumeRolePolicyDocument=TRUST)["Role"]
    return Policy(web, tmp_path, role["Arn"])


@dataclass(frozen=True)
class Amis:
    """EC2's view of a build."""

    web: ImageWorld

    def of(self, amis: Mapping[str, str]) -> dict[str, str]:
        """The state of the AMI in each region: available, deprecated, disabled, or nothing when it is gone."""
        states = {}
        for region, ami in amis.items():
            ec2 = self.web.aws.client("ec2", region=region)
            filters = [{"Name": "image-id", "Values": [ami]}]
            for image in ec2.describe_images(Filters=filters, IncludeDisabled=True)["Images"]:
                available = "deprecated" if "DeprecationTime" in image else "available"
                states[region] = available if image["State"] == "available" else image["State"]
        return states

    def snapshots(self, amis: Mapping[str, str]) -> dict[str, str]:
        """The snapshot behind the AMI in each region."""
        found = {}
        for region, ami in amis.items():
            (image,) = self.web.aws.client("ec2", region=region).describe_images(ImageIds=[ami])["Images"]
            found[region] = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        return found

    def snapshot_is_there(self, region: str, snapshot: str) -> bool:
        filters = [{"Name": "snapshot-id", "Values": [snapshot]}]
        return bool(self.web.aws.client("ec2", region=region).describe_snapshots(Filters=filters)["Snapshots"])


def promote(web: ImageWorld, *builds: str) -> None:
    """Point prod to the builds, one after the other, in both regions."""
    for build in builds:
        for region, ami in web.amis(build).items():
            web.other_ssm[region].put_parameter(Name=f"{web.path}/prod", Value=ami, Type="String", Overwrite=True)


def builds_that_are_there(web: ImageWorld) -> set[str]:
    listed = web.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=web.image.pipeline_arn)
    return {image["arn"] for image in listed["imageSummaryList"]}


def test_newest_and_what_channels_point_to_are_kept_and_the_rest_is_deleted_with_its_snapshots(policy: Policy) -> None:
    web, amis = policy.web, Amis(policy.web)
    policy.apply("{keep_newest: 2}")
    web.image = replace(web.image, keep_newest=2)
    once_prod, prod, superseded = (web.build() for _ in range(3))
    web.change_recipe("1.0.8")  # Image Builder would start a new count
    also_superseded, second, newest = (web.build() for _ in range(3))
    failed = web.build(fail=True)
    promote(web, once_prod, prod)
    web.run()
    all_amis = {build: web.amis(build) for build in (once_prod, prod, superseded, also_superseded, second, newest)}
    snapshots = {build: amis.snapshots(all_amis[build]) for build in all_amis}

    policy.run(days=0)
    assert builds_that_are_there(web) == {*all_amis, failed}, "nothing is a day old yet"

    policy.run(days=100)
    gone = {superseded, also_superseded}
    assert builds_that_are_there(web) == {*all_amis, failed} - gone
    for build, found in all_amis.items():
        left = {} if build in gone else dict.fromkeys(found, "available")
        assert amis.of(found) == left
        for region, snapshot in snapshots[build].items():
            assert amis.snapshot_is_there(region, snapshot) == (build not in gone)

    assert web.run().error == "", "the hand-off goes on"
    assert web.latest() == all_amis[newest]


def test_policy_that_runs_before_the_function_knows_of_it_deletes_nothing(policy: Policy) -> None:
    """AWS runs a policy when it likes, and the function tags the newest within the hour."""
    web = policy.web
    builds = [web.build() for _ in range(6)]
    web.run()
    policy.apply("{keep_newest: 4}")
    policy.run(days=400)
    assert builds_that_are_there(web) == set(builds), "retention was just switched on"

    web.image = replace(web.image, keep_newest=4)
    web.run()
    policy.run(days=400)
    assert builds_that_are_there(web) == set(builds[2:])

    policy.apply("{keep_newest: 2}")
    web.image = replace(web.image, keep_newest=2)
    web.run()
    policy.apply("{keep_newest: 3}")
    policy.run(days=400)
    assert builds_that_are_there(web) == set(builds[2:]), "it keeps three, and only two are tagged yet"


def test_build_to_which_latest_had_to_go_back_is_kept_however_old(policy: Policy) -> None:
    """The newest build has lost its AMIs: latest points to one that is not among the newest."""
    web = policy.web
    policy.apply("{keep_newest: 1, delete_after: 30 days}")
    web.image = replace(web.image, keep_newest=1)
    old, good, broken = (web.build() for _ in range(3))
    for region, ami in web.amis(broken).items():
        web.aws.client("ec2", region=region).deregister_image(ImageId=ami)
    web.run()
    assert web.latest() == web.amis(good)

    policy.run(days=400)
    assert builds_that_are_there(web) == {good, broken}, f"not {old}"
    assert Amis(web).of(web.latest()) == dict.fromkeys(web.latest(), "available")


def test_old_builds_are_deprecated_then_disabled_then_deleted(policy: Policy) -> None:
    web, amis = policy.web, Amis(policy.web)
    policy.apply("{keep_newest: 1, deprecate_after: 30 days, disable_after: 60 days, delete_after: 90 days}")
    web.image = replace(web.image, keep_newest=1)
    old, newest = web.build(), web.build()
    web.run()
    found = web.amis(old)

    def after(days: int) -> tuple[str, dict[str, str]]:
        policy.run(days=days)
        return web.details(old)["state"]["status"], amis.of(found)

    def everywhere(state: str) -> dict[str, str]:
        return dict.fromkeys(found, state)

    assert after(29) == ("AVAILABLE", everywhere("available"))
    assert after(31) == ("DEPRECATED", everywhere("deprecated"))
    assert after(59) == ("DEPRECATED", everywhere("deprecated"))
    assert after(61) == ("DISABLED", everywhere("disabled"))
    assert web.run().error == ""
    policy.run(days=91)
    assert builds_that_are_there(web) == {newest}
    assert amis.of(found) == {}
    assert amis.of(web.amis(newest)) == everywhere("available")


def _share(permission: dict[str, str]) -> Callable[[LocalAws, str], object]:
    return lambda aws, ami: aws.client("ec2", region=HOME).modify_image_attribute(
        ImageId=ami, LaunchPermission={"Add": [permission]}
    )


EXCEPTIONS: dict[str, Callable[[LocalAws, str], object]] = {
    "tagged to keep": lambda aws, ami: aws.client("ec2", region=HOME).create_tags(
        Resources=[ami], Tags=[{"Key": "keep", "Value": "true"}]
    ),
    "launched recently": lambda aws, ami: aws.launch_ami(ami, datetime.now(UTC).isoformat()),
    "shared": _share({"UserId": "111122223333"}),
    "public": _share({"Group": "all"}),
}


def test_ami_that_is_excluded_is_kept_and_keeps_its_build(policy: Policy) -> None:
    web, amis = policy.web, Amis(policy.web)
    policy.apply('{keep_newest: 1, exclusion_rules: {shared_accounts: ["111122223333"]}}')
    web.image = replace(web.image, keep_newest=1)
    builds = {why: web.build() for why in EXCEPTIONS}
    tagged, plain, newest = (web.build() for _ in range(3))
    web.run()
    web.other_imagebuilder.tag_resource(resourceArn=tagged, tags={"keep": "true"})
    found = {why: web.amis(build) for why, build in builds.items()}
    for why, exclude in EXCEPTIONS.items():
        exclude(web.aws, found[why][HOME])

    policy.run(days=10)
    assert builds_that_are_there(web) == {*builds.values(), tagged, newest}, f"not {plain}"
    for why in EXCEPTIONS:
        assert amis.of(found[why]) == {HOME: "available"}, f"abroad it is not {why}"

    policy.run(days=31)
    gone = builds["launched recently"]
    assert builds_that_are_there(web) == {*builds.values(), tagged, newest} - {gone}


def test_role_may_do_only_what_the_rules_need_and_only_to_builds_of_the_image(policy: Policy) -> None:
    def statements(retention: str) -> dict[str, Any]:
        resources = policy.declare(retention)["resource"]
        document = json.loads(resources["aws_iam_role_policy"]["lifecycle_policy"]["policy"])
        return {each["Sid"]: each for each in document["Statement"]}

    deprecating = statements("{deprecate_after: 30 days}")
    assert {"TagDeprecatedAmis", "TagDeprecatedSnapshots"} <= deprecating.keys()
    assert "DeleteSnapshots" not in deprecating
    assert "ec2:DeregisterImage" not in deprecating["ChangeAmis"]["Action"]
    deleting = statements("{keep_newest: 5}")
    assert not {"TagDeprecatedAmis", "TagDeprecatedSnapshots"} & deleting.keys()
    assert deleting["ChangeAmis"]["Action"] == ["ec2:DescribeImageAttribute", "ec2:DeregisterImage"]
    assert deleting["ChangeAmis"]["Condition"]["StringEquals"] == {
        "aws:ResourceTag/CreatedBy": "EC2 Image Builder",
        "aws:ResourceTag/goldsmith:image": f"acme/{policy.web.name}",
        "aws:RequestedRegion": ["us-east-1", "eu-west-1"],
    }
