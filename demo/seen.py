"""What the steps of the demo look at, and what they find wrong: each function raises `StepFailed`."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from demo.world import HOME, PROJECT, StepFailed, World, last_lines

INSTANCES = {"web-dev": 2, "web-staging": 1, "web-prod": 2}
"""How many each fleet has."""
_LONGEST = 180.0
"""Seconds until a soak or a rollout must have ended."""


def arrived(world: World) -> str:
    """The components whose text in Image Builder is that of their file, although `${…}` and `%{…}` mean something to
    Terraform."""
    builder = world.aws.client("imagebuilder", region=HOME)
    files = {"http-responds": PROJECT / "components" / "http-responds" / "linux.yaml"}
    files["app"] = world.config / "components" / "app.yaml"
    texts = {name: file.read_text() for name, file in files.items()}
    check(
        "%{" in texts["http-responds"] and "${" in texts["app"],
        "the sample has no text that Terraform could mistake for its own",
    )
    for version in builder.list_components()["componentVersionList"]:
        name = version["name"].rpartition("_")[2]
        if name in texts:
            arn = f"{version['arn']}/1"
            arrived = builder.get_component(componentBuildVersionArn=arn)["component"]["data"]
            check(arrived == texts.pop(name), f"component {name} arrived changed", arrived)
    check(not texts, f"components that did not arrive: {', '.join(texts)}")
    return ", ".join(files)


def instances(world: World, fleet: str, build: int) -> Sequence[str]:
    """The instances of a fleet, all of which must have the AMI of a build, by its place in `World.amis`."""
    amis, wanted = _amis(world, fleet), world.amis[build][HOME]
    count = INSTANCES[fleet]
    check([*amis.values()] == [wanted] * count, f"{fleet} does not have {count} instances of {wanted}: {amis}")
    return [f"{fleet}: {instance} runs {ami}" for instance, ami in amis.items()]


def _amis(world: World, fleet: str) -> dict[str, str]:
    """The AMIs of a fleet's instances, by their IDs."""
    ec2 = world.aws.client("ec2", region=HOME)
    groups = world.aws.client("autoscaling", region=HOME)
    (group,) = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[f"acme_{fleet}"])["AutoScalingGroups"]
    amis = {}
    for instance in group["Instances"]:
        template = instance["LaunchTemplate"]
        (version,) = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        amis[instance["InstanceId"]] = version["LaunchTemplateData"]["ImageId"]
    return amis


def soaked(world: World, build: int) -> str:
    """Wait until `staging` has taken a build; gives the line of its history."""
    wait_for(world, "staging", build)
    move = world.goldsmith("history", "web@staging").splitlines()[-1]
    check("soaked" in move, "the history does not say that it soaked", move)
    return move


def wait_for(world: World, channel: str, build: int) -> None:
    """Wait until a channel points to a build."""
    ssm, wanted, until = world.aws.client("ssm", region=HOME), world.amis[build][HOME], time.monotonic() + _LONGEST
    while channel_value(ssm, channel) != wanted:
        check(time.monotonic() < until, f"{channel} does not point to {wanted}")
        world.pause(seconds=1)


def channel_value(ssm: Any, channel: str) -> str:
    """What a channel points to; empty before its first build."""
    parameters = ssm.get_parameters(Names=[f"/imagebuilder/acme/web/{channel}"])["Parameters"]
    return "".join(parameter["Value"] for parameter in parameters)


def rolled_out(world: World, fleet: str, channel: str, build: int, *, end: str) -> Sequence[str]:
    """Wait until the function of a fleet has rolled out what its channel points to, which must have ended as `end`; one
    line for each thing that happened."""
    ssm, wanted, until = world.aws.client("ssm", region=HOME), world.amis[build][HOME], time.monotonic() + _LONGEST
    while not (attempt := _last_attempt(ssm, fleet, wanted)).get("end"):
        check(time.monotonic() < until, f"the rollout of {wanted} in {fleet} has not ended: {attempt}")
        world.pause(seconds=1)
    check(attempt["end"] == end, f"the rollout in {fleet} ended otherwise than {end}: {attempt}")
    moved = ssm.get_parameter(Name=f"/imagebuilder/acme/web/{channel}")["Parameter"]["LastModifiedDate"]
    how = f"{end}: {attempt['reason']}" if "reason" in attempt else end
    return [
        f"{moved.astimezone(UTC):%H:%M:%S} {channel} points to {attempt['build']}",
        f"{attempt['started'][11:19]} {fleet}: its function, acme_{fleet}_rollout, starts the rollout",
        f"{attempt['ended'][11:19]} {fleet}: {how}",
    ]


def _last_attempt(ssm: Any, fleet: str, ami: str) -> Mapping[str, str]:
    """The last rollout of an AMI in a fleet's record; empty if there is none."""
    parameters = ssm.get_parameters(Names=[f"/goldsmith/acme/fleets/{fleet}"])["Parameters"]
    attempts = [attempt for each in parameters for attempt in json.loads(each["Value"])["attempts"]]
    return next((attempt for attempt in attempts if attempt.get("ami") == ami), {})


def reasons(world: World) -> Sequence[str]:
    """What `goldsmith status` says below its tables: what each channel and fleet waits for."""
    return [line for line in world.goldsmith("status").splitlines() if line.startswith(("web: ", "fleet "))]


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
