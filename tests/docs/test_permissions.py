"""The policies in `policies/`: what the stories call, what the page says, and AWS's limits.

The stories hold their calls against the policies, and write down which actions they call; here the policies are held
against these, without Terraform.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.calls import Call
from tests.support.estates import PROJECT
from tests.support.permissions import CALLED, POLICIES, TO_OPERATE, Estate

PAGE = (PROJECT / "docs" / "permissions.md").read_text()
NAMES = sorted(file.stem for file in POLICIES.glob("*.json"))
LONGEST = Estate(
    namespace="longestnames",
    account="1" * 12,
    iam_path=f"/{'p' * 62}/",
    boundary=f"arn:aws-us-gov:iam::{'1' * 12}:policy/{'b' * 128}",
    state_bucket="s" * 63,
    state_prefix="k" * 100,
    partition="aws-us-gov",
)
STORIES = {"images": "images-*.txt", "fleets": "fleets-*.txt", "state": "states.txt", "roles": "*.txt"}
"""The files of what was called, by a part of a policy's name."""
OF_AN_ESTATE = ("<namespace>", "<state-bucket>", "<boundary>")
"""What limits a resource, or a condition, to an estate."""


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((POLICIES / f"{name}.json").read_text())["Statement"]
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(name: str) -> list[str]:
    return [action for statement in statements(name) for action in listed(statement["Action"])]


def rows(heading: str) -> Mapping[str, str]:
    """The first table after a heading of the page, by what is in code in its first column."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if line.startswith("| `")]
    return {name: row[-1] for row in cells for name in re.findall(r"`([^`]+)`", row[0])}


def called(name: str) -> set[str]:
    """The actions that a story has called and a policy could be for."""
    if name in TO_OPERATE:
        lines = {line for file in CALLED.glob("commands-*.txt") for line in file.read_text().splitlines()}
        return {action for role, _, action in (line.partition(" ") for line in lines) if name in TO_OPERATE[role]}
    command = "plan" if name.startswith("plan-") else "deploy"
    (pattern,) = (pattern for part, pattern in STORIES.items() if re.search(rf"\b{part}\b", name))
    lines = {line for file in CALLED.glob(pattern) for line in file.read_text().splitlines()}
    return {line.partition(" ")[2] for line in lines if line.startswith(f"{command} ")}


@pytest.mark.parametrize("name", NAMES)
def test_policy_fits_into_a_managed_policy(name: str) -> None:
    """AWS counts 6,144 characters, without white space ("IAM and AWS STS quotas" in its user guide)."""
    text = LONGEST.policy(name)
    assert json.loads(text)["Version"] == "2012-10-17"
    assert len(re.sub(r"\s", "", text)) <= 6_144
    assert "<" not in text, "a placeholder that tests/support/permissions.py does not know"
    names = [statement["Sid"] for statement in statements(name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_listed_one_by_one(name: str) -> None:
    assert [action for action in actions(name) if "*" in action] == []
    reading = r"\w+:(Get|List|Describe|BatchGet|Simulate)\w+|sts:AssumeRole|kms:Decrypt"
    if name.startswith("plan-") or name == "viewer":
        assert [action for action in actions(name) if not re.fullmatch(reading, action)] == []


def test_what_is_not_limited_to_an_estate_has_a_reason() -> None:
    broad = {
        f"{name} {statement['Sid']}"
        for name in NAMES
        for statement in statements(name)
        if not all(any(part in each for part in OF_AN_ESTATE) for each in listed(statement["Resource"]))
        and not any(part in json.dumps(statement.get("Condition", {})) for part in OF_AN_ESTATE)
    }
    assert rows("Statements that are not limited to the estate").keys() == broad


def test_every_action_was_called_or_has_a_reason() -> None:
    not_called = {action for name in NAMES for action in set(actions(name)) - called(name)}
    assert rows("Actions that no test calls").keys() == not_called


def test_the_table_has_every_policy() -> None:
    assert list(rows("The files")) == NAMES


def test_the_commands_of_the_page_fill_in_every_placeholder(tmp_path: Path) -> None:
    (tmp_path / "policies").symlink_to(POLICIES)
    commands = PAGE.partition("```sh\n")[2].partition("aws iam")[0]
    subprocess.run(["sh", "-eu", "-c", commands], cwd=tmp_path, check=True)
    estate = Estate(
        namespace="acme",
        account="333333333333",
        images_account="111111111111",
        boundary="arn:aws:iam::333333333333:policy/limits-of-roles",
        state_bucket="acme-terraform",
    )
    for name in NAMES:
        assert (tmp_path / "filled-in" / f"{name}.json").read_text() == estate.policy(name)


ROLE = "arn:aws:iam::333333333333:role"
BOUNDED = "arn:aws:iam::333333333333:policy/limits-of-roles"
BUILD = "arn:aws:imagebuilder:eu-west-1:333333333333:image/acme-web/1.0.7/1"
OTHER_BUILD = BUILD.replace("acme-", "other-")
MOVES = "acme-goldsmith-history-333333333333-eu-west-1"
_REFUSED_TO_PEOPLE: list[tuple[str, str, dict[str, Any], list[str] | None]] = [
    ("releaser", "ssm PutParameter", {"Name": "/imagebuilder/acme/web/stable"}, []),
    ("releaser", "ssm PutParameter", {"Name": "/imagebuilder/acme/web/_hold"}, []),
    ("releaser", "ssm PutParameter", {"Name": "/imagebuilder/acme/web/latest"}, None),
    ("releaser", "ssm PutParameter", {"Name": "/imagebuilder/other/web/stable"}, None),
    ("releaser", "s3 PutObject", {"Bucket": MOVES, "Key": "moves/web/00000001.json"}, []),
    ("releaser", "s3 PutObject", {"Bucket": MOVES, "Key": "cache/web.json"}, None),
    ("releaser", "imagebuilder TagResource", {"resourceArn": BUILD, "tags": {"goldsmith:revoked": "x"}}, None),
    ("releaser", "imagebuilder TagResource", {"resourceArn": BUILD, "tags": {"goldsmith:commit": "x"}}, []),
    ("rollout", "autoscaling StartInstanceRefresh", {"AutoScalingGroupName": "acme_web-dev"}, []),
    ("rollout", "autoscaling RollbackInstanceRefresh", {"AutoScalingGroupName": "other_web-dev"}, None),
    ("rollout", "ssm PutParameter", {"Name": "/goldsmith/acme/fleets/web-dev"}, []),
    ("rollout", "ssm PutParameter", {"Name": "/goldsmith/other/fleets/web-dev"}, None),
    ("rollout", "ssm PutParameter", {"Name": "/imagebuilder/acme/web/stable"}, None),
    ("emergency", "imagebuilder TagResource", {"resourceArn": BUILD, "tags": {"goldsmith:revoked": "x"}}, []),
    ("emergency", "imagebuilder TagResource", {"resourceArn": BUILD, "tags": {"goldsmith:in-use": "x"}}, None),
    ("emergency", "imagebuilder UntagResource", {"resourceArn": BUILD, "tagKeys": "goldsmith:revoked"}, []),
    ("emergency", "imagebuilder UntagResource", {"resourceArn": BUILD, "tagKeys": "goldsmith:image"}, None),
    ("emergency", "imagebuilder TagResource", {"resourceArn": OTHER_BUILD, "tags": {"goldsmith:revoked": "x"}}, None),
    ("viewer", "ssm PutParameter", {"Name": "/imagebuilder/acme/web/stable"}, None),
]
OWN_KEY = "arn:aws:kms:eu-west-1:111111111111:key/1f2e"


@pytest.mark.parametrize(
    ("policy", "operation", "parameters", "refused"),
    [
        ("roles", "iam PutRolePolicy", {"RoleName": "goldsmith"}, [f"iam:PutRolePolicy on {ROLE}/goldsmith"]),
        ("roles", "iam PutRolePolicy", {"RoleName": "acme_web_function"}, []),
        (
            "roles",
            "iam AttachRolePolicy",
            {"RoleName": "acme_web_function", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            [f"iam:AttachRolePolicy on {ROLE}/acme_web_function"],
        ),
        (
            "roles-with-boundary",
            "iam CreateRole",
            {"RoleName": "acme_web_function", "Path": "/"},
            [f"iam:CreateRole on {ROLE}/acme_web_function"],
        ),
        (
            "roles-with-boundary",
            "iam CreateRole",
            {"RoleName": "acme_web_function", "Path": "/", "PermissionsBoundary": BOUNDED},
            [],
        ),
        ("roles-with-boundary", "iam DeleteRolePermissionsBoundary", {"RoleName": "acme_web_function"}, None),
        ("deploy-images-storage", "kms CreateKey", {}, ["kms:CreateKey on *", "kms:PutKeyPolicy on *"]),
        (
            "deploy-images-storage",
            "s3 PutObject",
            {"Bucket": "acme-goldsmith-history-111111111111-eu-west-1", "Key": "moves/web/1.json"},
            ["s3:PutObject on arn:aws:s3:::acme-goldsmith-history-111111111111-eu-west-1/moves/web/1.json"],
        ),
        (
            "deploy-fleets",
            "kms CreateGrant",
            {"KeyId": OWN_KEY, "GranteePrincipal": f"{ROLE}/somebody"},
            [f"kms:CreateGrant on {OWN_KEY}"],
        ),
        ("plan-fleets", "sts AssumeRole", {"RoleArn": "arn:aws:iam::111111111111:role/acme_web_function"}, None),
        ("plan-fleets", "sts AssumeRole", {"RoleArn": "arn:aws:iam::111111111111:role/acme_web_reader_eu-west-1"}, []),
        *_REFUSED_TO_PEOPLE,
        ("plan-state", "s3 GetObject", {"Bucket": "acme-terraform", "Key": "goldsmith/other/image-web.tfstate"}, None),
        ("plan-state", "s3 GetObject", {"Bucket": "acme-terraform", "Key": "goldsmith/acme/image-web.tfstate"}, []),
    ],
)
def test_what_does_not_belong_to_the_estate_is_refused(
    policy: str, operation: str, parameters: dict[str, Any], refused: list[str] | None
) -> None:
    """`refused` is None for exactly one action, whatever its resource."""
    service, name = operation.split()
    caller = "arn:aws:sts::333333333333:assumed-role/goldsmith/me"
    call = Call(service=service, operation=name, region="eu-west-1", caller=caller, agent="test", parameters=parameters)
    estate = Estate(
        namespace="acme",
        account="333333333333",
        images_account="111111111111",
        boundary=BOUNDED,
        state_bucket="acme-terraform",
    )
    lines = estate.refused([call], policies=[policy])
    if refused is None:
        assert len(lines) == 1
    else:
        assert lines == [f"{line} ({operation})" for line in refused]
