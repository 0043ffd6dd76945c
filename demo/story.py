"""What Goldsmith is for, as a list of steps that check their own results.

An image is built, its AMI is handed off, and a fleet is pinned to it. The build soaks and is promoted. A component
changes and a second build is made. From here on it goes as in a team: a bot commits the pin of the second build on a
branch, a report says what that changes, and the branch is merged and applied. A first rollout is rolled back, a second
one replaces all instances. Then the second build is revoked, and a revert of the bot's commit brings the first one
back.

A second fleet, web-staging, takes the same builds by itself. The second build soaks, and the fleet's function starts
its rollout, which is rolled back, too. When the build is revoked, the function goes back to the first one.

At last everything is destroyed. `make demo` shows the steps, and the end-to-end test runs them. They use what a team
uses, git, the `cdktf` command and `goldsmith`, against the local AWS and in a temporary folder with a repository of its
own: the project and its `state/` are not changed.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from demo.seen import (
    automatic_instances,
    channel_value,
    check,
    check_instances,
    found,
    instances,
    joined,
    resources,
    run_function,
    soaked,
)
from demo.world import HOME, PROJECT, World

SECOND = "us-east-1"
SOAK, SHORT_SOAK = "soak: 1 day", "soak: 1 minute"
GREETING = "<h1>golden"
UPDATES = "    channel: latest\n    region:"
HISTORY, IMAGE, FLEET, AUTOMATIC = f"history-{HOME}", "image-web", "fleet-web-dev", "fleet-web-staging"
AUTOMATIC_FLEET = f"""
  web-staging:
    image: web
    channel: staging
    updates: automatic
    region: {HOME}
    instance_type: t3.small
    subnets: {{tags: {{tier: private}}}}
    capacity: {{min: 1, max: 2}}
    rollout: {{warmup: 1 minute}}
"""
CHANNELS = ("latest", "staging", "prod")
RECORDS = ("/goldsmith/acme/fleets/web-dev", "/goldsmith/acme/fleets/web-staging")
"""Parameters with what was tried in the fleets."""
BOT = "goldsmith/pins"
"""The branch of the bot, as in `examples/ci`."""
FIRST, SECOND_BUILD = 0, 1
"""Builds, by their places in `World.amis`."""
_LONGEST_HANDOFF = 60.0
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
    _edit(world, "web.yaml", SOAK, SHORT_SOAK)
    with (world.config / "web.yaml").open("a") as sample:
        sample.write(AUTOMATIC_FLEET)
    world.git("init", "--quiet")
    world.git("symbolic-ref", "HEAD", "refs/heads/main")
    return [
        f"{world.aws.endpoint}, with a VPC and two private subnets in {HOME}",
        f"git: {_commit(world, 'add web')}",
    ]


def _edit(world: World, file: str, old: str, new: str) -> None:
    """Replace a text in a file of the configuration."""
    path = world.config / file
    text = path.read_text()
    check(text.count(old) == 1, f"{file} of the sample does not have {old!r} once")
    path.write_text(text.replace(old, new))


def _commit(world: World, message: str) -> str:
    """Commit everything; gives the commit as git names it."""
    world.git("add", ".")
    world.git("commit", "--quiet", f"--message={message}")
    return _head(world)


def _head(world: World) -> str:
    """Branch, commit and subject of what is checked out."""
    return f"{world.git('rev-parse', '--abbrev-ref', 'HEAD')} is at {world.git('log', '-1', '--format=%h %s')}"


def _first_deploy(world: World) -> Sequence[str]:
    world.run([sys.executable, "main.py"])
    # at the same time, because the deploy waits a minute for the queue and the bucket
    deployed, refused = world.together(
        lambda: world.cdktf("deploy", HISTORY, IMAGE, "--auto-approve", "--skip-synth"),
        lambda: world.cdktf("plan", FLEET, "--skip-synth", fails=True),
    )
    found("(Apply complete!)", deployed)
    made = [
        each
        for each in resources(world.folder / "state" / "acme" / f"{IMAGE}.{HOME}.tfstate")
        if each["mode"] == "managed"
    ]
    return [
        f"{IMAGE}: {len(made)} resources; the components' scripts arrived unchanged: {_arrived(world)}",
        f"{FLEET}: no plan yet: {found(r'(Fleet web-dev: [^│{]*? no build .*? build web)', joined(refused))}",
    ]


def _arrived(world: World) -> str:
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


def _build(world: World) -> Sequence[str]:
    return [_walked(world.goldsmith("build", "web"))]


def _walked(output: str) -> str:
    """The states through which a build went."""
    seen = list(dict.fromkeys(re.findall(rf"\b({'|'.join(_WALK)})\b", output)))
    # a short state may not be seen
    check(seen == [state for state in _WALK if state in seen], f"the states came as {seen}", output)
    check(seen[-1:] == ["AVAILABLE"], f"the build ended {' '.join(seen[-1:])}", output)
    return " → ".join(seen)


def _handed_off(world: World) -> Sequence[str]:
    amis = {}
    for region in (HOME, SECOND):
        ssm = world.aws.client("ssm", region=region)
        parameters = ssm.get_parameters_by_path(Path="/imagebuilder/acme/web")["Parameters"]
        values = {parameter["Name"]: parameter["Value"] for parameter in parameters}
        ami = values.get("/imagebuilder/acme/web/latest", "")
        images = world.aws.client("ec2", region=region).describe_images(Owners=["self"])["Images"]
        newest = max(images, key=lambda image: image["CreationDate"])["ImageId"]
        check(ami == newest, f"latest in {region} is {ami or 'missing'}, the newest AMI {newest}")
        amis[region] = ami
    world.amis.append(amis)
    status = json.loads(world.goldsmith("status", "--json"))
    check(
        all(ami in json.dumps(status) for ami in amis.values()), "goldsmith status does not show it", json.dumps(status)
    )
    return [f"/imagebuilder/acme/web/latest in {region}: {ami}" for region, ami in amis.items()]


def _fleet_and_change(world: World) -> Sequence[str]:
    """Two stacks have two states, and can be deployed at the same time."""
    _edit(world, "web.yaml", UPDATES, UPDATES.replace("latest", "latest\n    updates: pull-request"))
    pinned = world.goldsmith("pin")
    found(r"(web-dev .*pinned)", pinned)
    _edit(world, "components/app.yaml", GREETING, f"{GREETING}, again")
    _edit(world, "web.yaml", "packages: nginx}", "packages: nginx jq}")
    world.goldsmith("check", "--update")
    commit = _commit(world, "pin web-dev; web: install jq")
    world.run([sys.executable, "main.py"])
    deploy = partial(world.cdktf, "deploy", "--auto-approve", "--skip-synth")
    _, changed = world.together(partial(deploy, FLEET), partial(deploy, IMAGE))
    plan = found(r"Plan: (2 to add, 1 to change, 2 to destroy)", changed)
    return [*pinned.splitlines()[:-1], f"git: {commit}", *instances(world, FIRST), f"{IMAGE}: {plan}"]


def _second_build(world: World) -> Sequence[str]:
    """The build soaks while the fleet is still being deployed."""
    built, deployed = world.together(
        lambda: world.goldsmith("build", "web"),
        lambda: world.cdktf("deploy", AUTOMATIC, "--auto-approve", "--skip-synth"),
    )
    found("(Apply complete!)", deployed)
    return [_walked(built), *_handed_off(world), *automatic_instances(world, FIRST)]


def _propose(world: World) -> Sequence[str]:
    """What the bot commits, and the comment that a reviewer reads in its pull request."""
    world.git("checkout", "--quiet", "-b", BOT)
    found(r"(web-dev .*pinned)", world.goldsmith("pin"))
    commit = _commit(world, "web-dev: pin the second build")
    changed = world.git("diff", "--name-only", "main")
    check(changed == "pins.yaml", f"the pull request changes other files than pins.yaml: {changed}")
    world.goldsmith("plan", "--changed-since", "main")
    check(_planned(world) == {FLEET: "changes"}, f"planned was {_planned(world)}")
    old, new = world.amis[FIRST][HOME], world.amis[SECOND_BUILD][HOME]
    shown = json.loads((world.plans / FLEET / "plan.json").read_text())["resource_changes"]
    (template,) = (each["change"] for each in shown if each["type"] == "aws_launch_template")
    planned = [template[when]["image_id"] for when in ("before", "after")]
    check(planned == [old, new], f"the plan has {planned}, not {[old, new]}")
    world.comment = world.goldsmith("report", str(world.plans))
    found(r"(packages: 1 added \(jq\))", world.comment)
    return [f"git: {commit}", *_seen_at_once(world.comment).splitlines()]


def _seen_at_once(comment: str) -> str:
    """What a reviewer sees at once: of folded parts the summary, and nothing of the first line, which is for bots."""
    seen = comment.partition("\n")[2]
    return re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"▸ \1", seen, flags=re.DOTALL)


def _planned(world: World) -> dict[str, str]:
    """The stacks that were planned, with the status of their plans."""
    stacks = json.loads((world.plans / "plans.json").read_text())["stacks"]
    return {each["stack"]: each["status"] for each in stacks}


def _merge(world: World) -> Sequence[str]:
    """AWS tries an hour to get healthy instances; here it gives up after a few seconds. A person rolls one fleet out,
    and the other one does it by itself at the same time."""
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", f"--message=merge {BOT}", BOT)
    world.aws.set_rollout_time(launch_seconds=1, scale=0.02, give_up_seconds=6)
    ami = world.amis[SECOND_BUILD][HOME]
    world.aws.break_instances(ami, reason="Instance failed its ELB health checks")
    output, ran = world.together(
        lambda: world.goldsmith("apply", str(world.plans), "--yes", fails=True),
        partial(_by_itself, world),
    )
    status = world.goldsmith("status")
    world.aws.heal_instances(ami)
    found("(web-dev: the rollout was rolled back)", output)
    check_instances(world, FIRST)
    return [
        f"git: {_head(world)}",
        *output.splitlines(),
        *ran.splitlines(),
        *automatic_instances(world, FIRST),
        found("(fleet web-staging: the rollout .* rolled back [(]Instance failed its ELB health checks[)].*)", status),
    ]


def _by_itself(world: World) -> str:
    """The soak and the rollout of web-staging, as lines."""
    ami = soaked(world, SECOND_BUILD)
    return f"meanwhile the build has soaked a minute in latest: staging is {ami}\n{run_function(world, 'ended')}"


def _roll_out(world: World) -> Sequence[str]:
    output = world.goldsmith("rollout", "web-dev", "web-staging", "--yes", "--retry")
    found("(web-dev: all 2 instances run )", output)
    found("(web-staging: its instance runs )", output)
    return [*output.splitlines(), *instances(world, SECOND_BUILD), *automatic_instances(world, SECOND_BUILD)]


def _promote(world: World) -> Sequence[str]:
    """Before the second build: of builds that have soaked, a channel takes the newest."""
    (first,) = world.amis
    soaked(world, FIRST)
    output = world.goldsmith("promote", "web", "prod", "--why", "the demo works", "--yes")
    for region, ami in first.items():
        value = channel_value(world.aws.client("ssm", region=region), "prod")
        check(value == ami, f"prod in {region} is {value}, not {ami}", output)
    moves = world.goldsmith("history", "web@prod").splitlines()
    check("the demo works" in moves[-1], "the history does not say why", moves[-1])
    return [*(f"staging and prod in {region}: {ami}" for region, ami in first.items()), *moves]


def _revoke(world: World) -> Sequence[str]:
    (build,) = {
        channel["build"]
        for channel in json.loads(world.goldsmith("status", "web@latest", "--json"))["images"][0]["channels"]
    }
    world.goldsmith("revoke", f"web@{build}", "--why", "the demo revokes it", "--yes")
    first = world.amis[FIRST][HOME]
    ssm, until = world.aws.client("ssm", region=HOME), time.monotonic() + _LONGEST_HANDOFF
    while {channel_value(ssm, channel) for channel in ("latest", "staging")} != {first}:
        check(time.monotonic() < until, "latest or staging still points to the revoked build")
        world.pause(seconds=1)
    ran, status, refused = world.together(
        lambda: run_function(world, "done"),
        lambda: world.goldsmith("status"),
        lambda: world.goldsmith("plan", FLEET, fails=True),
    )
    gap = next((line for line in status.splitlines() if line.startswith("fleet web-dev:")), "")
    check(bool(gap), "status does not say that the fleet runs a revoked build", status)
    return [
        f"web@{build} is revoked, and latest and staging are {first} again",
        *ran.splitlines(),
        *automatic_instances(world, FIRST),
        gap,
        found(r"(Fleet web-dev: its pin.*? revoked since .*? pinned it[.])", joined(refused)),
    ]


def _revert(world: World) -> Sequence[str]:
    """The way back that the report names; after it no stack has anything to do."""
    world.git("revert", "--no-edit", "-m", "1", "HEAD")
    world.goldsmith("plan", "--changed-since", "HEAD~1")
    check(_planned(world) == {FLEET: "changes"}, f"planned was {_planned(world)}")
    output = world.goldsmith("apply", str(world.plans), "--yes")
    found("(web-dev: all 2 instances run )", output)
    back = instances(world, FIRST)
    world.goldsmith("plan")
    check(set(_planned(world).values()) == {"empty"}, f"planned was {_planned(world)}")
    return [f"git: {_head(world)}", *output.splitlines(), *back, "all plans are empty"]


def _destroy(world: World) -> Sequence[str]:
    destroy = partial(world.cdktf, "destroy", "--auto-approve", "--skip-synth")
    world.together(*(partial(destroy, stack) for stack in (FLEET, AUTOMATIC, IMAGE)))
    states = sorted((world.folder / "state" / "acme").glob("*.tfstate"))
    left = {state.name.partition(".")[0]: resources(state) for state in states}
    check(bool(left.pop(HISTORY)), "the history was not kept")
    check(left == {FLEET: [], AUTOMATIC: [], IMAGE: []}, f"left in the states: {left}")
    pipelines = world.aws.client("imagebuilder", region=HOME).list_image_pipelines()["imagePipelineList"]
    check(not pipelines, f"pipelines left: {pipelines}")
    logs = world.aws.client("logs", region=HOME).describe_log_groups()["logGroups"]
    check(not logs, f"log groups left: {logs}")
    parameters = world.aws.client("ssm", region=HOME).describe_parameters()["Parameters"]
    others = {each["Name"] for each in parameters} - {f"/imagebuilder/acme/web/{name}" for name in CHANNELS}
    check(others == set(RECORDS), f"parameters left: {others}")
    return [
        f"all three states are empty; the {len(world.amis)} AMIs in each region, the channels with their history, and "
        f"what was tried in the fleets ({', '.join(RECORDS)}) are kept on purpose"
    ]


STEPS = (
    Step("An AWS on this machine", _network),
    Step(
        "cdktf deploy image-web and the history of channels; the fleet's plan refuses an image that was never built",
        _first_deploy,
    ),
    Step("goldsmith build web", _build),
    Step("SNS → Lambda → SSM: the hand-off has set latest in both regions", _handed_off),
    Step(
        "goldsmith pin, git commit, cdktf deploy fleet-web-dev; meanwhile jq is added to the image", _fleet_and_change
    ),
    Step("The build has soaked a minute in latest: staging takes it, goldsmith promote web prod", _promote),
    Step(
        "The second build: goldsmith build web; meanwhile cdktf deploy fleet-web-staging, with updates: automatic",
        _second_build,
    ),
    Step("A bot's branch: goldsmith pin, git commit, goldsmith plan --changed-since main, goldsmith report", _propose),
    Step(
        "git merge, goldsmith apply, and web-staging by itself: the new instances stay unhealthy, so AWS puts the old "
        "ones back",
        _merge,
    ),
    Step("goldsmith rollout web-dev web-staging --retry, with the fault gone", _roll_out),
    Step(
        "goldsmith revoke: the channels move back, web-staging follows by itself, and goldsmith status and the plan of "
        "web-dev say what to do",
        _revoke,
    ),
    Step("git revert, goldsmith plan, goldsmith apply: the first build is back", _revert),
    Step("cdktf destroy, of the three stacks", _destroy),
)
"""In this order: each needs those before it."""
