"""What Goldsmith is for, as a list of steps that check their own results.

An image is built, its AMI is handed off, and a fleet runs it. The build soaks and is promoted. A component changes, a
second build is made, and the fleet's plan shows its AMI. A first rollout is rolled back, a second one replaces all
instances, and the second build is revoked. At last everything is destroyed. `make demo` shows the steps, and the
end-to-end test runs them. They use what a team uses, the `cdktf` command and `goldsmith`, against the local AWS and in
a temporary folder: the project and its `state/` are not changed.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from demo.world import HOME, PROJECT, StepFailed, World, last_lines

SECOND = "us-east-1"
FUNCTION = "acme_web_handoff"
SOAK, SHORT_SOAK = "soak: 1 day", "soak: 1 minute"
HISTORY, IMAGE, FLEET = f"history-{HOME}", "image-web", "fleet-web-dev"
_LONGEST_SOAK, _LONGEST_HANDOFF = 120.0, 60.0
"""Seconds."""
_WALK = ("BUILDING", "TESTING", "DISTRIBUTING", "AVAILABLE")


@dataclass(frozen=True)
class Step:
    """One step."""

    title: str
    run: Callable[[World], Sequence[str]]
    """Does it; gives the lines to show. Raises `StepFailed`."""


def _network(world: World) -> Sequence[str]:
    ec2 = world.aws.client("ec2", region=HOME)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "tier", "Value": "private"}]}]
    for index, zone in enumerate("ac"):
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{index}.0/24",
            AvailabilityZone=f"{HOME}{zone}",
            TagSpecifications=tags,
        )
    return [f"{world.aws.endpoint}, with a VPC and two private subnets in {HOME}"]


def _first_deploy(world: World) -> Sequence[str]:
    config = world.folder / "config" / "web.yaml"
    _check(SOAK in config.read_text(), f"the sample has no {SOAK}")
    config.write_text(config.read_text().replace(SOAK, SHORT_SOAK))
    world.run([sys.executable, "main.py"])
    # at the same time, because the deploy waits a minute for the queue and the bucket
    deployed, refused = world.together(
        lambda: world.cdktf("deploy", HISTORY, IMAGE, "--auto-approve", "--skip-synth"),
        lambda: world.cdktf("plan", FLEET, "--skip-synth", fails=True),
    )
    _found("(Apply complete!)", deployed)
    made = [
        each
        for each in _resources(world.folder / "state" / "acme" / f"{IMAGE}.{HOME}.tfstate")
        if each["mode"] == "managed"
    ]
    return [
        f"{IMAGE}: {len(made)} resources; the components' scripts arrived unchanged: {_arrived(world)}",
        f"{FLEET}: no plan yet: {_found(r'(Fleet web-dev: [^│{]*? no build .*? build web)', _joined(refused))}",
    ]


def _arrived(world: World) -> str:
    """The components whose text in Image Builder is that of their file, although `${…}` and `%{…}` mean something to
    Terraform."""
    builder = world.aws.client("imagebuilder", region=HOME)
    files = {"http-responds": PROJECT / "components" / "http-responds" / "linux.yaml"}
    files["app"] = world.folder / "config" / "components" / "app.yaml"
    texts = {name: file.read_text() for name, file in files.items()}
    _check(
        "%{" in texts["http-responds"] and "${" in texts["app"],
        "the sample has no text that Terraform could mistake for its own",
    )
    for version in builder.list_components()["componentVersionList"]:
        name = version["name"].rpartition("_")[2]
        if name in texts:
            arn = f"{version['arn']}/1"
            arrived = builder.get_component(componentBuildVersionArn=arn)["component"]["data"]
            _check(arrived == texts.pop(name), f"component {name} arrived changed", arrived)
    _check(not texts, f"components that did not arrive: {', '.join(texts)}")
    return ", ".join(files)


def _build(world: World) -> Sequence[str]:
    output = world.goldsmith("build", "web")
    seen = list(dict.fromkeys(re.findall(rf"\b({'|'.join(_WALK)})\b", output)))
    # a short state may not be seen
    _check(seen == [state for state in _WALK if state in seen], f"the states came as {seen}", output)
    _check(seen[-1:] == ["AVAILABLE"], f"the build ended {' '.join(seen[-1:])}", output)
    return [" → ".join(seen)]


def _handed_off(world: World) -> Sequence[str]:
    amis = {}
    for region in (HOME, SECOND):
        ssm = world.aws.client("ssm", region=region)
        parameters = ssm.get_parameters_by_path(Path="/imagebuilder/acme/web")["Parameters"]
        values = {parameter["Name"]: parameter["Value"] for parameter in parameters}
        ami = values.get("/imagebuilder/acme/web/latest", "")
        images = world.aws.client("ec2", region=region).describe_images(Owners=["self"])["Images"]
        newest = max(images, key=lambda image: image["CreationDate"])["ImageId"]
        _check(ami == newest, f"latest in {region} is {ami or 'missing'}, the newest AMI {newest}")
        amis[region] = ami
    world.amis.append(amis)
    status = json.loads(world.goldsmith("status", "--json"))
    _check(
        all(ami in json.dumps(status) for ami in amis.values()), "goldsmith status does not show it", json.dumps(status)
    )
    return [f"/imagebuilder/acme/web/latest in {region}: {ami}" for region, ami in amis.items()]


def _fleet_and_change(world: World) -> Sequence[str]:
    """Two stacks have two states, and can be deployed at the same time."""
    component = world.folder / "config" / "components" / "app.yaml"
    component.write_text(component.read_text().replace("golden", "golden, again"))
    config = world.folder / "config" / "web.yaml"
    _check("packages: nginx}" in config.read_text(), "the sample installs other packages")
    config.write_text(config.read_text().replace("packages: nginx}", "packages: nginx jq}"))
    world.run([sys.executable, "main.py"])
    deploy = partial(world.cdktf, "deploy", "--auto-approve", "--skip-synth")
    _, changed = world.together(partial(deploy, FLEET), partial(deploy, IMAGE))
    plan = _found(r"Plan: (2 to add, 1 to change, 2 to destroy)", changed)
    return [*_instances(world), f"{IMAGE}: {plan}"]


def _instances(world: World) -> Sequence[str]:
    """The fleet's instances with their AMI, which must be that of the newest build."""
    amis = _check_instances(world, world.amis[-1][HOME])
    return [f"{instance} runs {ami}" for instance, ami in amis.items()]


def _check_instances(world: World, wanted: str) -> dict[str, str]:
    """The AMIs of the fleet's two instances, by their IDs. Raises `StepFailed` if they run another one."""
    ec2 = world.aws.client("ec2", region=HOME)
    (group,) = world.aws.client("autoscaling", region=HOME).describe_auto_scaling_groups()["AutoScalingGroups"]
    amis = {}
    for instance in group["Instances"]:
        template = instance["LaunchTemplate"]
        (version,) = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"]
        amis[instance["InstanceId"]] = version["LaunchTemplateData"]["ImageId"]
    _check(list(amis.values()) == [wanted, wanted], f"not two instances of {wanted}: {amis}")
    return amis


def _second_build(world: World) -> Sequence[str]:
    return [*_build(world), *_handed_off(world)]


def _plan_shows_it(world: World) -> Sequence[str]:
    """What a reviewer reads, as the comment of a pull request has it."""
    world.goldsmith("plan", FLEET)
    plans = world.folder / "cdktf.out" / "plans"
    (launch_template,) = (
        change["change"]
        for change in json.loads((plans / FLEET / "plan.json").read_text())["resource_changes"]
        if change["type"] == "aws_launch_template"
    )
    old, new = world.amis[-2][HOME], world.amis[-1][HOME]
    planned = [launch_template[when]["image_id"] for when in ("before", "after")]
    _check(planned == [old, new], f"the plan has {planned}, not {[old, new]}")
    report = world.goldsmith("report", str(plans), "--format", "text")
    _found(r"(\bjq\b)", report)
    return report.splitlines()


def _deploy_second(world: World) -> Sequence[str]:
    """The instances are left as they are, and a check of the plan says so."""
    output = world.cdktf("deploy", FLEET, "--auto-approve", "--skip-synth")
    return [_found(r"(Fleet web-dev: the group launches .*?: goldsmith rollout web-dev)", _joined(output))]


def _roll_back(world: World) -> Sequence[str]:
    """AWS tries an hour to get healthy instances; here it gives up after a few seconds."""
    world.aws.set_rollout_time(launch_seconds=1, scale=0.02, give_up_seconds=6)
    ami = world.amis[-1][HOME]
    world.aws.break_instances(ami, reason="Instance failed its ELB health checks")
    output = world.goldsmith("rollout", "web-dev", "--yes", fails=True)
    world.aws.heal_instances(ami)
    _found("(web-dev: the rollout was rolled back)", output)
    _check_instances(world, world.amis[-2][HOME])
    return output.splitlines()


def _roll_out(world: World) -> Sequence[str]:
    output = world.goldsmith("rollout", "web-dev", "--yes", "--retry")
    _found("(web-dev: all 2 instances run )", output)
    return [*output.splitlines(), *_instances(world)]


def _nothing_left_to_do(world: World) -> Sequence[str]:
    for plan in world.together(*(partial(world.cdktf, "plan", stack, "--skip-synth") for stack in (IMAGE, FLEET))):
        _found(r"(found no differences)", _joined(plan))
    return ["both plans are empty"]


def _promote(world: World) -> Sequence[str]:
    """Before the second build: of builds that have soaked, a channel takes the newest."""
    (first,) = world.amis
    function, ssm = world.aws.client("lambda", region=HOME), world.aws.client("ssm", region=HOME)
    until = time.monotonic() + _LONGEST_SOAK
    while _value(ssm, "staging") != first[HOME]:
        _check(time.monotonic() < until, "staging has not taken the first build over")
        time.sleep(1)
        function.invoke(FunctionName=FUNCTION, Payload=b"{}")
    output = world.goldsmith("promote", "web", "prod", "--why", "the demo works", "--yes")
    for region, ami in first.items():
        value = _value(world.aws.client("ssm", region=region), "prod")
        _check(value == ami, f"prod in {region} is {value}, not {ami}", output)
    moves = world.goldsmith("history", "web@prod").splitlines()
    _check("the demo works" in moves[-1], "the history does not say why", moves[-1])
    return [*(f"staging and prod in {region}: {ami}" for region, ami in first.items()), *moves]


def _revoke(world: World) -> Sequence[str]:
    first, second = (amis[HOME] for amis in world.amis)
    (build,) = {
        channel["build"]
        for channel in json.loads(world.goldsmith("status", "web@latest", "--json"))["images"][0]["channels"]
    }
    world.goldsmith("revoke", f"web@{build}", "--why", "the demo revokes it", "--yes")
    ssm, until = world.aws.client("ssm", region=HOME), time.monotonic() + _LONGEST_HANDOFF
    while _value(ssm, "latest") != first:
        _check(time.monotonic() < until, "latest still points to the revoked build")
        time.sleep(1)
    status = world.goldsmith("status")
    plan = world.cdktf("plan", FLEET, "--skip-synth")
    gap = next((line for line in status.splitlines() if line.startswith("fleet web-dev:")), "")
    _check(bool(gap), "status does not say that the fleet runs another build", status)
    shown = _found(rf'(image_id += "{second}" -> "{first}")', plan)
    return [f"web@{build} is revoked, and latest is {first} again", gap, shown]


def _value(ssm: Any, channel: str) -> str:
    """What a channel points to; empty before its first build."""
    parameters = ssm.get_parameters(Names=[f"/imagebuilder/acme/web/{channel}"])["Parameters"]
    return "".join(parameter["Value"] for parameter in parameters)


def _destroy(world: World) -> Sequence[str]:
    destroy = partial(world.cdktf, "destroy", "--auto-approve", "--skip-synth")
    world.together(partial(destroy, FLEET), partial(destroy, IMAGE))
    states = sorted((world.folder / "state" / "acme").glob("*.tfstate"))
    left = {state.name.partition(".")[0]: _resources(state) for state in states}
    _check(bool(left.pop(HISTORY)), "the history was not kept")
    _check(left == {FLEET: [], IMAGE: []}, f"left in the states: {left}")
    pipelines = world.aws.client("imagebuilder", region=HOME).list_image_pipelines()["imagePipelineList"]
    _check(not pipelines, f"pipelines left: {pipelines}")
    amis = len(world.amis)
    return [f"both states are empty; the {amis} AMIs in each region and the channel's history are kept on purpose"]


STEPS = (
    Step("An AWS on this machine", _network),
    Step(
        "cdktf deploy image-web and the history of channels; the fleet's plan refuses an image that was never built",
        _first_deploy,
    ),
    Step("goldsmith build web", _build),
    Step("SNS → Lambda → SSM: the hand-off has set latest in both regions", _handed_off),
    Step("cdktf deploy fleet-web-dev; meanwhile a component changes: cdktf deploy image-web", _fleet_and_change),
    Step("The build has soaked a minute in latest: staging takes it, goldsmith promote web prod", _promote),
    Step("The second build: goldsmith build web", _second_build),
    Step("goldsmith plan fleet-web-dev, and what goldsmith report says about it", _plan_shows_it),
    Step("cdktf deploy fleet-web-dev: the launch template has it", _deploy_second),
    Step("goldsmith rollout web-dev: its instances stay unhealthy, so AWS puts the old ones back", _roll_back),
    Step("goldsmith rollout web-dev --retry, with the fault gone", _roll_out),
    Step("cdktf plan, of both stacks", _nothing_left_to_do),
    Step("goldsmith revoke: latest moves back, and the fleet's plan and goldsmith status show it", _revoke),
    Step("cdktf destroy, of both stacks", _destroy),
)
"""In this order: each needs those before it."""


def _resources(state: Path) -> list[Any]:
    resources: list[Any] = json.loads(state.read_text())["resources"]
    return resources


def _check(holds: bool, problem: str, output: str = "") -> None:
    if not holds:
        raise StepFailed(f"{problem}\n{last_lines(output)}".rstrip())


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        raise StepFailed(f"did not show {pattern!r}:\n{last_lines(output)}")
    return match[1]


def _joined(output: str) -> str:
    """An output in one line, without the line breaks, indents and frames of Terraform and cdktf."""
    return " ".join(re.sub(r"^(image|fleet)-[a-z-]+|[│╷╵]", " ", output, flags=re.MULTILINE).split())
