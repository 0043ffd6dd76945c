"""The permissions to run workflows: AWS's EC2ImageBuilderExecutionPolicy, limited to this image.

AWS's policy allows what the service-linked role may do ("Service access" in Image Builder's user guide): for all images
of the account, in all regions, and for all actions of workflows. Here each action of the image's workflows adds the
statements that it needs, with the names in the documents and their parameters. Statements that AWS has without a
resource are limited to the image's regions.
"""

from collections.abc import Iterable, Iterator, Sequence

from estate.models.images import Image
from estate.recipes.workflows import WorkflowRun
from estate.workflow_documents.actions import Stage
from stacks.image.execution_role.instances import instance_statements
from stacks.image.logs import build_log_arns, pipeline_log_arns
from stacks.image.scope import ImageScope
from stacks.policy import Statement

_MANAGED: dict[Stage, tuple[str, ...]] = {
    "build": (
        "LaunchInstance",
        "BootstrapInstanceForContainer",
        "ExecuteComponents",
        "CollectImageMetadata",
        "RunSysPrep",
        "SanitizeInstance",
        "CreateImage",
        "TerminateInstance",
    ),
    "test": ("LaunchInstance", "CollectImageScanFindings", "ExecuteComponents", "TerminateInstance"),
    "distribution": ("LaunchInstance", "DistributeImage", "DistributeContainerImage", "TerminateInstance"),
}
"""The actions of Image Builder's own workflows."""


def execution_statements(runs: Sequence[WorkflowRun], scope: ImageScope) -> list[Statement]:
    """The statements of the execution role."""
    actions = {action for run in runs for action in _actions(run)}
    return [
        *instance_statements(actions, _documents(runs), scope),
        *scope.kind.execution_statements(actions, scope),
        *_approvals(runs, scope),
        *_state_machines(runs),
        *_parent(scope),
        *_logs_and_topic(scope),
        _deny_other_regions(scope.image),
    ]


def _deny_other_regions(image: Image) -> Statement:
    """Limits the statements without a region to the image's regions."""
    return {
        "Sid": "DenyOtherRegions",
        "Effect": "Deny",
        "Action": ["ec2:*", "events:*", "inspector2:*", "kms:*", "ssm:*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": list(image.regions)}},
    }


def _actions(run: WorkflowRun) -> Iterable[str]:
    return (step.action for step in run.document.steps) if run.document else _MANAGED[run.stage]


def _documents(runs: Sequence[WorkflowRun]) -> Iterator[str]:
    """The command documents in workflows."""
    yield from _values(runs, "RunCommand", "documentName", "*")
    if any("update-ssm-agent" in run.short_name for run in runs if not run.document):
        # the only workflow of Image Builder with a command document of its own (SummitRoute/aws_managed_policies#6)
        yield "AWS-UpdateSSMAgent"


def _values(runs: Iterable[WorkflowRun], action: str, name: str, unknown: str) -> list[str]:
    """The values of an input in all workflows; `unknown` for a value that is known only during a build."""
    given = (
        value for run in runs if run.document for value in run.document.values_of(action, name, dict(run.parameters))
    )
    return sorted({unknown if value is None else value for value in given})


def _approvals(runs: Sequence[WorkflowRun], scope: ImageScope) -> Iterator[Statement]:
    """For `WaitForAction`. A topic may have a key that is not known here."""
    if topics := _values(runs, "WaitForAction", "snsTopicArn", scope.arn("sns", "*")):
        yield {"Sid": "PublishApprovalRequests", "Action": "sns:Publish", "Resource": topics}
        yield {
            "Sid": "EncryptApprovalRequests",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": scope.arn("kms", "key/*", account="*"),
            "Condition": {"StringEquals": {"kms:ViaService": f"sns.{scope.image.home}.amazonaws.com"}},
        }
    if functions := _values(runs, "WaitForAction", "lambdaFunctionName", "*"):
        arns = [each if each.startswith("arn:") else scope.arn("lambda", f"function:{each}") for each in functions]
        yield {"Sid": "InvokeApprovalFunctions", "Action": "lambda:InvokeFunction", "Resource": arns}


def _state_machines(runs: Sequence[WorkflowRun]) -> Iterator[Statement]:
    if machines := _values(runs, "ExecuteStateMachine", "stateMachineArn", "*"):
        executions = [
            each.replace(":stateMachine:", ":execution:") + ":*" if each != "*" else each for each in machines
        ]
        yield {"Sid": "StartStateMachines", "Action": "states:StartExecution", "Resource": machines}
        yield {"Sid": "DescribeExecutions", "Action": "states:DescribeExecution", "Resource": executions}


def _parent(scope: ImageScope) -> Iterator[Statement]:
    """For a parent in a parameter, which a build reads when it starts."""
    parent = scope.declared.parent or ""
    if parent.startswith("ssm:/"):
        # ARNs of AWS's own parameters have no account
        owner = "" if parent.startswith("ssm:/aws/") else scope.account
        resource = scope.arn("ssm", f"parameter{parent.removeprefix('ssm:')}", account=owner)
        yield {"Sid": "ReadParentParameter", "Action": "ssm:GetParameter", "Resource": resource}


def _logs_and_topic(scope: ImageScope) -> Iterator[Statement]:
    yield {
        "Sid": "WriteBuildLog",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [
            *build_log_arns(scope),
            *pipeline_log_arns(scope),
        ],
    }
    yield {"Sid": "PublishBuilds", "Action": "sns:Publish", "Resource": scope.topic.arn}
    yield {
        "Sid": "EncryptMessages",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": scope.kms_key,
        "Condition": {"StringEquals": {"kms:ViaService": f"sns.{scope.image.home}.amazonaws.com"}},
    }
