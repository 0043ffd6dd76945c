"""Lifecycle policies of the local AWS: what it refuses as AWS does, and how its runs evaluate rules.

The expectations are from Image Builder's user guide, "How lifecycle management rules work" and "How lifecycle policy
execution works".
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.support.handoff_world import HOME, ContainerImageWorld, ImageWorld

ROLE = "acme_lifecycle"
DELETE = {"type": "DELETE", "includeResources": {"amis": True, "snapshots": True}}
COUNT_ONE = {"type": "COUNT", "value": 1}
OLD = {"type": "AGE", "value": 30, "unit": "DAYS"}


@pytest.fixture(scope="module")
def role(local_aws: LocalAws) -> str:
    return local_aws.make_role(ROLE, account="000000000000", trusts=["imagebuilder.amazonaws.com"])


@pytest.fixture
def web(local_aws: LocalAws) -> ImageWorld:
    return ImageWorld(local_aws)


def create(web: ImageWorld, role: str, *details: Mapping[str, Any], **others: Any) -> str:
    created = web.other_imagebuilder.create_lifecycle_policy(
        **{
            "name": f"acme_{web.name}",
            "executionRole": role,
            "resourceType": "AMI_IMAGE",
            "policyDetails": list(details),
            "resourceSelection": {"tagMap": {"image": web.name}},
            **others,
        }
    )
    return str(created["lifecyclePolicyArn"])


def build(web: ImageWorld, **tags: str) -> str:
    arn = web.build()
    web.other_imagebuilder.tag_resource(resourceArn=arn, tags={"image": web.name, **tags})
    return arn


def run(web: ImageWorld, policy: str, *, days: int = 100) -> str:
    return web.aws.run_lifecycle_policy(policy, at=datetime.now(UTC) + timedelta(days=days))


def there(web: ImageWorld) -> list[str]:
    """Builds by number."""
    listed = web.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=web.image.pipeline_arn)
    return sorted(image["arn"] for image in listed["imageSummaryList"])


def age(action: str, **include: bool) -> dict[str, Any]:
    return {"action": {"type": action, "includeResources": include}, "filter": OLD}


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "two rules of a kind": ([age("DELETE"), age("DELETE")], {}, "There is more than one DELETE rule."),
    "a count for another action": (
        [{"action": {"type": "DISABLE"}, "filter": COUNT_ONE}],
        {},
        "A COUNT filter is for DELETE only, and has neither unit nor retainAtLeast.",
    ),
    "an age without unit": (
        [{"action": {"type": "DELETE"}, "filter": {"type": "AGE", "value": 3}}],
        {},
        "An AGE filter needs a unit.",
    ),
    "what only a delete rule retains": (
        [{"action": {"type": "DISABLE"}, "filter": {**OLD, "retainAtLeast": 2}}],
        {},
        "It is for DELETE only.",
    ),
    "snapshots of what is disabled": (
        [age("DISABLE", amis=True, snapshots=True)],
        {},
        "A DISABLE rule can include AMIs only.",
    ),
    "snapshots without AMIs": (
        [age("DELETE", snapshots=True)],
        {},
        "Snapshots can be included only together with AMIs.",
    ),
    "containers that are disabled": (
        [age("DISABLE")],
        {"resourceType": "CONTAINER_IMAGE"},
        "Policies for container images support only DELETE.",
    ),
    "nothing that is selected": (
        [age("DELETE")],
        {"resourceSelection": {}},
        "Specify exactly one of recipes and tagMap.",
    ),
    "a role that is not there": (
        [age("DELETE")],
        {"executionRole": "arn:aws:iam::000000000000:role/nobody"},
        "The provided role does not exist or does not have sufficient permissions: "
        "'arn:aws:iam::000000000000:role/nobody'.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(web: ImageWorld, role: str, what: str) -> None:
    details, others, message = REFUSED[what]
    with pytest.raises(ClientError) as caught:
        create(web, role, *details, **others)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert caught.value.response["Error"]["Message"].endswith(message)


@pytest.mark.parametrize("kept", [COUNT_ONE, {**OLD, "retainAtLeast": 1}])
def test_newest_are_kept_of_each_version_of_the_recipe(web: ImageWorld, role: str, kept: dict[str, Any]) -> None:
    policy = create(web, role, {"action": DELETE, "filter": kept})
    builds = [build(web), build(web)]
    web.change_recipe("1.0.8")
    builds += [build(web), build(web)]
    run(web, policy)
    assert there(web) == sorted([builds[1], builds[3]])


def test_build_with_an_excluded_tag_does_not_count_as_kept(web: ImageWorld, role: str) -> None:
    rules = {"tagMap": {"keep": "yes", "other": "yes"}}
    policy = create(web, role, {"action": DELETE, "filter": COUNT_ONE, "exclusionRules": rules})
    tagged, _gone, newest = build(web, keep="yes"), build(web, keep="no"), build(web)
    run(web, policy)
    assert there(web) == sorted([tagged, newest])


def test_builds_without_the_selected_tag_are_left_alone(web: ImageWorld, role: str) -> None:
    policy = create(web, role, age("DELETE", amis=True))
    foreign = web.build()
    build(web)
    run(web, policy)
    assert there(web) == [foreign]


def test_only_one_action_is_taken_in_a_run(web: ImageWorld, role: str) -> None:
    policy = create(web, role, age("DELETE", amis=True), age("DISABLE", amis=True), age("DEPRECATE", amis=True))
    arn = build(web)
    states = []
    for _ in range(2):
        run(web, policy)
        states.append(web.details(arn)["state"]["status"])
    run(web, policy)
    assert (states, there(web)) == (["DEPRECATED", "DISABLED"], [])


def test_execution_says_what_was_done_and_why_something_was_skipped(web: ImageWorld, role: str) -> None:
    rules = {"amis": {"isPublic": False, "regions": [HOME]}}
    policy = create(web, role, {"action": DELETE, "filter": OLD, "exclusionRules": rules})
    arn = build(web)
    amis = web.amis(arn)
    execution = run(web, policy)

    client = web.other_imagebuilder
    (listed,) = client.list_lifecycle_executions(resourceArn=policy)["lifecycleExecutions"]
    assert (listed["lifecycleExecutionId"], listed["state"]) == (execution, {"status": "SUCCESS"})
    (image,) = client.list_lifecycle_execution_resources(lifecycleExecutionId=execution)["resources"]
    assert (image["resourceId"], image["state"]["status"]) == (arn, "SKIPPED")
    outputs = client.list_lifecycle_execution_resources(lifecycleExecutionId=execution, parentResourceId=arn)
    states = {each["resourceId"]: (each["region"], each["state"]) for each in outputs["resources"]}
    assert states == {
        ami: (
            region,
            {"status": "SKIPPED", "reason": "The AMI is excluded by regions."}
            if region == HOME
            else {"status": "SUCCESS"},
        )
        for region, ami in amis.items()
    }
    assert there(web) == [arn], "an AMI of it stays"


def test_container_images_are_deleted_from_ecr_and_those_in_use_stay(local_aws: LocalAws, role: str) -> None:
    web = ContainerImageWorld(local_aws)
    web.image = replace(web.image, keep_newest=1)
    released, superseded, newest = (web.build() for _ in range(3))
    web.other_ssm[HOME].put_parameter(Name=f"{web.path}/prod", Value=web.values(released)[HOME], Type="String")
    web.run()
    policy = create(
        web,
        role,
        {
            **age("DELETE", containers=True),
            "exclusionRules": {"tagMap": {"goldsmith:in-use": "true", "goldsmith:newest": "true"}},
        },
        resourceType="CONTAINER_IMAGE",
        resourceSelection={"tagMap": {"goldsmith:image": f"acme/{web.name}"}},
    )
    kept, gone = web.values(newest), web.values(superseded)
    run(web, policy)
    assert there(web) == sorted([released, newest])
    for region, ecr in web.registry.items():
        digests = {image["imageDigest"] for image in ecr.describe_images(repositoryName=web.repository)["imageDetails"]}
        assert kept[region].partition("@")[2] in digests
        assert gone[region].partition("@")[2] not in digests


def test_person_takes_a_build_back(web: ImageWorld, role: str) -> None:
    policy = create(web, role, age("DISABLE", amis=True))
    arn = build(web)
    run(web, policy)
    ec2 = web.aws.client("ec2", region=HOME)
    asked = {"Filters": [{"Name": "image-id", "Values": [web.amis(arn)[HOME]]}]}
    assert ec2.describe_images(**asked)["Images"] == []
    assert [image["State"] for image in ec2.describe_images(**asked, IncludeDisabled=True)["Images"]] == ["disabled"]

    answer = web.other_imagebuilder.start_resource_state_update(
        resourceArn=arn, state={"status": "AVAILABLE"}, executionRole=role, includeResources={"amis": True}
    )
    assert answer["lifecycleExecutionId"].startswith("lce-")
    assert web.details(arn)["state"] == {"status": "AVAILABLE"}
    assert [image["State"] for image in ec2.describe_images(**asked)["Images"]] == ["available"]
