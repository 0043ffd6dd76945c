"""A container image from the estate to its channel: the real Terraform, a build and the hand-off, on the local AWS."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import PROJECT, synthesize
from tests.support.handoff_world import made_history
from tests.support.permissions import Estate, Recorder, check_called

HOME, ABROAD = "eu-west-1", "eu-central-1"
NAMESPACE = "boxes"
PAGE = PROJECT / "docs" / "containers.md"
ESTATE = """
settings:
  namespace: boxes
  kms_key_id: arn:aws:kms:eu-west-1:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000
images:
  web:
    kind: container
    parent: nginx:1.29
    dockerfile: Dockerfile
    repository: {force_delete: true, keep_newest: 20}
    build: [update-os]
    image_scanning: {image_scanning_enabled: true}
    regions: [eu-west-1, eu-central-1]
    channels: [prod]
"""
REPOSITORY = ", ecr_configuration: {repository_name: team/unscanned, container_tags: [web]}"
CHANGED = (
    ESTATE.replace("boxes", "boxes\n  tags: {team: web}", 1)
    .replace("keep_newest: 20", "keep_newest: 20, image_tag_mutability: MUTABLE")
    .replace("image_scanning_enabled: true", f"image_scanning_enabled: true{REPOSITORY}")
)
TEMPLATE = """\
FROM {{{ imagebuilder:parentImage }}}
{{{ imagebuilder:environments }}}
{{{ imagebuilder:components }}}
# letter for letter: ${PORT} is the Dockerfile's, not Terraform's, and so is %{http_code}
ENV PORT=80 HEALTH="curl --write-out '%{http_code}' localhost:${PORT}"
"""


@dataclass(frozen=True)
class DeployedStack:
    """The stack, and what Image Builder and ECR have of it."""

    aws: LocalAws
    environment: Mapping[str, str]
    stack: Path
    synthesized: dict[str, Any]
    recorder: Recorder

    def terraform(self, *arguments: str) -> str:
        return self.recorder.run(*arguments, folder=self.stack, environ=self.environment)

    def build(self) -> str:
        """Starts a build; gives the digest that the channel `latest` has in both regions once it is over."""
        image_builder = self.aws.client("imagebuilder", region=HOME)
        arn = f"arn:aws:imagebuilder:{HOME}:000000000000:image-pipeline/{NAMESPACE}-web"
        before = self.latest()
        image_builder.start_image_pipeline_execution(imagePipelineArn=arn)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            now = self.latest()
            if now.keys() == {HOME, ABROAD} and not now.items() & before.items():
                digests = {value.partition("@")[2] for value in now.values()}
                assert len(digests) == 1, now
                return digests.pop()
            time.sleep(0.2)
        raise AssertionError(f"latest is {self.latest()}")

    def latest(self) -> dict[str, str]:
        """What the channel holds, by region."""
        name = f"/imagebuilder/{NAMESPACE}/web/latest"
        found = {
            region: self.aws.client("ssm", region=region).get_parameters(Names=[name]) for region in (HOME, ABROAD)
        }
        return {region: each["Value"] for region, answer in found.items() for each in answer["Parameters"]}

    def recipes(self) -> list[dict[str, Any]]:
        client = self.aws.client("imagebuilder", region=HOME)
        pages = client.get_paginator("list_container_recipes").paginate()
        arns = [each["arn"] for page in pages for each in page["containerRecipeSummaryList"]]
        named = [arn for arn in arns if f"/{NAMESPACE}-web/" in arn]
        return [client.get_container_recipe(containerRecipeArn=arn)["containerRecipe"] for arn in named]

    def scanning(self) -> dict[str, Any]:
        """How the pipeline scans."""
        pipelines = self.aws.client("imagebuilder", region=HOME).list_image_pipelines()["imagePipelineList"]
        (found,) = (each for each in pipelines if each["name"] == f"{NAMESPACE}_web")
        return dict(found["imageScanningConfiguration"])

    def repositories(self) -> dict[str, dict[str, Any]]:
        found = {}
        for region in (HOME, ABROAD):
            pages = self.aws.client("ecr", region=region).get_paginator("describe_repositories").paginate()
            for repository in (each for page in pages for each in page["repositories"]):
                if repository["repositoryName"].startswith(NAMESPACE):
                    found[region] = repository
        return found


@pytest.fixture
def world_of(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path: Path
) -> Callable[..., DeployedStack]:
    """Synthesizes the estate with a template and other changes and gives the world of its stack."""
    local_aws.client("inspector2", region=HOME).enable(resourceTypes=["ECR"])
    recorder = Recorder(local_aws)
    made_history(local_aws, image="web", region=HOME, namespace=NAMESPACE)  # which another stack makes

    def synthesized(template: str = TEMPLATE, estate: str = ESTATE) -> DeployedStack:
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "estate.yaml").write_text(estate)
        (tmp_path / "config" / "Dockerfile").write_text(template)
        stacks = synthesize(tmp_path / "config", tmp_path / "cdktf.out")
        folder = tmp_path / "cdktf.out" / "stacks" / "image-web"
        # which the provider would look for where it was started
        stacks["image-web"]["resource"]["aws_lambda_function"]["function"]["filename"] = str(folder / "handoff.zip")
        (folder / "cdk.tf.json").write_text(json.dumps(stacks["image-web"]))
        return DeployedStack(local_aws, shared_providers_environment, folder, stacks["image-web"], recorder)

    return synthesized


def test_container_image_is_created_changed_replaced_and_destroyed(
    world_of: Callable[..., DeployedStack], request: pytest.FixtureRequest
) -> None:
    world = world_of()
    world.terraform("init")
    world.terraform("apply", "-auto-approve")
    (recipe,) = world.recipes()
    assert recipe["dockerfileTemplateData"] == TEMPLATE
    assert recipe["targetRepository"] == {"service": "ECR", "repositoryName": f"{NAMESPACE}/web"}
    assert {region: each["imageTagMutability"] for region, each in world.repositories().items()} == {
        HOME: "IMMUTABLE",
        ABROAD: "IMMUTABLE",
    }
    assert world.scanning() == {"imageScanningEnabled": True}

    # the message, the function, the parameter: nothing here but what Terraform made
    first = world.build()
    ecr = world.aws.client("ecr", region=ABROAD)
    (image,) = ecr.describe_images(repositoryName=f"{NAMESPACE}/web")["imageDetails"]
    assert (image["imageDigest"], len(image["imageTags"])) == (first, 1)

    check_page(world, digest=first)

    # in place: what ECR and the pipeline let change; replaced: a recipe, to which the pipeline moves in between
    long = TEMPLATE + "#" * 20_000
    world = world_of(template=long, estate=CHANGED)
    changed = world.terraform("apply", "-auto-approve")
    assert "Resources: 2 added, 20 changed, 1 destroyed." in changed, changed
    assert {each["imageTagMutability"] for each in world.repositories().values()} == {"MUTABLE"}
    (now,) = world.recipes()
    assert now["dockerfileTemplateData"] == long, "through the bucket, letter for letter"
    assert now["arn"] != recipe["arn"]
    declared = {"repositoryName": "team/unscanned", "containerTags": ["web"]}
    assert world.scanning() == {"imageScanningEnabled": True, "ecrConfiguration": declared}
    plan = world.terraform("plan")
    assert "No changes." in plan, plan

    second = world.build()
    assert second != first

    with pytest.raises(terraform.TerraformError) as caught:
        world_of(template=long, estate=CHANGED.replace(REPOSITORY, "")).terraform("plan")
    assert (
        "Image web: its pipeline has a repository for scans, and AWS's provider cannot remove it. Name one: "
        "image_scanning.ecr_configuration: {repository_name: …}."
    ) in " ".join(str(caught.value).split())
    world.terraform("destroy", "-auto-approve")
    assert (world.recipes(), world.repositories()) == ([], {})

    account = "000000000000"
    assert world.recorder.refused(Estate(namespace=NAMESPACE, account=account), "images") == []
    check_called("images-of-containers", world.recorder.called(account), request)


def check_page(world: DeployedStack, *, digest: str) -> None:
    """The page's Terraform takes what the channel holds, and says so when that is gone."""
    (shown,) = re.findall(r"```terraform\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = world.stack.parent / "consumer"
    folder.mkdir()
    provider = f'provider "aws" {{\n  region = "{ABROAD}"\n}}\n'
    source = '{ source = "hashicorp/aws", version = ">= 5.100.0, < 7.0.0" }'
    required = f"terraform {{\n  required_providers {{\n    aws = {source}\n  }}\n}}\n"
    (folder / "main.tf").write_text(required + provider + shown.replace("acme/toolbox", f"{NAMESPACE}/web"))
    terraform.run("init", folder=folder, environ=world.environment)
    planned = terraform.run("plan", "-no-color", folder=folder, environ=world.environment)
    registry = f"000000000000.dkr.ecr.{ABROAD}.amazonaws.com"
    assert f'image     = "{registry}/{NAMESPACE}/web@{digest}"' in planned, planned
