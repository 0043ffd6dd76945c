"""What calls to AWS need to be allowed, and whether the policies in `policies/` allow it.

The local AWS keeps operation, parameters and caller of each call (`LocalAws.record_calls`). `iam_actions` has the names
that IAM has for them, their resources, and what AWS checks besides, after its service authorization reference.

Not known from a call, and so assumed: that a resource which exists has the tag of its estate and, if it is a role, the
boundary of its estate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import pytest

from local_aws.callers import Caller
from local_aws.calls import Call
from local_aws.policies import Keys, Request, allows
from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import PROJECT
from tests.support.iam_actions import NO_PERMISSION, OTHER_NAMES, RESOURCES, further_needs

POLICIES = PROJECT / "policies"
CALLED = Path(__file__).parent / "called_actions"
"""The actions that each story calls, written by `--snapshot-update`."""
Stacks = Literal["images", "fleets", "states"]
TO_PLAN: Mapping[Stacks, list[str]] = {"images": ["plan-images"], "fleets": ["plan-fleets"], "states": ["plan-state"]}
TO_DEPLOY: Mapping[Stacks, list[str]] = {
    "images": ["deploy-images", "deploy-images-storage"],
    "fleets": ["deploy-fleets"],
    "states": ["deploy-state"],
}
"""The policies of who plans and deploys stacks; a deployer has those to plan, too, and one for roles."""
TO_OPERATE = {
    "viewer": ["viewer"],
    "releaser": ["viewer", "releaser"],
    "emergency": ["viewer", "releaser", "emergency"],
    "rollout": ["viewer", "rollout"],
}
"""The policies of who runs commands, by role."""
_TAG = "goldsmith:image"


@dataclass(frozen=True)
class Need:
    """An action that a caller needs on a resource, with what is known of the condition keys."""

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Estate:
    """What the placeholders of the policies stand for."""

    namespace: str
    account: str
    images_account: str = ""
    iam_path: str = "/"
    boundary: str = ""
    state_bucket: str = "states"
    state_prefix: str = "goldsmith"
    partition: str = "aws"

    @property
    def values(self) -> Mapping[str, str]:
        return {
            "<partition>": self.partition,
            "<account>": self.account,
            "<images-account>": self.images_account or self.account,
            "<namespace>": self.namespace,
            "<iam-path>": self.iam_path,
            "<boundary>": self.boundary,
            "<state-bucket>": self.state_bucket,
            "<state-prefix>": self.state_prefix,
        }

    @property
    def roles(self) -> str:
        """The policy for its roles."""
        return "roles-with-boundary" if self.boundary else "roles"

    def policy(self, name: str) -> str:
        """The text of a policy, with these values."""
        text = (POLICIES / f"{name}.json").read_text()
        for placeholder, value in self.values.items():
            text = text.replace(placeholder, value)
        return text

    def refused(self, calls: Iterable[Call], *, policies: Sequence[str]) -> list[str]:
        """What these policies together do not allow of these calls, as lines."""
        return self.refused_by(calls, policy=json.loads(self._together(policies)))

    def refused_by(self, calls: Iterable[Call], *, policy: Mapping[str, Any]) -> list[str]:
        """What a policy of a role does not allow of these calls, as lines."""
        needed = {f"{need}": (need, call) for call in calls for need in needs_of(call)}
        statements = [{**statement, "Principal": "*"} for statement in policy["Statement"]]
        text = json.dumps({"Statement": statements})
        lines = {
            f"{need.action} on {need.resource} ({call.service} {call.operation})"
            for need, call in needed.values()
            if not allows(text, self._request(need, call.caller))
        }
        return sorted(lines)

    def denied(self, needs: Iterable[Need], *, account: str, policies: Sequence[str]) -> list[Need]:
        """What these policies together do not allow to somebody in an account."""
        policy, who = self._together(policies), f"arn:aws:iam::{account}:user/somebody"
        return [need for need in needs if not allows(policy, self._request(need, who))]

    def _together(self, policies: Sequence[str]) -> str:
        statements = [each for name in policies for each in json.loads(self.policy(name))["Statement"]]
        return json.dumps({"Statement": [{**statement, "Principal": "*"} for statement in statements]})

    def _request(self, need: Need, who: str) -> Request:
        account = who.split(":")[4]
        assumed: Keys = {
            f"aws:requesttag/{_TAG}": None,
            f"aws:resourcetag/{_TAG}": f"{self.namespace}/assumed",
            "aws:resourceaccount": need.resource.split(":")[4] or account if ":" in need.resource else account,
            "iam:permissionsboundary": self.boundary or None,
            **dict.fromkeys(_KEYS),
        }
        caller = Caller(account=account, arn=who, principal=who)
        return Request(action=need.action, resource=need.resource, caller=caller, keys={**assumed, **need.keys})


_KEYS = (
    *(
        "aws:tagkeys",
        "ec2:createaction",
        "ec2:launchtemplate",
        "iam:awsservicename",
        "iam:passedtoservice",
        "iam:policyarn",
    ),
    *("kms:encryptioncontext:aws:s3:arn", "kms:granteeprincipal", "lambda:principal", "s3:prefix"),
)
"""The condition keys of the policies that a call may lack."""


class Recorder:
    """Runs Terraform, and keeps its calls: those of inits and plans, and those of other commands.

    `agent` is what the user agent contains. Default: the calls of AWS's provider, not those of the S3 backend.
    """

    def __init__(self, aws: LocalAws, *, agent: str = "terraform-provider-aws") -> None:
        self._aws, self._agent = aws, agent
        self._plans: list[Call] = []
        self._changes: list[Call] = []

    def run(self, *arguments: str, folder: Path, environ: Mapping[str, str]) -> str:
        """Standard output of Terraform."""
        with self.recording(plan=arguments[0] in ("init", "plan")):
            return terraform.run(*arguments, folder=folder, environ=environ)

    @contextmanager
    def recording(self, *, plan: bool = False) -> Iterator[None]:
        """Keeps the calls of a plan, or of other commands."""
        self._aws.record_calls(self._agent)
        try:
            yield
        finally:
            kept = self._plans if plan else self._changes
            kept += self._aws.calls()
            self._aws.record_calls(None)

    def refused(self, estate: Estate, *stacks: Stacks, role: str = "") -> list[str]:
        """What is not allowed, as lines, of what somebody called in the account of an estate. Default: everybody.

        The policies are those to plan, and to deploy, stacks of images or fleets, or both.
        """
        to_plan = [name for each in stacks for name in TO_PLAN[each]]
        to_deploy = [*to_plan, *(name for each in stacks for name in TO_DEPLOY[each]), estate.roles]
        return [
            *estate.refused(by(self._plans, estate.account, role=role), policies=to_plan),
            *estate.refused(by(self._changes, estate.account, role=role), policies=to_deploy),
        ]

    def called(self, *accounts: str, role: str = "") -> list[str]:
        """The actions that were called in accounts, as lines: `plan iam:GetRole`, `deploy iam:CreateRole`."""
        lines = {
            f"{command} {action}"
            for command, calls in (("plan", self._plans), ("deploy", self._changes))
            for account in accounts
            for action in actions_of(by(calls, account, role=role))
        }
        return sorted(lines)


def by(calls: Iterable[Call], account: str, *, role: str = "") -> list[Call]:
    """The calls that were made in an account; with a role, those of its sessions only."""
    who = f":{account}:assumed-role/{role}/" if role else f":{account}:"
    return [call for call in calls if who in call.caller]


def actions_of(calls: Iterable[Call]) -> set[str]:
    """The actions that calls need."""
    return {need.action for call in calls for need in needs_of(call)}


def check_called(name: str, lines: Sequence[str], request: pytest.FixtureRequest) -> None:
    """Compare what a story called with the file of what it calls, against which the policies are held."""
    file = CALLED / f"{name}.txt"
    if request.config.getoption("--snapshot-update"):
        file.write_text("".join(f"{line}\n" for line in lines))
    assert list(lines) == file.read_text().splitlines(), "run pytest --snapshot-update with this file, and review it"


def needs_of(call: Call) -> Iterator[Need]:
    """What AWS wants to be allowed for a call."""
    operation = f"{call.service} {call.operation}"
    prefix = {"monitoring": "cloudwatch"}.get(call.service, call.service)
    action = OTHER_NAMES.get(operation, f"{prefix}:{call.operation}")
    if action in NO_PERMISSION:
        return
    keys = _keys_of(call)
    for resource in _resources(call, operation):
        yield Need(action, resource, keys)
    yield from _tagging(call, prefix, keys)
    for action, resource, more in further_needs(call):
        yield Need(action, resource.replace("ACCOUNT", call.caller.split(":")[4]), {**keys, **more})


def _keys_of(call: Call) -> Keys:
    """The condition keys that are parameters."""
    named = {
        "iam:awsservicename": "AWSServiceName",
        "iam:permissionsboundary": "PermissionsBoundary",
        "iam:policyarn": "PolicyArn",
        "kms:granteeprincipal": "GranteePrincipal",
        "lambda:principal": "Principal",
        "s3:prefix": "prefix",
    }
    found: dict[str, Any] = {"aws:requestedregion": call.region}
    found |= {key: call.parameters.get(name) for key, name in named.items() if name in call.parameters}
    if call.operation == "CreateRole":  # the boundary of a role that exists is assumed
        found["iam:permissionsboundary"] = call.parameters.get("PermissionsBoundary")
    tags = _tags(call.parameters)
    if keys := [*tags] or call.parameters.get("tagKeys"):  # of a request that tags, or takes tags away
        found["aws:tagkeys"] = keys
    return {**found, f"aws:requesttag/{_TAG}": tags.get(_TAG)}


def _tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Those in a request, whatever a service calls them."""
    tags: dict[str, str] = {}
    for name, value in parameters.items():
        if name.lower() in ("tags", "tag") and isinstance(value, Mapping) and "entry" not in value:
            tags |= value
        elif name.lower() in ("tags", "tag") and isinstance(value, list):
            for tag in value:
                by_name = {key.lower().removeprefix("tag"): inner for key, inner in tag.items()}
                tags[by_name["key"]] = by_name.get("value", "")
        elif name == "TagSpecification":
            for specification in value:
                tags |= _tags(specification)
    return tags


def _tagging(call: Call, prefix: str, keys: Keys) -> Iterator[Need]:
    """A request that makes something with tags needs the permission to tag it, too."""
    if call.service == "ec2":
        for each in call.parameters.get("TagSpecification", []):
            resource = _arn(call, f"{each['ResourceType']}/*")
            yield Need("ec2:CreateTags", resource, {**keys, "ec2:createaction": call.operation})
    elif call.operation.startswith(("Create", "Put")) and call.service != "s3" and _tags(call.parameters):
        made = call.operation.removeprefix("Create")
        action = {
            "iam": f"Tag{made}",
            "sqs": "TagQueue",
            "autoscaling": "CreateOrUpdateTags",
            "ssm": "AddTagsToResource",
        }.get(prefix, "TagResource")
        for resource in _resources(call, f"{call.service} {call.operation}"):
            yield Need(f"{prefix}:{action}", resource, keys)


def _resources(call: Call, operation: str) -> list[str]:
    template = next((template for pattern, template in RESOURCES if fnmatchcase(operation, pattern)), None)
    assert template is not None, f"tests/support/iam_actions.py does not know the resource of {operation}"
    return [each for part in template.split() for each in _filled(call, part)] or ["*"]


def _filled(call: Call, template: str) -> list[str]:
    """The ARNs that a template makes with the parameters of a call; none if it lacks one of them."""
    texts = [template]
    for path in re.findall(r"\{([\w.]+)\}", template):
        values = _values(call.parameters, path.split("."))
        texts = [text.replace(f"{{{path}}}", value) for text in texts for value in values]
    return [text if text == "*" or text.startswith("arn:") else _arn(call, text) for text in texts]


def _values(value: Any, path: Sequence[str]) -> list[str]:
    """The values at the end of a path of names, through lists."""
    if isinstance(value, list):
        return [found for inner in value for found in _values(inner, path)]
    if not path:
        return [str(value)]
    return _values(value[path[0]], path[1:]) if isinstance(value, Mapping) and path[0] in value else []


_EC2_TYPES = {"ami": "image", "lt": "launch-template", "sg": "security-group", "sgr": "security-group-rule"}
_EC2_TYPES |= {"snap": "snapshot", "vpc": "vpc"}


def _arn(call: Call, resource: str) -> str:
    """In the caller's account and region. EC2's IDs say of what type they are; SQS's are URLs."""
    service = {"monitoring": "cloudwatch"}.get(call.service, call.service)
    account, region = call.caller.split(":")[4], call.region
    prefix = resource.partition("-")[0]
    if service == "ec2" and "/" not in resource and prefix in _EC2_TYPES:
        resource = f"{_EC2_TYPES[prefix]}/{resource}"
    if service == "ec2" and resource.startswith(("image/", "snapshot/")):
        account = ""
    if service == "iam" or resource.startswith("dashboard/"):
        region = ""
    if service == "s3":
        account = region = ""
    if service == "imagebuilder":  # which writes names in another way
        resource = resource.lower().replace("_", "-").replace(" ", "-")
    if service == "kms":  # whose IDs may be ARNs
        resource = resource.removeprefix("key/") if resource.startswith("key/arn:") else resource
    if resource.startswith("arn:"):
        return resource
    if service == "sqs":
        resource = resource.rpartition("/")[2]
    return f"arn:aws:{service}:{region}:{account}:{resource}"
