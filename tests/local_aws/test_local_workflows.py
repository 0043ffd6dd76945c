"""Workflows in the local AWS: kept, versioned, used by pipelines and recorded by builds, and what is refused."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.support.image_builder import build, refusal

REGION = "ap-northeast-1"
MANAGED = f"arn:aws:imagebuilder:{REGION}:aws:workflow"
FLOW = """\
schemaVersion: 1.0
parameters:
  - {name: note, type: string}
  - {name: tries, type: integer, default: 3}
  - {name: names, type: stringList, default: [a, b]}
  - {name: really, type: boolean, default: true, description: whether}
steps:
  - {name: Wait, action: WaitForAction, inputs: {payload: '"${HOME} {{ $.parameters.note }}"'}}
"""


@pytest.fixture
def role(local_aws: LocalAws) -> str:
    return local_aws.make_role("flows", account="000000000000", trusts=["imagebuilder.amazonaws.com"])


def create(image_builder: Any, name: str, data: str = FLOW, *, type: str = "TEST", version: str = "1.0.0") -> str:
    made = image_builder.create_workflow(name=name, semanticVersion=version, type=type, data=data)
    return str(made["workflowBuildVersionArn"])


def updated(image_builder: Any, pipeline: dict[str, str], **params: Any) -> Any:
    arns = ("imagePipelineArn", "imageRecipeArn", "infrastructureConfigurationArn", "distributionConfigurationArn")
    return image_builder.update_image_pipeline(**{arn: pipeline[arn] for arn in arns}, **params)


def test_workflow_keeps_its_document_letter_for_letter(image_builder: Any, name: str) -> None:
    arn = create(image_builder, name)
    normalized = name.lower().replace("_", "-").replace(" ", "-")
    assert arn == f"arn:aws:imagebuilder:{REGION}:000000000000:workflow/test/{normalized}/1.0.0/1"
    workflow = image_builder.get_workflow(workflowBuildVersionArn=arn)["workflow"]
    assert (workflow["data"], workflow["type"], workflow["version"]) == (FLOW, "TEST", "1.0.0")
    assert workflow["parameters"] == [
        {"name": "note", "type": "string"},
        {"name": "tries", "type": "integer", "defaultValue": ["3"]},
        {"name": "names", "type": "stringList", "defaultValue": ["a", "b"]},
        {"name": "really", "type": "boolean", "defaultValue": ["true"], "description": "whether"},
    ]


def test_same_version_is_refused_and_other_content_is_its_next_build(image_builder: Any, name: str) -> None:
    first = create(image_builder, name)
    assert refusal(
        image_builder.create_workflow, name=name, semanticVersion="1.0.0", type="TEST", data=FLOW
    ).startswith("ResourceAlreadyExistsException")
    second = create(image_builder, name, f"{FLOW}# more\n")
    third = create(image_builder, name, version="1.2.0")
    assert (second, third) == (first[:-1] + "2", first.replace("1.0.0/1", "1.2.0/1"))
    # of the other type it is another workflow
    other = create(image_builder, name, type="BUILD")
    assert "/build/" in other
    version = first.rpartition("/")[0]
    listed = image_builder.list_workflow_build_versions(workflowVersionArn=version)["workflowSummaryList"]
    assert sorted(each["arn"] for each in listed) == [first, second]
    newest = image_builder.get_workflow(workflowBuildVersionArn=version.replace("1.0.0", "x.x.x"))["workflow"]
    assert newest["arn"] == third


@pytest.mark.parametrize(
    ("data", "type", "reason"),
    [
        ("a: b: c", "TEST", "It is not YAML: mapping values are not allowed here"),
        ("- a", "TEST", "It is not a mapping."),
        ("steps: [{name: A, action: WaitForAction}]", "TEST", "schemaVersion must be 1.0."),
        ("{schemaVersion: 1.0, steps: []}", "TEST", "It must have 1 to 15 steps."),
        ("{schemaVersion: 1.0, steps: [{action: CreateImage}]}", "TEST", "Each step must have a name and an action."),
        (
            "{schemaVersion: 1.0, steps: [{name: A, action: Sleep}]}",
            "TEST",
            "The step action 'Sleep' of step 'A' is not supported.",
        ),
        (
            "{schemaVersion: 1.0, steps: [{name: A, action: DistributeImage}]}",
            "BUILD",
            "The step action 'DistributeImage' of step 'A' is not supported in BUILD workflows.",
        ),
        (
            "{schemaVersion: 1.0, steps: [{name: A, action: WaitForAction}, {name: A, action: WaitForAction}]}",
            "TEST",
            "The step name 'A' is declared more than once.",
        ),
        (
            "{schemaVersion: 1.0, parameters: [{name: a, type: text}], steps: [{name: A, action: WaitForAction}]}",
            "TEST",
            "Parameter a must have one of the types string, integer, boolean, stringList.",
        ),
    ],
)
def test_document_that_is_none_is_refused(image_builder: Any, name: str, data: str, type: str, reason: str) -> None:
    refused = refusal(image_builder.create_workflow, name=name, semanticVersion="1.0.0", type=type, data=data)
    assert refused.startswith(
        f"InvalidParameterValueException: The value supplied for parameter 'data' is not valid. {reason}"
    )


def test_workflow_that_a_pipeline_runs_is_not_deleted(
    image_builder: Any, name: str, pipeline: dict[str, str], role: str
) -> None:
    arn = create(image_builder, name)
    run = {"workflowArn": arn, "parameters": [{"name": "note", "value": ["a"]}], "parallelGroup": "all"}
    updated(image_builder, pipeline, workflows=[run], executionRole=role)
    assert refusal(image_builder.delete_workflow, workflowBuildVersionArn=arn).startswith("ResourceDependencyException")
    updated(image_builder, pipeline)
    image_builder.delete_workflow(workflowBuildVersionArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        image_builder.get_workflow(workflowBuildVersionArn=arn)


def test_pipeline_refuses_workflows_that_do_not_fit(
    image_builder: Any, name: str, pipeline: dict[str, str], role: str
) -> None:
    own, managed = create(image_builder, name), f"{MANAGED}/build/build-image/x.x.x"

    def refused(*workflows: dict[str, Any], **params: Any) -> str:
        return refusal(
            lambda **all: updated(image_builder, pipeline, **all),
            **{"workflows": list(workflows), "executionRole": role, **params},
        )

    assert refusal(lambda: updated(image_builder, pipeline, workflows=[{"workflowArn": managed}])) == (
        "InvalidParameterCombinationException: An execution role is required to provide workflows."
    )
    fixed = managed.replace("x.x.x", "1.0.1/1")
    assert f"AWS managed workflows must have latest version 'x.x.x' for '{fixed}'" in refused({"workflowArn": fixed})
    assert "more than one BUILD workflow" in refused({"workflowArn": managed}, {"workflowArn": managed})
    assert "are for test workflows" in refused({"workflowArn": managed, "onFailure": "ABORT"})
    assert "requires a value for parameter 'note'" in refused({"workflowArn": own})
    odd = {"workflowArn": own, "parameters": [{"name": "other", "value": ["a"]}]}
    assert "has no parameter 'other'" in refused(odd)
    assert "ResourceNotFoundException" in refused({"workflowArn": own.replace("1.0.0", "1.0.9")})
    assert "cannot assume the role" in refused({"workflowArn": managed}, executionRole=f"{role}s")


def test_scans_need_the_instance_that_is_scanned(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]
) -> None:
    local_aws.client("inspector2", region=REGION).enable(resourceTypes=["EC2"])
    scanning = {"imageScanningEnabled": True}
    updated(image_builder, pipeline, imageScanningConfiguration=scanning)
    assert "Image tests must be enabled." in refusal(
        lambda: updated(
            image_builder,
            pipeline,
            imageScanningConfiguration=scanning,
            imageTestsConfiguration={"imageTestsEnabled": False},
        )
    )


def test_build_records_the_workflows_that_it_ran_and_runs_no_others(
    local_aws: LocalAws, image_builder: Any, name: str, pipeline: dict[str, str], role: str
) -> None:
    build_image = {"workflowArn": f"{MANAGED}/build/build-image/x.x.x"}
    own = create(image_builder, name)
    # without a version, the newest one when the build starts
    run = {"workflowArn": own.replace("/1.0.0/1", "/x.x.x"), "parameters": [{"name": "note", "value": ["a"]}]}
    updated(image_builder, pipeline, workflows=[build_image, run], executionRole=role)
    image = build(image_builder, pipeline)
    assert image["workflows"] == [build_image, {**run, "workflowArn": own}]
    assert image["executionRole"] == role
    updated(image_builder, pipeline)
    assert "workflows" not in build(image_builder, pipeline)
