"""Workflows: which ones run, under which role, and how the real Terraform creates, uses and removes them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from estate.recipes.workflows import Workflow, runs_of
from local_aws.server import LocalAws
from scripts import terraform
from tests.support.broken_estates import smallest
from tests.support.estates import ESTATES, synthesize
from tests.support.mutations import mutations

REGION = "eu-west-1"
NAMESPACE = "flows"
MANAGED = f"arn:aws:imagebuilder:{REGION}:aws:workflow"
ESTATE = f"""
settings:
  namespace: {NAMESPACE}
  kms_key: arn:aws:kms:{REGION}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
    image_scanning: {{image_scanning_enabled: true}}
"""
WORKFLOWS = """
    workflows:
      test:
        - {use: workflows/look.yaml, with: {note: "letter for letter: ${HOME} and %{http_code}"}, on_failure: CONTINUE}
        - arn:aws:imagebuilder:eu-west-1:aws:workflow/test/test-image/x.x.x
"""
LOOK = """\
schemaVersion: 1.0
parameters: [{name: note, type: string}]
steps:
  - name: Wait
    action: WaitForAction
    inputs: {payload: '"{{ $.parameters.note }} ${HOME} %{http_code}"'}
"""


@dataclass(frozen=True)
class DeployedStack:
    """The stack and what it makes."""

    aws: LocalAws
    environment: Mapping[str, str]
    stack: Path

    def terraform(self, *arguments: str) -> str:
        # the rest of the stack takes a minute, and is tested elsewhere
        targets = ("aws_imagebuilder_image_pipeline.pipeline", "aws_imagebuilder_workflow.workflow_look")
        wanted = (f"-target={each}" for each in targets)
        return terraform.run(*arguments, *wanted, folder=self.stack, environ=self.environment)

    @property
    def image_builder(self) -> Any:
        return self.aws.client("imagebuilder", region=REGION)

    def workflows(self) -> list[dict[str, Any]]:
        listed = self.image_builder.list_workflows()["workflowVersionList"]
        return [
            self.image_builder.get_workflow(workflowBuildVersionArn=each["arn"])["workflow"]
            for each in listed
            if each["name"] == f"{NAMESPACE}_web_look"
        ]

    def pipeline(self) -> dict[str, Any]:
        found = self.image_builder.list_image_pipelines()["imagePipelineList"]
        (pipeline,) = (each for each in found if each["name"] == f"{NAMESPACE}_web")
        return dict(pipeline)


@pytest.fixture
def world_of(
    local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path
) -> Callable[..., DeployedStack]:
    """Synthesizes the estate with a document and gives the world of its stack."""

    def synthesized(estate: str, document: str = LOOK) -> DeployedStack:
        (tmp_path / "config" / "workflows").mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / "estate.yaml").write_text(estate)
        (tmp_path / "config" / "workflows" / "look.yaml").write_text(document)
        synthesize(tmp_path / "config", tmp_path / "cdktf.out")
        return DeployedStack(local_aws, terraform_environment, tmp_path / "cdktf.out" / "stacks" / "image-web")

    return synthesized


def test_workflows_are_created_used_and_removed(world_of: Callable[..., DeployedStack]) -> None:
    world = world_of(ESTATE + WORKFLOWS)
    terraform.run("init", folder=world.stack, environ=world.environment)
    world.terraform("apply", "-auto-approve")
    (first,) = world.workflows()
    assert (first["type"], first["data"]) == ("TEST", LOOK)
    assert first["parameters"] == [{"name": "note", "type": "string"}]
    pipeline = world.pipeline()
    note = {"name": "note", "value": ["letter for letter: ${HOME} and %{http_code}"]}
    assert pipeline["workflows"] == [
        {"workflowArn": f"{MANAGED}/build/build-image/x.x.x"},
        {"workflowArn": first["arn"], "parameters": [note], "onFailure": "CONTINUE"},
        {"workflowArn": f"{MANAGED}/test/test-image/x.x.x", "onFailure": "ABORT"},
    ]
    assert pipeline["executionRole"].endswith(f":role/{NAMESPACE}_web_execution_{REGION}")
    assert pipeline["imageScanningConfiguration"] == {"imageScanningEnabled": True}
    plan = world.terraform("plan")
    assert "No changes." in plan, plan

    # another document is another version: the pipeline uses it before the old one is destroyed
    world = world_of(ESTATE + WORKFLOWS, f"{LOOK}# one more line\n")
    said = world.terraform("apply", "-auto-approve")
    assert "Resources: 1 added, 1 changed, 1 destroyed." in said, said
    (second,) = world.workflows()
    assert second["arn"] != first["arn"]
    assert [each["workflowArn"] for each in world.pipeline()["workflows"]][1] == second["arn"]

    # a build keeps what it ran
    arn = world.image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["arn"])["imageBuildVersionArn"]
    image = world.image_builder.get_image(imageBuildVersionArn=arn)["image"]
    assert [each["workflowArn"] for each in image["workflows"]][1] == second["arn"]
    assert image["executionRole"] == pipeline["executionRole"]

    # AWS's provider cannot take workflows away, so a plan says what to do instead
    with pytest.raises(terraform.TerraformError) as caught:
        world_of(ESTATE).terraform("plan")
    build, test = f"{MANAGED}/build/build-image/x.x.x", f"{MANAGED}/test/test-image/x.x.x"
    assert (
        "Image web: its pipeline has workflows, and AWS's provider cannot remove them. Name Image Builder's own "
        f"instead: workflows: {{build: {build}, test: [{test}]}}."
    ) in " ".join(str(caught.value).split())
    world = world_of(
        f"{ESTATE}    workflows: {{build: {build}, test: [{test}]}}\n".replace("enabled: true", "enabled: false")
    )
    world.terraform("apply", "-auto-approve")
    pipeline = world.pipeline()
    assert [each["workflowArn"] for each in pipeline["workflows"]] == [build, test]
    assert pipeline["imageScanningConfiguration"] == {"imageScanningEnabled": False}
    assert world.workflows() == []
    plan = world.terraform("plan")
    assert "No changes." in plan, plan
    terraform.run("destroy", "-auto-approve", folder=world.stack, environ=world.environment)


def test_repository_for_scans_can_be_named_later_and_cannot_be_removed(world_of: Callable[..., DeployedStack]) -> None:
    def world(scanning: str) -> DeployedStack:
        image = f"{{kind: container, parent: 'nginx:1.29', build: [update-os], regions: [{REGION}], {scanning}}}"
        return world_of(ESTATE.partition("  web:")[0] + f"  web: {image}\n")

    undeclared = "image_scanning: {image_scanning_enabled: true}"
    ecr = {"repositoryName": "team/unscanned", "containerTags": ["web"]}
    declared = undeclared[:-1] + ", ecr_configuration: {repository_name: team/unscanned, container_tags: [web]}}"
    first = world(undeclared)
    terraform.run("init", folder=first.stack, environ=first.environment)
    for image, expected in (
        (undeclared, {"imageScanningEnabled": True}),
        (declared, {"imageScanningEnabled": True, "ecrConfiguration": ecr}),
    ):
        now = world(image)
        now.terraform("apply", "-auto-approve")
        assert now.pipeline()["imageScanningConfiguration"] == expected
        plan = now.terraform("plan")
        assert "No changes." in plan, plan

    with pytest.raises(terraform.TerraformError) as caught:
        world(undeclared).terraform("plan")
    assert (
        "Image web: its pipeline has a repository for scans, and AWS's provider cannot remove it. Name one: "
        "image_scanning.ecr_configuration: {repository_name: …}."
    ) in " ".join(str(caught.value).split())
    terraform.run("destroy", "-auto-approve", folder=now.stack, environ=now.environment)


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
    (stack,) = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out").values()
    policy = stack["resource"]["aws_iam_role_policy"]["execution_policy"]["policy"]
    account = "${data.aws_caller_identity.account.account_id}"
    # IAM counts no blanks, and takes 10,240 characters of all inline policies of a role
    assert len(policy.replace(account, "0" * 12).replace(" ", "")) <= 10_240
