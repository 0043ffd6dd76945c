"""An image's stack on the local AWS, made from its Terraform by the API instead of by Terraform, which takes a minute.

It has what a build needs: components, recipe, configurations and pipeline, with the instance profile and the topic. The
service model gives the names and shapes of Terraform's arguments in a request.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from botocore import xform_name

from lambda_src.handoff.configuration import image_of
from lambda_src.handoff.handler import respond
from lambda_src.handoff.outputs import Amis
from lambda_src.handoff.run import Target
from local_aws.server import LocalAws
from tests.support.estates import configuration
from tests.support.handoff_world import SCHEDULE, made_history
from tests.support.requests import request

_MADE = ("component", "image_recipe", "infrastructure_configuration", "distribution_configuration", "image_pipeline")
_INSTANCE_CONFIGURATION = ("systems_manager_agent", "user_data_base64")


class Stack:
    """The stack of an image in its home region, as synthesized, and made."""

    def __init__(self, terraform: Mapping[str, Any], *, aws: LocalAws, out: Path) -> None:
        """`out` is the folder that it was synthesized into."""
        found = configuration(out / "stacks" / terraform["//"]["metadata"]["stackName"])
        assert found is not None
        self._configuration = found
        self._resources: Mapping[str, Mapping[str, Any]] = terraform["resource"]
        self.region = terraform["provider"]["aws"][0]["region"]
        self._aws = aws
        self._image_builder = aws.client("imagebuilder", region=self.region)
        self._known = {"data.aws_caller_identity.account.account_id": "000000000000"}
        self._make()

    def build(self) -> dict[str, Any]:
        """Run the pipeline to its end; the image (GetImage)."""
        pipeline = self._known["aws_imagebuilder_image_pipeline.pipeline.arn"]
        started = self._image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline)
        while True:
            answer = self._image_builder.get_image(imageBuildVersionArn=started["imageBuildVersionArn"])
            image: dict[str, Any] = answer["image"]
            if image["state"]["status"] in ("AVAILABLE", "FAILED"):
                return image

    def hand_off(self) -> Mapping[str, Any]:
        """Run the function with what the stack gives it; its line in the log."""
        environment = self._resolved(self._resources["aws_lambda_function"]["function"]["environment"]["variables"])
        written = io.StringIO()
        with redirect_stdout(written):
            respond(
                SCHEDULE,
                image=image_of(self._configuration, environment=environment),
                imagebuilder=self._image_builder,
                targets=[
                    self._target(region, architecture=self._configuration.architecture)
                    for region in self._configuration.regions
                ],
                history=made_history(self._aws, image=self._configuration.image, region=self.region),
                by="arn:aws:lambda:us-east-1:000000000000:function:handoff",
            )
        line: Mapping[str, Any] = json.loads(written.getvalue())
        return line

    def _target(self, region: str, *, architecture: str) -> Target:
        outputs = Amis(self._aws.client("ec2", region=region), region, architecture)
        return Target(region, outputs=outputs, ssm=self._aws.client("ssm", region=region))

    def _make(self) -> None:
        (profile,) = self._resources["aws_iam_instance_profile"].values()
        self._aws.client("iam").create_instance_profile(InstanceProfileName=profile["name"])
        (topic,) = self._resources["aws_sns_topic"].values()
        made = self._aws.client("sns", region=self.region).create_topic(Name=topic["name"])
        self._known["aws_sns_topic.topic.arn"] = made["TopicArn"]
        # the bucket, in which builds would write their logs, has a name of Terraform's making
        self._known["aws_s3_bucket.logs.bucket"] = self._resources["aws_s3_bucket"]["logs"]["bucket_prefix"] + "1"
        for kind in _MADE:
            for name, arguments in self._resources[f"aws_imagebuilder_{kind}"].items():
                self._known[f"aws_imagebuilder_{kind}.{name}.arn"] = self._create(kind, self._resolved(arguments))

    def _create(self, kind: str, arguments: Mapping[str, Any]) -> str:
        operation = f"Create{kind.title().replace('_', '')}"
        shape = self._image_builder.meta.service_model.operation_model(operation).input_shape
        outer = {key: value for key, value in arguments.items() if key not in _INSTANCE_CONFIGURATION}
        if inner := {key: value for key, value in arguments.items() if key in _INSTANCE_CONFIGURATION}:
            outer["additional_instance_configuration"] = inner
        answer = getattr(self._image_builder, xform_name(operation))(**request(outer, shape))
        (arn,) = (value for key, value in answer.items() if key.endswith("Arn"))
        return str(arn)

    def _resolved(self, value: Any) -> Any:
        """With what Terraform would put for references, and its escapes undone."""
        if isinstance(value, dict):
            return {key: self._resolved(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolved(inner) for inner in value]
        if not isinstance(value, str):
            return value
        text = re.sub(r"(?<!\$)\$\{([a-z0-9_.-]+)\}", lambda match: self._attribute(match[1]), value)
        return text.replace("$${", "${").replace("%%{", "%{")

    def _attribute(self, reference: str) -> str:
        """The value of a reference: what AWS returned, otherwise what was written."""
        if reference in self._known:
            return self._known[reference]
        kind, name, attribute = reference.split(".")
        return str(self._resolved(self._resources[kind][name][attribute]))
