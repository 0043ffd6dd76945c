"""A fleet with `updates: automatic` on the local AWS, the runs of its function, and an oracle of how they must end.

The oracle reads AWS as a person does, and knows nothing of the rules' code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estate.load import load
from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from stacks.fleet.rollout_archive import rollout_code
from tests.support.faults import LOST, Place
from tests.support.function_process import FunctionProcess, Ran, function_process
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Shell
from tests.support.rollout_world import REGION, DeployedFleet, RolloutWorld

RECORD, PUBLISH = f"ssm {REGION} PutParameter", f"sns {REGION} Publish"
ADD, START = f"ec2 {REGION} CreateLaunchTemplateVersion", f"auto-scaling {REGION} StartInstanceRefresh"
WRITES = (ADD, START, RECORD, PUBLISH)
REASON = "it stopped"
ENDS = {"Successful": "succeeded", "RollbackSuccessful": "rolled back"}
"""As a record has the statuses of refreshes."""
_OVER = 3600
"""Seconds after which every refresh has ended."""
_MOST_RUNS = 8


@dataclass(frozen=True, kw_only=True)
class State:
    """What is so."""

    refreshes: Mapping[str, tuple[str, str]]
    """Each with its AMI and its status, the oldest first."""
    launches: str
    """The AMI that the group launches."""
    instances: Counter[str]
    """AMIs."""
    newest: str
    """The AMI in the newest version of the launch template."""
    attempts: Mapping[str, Mapping[str, Any]]
    """Those in the record, by refresh."""


@dataclass
class AutomaticFleet:
    """The fleet `dev`."""

    world: RolloutWorld
    function: FunctionProcess
    archive: bytes
    """Of the function."""
    topics: tuple[str, ...]
    """Their names. The first one is that for e-mail."""
    number: int = 1
    """Of the last build."""

    @property
    def version(self) -> str:
        """Of the last build."""
        return f"1.0.7/{self.number}"

    @property
    def fleet(self) -> DeployedFleet:
        return self.world["dev"]

    @property
    def aws(self) -> LocalAws:
        return self.world.aws

    def build(self, *, is_bad: bool = False) -> str:
        """A build that the channel points to; its AMI. `is_bad`: its instances do not start."""
        ami, self.number = self.world.build(), self.number + 1
        _share(self.world, ami)
        if is_bad:
            self.aws.break_instances(ami, reason=REASON)
        return ami

    def pass_time(self) -> None:
        """Let what runs in the group end."""
        self.aws.pass_time(_OVER)

    def settle(self) -> list[Ran]:
        """Runs of the function without faults, and what AWS does meanwhile, until nothing changes."""
        runs = []
        for _ in range(_MOST_RUNS):
            runs.append(ran := self.function.run())
            assert (ran.raised, ran.line["problems"], ran.line["unfinished"]) == ("", [], []), ran
            assert "mistake" not in ran.line, ran
            if ran.line["next"] == "follow":
                self.pass_time()
            elif not {*ran.calls} & {*WRITES}:
                return runs
        raise AssertionError(f"it does not end: {[run.line['next'] for run in runs]}")

    @property
    def state(self) -> State:
        ec2, autoscaling = self.fleet.client("ec2"), self.fleet.client("autoscaling")
        answer = ec2.describe_launch_template_versions(LaunchTemplateName=self.fleet.group)
        versions = {each["VersionNumber"]: each for each in answer["LaunchTemplateVersions"]}
        amis = {str(number): each["LaunchTemplateData"]["ImageId"] for number, each in versions.items()}
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.fleet.group])[
            "AutoScalingGroups"
        ]
        return State(
            refreshes={
                each["InstanceRefreshId"]: (
                    amis[each["DesiredConfiguration"]["LaunchTemplate"]["Version"]],
                    each["Status"],
                )
                for each in reversed(self.fleet.refreshes)
            },
            launches=amis[group["LaunchTemplate"]["Version"]],
            instances=Counter(amis[each["LaunchTemplate"]["Version"]] for each in group["Instances"]),
            newest=amis[str(max(versions))],
            attempts={each["refresh"]: each for each in self.fleet.attempts},
        )

    def heard(self) -> dict[str, list[str]]:
        """What the topics have got since it was asked for last, each in its order."""
        sqs, heard = self.fleet.client("sqs"), {}
        for topic in self.topics:
            queue, heard[topic] = sqs.get_queue_url(QueueName=topic)["QueueUrl"], list[str]()
            while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                for each in found:
                    message = json.loads(each["Body"])["Message"]
                    is_plain = topic == self.topics[0]
                    heard[topic].append(message if is_plain else json.loads(message)["content"]["description"])
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return heard


@contextmanager
def automatic_fleet(aws: LocalAws, folder: Path, *, account: str = ACCOUNT) -> Iterator[AutomaticFleet]:
    """A fleet in an account, which runs its first build, after the first run of its function. Refreshes of its group
    take time."""
    shell = Shell(config=folder / "estate.yaml", environment=aws.environment(), ops=_no_command)
    world = RolloutWorld(aws, ImageWorld(aws), shell, accounts={"dev": account})
    topics = tuple(f"{world.web.name}-{name}" for name in ("emails", "chat", "pager"))
    arns = [_heard_topic(world["dev"], topic) for topic in topics]
    fields, settings, of_image = f"updates: automatic, notifications: {{topic_arns: {arns[1:]}}}", "", ""
    if account != ACCOUNT:
        aws.make_role(f"acme_{world.web.name}_reader_us-east-1", account=ACCOUNT, trusts=[account])
        named = {"images": ACCOUNT, "fleets": account}
        settings = f"  accounts: {{{', '.join(f'{name}: {{id: {id!r}, role: roller}}' for name, id in named.items())}}}"
        fields, of_image = f"account: fleets, {fields}", "account: images, "
    world.declare(settings, of_image, dev=fields)
    _share(world, first := world.build())
    world["dev"].deploy(first, size=2)
    (folder / "function").mkdir()
    with function_process(folder / "function") as function:
        archive = rollout_code(load(shell.config).fleet(world.name("dev"))).archive
        fleet = AutomaticFleet(world, function, archive, topics)
        function.deploy(
            archive,
            arn=f"arn:aws:lambda:{REGION}:{account}:function:{fleet.fleet.group}_rollout",
            environment={**aws.environment(region=REGION, account=account), "GOLDSMITH_EMAILS_TOPIC": arns[0]},
        )
        aws.set_rollout_time(launch_seconds=30, scale=1, give_up_seconds=60)
        fleet.settle()
        try:
            yield fleet
        finally:
            aws.set_rollout_time()


def _no_command(*_: str) -> Any:
    raise AssertionError("nobody runs a command here")


def _share(world: RolloutWorld, ami: str) -> None:
    """Let the fleet's account launch an AMI."""
    if world["dev"].account != ACCOUNT:
        permission = {"Add": [{"UserId": world["dev"].account}]}
        ec2 = world.aws.client("ec2", region=REGION)
        ec2.modify_image_attribute(ImageId=ami, LaunchPermission=permission)


def _heard_topic(fleet: DeployedFleet, name: str) -> str:
    """A topic and a queue that gets its messages, both with this name; the topic's ARN."""
    fleet.client("sqs").create_queue(QueueName=name)
    sns = fleet.client("sns")
    topic = str(sns.create_topic(Name=name)["TopicArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic.replace(":sns:", ":sqs:"))
    return topic


# --- the oracle


def check_run(ran: Ran, *, place: Place, fault: str, case: str) -> None:
    """A run that met a fault, whenever it tried the call, has printed one line, and has raised or said why."""
    assert place[0] in ran.calls, f"{case}: the call was made"
    assert ran.is_killed == fault.startswith("killed"), case
    if ran.is_killed:
        assert ran.lines == [], f"{case}: the line is the last thing"
        return
    assert "mistake" not in ran.line, f"{case}: {ran.line}"
    found = ran.line["problems"], ran.line["unfinished"]
    if fault == "denied":
        assert (ran.raised, *map(len, found)) == ("", 1, 0), f"{case}: {ran}"
        assert "AccessDenied" in found[0][0] and ran.line["NeedsPerson"] == 1, f"{case}: {ran.line}"
    elif fault == "truncated after AWS did it" and place[0] == RECORD:
        assert (ran.raised, *found) == ("", [], []), f"{case}: nothing is read of the answer; {ran}"
    else:
        assert ran.line["Unfinished"] == len(found[1]) > 0 == len(found[0]), f"{case}: {ran.line}"
        assert ran.raised.startswith("Unfinished: ") and " ".join(found[1][0].split()) in ran.raised, f"{case}: {ran}"


def check_rollout(
    fleet: AutomaticFleet, before: State, *, ami: str, end: str, is_written_down: bool = True, case: str
) -> State:
    """The last build was rolled out once, and this is how that ended: `succeeded` or `rolled back`; what is so now.

    `is_written_down`: whether the function could certainly write down who started it.
    """
    after, own = fleet.state, fleet.function.arn
    (refresh,) = after.refreshes.keys() - before.refreshes.keys()
    found, status = after.refreshes[refresh]
    succeeded = end == "succeeded"
    assert (found, ENDS[status]) == (ami, end), case
    wanted = ami if succeeded else before.launches
    assert (after.launches, after.newest) == (wanted, wanted), case
    assert after.instances == Counter({wanted: before.instances.total()}), case
    attempt = after.attempts[refresh]
    assert (attempt["ami"], attempt["build"]) == (ami, fleet.version), case
    assert (attempt["end"], attempt.get("reason", "")) == (end, "" if succeeded else REASON), case
    assert attempt.get("by", "") in ({own} if is_written_down else {own, ""}), case
    if attempt.get("by") or not succeeded:  # what was not written down, AWS does not know after the group has changed
        assert attempt["previous_ami"] == before.launches, case
    for identity, each in after.attempts.items():  # of many, the oldest are not in it, and those before come back
        shown = after.refreshes[identity]
        assert (each["ami"], each["end"]) == (shown[0], ENDS[shown[1]]), f"{case}: {identity} did not end so"
    return after


def check_notices(
    fleet: AutomaticFleet, *, end: str, what: str = "", may_repeat: bool = False, refused: Sequence[int] = (), case: str
) -> None:
    """Every topic has got one notification of the end of the last build, or of `what`, or several equal ones if an
    answer was lost; those that refused (by number) none."""
    heard = fleet.heard()
    part = f"{what or fleet.version} {'succeeded;' if end == 'succeeded' else f'was rolled back: {REASON};'}"
    for number in refused:
        assert heard.pop(fleet.topics[number]) == [], f"{case}: this topic refuses for good"
    for topic, texts in heard.items():
        assert texts and all(part in text for text in texts), f"{case}: {topic} has got {texts}"
        assert len({*texts}) == 1 and (may_repeat or len(texts) == 1), f"{case}: {topic} has got {texts}"


def may_repeat(ran: Ran, place: Place, fault: str) -> bool:
    """Whether a run that met a fault has sent something and could not remember it."""
    if PUBLISH not in ran.calls:
        return False
    number = [index for index, call in enumerate(ran.calls) if call == place[0]][place[1]]
    first = ran.calls.index(PUBLISH)
    return number > first or (number == first and fault in LOST)
