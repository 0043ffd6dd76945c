"""Workflows: which ones run, and under which role."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from estate.recipes.workflows import Workflow, runs_of
from tests.support.broken_estates import smallest
from tests.support.estates import ESTATES, synthesize
from tests.support.mutations import mutations

REGION = "eu-west-1"
NAMESPACE = "flows"
MANAGED = f"arn:aws:imagebuilder:{REGION}:aws:workflow"
LOOK = """\
schemaVersion: 1.0
parameters: [{name: note, type: string}]
steps:
  - name: Wait
    action: WaitForAction
    inputs: {payload: '"{{ $.parameters.note }} ${HOME} %{http_code}"'}
"""


def runs(folder: Path, image: str) -> list[str]:
    """What the pipeline of an image names, own workflows by their names."""
    (folder / "workflows").mkdir(exist_ok=True)
    (folder / "workflows" / "look.yaml").write_text(LOOK.replace("type: string", "type: string, default: none"))
    (folder / "estate.yaml").write_text(smallest("image", image))
    estate = load(folder)
    return [run.short_name.removeprefix(f"{MANAGED}/") for run in runs_of(estate.image("web"))]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("channels: [prod]", []),
        ("workflows: {}", []),
        ("workflows: {test: [workflows/look.yaml]}", ["build/build-image/x.x.x", "look"]),
        (
            "workflows: {distribution: workflows/look.yaml}",
            ["build/build-image/x.x.x", "test/test-image/x.x.x", "look"],
        ),
        (
            "workflows: {distribution: workflows/look.yaml}\nimage_tests: {image_tests_enabled: false}",
            ["build/build-image/x.x.x", "look"],
        ),
        (
            f"workflows: {{build: {MANAGED}/build/express-build-image/x.x.x}}",
            ["build/express-build-image/x.x.x", "test/test-image/x.x.x"],
        ),
    ],
)
def test_image_builders_own_workflows_fill_the_stages_without_any(
    image: str, expected: list[str], tmp_path: Path
) -> None:
    assert runs(tmp_path, f"{image}\n") == expected


def test_container_images_are_built_by_the_workflows_for_containers(tmp_path: Path) -> None:
    image = "kind: container, parent: 'amazonlinux:2023', build: [update-os], regions: [eu-west-1]"
    workflows = f"workflows: {{build: {MANAGED}/build/express-build-container/x.x.x}}"
    (tmp_path / "estate.yaml").write_text(
        f"{{settings: {{namespace: acme}}, images: {{web: {{{image}, {workflows}}}}}}}"
    )
    estate = load(tmp_path)
    assert [run.short_name for run in runs_of(estate.image("web"))] == [
        f"{MANAGED}/build/express-build-container/x.x.x",
        f"{MANAGED}/test/test-container/x.x.x",
    ]


def test_each_argument_of_a_workflow_that_changes_makes_a_new_version() -> None:
    made = Workflow(name="acme_web_look", type="TEST", description="It looks", data=LOOK)
    changed = [mutated for mutated in mutations(made) if mutated != made]
    versions = [each.version for each in changed]
    assert made.version not in versions
    assert len(set(versions)) == len(versions)
    assert {field.name for field in fields(made)} == {
        field.name
        for field in fields(made)
        for each in changed
        if getattr(each, field.name) != getattr(made, field.name)
    }
    assert made.version == "1.0.199833390", "another way to derive them would make every workflow of every user anew"


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return synthesize(ESTATES["workflows"], tmp_path_factory.mktemp("workflows") / "cdktf.out")


def statements(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the execution role may do, by the names of the statements."""
    policy = json.loads(stack["resource"]["aws_iam_role_policy"]["execution_policy"]["policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_role_may_do_only_what_the_documents_need(stacks: dict[str, dict[str, Any]]) -> None:
    ledger, gate = (statements(stacks[f"image-{name}"]) for name in ("ledger", "gate"))
    # by the value of a parameter, by its text, and where only one image has such a step
    assert ledger["PublishApprovalRequests"]["Resource"] == ["arn:aws:sns:eu-west-1:111122223333:approvals"]
    machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:ami-checks"
    assert ledger["StartStateMachines"]["Resource"] == [machine]
    assert gate.keys().isdisjoint({"PublishApprovalRequests", "StartStateMachines", "ReadFindings"})
    # of the system, and of each system's own
    assert ledger["RunDocuments"]["Resource"][0] == "arn:aws:ssm:eu-west-1:*:document/AWS-RunShellScript"
    assert [each.rpartition("/")[2] for each in gate["RunDocuments"]["Resource"][:2]] == [
        "AWS-RunPowerShellScript",
        "AWSEC2-RunSysprep",
    ]
    assert any(each.endswith(":key-pair/builders") for each in ledger["LaunchInstancesWith"]["Resource"])
    assert not any(":key-pair/" in each for each in gate["LaunchInstancesWith"]["Resource"])
    for policy, regions in ((ledger, ["eu-west-1", "eu-central-1"]), (gate, ["eu-west-1"])):
        elsewhere = policy["DenyOtherRegions"]
        assert (elsewhere["Effect"], elsewhere["Condition"]) == (
            "Deny",
            {"StringNotEquals": {"aws:RequestedRegion": regions}},
        )
        passed = policy["PassInstanceRole"]["Resource"]
        assert passed.rpartition("/")[2].endswith("_build_eu-west-1") and "*" not in passed


def test_only_image_builder_assumes_the_role_and_for_this_account(stacks: dict[str, dict[str, Any]]) -> None:
    role = stacks["image-ledger"]["resource"]["aws_iam_role"]["execution_role"]
    (statement,) = json.loads(role["assume_role_policy"])["Statement"]
    assert statement["Principal"] == {"Service": "imagebuilder.amazonaws.com"}
    assert statement["Condition"]["StringEquals"].keys() == {"aws:SourceAccount"}


def test_container_is_scanned_in_the_repository_that_is_named(tmp_path: Path) -> None:
    scanned = {"image_scanning_enabled": True}
    named = {**scanned, "ecr_configuration": {"repository_name": "team/unscanned", "container_tags": ["web"]}}
    image = {"kind": "container", "parent": "nginx:1.29", "build": ["update-os"], "regions": [REGION]}
    workflows = {"test": [f"{MANAGED}/test/test-container/x.x.x"]}
    images = {
        "named": {**image, "image_scanning": named, "workflows": workflows},
        "plain": {**image, "image_scanning": scanned, "workflows": workflows},
    }
    (tmp_path / "estate.yaml").write_text(json.dumps({"settings": {"namespace": NAMESPACE}, "images": images}))
    stacks = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")
    pipeline = stacks["image-named"]["resource"]["aws_imagebuilder_image_pipeline"]["pipeline"]
    assert pipeline["image_scanning_configuration"] == named
    makes = {"CreateScanRepository", "EmptyScanRepository"}
    for name, repository, needed in (
        ("named", "team/unscanned", set()),
        ("plain", "image-builder-image-scanning-repository", makes),
    ):
        build = json.loads(stacks[f"image-{name}"]["resource"]["aws_iam_role_policy"]["instance_policy"]["policy"])
        (push,) = (each for each in build["Statement"] if each["Sid"] == "PushForScan")
        assert push["Resource"].endswith(f":repository/{repository}")
        assert makes & statements(stacks[f"image-{name}"]).keys() == needed


def test_a_role_that_is_named_is_used_and_none_is_created(stacks: dict[str, dict[str, Any]]) -> None:
    resources = stacks["image-express"]["resource"]
    pipeline = resources["aws_imagebuilder_image_pipeline"]["pipeline"]
    assert pipeline["execution_role"] == "arn:aws:iam::111122223333:role/image-workflows"
    assert "execution_role" not in resources["aws_iam_role"]


EVERYWHERE = [
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-west-1", "eu-west-2"),
    *("eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    *("ap-southeast-1", "ap-southeast-2", "ap-south-1", "af-south-1", "me-south-1"),
]
LARGEST = {
    "settings": {"namespace": "longestnames"},
    "images": {
        "windows-with-everything": {
            "os": "windows-server-2022-core",
            "build": ["update-os"],
            "regions": EVERYWHERE,
            "image_scanning": {"image_scanning_enabled": True},
            "target_accounts": ["111122223333", "111122223334", "111122223335"],
            "distribution": {
                region: {
                    "fast_launch": {},
                    "kms_key_id": f"arn:aws:kms:{region}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000",
                    "launch_templates": [{"launch_template_id": "lt-0123456789abcdef0"}],
                }
                for region in EVERYWHERE
            },
            "workflows": {"build": f"{MANAGED}/build/build-image/x.x.x".replace(REGION, "us-east-1")},
        }
    },
}


def test_the_largest_policy_is_not_too_large_for_aws(tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text(json.dumps(LARGEST))
    stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["image-windows-with-everything"]
    policy = stack["resource"]["aws_iam_role_policy"]["execution_policy"]["policy"]
    account = "${data.aws_caller_identity.account.account_id}"
    # IAM counts no blanks, and takes 10,240 characters of all inline policies of a role
    assert len(policy.replace(account, "0" * 12).replace(" ", "")) <= 10_240
