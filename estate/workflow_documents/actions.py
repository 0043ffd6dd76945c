"""The step actions of workflow documents: data.

Source: "Supported step actions for your workflow document" in the user guide of EC2 Image Builder. Where its own
examples use an output that its tables lack, the examples count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Stage = Literal["build", "test", "distribution"]
"""What a workflow is for. Stages run in this order."""

_ANY: tuple[Stage, ...] = ("build", "test", "distribution")
_DISTRIBUTION: tuple[Stage, ...] = ("distribution",)
_DAY = 86_400
_COMMAND = ("runCommandId", "status", "output")


@dataclass(frozen=True, kw_only=True)
class StepAction:
    """In which stages an action runs, and what goes in and comes out."""

    stages: tuple[Stage, ...] = _ANY
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that an input takes, where they are counted."""
    json: tuple[str, ...] = ()
    """The inputs whose text is JSON."""
    outputs: tuple[str, ...] = ()
    longest_in_seconds: int = _DAY // 2
    """The highest `timeoutSeconds`."""
    needs_own_role: bool = False
    """Whether AWS does not say what the execution role must be allowed for it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs that it knows."""
        return (*self.required, *self.optional)


def _on_instance(**others: tuple[Stage, ...] | int | bool) -> StepAction:
    """An action that runs a command on the instance of an earlier step."""
    return StepAction(required=("instanceId",), outputs=_COMMAND, **others)  # type: ignore[arg-type]


STEP_ACTIONS: Mapping[str, StepAction] = MappingProxyType(
    {
        "ApplyImageConfigurations": StepAction(
            stages=_DISTRIBUTION,
            required=("distributedImages",),
            optional=("configurations",),
            outputs=("configuredImages",),
        ),
        "BootstrapInstanceForContainer": _on_instance(),
        "CollectImageMetadata": StepAction(required=("instanceId",), outputs=("osVersion", "associationId")),
        "CollectImageScanFindings": _on_instance(stages=("test",)),
        "CreateImage": StepAction(required=("instanceId",), outputs=("imageId",), longest_in_seconds=3 * _DAY),
        "CreateImageFromIso": StepAction(
            required=("instanceId",), outputs=("amiName", "snapshotId", "architecture"), needs_own_role=True
        ),
        "DistributeContainerImage": StepAction(
            stages=_DISTRIBUTION, required=("instanceId",), outputs=("status", "succeededRegions", "failedRegions")
        ),
        "DistributeImage": StepAction(
            stages=_DISTRIBUTION, optional=("distributions",), outputs=("distributedImages",)
        ),
        "ExecuteComponents": _on_instance(stages=("build", "test"), longest_in_seconds=_DAY),
        "ExecuteStateMachine": StepAction(
            required=("stateMachineArn",),
            optional=("input",),
            json=("input",),
            outputs=("executionArn", "output"),
            longest_in_seconds=_DAY,
        ),
        "LaunchInstance": StepAction(
            required=("waitFor",),
            optional=("imageIdOverride", "instanceTypesOverride", "healthCheck"),
            choices=MappingProxyType({"waitFor": ("ssmAgent",), "healthCheck": ("RUNNING", "STATUS_CHECK_PASSED")}),
            outputs=("instanceId", "instanceType"),
        ),
        "ModifyImageAttributes": StepAction(
            stages=_DISTRIBUTION,
            required=("distributedImages",),
            optional=("attributes",),
            outputs=("modifiedImages",),
            longest_in_seconds=_DAY // 8,
        ),
        "RegisterImage": StepAction(
            optional=(
                "architecture",
                "blockDeviceMapping",
                "bootMode",
                "description",
                "enaSupport",
                "imageLocation",
                "imdsSupport",
                "includeSnapshotTags",
                "kernelId",
                "ramdiskId",
                "rootDeviceName",
                "sriovNetSupport",
                "tpmSupport",
                "uefiData",
                "virtualizationType",
            ),
            outputs=("imageId",),
        ),
        "RunCommand": StepAction(
            required=("instanceId", "documentName"), optional=("parameters", "documentVersion"), outputs=_COMMAND
        ),
        "RunSysPrep": _on_instance(),
        "SanitizeInstance": _on_instance(),
        "TerminateInstance": StepAction(required=("instanceId",), optional=("waitForTermination",)),
        "WaitForAction": StepAction(
            optional=("snsTopicArn", "lambdaFunctionName", "payload"),
            json=("payload",),
            outputs=("action", "reason"),
            longest_in_seconds=7 * _DAY,
        ),
        "WaitForSSMAgent": StepAction(
            required=("instanceId",), outputs=("status", "Status"), longest_in_seconds=_DAY // 8
        ),
    }
)

OPERATORS = (
    "booleanEquals",
    "numberEquals",
    "numberGreaterThan",
    "numberGreaterThanEquals",
    "numberLessThan",
    "numberLessThanEquals",
    "stringEquals",
)
"""Comparison operators of conditions. Source: "Use conditional statements in your workflow steps"."""

SYSTEM_VARIABLES = (
    "cloudWatchLogGroup",
    "cloudWatchLogStream",
    "collectImageMetadata",
    "collectImageScanFindings",
    "dateTime",
    "imageBuildNumber",
    "imageId",
    "imageName",
    "imageType",
    "imageVersionNumber",
    "instanceProfileName",
    "platform",
    "s3Logs",
    "securityGroups",
    "sourceImageARN",
    "subnetId",
    "terminateInstanceOnFailure",
    "workflowPhase",
    "workingDirectory",
)
"""What stands below `$.imagebuilder`, as far as it is known; AWS may have more. Source: "Use dynamic variables in your
workflow document"."""
