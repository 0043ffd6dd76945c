"""What Goldsmith is for, as a list of steps that check their own results.

An image is built, its AMI is handed off, and three fleets get it. web-dev follows the channel latest, and web-staging
the channel staging, which builds reach after a minute in latest; both have `updates: automatic`. web-prod has `updates:
pull-request`, and is pinned to a build that was promoted.

A component changes, and a second build is made. Nobody runs another command until it is in web-staging: EventBridge's
rules call the functions of the image and of the fleets, which move the channels and roll the build out. Into production
it comes as in a team: it is promoted, a bot commits its pin on a branch, a report says what that changes, and the
branch is merged, applied and rolled out.

The instances of a third build stay unhealthy, so AWS puts the old ones back in web-dev. Meanwhile web-prod goes back to
the first build, by a revert of the bot's commit. web-staging does not take the third build, and it is revoked.

At last everything is destroyed. `make demo` shows the steps, and the end-to-end test runs them. They use what a team
uses, git, the `cdktf` command and `goldsmith`, against the local AWS and in a temporary folder with a repository of its
own: the project and its `state/` are not changed.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from demo.seen import (
    arrived,
    channel_value,
    check,
    found,
    instances,
    joined,
    reasons,
    resources,
    rolled_out,
    soaked,
    wait_for,
)
from demo.world import HOME, World

SECOND = "us-east-1"
SOAK, SHORT_SOAK = "soak: 1 day", "soak: 1 minute"
GREETING = "<h1>golden"
UPDATES = "    channel: latest\n    region:"
HISTORY, IMAGE = f"history-{HOME}", "image-web"
DEV, STAGING, PROD = FLEETS = ("fleet-web-dev", "fleet-web-staging", "fleet-web-prod")
STAGING_FLEET = f"""
  web-staging:
    image: web
    channel: staging
    updates: automatic
    region: {HOME}
    instance_type: t3.small
    subnets: {{tags: {{tier: private}}}}
    capacity: {{min: 1, max: 2}}
    rollout: {{warmup: 1 minute}}
    after: {{fleets: [web-dev]}}
"""
PROD_FLEET = f"""
  web-prod:
    image: web
    channel: prod
    updates: pull-request
    region: {HOME}
    instance_type: t3.small
    subnets: {{tags: {{tier: private}}}}
    capacity: {{min: 2, max: 4, desired: 2}}
    rollout: {{by: goldsmith, warmup: 1 minute}}
"""
CHANNELS = ("latest", "staging", "prod")
RECORDS = {f"/goldsmith/acme/fleets/{fleet.removeprefix('fleet-')}" for fleet in FLEETS}
"""Parameters with what was tried in the fleets."""
BOT = "goldsmith/pins"
"""The branch of the bot, as in `examples/ci`."""
FIRST, SECOND_BUILD, THIRD = range(3)
"""Builds, by their places in `World.amis`."""
SCHEDULE_SECONDS = 5
"""How often the functions run, in place of every five minutes and every hour."""
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
    world.aws.set_rules(every_seconds=SCHEDULE_SECONDS)
    # AWS tries an hour to get healthy instances; here it gives up after a few seconds
    world.aws.set_rollout_time(launch_seconds=1, scale=0.02, give_up_seconds=6)
    _edit(world, "web.yaml", SOAK, SHORT_SOAK)
    _edit(world, "web.yaml", UPDATES, UPDATES.replace("latest", "latest\n    updates: automatic"))
    _append(world, STAGING_FLEET)
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


def _append(world: World, fleet: str) -> None:
    with (world.config / "web.yaml").open("a") as file:
        file.write(fleet)


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
        lambda: world.cdktf("plan", DEV, "--skip-synth", fails=True),
    )
    found("(Apply complete!)", deployed)
    made = [
        each
        for each in resources(world.folder / "state" / "acme" / f"{IMAGE}.{HOME}.tfstate")
        if each["mode"] == "managed"
    ]
    return [
        f"{IMAGE}: {len(made)} resources; the components' scripts arrived unchanged: {arrived(world)}",
        f"{DEV}: no plan yet: {found(r'(Fleet web-dev: [^│{]*? no build .*? build web)', joined(refused))}",
    ]


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
    amis = _latest(world)
    world.amis.append(amis)
    status = json.loads(world.goldsmith("status", "--json"))
    check(
        all(ami in json.dumps(status) for ami in amis.values()), "goldsmith status does not show it", json.dumps(status)
    )
    return [f"/imagebuilder/acme/web/latest in {region}: {ami}" for region, ami in amis.items()]


def _latest(world: World) -> dict[str, str]:
    """What latest points to in each region, which must be the newest AMI."""
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
    return amis


def _first_fleet(world: World) -> Sequence[str]:
    """Two stacks have two states, and can be deployed at the same time, which takes as long as the soak."""
    _edit(world, "components/app.yaml", GREETING, f"{GREETING}, again")
    _edit(world, "web.yaml", "packages: nginx}", "packages: nginx jq}")
    world.goldsmith("check", "--update")
    commit = _commit(world, "web: install jq")
    world.run([sys.executable, "main.py"])
    deployed, changed = _deployed(world, DEV, IMAGE)
    found("(Apply complete!)", deployed)
    plan = found(r"Plan: (2 to add, 1 to change, 2 to destroy)", changed)
    return [*instances(world, "web-dev", FIRST), soaked(world, FIRST), f"git: {commit}", f"{IMAGE}: {plan}"]


def _deployed(world: World, *stacks: str) -> Sequence[str]:
    """What the deploys of stacks, all at once, printed."""
    deploy = partial(world.cdktf, "deploy", "--auto-approve", "--skip-synth")
    return world.together(*(partial(deploy, stack) for stack in stacks))


def _other_fleets(world: World) -> Sequence[str]:
    promoted = _promoted(world, FIRST, why="the demo works")
    _append(world, PROD_FLEET)
    pinned = world.goldsmith("pin")
    found(r"(web-prod .*pinned)", pinned)
    world.goldsmith("check", "--update")
    commit = _commit(world, "add web-prod, with the first build")
    world.run([sys.executable, "main.py"])
    for output in _deployed(world, STAGING, PROD):
        found("(Apply complete!)", output)
    fleets = [*instances(world, "web-staging", FIRST), *instances(world, "web-prod", FIRST)]
    return [promoted, *pinned.splitlines()[:-1], f"git: {commit}", *fleets]


def _promoted(world: World, build: int, *, why: str) -> str:
    """Point prod to what staging points to; gives the line of its history."""
    output = world.goldsmith("promote", "web", "prod", "--why", why, "--yes")
    for region, ami in world.amis[build].items():
        value = channel_value(world.aws.client("ssm", region=region), "prod")
        check(value == ami, f"prod in {region} is {value}, not {ami}", output)
    move = world.goldsmith("history", "web@prod").splitlines()[-1]
    check(why in move, "the history does not say why", move)
    return move


def _by_itself(world: World) -> Sequence[str]:
    walked = _walked(world.goldsmith("build", "web"))
    world.amis.append(_latest(world))
    dev = rolled_out(world, "web-dev", "latest", SECOND_BUILD, end="succeeded")
    shown = instances(world, "web-dev", SECOND_BUILD)
    soaked(world, SECOND_BUILD)
    staging = rolled_out(world, "web-staging", "staging", SECOND_BUILD, end="succeeded")
    return [walked, *dev, *shown, *staging, *instances(world, "web-staging", SECOND_BUILD)]


def _propose(world: World) -> Sequence[str]:
    """What the bot commits, and the comment that a reviewer reads in its pull request."""
    promoted = _promoted(world, SECOND_BUILD, why="it runs in staging")
    world.git("checkout", "--quiet", "-b", BOT)
    found(r"(web-prod .*pinned)", world.goldsmith("pin"))
    commit = _commit(world, "web-prod: pin the second build")
    changed = world.git("diff", "--name-only", "main")
    check(changed == "pins.yaml", f"the pull request changes other files than pins.yaml: {changed}")
    world.goldsmith("plan", "--changed-since", "main")
    check(_planned(world) == {PROD: "changes"}, f"planned was {_planned(world)}")
    old, new = world.amis[FIRST][HOME], world.amis[SECOND_BUILD][HOME]
    shown = json.loads((world.plans / PROD / "plan.json").read_text())["resource_changes"]
    (template,) = (each["change"] for each in shown if each["type"] == "aws_launch_template")
    planned = [template[when]["image_id"] for when in ("before", "after")]
    check(planned == [old, new], f"the plan has {planned}, not {[old, new]}")
    world.comment = world.goldsmith("report", str(world.plans))
    found(r"(packages: 1 added \(jq\))", world.comment)
    return [promoted, f"git: {commit}", *_seen_at_once(world.comment).splitlines()]


def _seen_at_once(comment: str) -> str:
    """What a reviewer sees at once: of folded parts the summary, and nothing of the first line, which is for bots."""
    seen = comment.partition("\n")[2]
    return re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"▸ \1", seen, flags=re.DOTALL)


def _planned(world: World) -> dict[str, str]:
    """The stacks that were planned, with the status of their plans."""
    stacks = json.loads((world.plans / "plans.json").read_text())["stacks"]
    return {each["stack"]: each["status"] for each in stacks}


def _merge(world: World) -> Sequence[str]:
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", f"--message=merge {BOT}", BOT)
    output = world.goldsmith("apply", str(world.plans), "--yes")
    found("(web-prod: all 2 instances run )", output)
    return [f"git: {_head(world)}", *output.splitlines(), *instances(world, "web-prod", SECOND_BUILD)]


def _broken(world: World) -> Sequence[str]:
    ec2 = world.aws.client("ec2", region=HOME)
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="acme_web-dev", Versions=["$Latest"])
    (newest,) = versions["LaunchTemplateVersions"]
    for added in (1, 2):  # two runs of the function at once may each add a version
        version = f"{newest['LaunchTemplateId']}:{newest['VersionNumber'] + added}"
        world.aws.break_instances(version, reason="Instance failed its ELB health checks")
    walked = _walked(world.goldsmith("build", "web"))
    world.amis.append(_latest(world))
    rolled_back = rolled_out(world, "web-dev", "latest", THIRD, end="rolled back")
    return [walked, *rolled_back, *instances(world, "web-dev", SECOND_BUILD), *reasons(world)]


def _revert(world: World) -> Sequence[str]:
    """The way back that the report names; after it no stack has anything to do."""
    world.git("revert", "--no-edit", "-m", "1", "HEAD")
    world.goldsmith("plan", "--changed-since", "HEAD~1")
    check(_planned(world) == {PROD: "changes"}, f"planned was {_planned(world)}")
    output = world.goldsmith("apply", str(world.plans), "--yes")
    found("(web-prod: all 2 instances run )", output)
    back = instances(world, "web-prod", FIRST)
    world.goldsmith("plan")
    check(set(_planned(world).values()) == {"empty"}, f"planned was {_planned(world)}")
    return [f"git: {_head(world)}", *output.splitlines(), *back, "all plans are empty"]


def _revoke(world: World) -> Sequence[str]:
    move = soaked(world, THIRD)
    waits = found("(fleet web-staging: queued: .* was rolled back .*)", "\n".join(reasons(world)))
    kept = instances(world, "web-staging", SECOND_BUILD)
    (build,) = {
        channel["build"]
        for channel in json.loads(world.goldsmith("status", "web@latest", "--json"))["images"][0]["channels"]
    }
    world.goldsmith("revoke", f"web@{build}", "--why", "its instances stay unhealthy", "--yes")
    for channel in ("latest", "staging"):
        wait_for(world, channel, SECOND_BUILD)
    revoked = f"web@{build} is revoked, and latest and staging are {world.amis[SECOND_BUILD][HOME]} again"
    return [move, waits, *kept, revoked, *reasons(world)]


def _destroy(world: World) -> Sequence[str]:
    world.aws.set_rules(every_seconds=0)
    destroy = partial(world.cdktf, "destroy", "--auto-approve", "--skip-synth")
    world.together(*(partial(destroy, stack) for stack in (*FLEETS, IMAGE)))
    states = sorted((world.folder / "state" / "acme").glob("*.tfstate"))
    left = {state.name.partition(".")[0]: resources(state) for state in states}
    check(bool(left.pop(HISTORY)), "the history was not kept")
    check(left == {stack: [] for stack in (*FLEETS, IMAGE)}, f"left in the states: {left}")
    pipelines = world.aws.client("imagebuilder", region=HOME).list_image_pipelines()["imagePipelineList"]
    check(not pipelines, f"pipelines left: {pipelines}")
    logs = world.aws.client("logs", region=HOME).describe_log_groups()["logGroups"]
    check(not logs, f"log groups left: {logs}")
    parameters = world.aws.client("ssm", region=HOME).describe_parameters()["Parameters"]
    others = {each["Name"] for each in parameters} - {f"/imagebuilder/acme/web/{name}" for name in CHANNELS}
    check(others == RECORDS, f"parameters left: {others}")
    return [
        f"all four states are empty; the {len(world.amis)} AMIs in each region, the channels with their history, and "
        "what was tried in the fleets (/goldsmith/acme/fleets) are kept on purpose"
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
        "cdktf deploy fleet-web-dev, and image-web, to which jq is added; meanwhile the first build soaks a minute, "
        "and staging takes it",
        _first_fleet,
    ),
    Step(
        "goldsmith promote web prod, goldsmith pin, git commit, cdktf deploy fleet-web-staging and fleet-web-prod",
        _other_fleets,
    ),
    Step(
        "goldsmith build web, and no other command: the build reaches web-dev at once, and web-staging after its soak",
        _by_itself,
    ),
    Step(
        "goldsmith promote web prod; a bot's branch: goldsmith pin, git commit, goldsmith plan --changed-since main, "
        "goldsmith report",
        _propose,
    ),
    Step("git merge, goldsmith apply: the rollout of web-prod", _merge),
    Step(
        "goldsmith build web, and no other command: the new instances of web-dev stay unhealthy, so AWS puts the old "
        "ones back; goldsmith status says why",
        _broken,
    ),
    Step("git revert, goldsmith plan, goldsmith apply: the first build is back in web-prod", _revert),
    Step(
        "The third build has soaked: web-staging does not take it, goldsmith status says why; goldsmith revoke", _revoke
    ),
    Step("cdktf destroy, of the four stacks", _destroy),
)
"""In this order: each needs those before it."""
