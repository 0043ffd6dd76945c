"""What the steps of the demo look at, and what they find wrong: each function raises `StepFailed`."""

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.world import HOME, StepFailed, World, last_lines

HANDOFF = "acme_web_handoff"
FUNCTION = "acme_web-staging_rollout"
"""The function that rolls out the builds of web-staging."""
_LONGEST_SOAK, _LONGEST_ROLLOUT = 120.0, 120.0
"""Seconds."""


def instances(world: World, build: int, *, fleet: str = "web-dev", count: int = 2) -> Sequence[str]:
    """The fleet's instances with their AMI, which must be that of a build, by its place in `World.amis`."""
    amis = check_instances(world, build, fleet=fleet, count=count)
    return [f"{instance} runs {ami}" for instance, ami in amis.items()]


def automatic_instances(world: World, build: int) -> Sequence[str]:
    """Those of web-staging."""
    return [f"web-staging: {line}" for line in instances(world, build, fleet="web-staging", count=1)]


def check_instances(world: World, build: int, *, fleet: str = "web-dev", count: int = 2) -> dict[str, str]:
    """The AMIs of a fleet's instances, by their IDs. Raises `StepFailed` if they run another one."""
    ec2, wanted = world.aws.client("ec2", region=HOME), world.amis[build][HOME]
    groups = world.aws.client("autoscaling", region=HOME)
    (group,) = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[f"acme_{fleet}"])["AutoScalingGroups"]
    amis = {}
    for instance in group["Instances"]:
        template = instance["LaunchTemplate"]
        (version,) = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        amis[instance["InstanceId"]] = version["LaunchTemplateData"]["ImageId"]
    check(list(amis.values()) == [wanted] * count, f"{fleet} does not have {count} instances of {wanted}: {amis}")
    return amis


def soaked(world: World, build: int) -> str:
    """Wait until `staging` has taken a build; gives its AMI. On AWS a schedule runs the hand-off every hour."""
    function, ssm = world.aws.client("lambda", region=HOME), world.aws.client("ssm", region=HOME)
    wanted, until = world.amis[build][HOME], time.monotonic() + _LONGEST_SOAK
    while channel_value(ssm, "staging") != wanted:
        check(time.monotonic() < until, f"staging has not taken over {wanted}")
        world.pause(seconds=1)
        function.invoke(FunctionName=HANDOFF, Payload=b"{}")
    return wanted


def channel_value(ssm: Any, channel: str) -> str:
    """What a channel points to; empty before its first build."""
    parameters = ssm.get_parameters(Names=[f"/imagebuilder/acme/web/{channel}"])["Parameters"]
    return "".join(parameter["Value"] for parameter in parameters)


def run_function(world: World, end: str) -> str:
    """Run the function of web-staging until the rollout that it starts has ended, which must be as `end`; gives two
    lines."""
    runs, until = [_one_run(world)], time.monotonic() + _LONGEST_ROLLOUT
    while runs[-1]["next"] == "follow":
        check(time.monotonic() < until, f"the rollout of web-staging has not ended: {runs[-1]}")
        world.pause(seconds=1)
        runs.append(_one_run(world))
    check([runs[0]["next"], runs[-1]["next"]] == ["follow", end], f"the function of web-staging said {runs}")
    how = "; ".join(runs[-1].get("reasons", ["succeeded"]))
    return (
        f"web-staging: its function, which a schedule runs on AWS and the demo here, rolls out {runs[0]['build']}\n"
        f"web-staging: the rollout {how}"
    )


def _one_run(world: World) -> Mapping[str, Any]:
    """What a run of the function says, which is one line of JSON."""
    function = world.aws.client("lambda", region=HOME)
    answer = function.invoke(FunctionName=FUNCTION, Payload=b"{}", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    check("FunctionError" not in answer, "the function of web-staging failed", log)
    line: Mapping[str, Any] = json.loads(found(r"(?m)^([{].*[}])$", log))
    return line


def resources(state: Path) -> list[Any]:
    """Those in a state of Terraform."""
    found: list[Any] = json.loads(state.read_text())["resources"]
    return found


def check(holds: bool, problem: str, output: str = "") -> None:
    """`problem` says what is wrong if something does not hold; `output` is what a command printed."""
    if not holds:
        raise StepFailed(f"{problem}\n{last_lines(output)}".rstrip())


def found(pattern: str, output: str) -> str:
    """The first group of a pattern that has to be in an output."""
    match = re.search(pattern, output)
    if match is None:
        raise StepFailed(f"did not show {pattern!r}:\n{last_lines(output)}")
    return match[1]


def joined(output: str) -> str:
    """An output in one line, without the line breaks, indents and frames of Terraform and cdktf."""
    return " ".join(re.sub(r"^(image|fleet)-[a-z-]+|[│╷╵]", " ", output, flags=re.MULTILINE).split())
