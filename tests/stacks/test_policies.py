"""General rules for every policy of every example, in the JSON that `test_snapshots` compares with the synthesis.

What breaks a rule on purpose is in a table with its reason. A line that is not needed any longer fails, too.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.estates import SNAPSHOTS

NO_RESOURCE_TYPES = "the actions have no resource types (AWS's service authorization reference)"
OWN_RESOURCE = "in a resource's policy: that resource"

EVERY_ACTION = {
    "aws_kms_key EnableIamPolicies": "AWS's default: without it nobody could manage the key by IAM policies",
}
EVERY_RESOURCE = {
    "aws_iam_role_policy CopySnapshots": "as AWS documents the role of VM Import/Export; in the home region only",
    "aws_iam_role_policy DecryptComponents": "keys of AWS's and others' components; through Image Builder only",
    "aws_iam_role_policy DescribeAmis": NO_RESOURCE_TYPES,
    "aws_iam_role_policy DescribeEc2": NO_RESOURCE_TYPES,
    "aws_iam_role_policy DescribeExports": NO_RESOURCE_TYPES,
    "aws_iam_role_policy DescribeKeys": "the parent's keys, which only a build knows; through EC2 only",
    "aws_iam_role_policy DescribeLaunchTemplates": NO_RESOURCE_TYPES,
    "aws_iam_role_policy EncryptVolumes": "the parent's keys, which only a build knows; through EC2 only",
    "aws_iam_role_policy FindResources": NO_RESOURCE_TYPES,
    "aws_iam_role_policy GrantKeysToEc2": "the parent's keys, which only a build knows; for EC2 only",
    "aws_iam_role_policy LogInToRegistry": NO_RESOURCE_TYPES,
    "aws_iam_role_policy LookAtInstances": NO_RESOURCE_TYPES,
    "aws_iam_role_policy ManagedBySystemsManager": "the agent's own channel, which reaches its own instance only",
    "aws_iam_role_policy ReadCommandResults": NO_RESOURCE_TYPES,
    "aws_iam_role_policy ReadFindings": NO_RESOURCE_TYPES,
    "aws_iam_role_policy ReadInventory": NO_RESOURCE_TYPES,
    "aws_kms_key AlarmsPublish": OWN_RESOURCE,
    "aws_kms_key EnableIamPolicies": OWN_RESOURCE,
    "aws_kms_key EventBridgePublishes": OWN_RESOURCE,
    "aws_kms_key GrantsByAutoScaling": OWN_RESOURCE,
    "aws_kms_key GrantToAutoScaling": OWN_RESOURCE,
    "aws_kms_key ImageBuilderPublishes": OWN_RESOURCE,
    "aws_kms_key LaunchesAndCopiesOfOtherAccounts": OWN_RESOURCE,
    "aws_kms_key ListAndRevokeGrants": OWN_RESOURCE,
    "aws_kms_key LogGroups": OWN_RESOURCE,
    "aws_kms_key TopicWritesDeadLetters": OWN_RESOURCE,
    "aws_kms_key UseByAutoScaling": OWN_RESOURCE,
    "aws_kms_key UseByOtherAccounts": OWN_RESOURCE,
    "aws_sqs_queue TopicWritesDeadLetters": OWN_RESOURCE,
}
BEGINNINGS = {
    "aws_iam_role FleetsOfOtherAccounts role/acme_*_rollout_*": "the functions of all fleets of the estate in an "
    "account, so that `updates` of a fleet changes nothing in the stack of its image",
    "aws_iam_role_policy ManageFindingsRules rule/ImageBuilder-*": "the names of rules that Image Builder makes",
}
WITHOUT_SOURCE = {
    "aws_iam_role instance_role ec2.amazonaws.com": "EC2 names no source when an instance takes its role "
    "(prowler-cloud/prowler#2810)",
    "aws_sns_topic_policy EventBridgePublishes events.amazonaws.com": "conditions do not work there (user guide of "
    "EventBridge, Amazon SNS permissions); a rule of another account comes under a role instead",
}
SOURCE_KEYS = (
    "aws:SourceAccount",
    "aws:SourceArn",
    "kms:EncryptionContext:aws:logs:arn",
    "kms:EncryptionContext:aws:sns:topicArn",
)
"""What says for which account or resource a service acts; the contexts hold an ARN with the account in it."""

TAGGED_BY_IMAGE_BUILDER = (
    "ec2:CancelExportTask",
    "ec2:DeleteSnapshot",
    "ec2:DeregisterImage",
    "ec2:DisableImage",
    "ec2:DisableImageDeprecation",
    "ec2:EnableImage",
    "ec2:EnableImageDeprecation",
    "ec2:ModifyImageAttribute",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
)
"""Actions on what a build makes, for which EC2 knows the tags of what they change (service authorization reference)."""


@dataclass(frozen=True)
class Statement:
    """A statement, and the resource whose policy has it."""

    stack: str
    kind: str
    name: str
    body: Mapping[str, Any]

    @property
    def key(self) -> str:
        """How the tables call it."""
        return f"{self.kind} {self.body.get('Sid', self.name)}"

    @property
    def allows(self) -> bool:
        return bool(self.body["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        return as_list(self.body["Action"])

    @property
    def resources(self) -> list[str]:
        return as_list(self.body.get("Resource", []))

    @property
    def conditions(self) -> dict[str, list[str]]:
        """The values of each key, whatever the operator."""
        return {
            key: as_list(value)
            for operator in self.body.get("Condition", {}).values()
            for key, value in operator.items()
        }


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def resources() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Stack, type, name and arguments of every resource of every example."""
    for file in sorted(SNAPSHOTS.glob("*/*.json")):
        for kind, named in json.loads(file.read_text()).get("resource", {}).items():
            for name, arguments in named.items():
                yield f"{file.parent.name}/{file.stem}", kind, name, arguments


@pytest.fixture(scope="module")
def statements() -> list[Statement]:
    return [
        Statement(stack, kind, name, body)
        for stack, kind, name, arguments in resources()
        for value in arguments.values()
        if isinstance(value, dict) and "Statement" in value
        for body in value["Statement"]
    ]


def test_no_statement_allows_every_action_of_a_service(statements: list[Statement]) -> None:
    broad = {
        each.key for each in statements if each.allows and any(re.fullmatch(r"(\w+:)?\*", a) for a in each.actions)
    }
    assert broad == EVERY_ACTION.keys()


def test_all_resources_are_allowed_only_where_the_reason_was_reviewed(statements: list[Statement]) -> None:
    assert {each.key for each in statements if each.allows and "*" in each.resources} == EVERY_RESOURCE.keys()


def test_no_pattern_has_its_wildcard_directly_after_a_name(statements: list[Statement]) -> None:
    """`acme_web*` is also `acme_webshop`, and `acme_web-*` also `acme_web-shop`. What denies may be too wide."""
    patterns = {
        f"{each.key} {pattern.rpartition(':')[2]}"
        for each in statements
        if each.allows
        for pattern in [*each.resources, *(value for values in each.conditions.values() for value in values)]
        if re.search(r"[A-Za-z0-9_-]\*", pattern)
    }
    assert patterns == BEGINNINGS.keys()


def test_services_act_for_this_account_only(statements: list[Statement]) -> None:
    open_to_all = {
        f"{each.key} {service}"
        for each in statements
        if each.allows and isinstance(each.body.get("Principal"), dict)
        for service in as_list(each.body["Principal"].get("Service", []))
        if not any(key in each.conditions for key in SOURCE_KEYS)
    }
    assert open_to_all == WITHOUT_SOURCE.keys()
    for stack, kind, name, arguments in resources():
        if kind == "aws_lambda_permission":
            assert arguments["source_arn"], f"{stack}: {name}"


def test_nobody_is_allowed_without_a_condition(statements: list[Statement]) -> None:
    for each in statements:
        principal = each.body.get("Principal")
        anybody = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*")
        assert not (each.allows and anybody) or "aws:PrincipalArn" in each.conditions, each


def test_topics_queues_and_buckets_refuse_what_comes_without_tls(statements: list[Statement]) -> None:
    policies = {"aws_sns_topic": "_policy", "aws_s3_bucket": "_policy", "aws_sqs_queue": ""}
    refusing = {
        (each.stack, each.kind, each.name)
        for each in statements
        if not each.allows
        and each.body.get("Principal") == "*"
        and each.body.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        and {"sns:Publish", "sns:Subscribe", "s3:*", "sqs:*"} & set(each.actions)
    }
    for stack, kind, name, _ in resources():
        if kind in policies:
            with_policy = f"{kind}_policy" if policies[kind] else kind
            assert (stack, with_policy, f"{name}{policies[kind]}") in refusing, f"{stack}: {kind}.{name}"


def test_only_what_image_builder_made_is_changed_and_deleted(statements: list[Statement]) -> None:
    seen = set()
    for each in statements:
        if each.allows and (changing := set(each.actions) & set(TAGGED_BY_IMAGE_BUILDER)):
            seen |= changing
            tag = {f"{prefix}:ResourceTag/CreatedBy" for prefix in ("aws", "ec2")} & each.conditions.keys()
            assert [each.conditions[key] for key in tag] == [["EC2 Image Builder"]], each
    assert {"ec2:DeregisterImage", "ec2:ModifyImageAttribute", "ec2:TerminateInstances"} <= seen


def test_function_gives_builds_no_tags_but_its_own(statements: list[Statement]) -> None:
    (tagging,) = (each for each in statements if each.stack == "sample/image-web" and each.key.endswith(" TagBuilds"))
    keys = ["goldsmith:image", "goldsmith:in-use", "goldsmith:newest", "goldsmith:retention"]
    assert tagging.conditions["aws:TagKeys"] == keys
    assert tagging.conditions["aws:RequestTag/goldsmith:image"] == ["acme/web"]
    assert tagging.conditions["aws:RequestTag/goldsmith:retention"] == ["acme/web/*"]
    tagging_builds = {"imagebuilder:TagResource", "imagebuilder:UntagResource"}
    for each in statements:
        if tagging_builds & set(each.actions):
            assert set(each.conditions["aws:TagKeys"]) <= set(keys), each


@pytest.mark.parametrize(("provider", "folder"), [("sample/image-web", ""), ("provider-6/image-base", "/builds")])
def test_builds_write_to_their_own_log_groups(statements: list[Statement], provider: str, folder: str) -> None:
    (writing,) = (
        each for each in statements if each.stack == provider and each.key == "aws_iam_role_policy WriteBuildLog"
    )
    for group in writing.resources:
        assert re.search(rf":log-group:/aws/imagebuilder/[a-z]+[_-](web|base){folder}:\*$", group), group
