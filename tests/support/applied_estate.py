"""An estate whose stacks are modules of one Terraform configuration, applied step by step, and what AWS then has."""

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.server import LocalAws
from tests.support.estates import synthesize
from tests.support.modules import Stacks, write_modules
from tests.support.permissions import Recorder

_KINDS = {
    "component": "componentBuildVersionArn",
    "distributionConfiguration": "distributionConfigurationArn",
    "imagePipeline": "imagePipelineArn",
    "imageRecipe": "imageRecipeArn",
    "infrastructureConfiguration": "infrastructureConfigurationArn",
    "lifecyclePolicy": "lifecyclePolicyArn",
    "workflow": "workflowBuildVersionArn",
}
"""Image Builder's kinds of resources, and how their ARN is named in a request."""
_ACTION = re.compile(
    r"^module\.(\S+)(?: \(deposed object \w+\))?: (Creation|Modifications|Destruction) complete", re.MULTILINE
)
_ACTIONS = {"Creation": "created", "Modifications": "updated", "Destruction": "deleted"}


@dataclass(frozen=True)
class Seen:
    """What AWS has of the estate."""

    resources: Mapping[str, list[dict[str, Any]]]
    """Image Builder's, by kind, each as the operation Get… has it."""
    objects: list[str]
    """The keys of objects in buckets."""
    parents: list[dict[str, Any]]
    """The AMIs over disk images."""
    event_patterns: Mapping[str, str]
    """Of the rules, by name."""
    dashboards: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    roles: Mapping[str, str]
    """Their paths, by name."""

    def everything(self) -> list[object]:
        """All of it, of whatever kind."""
        resources = itertools.chain.from_iterable(self.resources.values())
        return [
            *resources,
            *self.objects,
            *self.parents,
            *self.event_patterns,
            *self.dashboards,
            *self.alarms,
            *self.roles,
        ]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """The only resource of a kind with a name."""
        (found,) = (resource for resource in self.resources[kind] if resource["name"] == name)
        return found


@dataclass(frozen=True)
class Applied:
    """What came of one `terraform apply`."""

    actions: Mapping[str, str]
    """What Terraform did, by stack and address: created, updated, deleted; `created and deleted` is a replacement."""
    plan: str
    """What it still plans."""
    seen: Seen


@dataclass(frozen=True)
class AppliedEstate:
    """The estate in the region of its images; names in AWS begin with `prefix`."""

    aws: LocalAws
    environment: Mapping[str, str]
    folder: Path
    region: str
    prefix: str
    recorder: Recorder

    def declare(self, estate: str, documents: Mapping[str, str]) -> Stacks:
        """Write the stacks of an estate with these documents, by their names."""
        (self.folder / "documents").mkdir(exist_ok=True)
        (self.folder / "estate.yaml").write_text(estate)
        for name, text in documents.items():
            (self.folder / "documents" / f"{name}.yaml").write_text(text)
        stacks = synthesize(self.folder, self.folder / "cdktf.out")
        for name, stack in stacks.items():
            # a minute of waiting each, which the demo's story and the containers' stack have anyway
            stack["resource"].pop("aws_s3_bucket_lifecycle_configuration", None)
            for function in stack["resource"].get("aws_lambda_function", {}).values():
                # which Terraform looks for in the folder of the root
                function["filename"] = str(self.folder / "cdktf.out" / "stacks" / name / function["filename"])
        write_modules(self.folder / "modules", stacks)
        return stacks

    def terraform(self, *arguments: str) -> str:
        """Standard output of Terraform."""
        return self.recorder.run(*arguments, folder=self.folder / "modules", environ=self.environment)

    def apply(self, *arguments: str) -> Applied:
        """Apply what is declared, and plan again."""
        output = self.terraform("apply", "-auto-approve", *arguments)
        actions: dict[str, list[str]] = {}
        for address, action in _ACTION.findall(output):
            actions.setdefault(address, []).append(_ACTIONS[action])
        return Applied(
            actions={address: " and ".join(sorted(done)) for address, done in actions.items()},
            plan=self.terraform("plan", *arguments),
            seen=self.look(),
        )

    def look(self) -> Seen:
        """What AWS has now."""
        s3 = self.aws.client("s3", region=self.region)
        buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
        contents = (s3.list_objects_v2(Bucket=bucket).get("Contents", ()) for bucket in buckets if self._ours(bucket))
        ec2 = self.aws.client("ec2", region=self.region)
        parents = [{"Name": "name", "Values": [f"{self.prefix}*_parent_*"]}]
        rules = self.aws.client("events", region=self.region).list_rules(NamePrefix=self.prefix)["Rules"]
        cloudwatch = self.aws.client("cloudwatch", region=self.region)
        dashboards = cloudwatch.list_dashboards(DashboardNamePrefix=self.prefix)["DashboardEntries"]
        roles = self.aws.client("iam").list_roles()["Roles"]
        return Seen(
            resources={kind: self._resources(kind) for kind in _KINDS},
            objects=[found["Key"] for objects in contents for found in objects],
            parents=ec2.describe_images(Owners=["self"], Filters=parents)["Images"],
            event_patterns={rule["Name"]: rule.get("EventPattern", "") for rule in rules},
            dashboards=[
                json.loads(cloudwatch.get_dashboard(DashboardName=each["DashboardName"])["DashboardBody"])
                for each in dashboards
            ],
            alarms=cloudwatch.describe_alarms(AlarmNamePrefix=self.prefix)["MetricAlarms"],
            roles={role["RoleName"]: role["Path"] for role in roles if self._ours(role["RoleName"])},
        )

    def _resources(self, kind: str) -> list[dict[str, Any]]:
        client = self.aws.client("imagebuilder", region=self.region)
        model = client.meta.service_model
        noun = kind[0].upper() + kind[1:]
        plural = f"List{noun[:-1]}ies" if noun.endswith("y") else f"List{noun}s"
        operations = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
        owner = {"owner": "Self"} if "owner" in model.operation_model(plural).input_shape.members else {}
        (summaries,) = (
            value for value in getattr(client, operations[plural])(**owner).values() if isinstance(value, list)
        )
        get = getattr(client, operations[f"Get{noun}"])
        return [get(**{_KINDS[kind]: each["arn"]})[kind] for each in summaries if self._ours(each["name"])]

    def _ours(self, name: str) -> bool:
        return name.startswith(self.prefix)
