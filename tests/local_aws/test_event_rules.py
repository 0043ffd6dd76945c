"""EventBridge's rules at work: changes of parameters and schedules call functions and queues, when that is asked."""

from __future__ import annotations

import io
import itertools
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local_aws.server import LocalAws

REGION, ACCOUNT = "eu-west-1", "000000000000"
NEVER = 3600.0
"""Seconds between two calls by a schedule: none in a test."""
_numbers = itertools.count(1)
FUNCTION = """
import boto3, json, os

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def name() -> str:
    """Of a queue, a rule and parameters, which no other test uses."""
    return f"event-rules-{next(_numbers)}"


@pytest.fixture
def aws(local_aws: LocalAws) -> Iterator[LocalAws]:
    yield local_aws
    local_aws.set_rules(every_seconds=0)


def add_queue(aws: LocalAws, name: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """Gives its URL."""
    return str(aws.client("sqs", region=region, account=account).create_queue(QueueName=name)["QueueUrl"])


def add_rule(
    aws: LocalAws, name: str, *, target: str = "", region: str = REGION, account: str = ACCOUNT, **rule: str
) -> None:
    """A rule that calls a target, a queue with its name by default."""
    events = aws.client("events", region=region, account=account)
    events.put_rule(Name=name, **rule)
    arn = target or f"arn:aws:sqs:{region}:{account}:{name}"
    events.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": arn}])


def changes_of(*names: str | Mapping[str, str]) -> str:
    """As the stacks have it."""
    return json.dumps(
        {"source": ["aws.ssm"], "detail-type": ["Parameter Store Change"], "detail": {"name": list(names)}}
    )


def received(aws: LocalAws, queue: str, *, count: int, region: str = REGION) -> list[dict[str, Any]]:
    """So many events that have come, oldest first."""
    events: list[dict[str, Any]] = []
    sqs, until = aws.client("sqs", region=region), time.monotonic() + 30
    while len(events) < count and time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            events.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return events


def put(aws: LocalAws, name: str, *, region: str = REGION, account: str = ACCOUNT, **options: str) -> None:
    ssm = aws.client("ssm", region=region, account=account)
    ssm.put_parameter(Name=name, Value="ami-1", Overwrite=True, **options)


def test_a_function_gets_the_event_of_a_change(aws: LocalAws, name: str) -> None:
    queue, archive = add_queue(aws, name), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("main.py", FUNCTION)
    function = aws.client("lambda", region=REGION).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"QUEUE": queue}},
    )["FunctionArn"]
    add_rule(aws, name, target=function, EventPattern=changes_of(f"/{name}/latest"))
    aws.set_rules(every_seconds=NEVER)
    put(aws, f"/{name}/latest", Type="String", DataType="aws:ec2:image", Description="the newest")
    (event,) = received(aws, queue, count=1)
    assert set(event) == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    }
    assert event["detail-type"] == "Parameter Store Change"
    assert (event["version"], event["source"]) == ("0", "aws.ssm")
    assert (event["account"], event["region"]) == (ACCOUNT, REGION)
    time.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")
    assert event["resources"] == [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}/latest"]
    assert event["detail"] == {
        "operation": "Create",
        "name": f"/{name}/latest",
        "type": "String",
        "description": "the newest",
        "dataType": "aws:ec2:image",
    }


def test_each_change_of_each_parameter_is_an_event(aws: LocalAws, name: str) -> None:
    queue, ssm = add_queue(aws, name), aws.client("ssm", region=REGION)
    add_rule(aws, name, EventPattern=changes_of({"prefix": f"/{name}/"}))
    aws.set_rules(every_seconds=NEVER)
    for each in ("a", "b", "c"):
        put(aws, f"/{name}/{each}", Type="String")
    put(aws, f"/{name}/a")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=f"/{name}/a", Value="ami-2", Type="String")
    put(aws, f"/{name}-2/a", Type="String")
    ssm.delete_parameter(Name=f"/{name}/b")
    ssm.delete_parameters(Names=[f"/{name}/a", f"/{name}/none", f"/{name}/c"])
    details = [event["detail"] for event in received(aws, queue, count=7)]
    assert [(detail["operation"], detail["name"].rpartition("/")[2]) for detail in details] == [
        *(("Create", "a"), ("Create", "b"), ("Create", "c"), ("Update", "a")),
        *(("Delete", "b"), ("Delete", "a"), ("Delete", "c")),
    ]
    assert {detail["type"] for detail in details} == {"String"}


def test_events_stay_in_their_account_and_region(aws: LocalAws, name: str) -> None:
    queue = add_queue(aws, name)
    add_rule(aws, name, EventPattern=changes_of(f"/{name}"))
    aws.set_rules(every_seconds=NEVER)
    put(aws, f"/{name}", Type="String", account="222222222222")
    put(aws, f"/{name}", Type="String", region="us-west-2")
    put(aws, f"/{name}", Type="String", Description="at home")
    assert [event["detail"].get("description") for event in received(aws, queue, count=1)] == ["at home"]
    other = add_queue(aws, name, region="us-west-2")
    add_rule(aws, name, region="us-west-2", EventPattern=changes_of(f"/{name}"))
    put(aws, f"/{name}", region="us-west-2")
    (event,) = received(aws, other, count=1, region="us-west-2")
    assert event["region"] == "us-west-2"


def test_a_schedule_calls_its_target_until_it_is_disabled(aws: LocalAws, name: str) -> None:
    queue, events = add_queue(aws, name), aws.client("events", region=REGION)
    add_rule(aws, name, ScheduleExpression="rate(5 minutes)")
    add_queue(aws, f"{name}-daily")
    add_rule(aws, f"{name}-daily", ScheduleExpression="cron(0 3 * * ? *)")
    aws.set_rules(every_seconds=0.1)
    event = received(aws, queue, count=2)[-1]
    assert (event["detail-type"], event["source"], event["detail"]) == ("Scheduled Event", "aws.events", {})
    assert event["resources"] == [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"]
    events.disable_rule(Name=name)
    aws.client("sqs", region=REGION).purge_queue(QueueUrl=queue)
    events.put_targets(
        Rule=f"{name}-daily",
        Targets=[{"Id": "target", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "Input": '{"daily": true}'}],
    )
    assert received(aws, queue, count=2) == [{"daily": True}] * 2, "nothing comes from the rule that is disabled"


def test_no_change_is_an_event_while_rules_are_off(aws: LocalAws, name: str) -> None:
    queue = add_queue(aws, name)
    add_rule(aws, name, EventPattern=changes_of(f"/{name}"))
    put(aws, f"/{name}", Type="String", Description="before")
    aws.set_rules(every_seconds=NEVER)
    put(aws, f"/{name}", Description="on")
    aws.set_rules(every_seconds=0)
    put(aws, f"/{name}", Description="off")
    aws.set_rules(every_seconds=NEVER)
    put(aws, f"/{name}", Description="on again")
    assert [each["detail"]["description"] for each in received(aws, queue, count=2)] == ["on", "on again"]


def test_no_schedule_calls_its_target_while_rules_are_off(aws: LocalAws, name: str) -> None:
    queue, sqs = add_queue(aws, name), aws.client("sqs", region=REGION)
    add_rule(aws, name, ScheduleExpression="rate(1 day)")
    aws.set_rules(every_seconds=0.05)
    received(aws, queue, count=1)
    aws.set_rules(every_seconds=0)
    sqs.purge_queue(QueueUrl=queue)
    time.sleep(0.3)  # in which it would have called the queue several times
    sqs.send_message(QueueUrl=queue, MessageBody='{"after": "that"}')
    assert received(aws, queue, count=1) == [{"after": "that"}]
