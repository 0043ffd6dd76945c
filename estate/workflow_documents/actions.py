"""The step actions of workflow documents: data.

Source: "Supported step actions for your workflow document" in the user guide of EC2 Image Builder. Where its own
examples use an output that its tables lack, the examples count.
"""

import json
import re
from typing import Any, Literal

from estate.documents import actions, must, words

Stage = Literal["build", "test", "distribution"]
"""What a workflow is for. Stages run in this order."""

IN_TEXT = re.compile(r"\{\{\s*(\$\.[^\s{}]+)\s*\}\}")
"""A variable within text."""


def is_variable(value: Any) -> bool:
    """Whether a value is a variable."""
    return isinstance(value, str) and value.startswith("$.")


def _is_json(value: Any) -> bool:
    """Whether a value is JSON text once its variables have values; a number fits in every place."""
    try:
        json.loads(IN_TEXT.sub("0", value if isinstance(value, str) else ""))
    except ValueError:
        return is_variable(value)  # which is taken for text here, and reported for every input
    return True


_JSON = must("must be JSON, as text", _is_json, """write for example '{"imageId": "{{ $.stepOutputs.….imageId }}"}'""")
_HEALTH = ("RUNNING", "STATUS_CHECK_PASSED")

# only: the stages, if it does not run in all; hours: the longest timeout, if it is not 12; own role: AWS does not say
# what the execution role must be allowed for it
STEP_ACTIONS = actions(
    """
ApplyImageConfigurations: distributedImages [configurations] -> configuredImages; only distribution
BootstrapInstanceForContainer RunSysPrep SanitizeInstance: instanceId -> runCommandId status output
CollectImageMetadata: instanceId -> osVersion associationId
CollectImageScanFindings: instanceId -> runCommandId status output; only test
CreateImage: instanceId -> imageId; hours 72
CreateImageFromIso: instanceId -> amiName snapshotId architecture; own role
DistributeContainerImage: instanceId -> status succeededRegions failedRegions; only distribution
DistributeImage: [distributions] -> distributedImages; only distribution
ExecuteComponents: instanceId -> runCommandId status output; only build test; hours 24
ExecuteStateMachine: stateMachineArn [input] -> executionArn output; hours 24
LaunchInstance: waitFor [imageIdOverride instanceTypesOverride healthCheck] -> instanceId instanceType
ModifyImageAttributes: distributedImages [attributes] -> modifiedImages; only distribution; hours 3
RegisterImage: [architecture blockDeviceMapping bootMode description enaSupport imageLocation imdsSupport
  includeSnapshotTags kernelId ramdiskId rootDeviceName sriovNetSupport tpmSupport uefiData virtualizationType]
  -> imageId
RunCommand: instanceId documentName [parameters documentVersion] -> runCommandId status output
TerminateInstance: instanceId [waitForTermination]
WaitForAction: [snsTopicArn lambdaFunctionName payload] -> action reason; hours 168
WaitForSSMAgent: instanceId -> status Status; hours 3
""",
    checks={
        "waitFor": must("must be ssmAgent", ("ssmAgent",).__contains__),
        "healthCheck": must(f"must be {' or '.join(_HEALTH)}", _HEALTH.__contains__),
        "input": _JSON,
        "payload": _JSON,
    },
)

OPERATORS = words(
    "booleanEquals numberEquals numberGreaterThan numberGreaterThanEquals numberLessThan numberLessThanEquals "
    "stringEquals"
)
"""Comparison operators of conditions. Source: "Use conditional statements in your workflow steps"."""

SYSTEM_VARIABLES = words(
    "cloudWatchLogGroup cloudWatchLogStream collectImageMetadata collectImageScanFindings dateTime imageBuildNumber "
    "imageId imageName imageType imageVersionNumber instanceProfileName platform s3Logs securityGroups sourceImageARN "
    "subnetId terminateInstanceOnFailure workflowPhase workingDirectory"
)
"""The names below `$.imagebuilder`, as far as they are known; AWS may have more. Source: "Use dynamic variables in your
workflow document"."""
