"""Documents too long for a request: through the stack's bucket into Image Builder, by the real Terraform."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

REGION = "eu-west-1"
NAMESPACE = "longdocs"
# more tags than S3 takes of an object
ESTATE = f"""
settings:
  namespace: {NAMESPACE}
  kms_key: arn:aws:kms:{REGION}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000
  tags: {{{", ".join(f"tag{number}: value" for number in range(12))}}}
images:
  web:
    os: amazon-linux-2023
    build:
      - update-os
      - use: components/app.yaml
        with: {{archive: "s3://acme-releases/app*/$v1.tar.gz"}}
    regions: [{REGION}]
    workflows: {{build: workflows/flow.yaml}}
"""
WORKFLOW = (
    "schemaVersion: 1.0\n"
    "steps: [{name: Run, action: ExecuteComponents, inputs: {instanceId: i-0}}]\n"
    "outputs: [{name: ImageId, value: $.stepOutputs.Run.status}]\n"
    # more bytes than go into a request, and fewer characters
    f"#{'あ' * 6_000}"
)
DOCUMENT = """\
schemaVersion: 1.0
parameters:
  - archive: {type: string}
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - |
              # letter for letter: ${HOME} and %{http_code} are the shell's and curl's, not Terraform's
              curl --write-out '%{http_code}' "${HOME}/{{ archive }}"
"""


@dataclass(frozen=True)
class DeployedStack:
    """The stack and what it makes."""

    aws: LocalAws
    environment: Mapping[str, str]
    stack: Path
    synthesized: dict[str, Any]

    def terraform(self, *arguments: str) -> str:
        # the rest of the stack takes a minute, and is tested elsewhere
        targets = (
            f"-target={each}"
            for each in (
                "aws_imagebuilder_component.component_app",
                "aws_s3_object.document_app",
                "aws_imagebuilder_workflow.workflow_flow",
            )
        )
        return terraform.run(*arguments, *targets, folder=self.stack, environ=self.environment)

    def components(self) -> list[dict[str, Any]]:
        client = self.aws.client("imagebuilder", region=REGION)
        listed = client.list_components(owner="Self")["componentVersionList"]
        return [
            client.get_component(componentBuildVersionArn=f"{each['arn']}/1")["component"]
            for each in listed
            if each["name"] == f"{NAMESPACE}_web_app"
        ]

    def workflows(self) -> list[dict[str, Any]]:
        client = self.aws.client("imagebuilder", region=REGION)
        listed = client.list_workflows(owner="Self")["workflowVersionList"]
        return [
            client.get_workflow(workflowBuildVersionArn=f"{each['arn']}/1")["workflow"]
            for each in listed
            if each["name"] == f"{NAMESPACE}_web_flow"
        ]

    def objects(self, folder: str = "components/") -> list[str]:
        client = self.aws.client("s3", region=REGION)
        buckets = [each["Name"] for each in client.list_buckets()["Buckets"] if each["Name"].startswith(NAMESPACE)]
        found = (client.list_objects_v2(Bucket=bucket).get("Contents", ()) for bucket in buckets)
        keys = (each["Key"] for contents in found for each in contents)
        return [key for key in keys if key.startswith(folder)]


@pytest.fixture
def world_of(
    local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path
) -> Callable[[str], DeployedStack]:
    """Synthesizes the estate with a document and gives the world of its stack."""
    stack = tmp_path / "cdktf.out" / "stacks" / "image-web"

    def synthesized(document: str) -> DeployedStack:
        (tmp_path / "config" / "components").mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / "estate.yaml").write_text(ESTATE)
        (tmp_path / "config" / "components" / "app.yaml").write_text(document)
        (tmp_path / "config" / "workflows").mkdir(exist_ok=True)
        (tmp_path / "config" / "workflows" / "flow.yaml").write_text(WORKFLOW)
        stacks = synthesize(tmp_path / "config", tmp_path / "cdktf.out")
        return DeployedStack(local_aws, terraform_environment, stack, stacks["image-web"])

    return synthesized


def test_long_document_reaches_image_builder_letter_for_letter(world_of: Callable[[str], DeployedStack]) -> None:
    long = DOCUMENT + "#" * 20_000
    world = world_of(long)
    terraform.run("init", folder=world.stack, environ=world.environment)
    world.terraform("apply", "-auto-approve")
    (component,) = world.components()
    assert component["data"] == long
    (first,) = world.objects()
    (workflow,) = world.workflows()
    assert workflow["data"] == WORKFLOW
    assert len(world.objects("workflows/")) == 1
    plan = world.terraform("plan")
    assert "No changes." in plan, plan

    longer = f"{long}#"
    world = world_of(longer)
    assert "Resources: 2 added, 0 changed, 2 destroyed." in world.terraform("apply", "-auto-approve")
    (component,) = world.components()
    assert component["data"] == longer
    (second,) = world.objects()
    assert second != first

    # one that has become short again needs no object
    world = world_of(DOCUMENT)
    world.terraform("apply", "-auto-approve")
    (component,) = world.components()
    assert component["data"] == DOCUMENT
    assert world.objects() == []

    terraform.run("destroy", "-auto-approve", folder=world.stack, environ=world.environment)
    assert (world.components(), world.workflows(), world.objects("")) == ([], [], [])


def test_build_may_read_only_the_object_that_it_fetches(world_of: Callable[[str], DeployedStack]) -> None:
    policy = world_of(DOCUMENT).synthesized["resource"]["aws_iam_role_policy"]["instance_policy"]["policy"]
    # Terraform reads $${ as ${, and IAM ${*} and ${$} as the characters themselves
    statement = (
        '{"Effect":"Allow","Sid":"ReadConfiguredObjects","Action":"s3:GetObject",'
        '"Resource":["arn:aws:s3:::acme-releases/app$${*}/$${$}v1.tar.gz"]}'
    )
    assert statement in policy
