"""What the commands need to be allowed, and whether IAM and EC2 allow it, without doing any of it.

Policies are simulated for the user or role of the credentials. EC2 can be asked directly, by calls that are dry runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from estate.arns import Arn
from estate.estate import EstateFleet, EstateImage
from estate.models.images import Image
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.finding import MISSING, UNKNOWN, Finding

_READ_EC2 = ("describe_images", "describe_instances", "describe_launch_template_versions")
_MOST_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Need:
    """Actions that a command needs on resources."""

    command: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


def needs_of(images: Sequence[EstateImage[Image]], fleets: Sequence[EstateFleet], *, account: str) -> list[Need]:
    """What `status` and `build` need in an account, apart from EC2, which `check_ec2` asks."""
    needs: list[Need] = []
    if images:
        pipelines = tuple(image.image_builder_arn("image-pipeline", account=account) for image in images)
        builds = tuple(f"{image.image_builder_arn('image', account=account)}/1.0.0/1" for image in images)
        paths = tuple(image.arn("ssm", f"parameter{image.names.path}", account=account) for image in images)
        read = ("imagebuilder:GetImagePipeline", "imagebuilder:ListImagePipelineImages")
        needs += [
            Need(command="status", actions=read, resources=pipelines),
            Need(command="status", actions=("imagebuilder:GetImage",), resources=builds),
            Need(command="status", actions=("ssm:GetParametersByPath",), resources=paths),
            Need(
                command="status",
                actions=("ssm:GetParameterHistory",),
                resources=tuple(f"{path}/latest" for path in paths),
            ),
            Need(command="build", actions=("imagebuilder:StartImagePipelineExecution",), resources=pipelines),
            Need(command="build", actions=("imagebuilder:TagResource",), resources=builds),
        ]
    repositories = tuple(
        image.arn("ecr", f"repository/{image.repository}", account=account) for image in images if image.repository
    )
    if repositories:
        needs.append(Need(command="status", actions=("ecr:DescribeImages",), resources=repositories))
    if fleets:
        read = ("autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes")
        needs.append(Need(command="status", actions=read, resources=("*",)))
    return needs


def check_policies(needs: Sequence[Need], *, aws: Aws, home: str, place: str) -> Iterator[Finding]:
    """A line for each command. `place` follows the command's name."""
    try:
        principal = _principal(aws, home)
        denied = {need: list(_denied(need, principal, aws, home)) for need in needs} if principal else {}
    except OpsError as error:
        yield Finding(
            subject=f"permissions{place}",
            state=UNKNOWN,
            text=f"they could not be simulated: {error}",
        )
        return
    for command in dict.fromkeys(need.command for need in needs):
        subject = f"permissions of goldsmith {command}{place}"
        missing = [text for need in denied for text in denied[need] if need.command == command]
        if missing:
            more = f" and {len(missing) - _MOST_SHOWN} more" if missing[_MOST_SHOWN:] else ""
            text = f"not allowed: {', '.join(missing[:_MOST_SHOWN])}{more}"
            yield Finding(subject=subject, state=MISSING, text=text, remedy="ask for these permissions")
        else:
            who = principal or "the root user, who may do everything"
            yield Finding(subject=subject, text=f"allowed to {who}")


def check_ec2(regions: Sequence[str], *, aws: Aws, place: str) -> Finding:
    """What `status` and `doctor` read from EC2, in each region, as dry runs."""
    subject = f"permissions in EC2{place}"
    denied: list[str] = []
    try:
        for region in regions:
            denied += [f"{operation} in {region}" for operation in _READ_EC2 if not _may(operation, aws, region)]
    except OpsError as error:
        return Finding(subject=subject, state=UNKNOWN, text=str(error))
    if denied:
        text = f"not allowed: {', '.join(denied)}"
        return Finding(subject=subject, state=MISSING, text=text, remedy="ask for these permissions")
    return Finding(subject=subject, text=f"allowed in {', '.join(regions)}")


def _principal(aws: Aws, home: str) -> str:
    """The user or role whose policies decide; empty for the root user, which no policy limits. Raises `OpsError`."""
    caller = Arn.parse(aws.caller)
    kind, _, rest = caller.resource.partition("/")
    if caller.resource == "root":
        return ""
    if caller.service == "iam":
        return aws.caller
    if kind != "assumed-role":
        raise OpsError(f"IAM cannot simulate the policies of {aws.caller}")
    name = rest.partition("/")[0]
    try:
        with asking(home):  # the ARN of a session lacks the path of the role
            return str(aws.iam(home).get_role(RoleName=name)["Role"]["Arn"])
    except OpsError:
        return str(Arn(caller.partition, "iam", "", caller.account, f"role/{name}"))


def _denied(need: Need, principal: str, aws: Aws, home: str) -> Iterator[str]:
    """The actions that are not allowed, each with its resource. Raises `OpsError`."""
    with asking(home):
        pages = aws.iam(home).get_paginator("simulate_principal_policy")
        for page in pages.paginate(
            PolicySourceArn=principal, ActionNames=[*need.actions], ResourceArns=[*need.resources]
        ):
            for result in page["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    resource = result.get("EvalResourceName", "*")
                    yield result["EvalActionName"] + (f" on {resource}" if resource != "*" else "")


def _may(operation: str, aws: Aws, region: str) -> bool:
    """Whether EC2 allows an operation. Raises `OpsError` when it does not say."""
    with asking(region):
        arguments = {"Versions": ["$Latest"]} if operation == "describe_launch_template_versions" else {}
        try:
            getattr(aws.ec2(region), operation)(DryRun=True, **arguments)
        except ClientError as error:
            code = error.response["Error"].get("Code") or ""
            if code == "DryRunOperation" or code.startswith("InvalidLaunchTemplate"):  # the dry run named none
                return True
            if code == "UnauthorizedOperation":
                return False
            raise
        return True
