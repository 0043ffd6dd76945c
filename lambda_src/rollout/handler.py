"""The entry point of the function of a fleet with `updates: automatic`: one run, and one log line.

An event only means that something may have happened: the schedule's, that of a channel that has moved, or `{}` from a
person. The function does the same for all of them. What to roll out is in the channel, never in an event.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config

from ..handoff.answers import ask, member, part
from ..handoff.failures import Failures, Unfinished
from ..handoff.log_line import shortened
from ..handoff.notices import Topics
from ..handoff.run import Publish
from .configuration import EMAILS_TOPIC, Configuration, FleetRules, read_configuration
from .decisions import Decision, Done, Ended, Follow, Refused, Sight, Wait, Wish, decide
from .evidence import Runs
from .log_line import log_line, needs_of
from .look import FAILURES, ImagePlace, Place, read_runs
from .notices import Memory, announce
from .record import time_of
from .run import Fleet, run, see

CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "adaptive", "total_max_attempts": 3})
_WHY = "updates: automatic"
_LONGEST_MISTAKE = 300
"""Characters of an exception that nothing here expects."""


def handle(event: Any, context: Any) -> None:
    """Lambda calls this: `lambda_src.rollout.handler.handle` in the archive that the fleet's stack writes."""
    configuration, function = read_configuration(), context.invoked_function_arn
    region = configuration.rules.region
    topics = (os.environ.get(EMAILS_TOPIC, ""), configuration.topics)
    respond(
        configuration=configuration,
        reach=partial(_reach, configuration, function),
        publish=Topics(_client("sns", region), *topics) if any(topics) else None,
        memory=Memory(_client("ssm", region), configuration.notices),
        unknown=unknown_preferences(_client("autoscaling", region), configuration.rules.preferences),
    )


def respond(
    *,
    configuration: Configuration,
    reach: Callable[[], Fleet],
    publish: Publish | None,
    memory: Memory,
    unknown: Sequence[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Do what comes next for the fleet that `reach` reaches, and print the line also when that fails. Raises Unfinished
    when a retry can fix something.

    `publish` sends notifications, None if nobody gets any; `memory` is what was sent. `unknown` are preferences that
    this version of boto3 cannot send: then nothing is started.
    """
    failures, began, mistake = Failures(), now(), ""
    seen: tuple[Sight, Decision] | None = None
    fleet: Fleet | None = None
    notices: list[str] = []
    try:
        with failures.collected("rollout"):
            fleet = reach()
            seen = _without(unknown, fleet, now()) if unknown else run(fleet, Wish(), why=_WHY, now=now)
        if publish:
            sight, need = seen[0] if seen else None, (*needs_of(seen), *failures.problems)
            notices = announce(
                configuration.label, sight, need, publish=publish, memory=memory, failures=failures, now=now()
            )
    except Exception as error:
        mistake = f"{type(error).__name__}: {error}"[:_LONGEST_MISTAKE]
        raise
    finally:
        has_started = bool(fleet and seen and _has_started(fleet, seen[0], since=began))
        line = log_line(
            configuration.label,
            seen=seen,
            has_started=has_started,
            failures=failures,
            notices=notices,
            mistake=mistake,
        )
        print(json.dumps(line), flush=True)
    if unfinished := failures.unfinished:
        raise Unfinished(f"{configuration.label} needs another run: {'; '.join(shortened(unfinished))}")


def unknown_preferences(autoscaling: Any, preferences: Mapping[str, Any]) -> tuple[str, ...]:
    """The preferences of instance refreshes that a client does not know: that of Lambda's runtime may be older than the
    one that this was written with."""
    operation = autoscaling.meta.service_model.operation_model("StartInstanceRefresh")
    known = operation.input_shape.members["Preferences"].members
    return tuple(name for name in preferences if name not in known)


def _without(unknown: Sequence[str], fleet: Fleet, now: datetime) -> tuple[Sight, Decision]:
    """Only a look, if there is something to start."""
    sight = see(fleet, now=now)
    decision = decide(fleet.rules, sight, Wish())
    if isinstance(decision, Done | Ended | Follow | Refused | Wait):
        return sight, decision
    names = " and ".join(unknown)
    rule = f"boto3 {boto3.__version__} of the function's runtime cannot send {names}"
    return sight, Refused(reasons=(f"{rule}: goldsmith rollout {fleet.rules.fleet} can, until AWS updates it",))


def _has_started(fleet: Fleet, sight: Sight, *, since: datetime) -> bool:
    own = (time_of(attempt.started) for attempt in sight.record.attempts if attempt.by == fleet.caller)
    return any(started and started >= since.replace(microsecond=0) for started in own)


def _reach(configuration: Configuration, function: str) -> Fleet:
    """The fleet with clients of the function's account, and of the image's. Raises `look.FAILURES`."""
    rules, account = configuration.rules, function.split(":")[4]
    place = Place(
        autoscaling=_client("autoscaling", rules.region),
        ec2=_client("ec2", rules.region),
        ssm=_client("ssm", rules.region),
        account=account,
    )
    image = _image(configuration, place)
    before = {each.fleet: each for each in configuration.before}
    return Fleet(rules=rules, place=place, image=image, runs_of=partial(_runs, before, place, image), caller=function)


def _image(configuration: Configuration, place: Place) -> ImagePlace:
    rules, role = configuration.rules, configuration.reader_role
    if not role:
        home = _client("ssm", rules.home)
        return ImagePlace(ec2=place.ec2, ssm=place.ssm, home_ssm=home, account=place.account)
    answer = ask(_client("sts", rules.region).assume_role, RoleArn=role, RoleSessionName="goldsmith-rollout")
    found = part(answer, "Credentials")
    session = boto3.Session(
        aws_access_key_id=member(found, "AccessKeyId", str),
        aws_secret_access_key=member(found, "SecretAccessKey", str),
        aws_session_token=member(found, "SessionToken", str),
    )
    ssm = session.client("ssm", region_name=rules.region, config=CONFIG)
    return ImagePlace(
        ec2=session.client("ec2", region_name=rules.region, config=CONFIG),
        ssm=ssm,
        home_ssm=ssm if rules.home == rules.region else session.client("ssm", region_name=rules.home, config=CONFIG),
        account=role.split(":")[4],
    )


def _runs(before: Mapping[str, FleetRules], place: Place, image: ImagePlace, name: str) -> Runs | str:
    """What a fleet of `after` runs and ran, or why it cannot be read."""
    try:
        return read_runs(before[name], place, image)
    except FAILURES as error:
        return str(error)


@cache
def _client(service: Any, region: str) -> Any:
    return boto3.client(service, region_name=region, config=CONFIG)
