"""Image Builder as the tests use it: a pipeline, a build, a refusal."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

REGION = "ap-northeast-1"
ACCOUNT = "000000000000"


MANAGED_PARENT = f"arn:aws:imagebuilder:{REGION}:aws:image/amazon-linux-2023-x86/x.x.x"


DOCUMENT = """\
name: example
schemaVersion: 1.0
parameters:
  - Port: {type: string, default: "80", description: where it listens}
  - Path: {type: string}
phases:
  - name: build
    steps:
      - {name: say, action: ExecuteBash, inputs: {commands: ["echo ${HOME} %{http_code}"]}}
"""


TEST_DOCUMENT = "{schemaVersion: 1.0, phases: [{name: test, steps: [{name: a, action: ExecuteBash}]}]}"


def make_pipeline(
    aws: LocalAws,
    name: str,
    *,
    account: str = ACCOUNT,
    parent: str = MANAGED_PARENT,
    regions: Sequence[str] = (REGION, "us-east-1"),
    **ami: Any,
) -> dict[str, str]:
    """A pipeline of an account, by the names of the ARN members, with its `topic`; `ami` says more of its AMIs."""
    image_builder = aws.client("imagebuilder", region=REGION, account=account)
    topic = aws.client("sns", region=REGION, account=account).create_topic(Name=name.replace(" ", "-"))["TopicArn"]
    component = image_builder.create_component(
        name=name, semanticVersion="1.0.0", platform="Linux", data=TEST_DOCUMENT
    )["componentBuildVersionArn"]
    recipe = image_builder.create_image_recipe(
        name=name, semanticVersion="1.2.3", parentImage=parent, components=[{"componentArn": component}]
    )["imageRecipeArn"]
    infrastructure = image_builder.create_infrastructure_configuration(
        name=name, instanceProfileName=instance_profile(aws, account), snsTopicArn=topic
    )["infrastructureConfigurationArn"]
    ami = {"name": "acme.web.{{ imagebuilder:buildDate }}", "amiTags": {"team": "platform"}, **ami}
    distribution = image_builder.create_distribution_configuration(
        name=name,
        distributions=[{"region": region, "amiDistributionConfiguration": ami} for region in regions],
    )["distributionConfigurationArn"]
    arns = {
        "imageRecipeArn": recipe,
        "infrastructureConfigurationArn": infrastructure,
        "distributionConfigurationArn": distribution,
    }
    made = image_builder.create_image_pipeline(name=name, **arns)
    return {
        **arns,
        "componentBuildVersionArn": component,
        "imagePipelineArn": made["imagePipelineArn"],
        "topic": topic,
    }


def instance_profile(aws: LocalAws, account: str = ACCOUNT) -> str:
    iam = aws.client("iam", account=account)
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_instance_profile(InstanceProfileName="builder")
    return "builder"


def build(image_builder: Any, pipeline: dict[str, str]) -> dict[str, Any]:
    """Run the pipeline; gives the image at the end."""
    started = image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])
    return list(followed(image_builder, started["imageBuildVersionArn"]))[-1]


def followed(image_builder: Any, arn: str) -> Iterator[dict[str, Any]]:
    """The image as it is, again and again until it has ended."""
    while True:
        image = image_builder.get_image(imageBuildVersionArn=arn)["image"]
        yield image
        if image["state"]["status"] in ("AVAILABLE", "FAILED", "CANCELLED"):
            return
        time.sleep(0.01)


def refusal(call: Callable[..., Any], **params: Any) -> str:
    """What the call is refused with: `ExceptionName: message`."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"
