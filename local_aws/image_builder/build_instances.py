"""Build instances: how EC2 would refuse to start one. No instance is ever started here.

The messages are those of RunInstances as users quote them; the sentence around them ("…RunInstances… in workflow step
LaunchBuildInstance") is from AWS's sample "Debug a failed image build".
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.image_builder.parent_images import ParentImage


def launch_failure(parent: ParentImage, *, infrastructure: Mapping[str, Any]) -> str | None:
    """The reason why a build's instance cannot be started, or None."""
    refusal = _refusal(parent, infrastructure)
    if refusal is None:
        return None
    code, message = refusal
    return (
        f"Workflow Execution ID: 'wf-{uuid.uuid4()}' failed with reason: An error occurred ({code}) when calling the "
        f"RunInstances operation: {message} in workflow step LaunchBuildInstance"
    )


def _refusal(parent: ParentImage, infrastructure: Mapping[str, Any]) -> tuple[str, str] | None:
    for instance_type in infrastructure.get("instanceTypes", ()):
        architecture = _architecture(instance_type)
        if architecture != parent.architecture:
            return "InvalidParameterValue", (
                f"The architecture '{architecture}' of the specified instance type does not match the architecture "
                f"'{parent.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching "
                "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover "
                "the architecture of the instance type or AMI."
            )
    if parent.platform == "macOS" and infrastructure.get("placement", {}).get("tenancy") != "host":
        return "Unsupported", (
            "The requested configuration is currently not supported. Please check the documentation for supported "
            "configurations."
        )
    return None


def _architecture(instance_type: str) -> str:
    """By EC2's naming: a `g` after the generation is Graviton (t4g, im4gn), as is a1; mac1 is the only Intel Mac."""
    if instance_type.startswith("mac"):
        return "x86_64_mac" if instance_type.startswith("mac1.") else "arm64_mac"
    return "arm64" if re.match(r"[a-z]+\d+g|a1\.", instance_type) else "x86_64"
