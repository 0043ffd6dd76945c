"""The kinds of resources that Image Builder keeps, with what AWS refuses and adds.

Each kind is a row of `KINDS`. It has one function that checks the parameters of a create or update: it raises what AWS
refuses and returns the fields that AWS adds. Creating, reading, updating, deleting and listing are the same for all
kinds (`operations.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.component_documents import read_document
from local_aws.image_builder.lifecycle_policies import check_policy
from local_aws.image_builder.recipes import container_recipe, image_recipe
from local_aws.image_builder.refusals import invalid, missing
from local_aws.image_builder.scans import check_scanning
from local_aws.image_builder.store import Fields, RegionStore
from local_aws.image_builder.workflow_documents import check_workflows, read_workflow


@dataclass(frozen=True)
class Kind:
    """One kind of resource. Most names follow from the noun."""

    noun: str
    """As in the operations: `ImageRecipe` in CreateImageRecipe."""
    complete: Callable[[Fields, RegionStore], dict[str, Any]]
    """Raises what AWS refuses; returns the fields that AWS adds."""
    _: KW_ONLY
    uses: Callable[[Fields], Sequence[str | None]] = lambda resource: ()
    """The ARNs that a resource of this kind refers to: those resources cannot be deleted meanwhile."""
    versioned: bool = False
    has_builds: bool = False
    """Whether the ARN ends in a build version, counted up for each version."""
    has_types: bool = False
    """Whether the ARN has the resource's type: `workflow/build/NAME`."""
    plural: str = ""
    """As in ListLifecyclePolicies. Default: the noun with an s."""
    list_member: str = ""
    """The member of List's result. Default: `componentVersionList` for kinds with builds, otherwise
    `imageRecipeSummaryList`."""

    @property
    def path(self) -> str:
        """As in ARNs: `image-recipe`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", self.noun).lower()

    def path_of(self, params: Fields) -> str:
        """The path of a new resource."""
        return f"{self.path}/{params['type'].lower()}" if self.has_types else self.path

    @property
    def member(self) -> str:
        """The member of Get's result: `imageRecipe`."""
        return self.noun[0].lower() + self.noun[1:]

    @property
    def arn_member(self) -> str:
        """The member that holds the ARN in every request and result."""
        return f"{self.member}{'BuildVersion' if self.has_builds else ''}Arn"

    @property
    def list_operation(self) -> str:
        """The name of the operation that lists."""
        return f"List{self.plural or self.noun + 's'}"

    @property
    def listed_as(self) -> str:
        """The member of List's result."""
        return self.list_member or f"{self.member}{'Version' if self.has_builds else 'Summary'}List"


def _component(params: Fields, region: RegionStore) -> dict[str, Any]:
    text = _document(params, region)
    return {
        **read_document(text, platform=params["platform"]),
        "data": text,
        "owner": region.account,
        "encrypted": True,
    }


def _document(params: Fields, region: RegionStore) -> str:
    """The text of a component's or workflow's document, from the request or from S3."""
    if ("data" in params) == ("uri" in params):
        raise AwsError(code="InvalidParameterCombinationException", message="Specify exactly one of 'data' and 'uri'.")
    if "data" in params:
        return str(params["data"])
    text = region.neighbours.object_text(region=region.name, uri=params["uri"])
    if text is None:
        raise invalid("uri", f"There is no readable object '{params['uri']}'.")
    return text


def _infrastructure_configuration(params: Fields, region: RegionStore) -> dict[str, Any]:
    if "subnetId" in params and not params.get("securityGroupIds"):
        raise invalid("securityGroupIds", "If you specify subnetId, you must also specify one or more security groups.")
    if not region.neighbours.instance_profile_exists(region=region.name, name=params["instanceProfileName"]):
        # the AWS provider recognizes this message, and waits for a new profile
        raise invalid("instanceProfileName", "The provided instance profile does not exist.")
    topic = params.get("snsTopicArn")
    if topic and not region.neighbours.topic_exists(region=region.name, arn=topic):
        raise invalid("snsTopicArn", f"The topic '{topic}' does not exist.")
    for key in params.get("resourceTags", {}):
        if key.startswith("aws:") or key in ("CreatedBy", "Ec2ImageBuilderArn", "Name", "Tags"):
            raise invalid("resourceTags", f"The key '{key}' is reserved.")
    return {"terminateInstanceOnFailure": params.get("terminateInstanceOnFailure", True)}


def _distribution_configuration(params: Fields, region: RegionStore) -> dict[str, Any]:
    regions = [distribution["region"] for distribution in params["distributions"]]
    for index, distribution in enumerate(params["distributions"]):
        where = f"distributions[{index}]"
        if regions.count(distribution["region"]) > 1:
            raise invalid(where, f"The region '{distribution['region']}' is declared more than once.")
        if len(distribution) == 1:
            raise invalid(
                where,
                "One or more outputs should be provided for each region in a distribution configuration.",
            )
        ami = distribution.get("amiDistributionConfiguration", {})
        key, groups = ami.get("kmsKeyId", ""), ami.get("launchPermission", {}).get("userGroups", [])
        if key and key.split(":")[3] != distribution["region"]:
            raise invalid(where, f"The key '{key}' is not in {distribution['region']}.")
        if groups not in ([], ["all"]):
            raise invalid(where, "The only user group is 'all'.")
        name = ami.get("name")
        if name and not re.search(r"\{\{\s*imagebuilder:buildDate\s*\}\}", name):
            raise invalid(where, "The AMI name must include {{ imagebuilder:buildDate }}.")
    return {}


def _image_pipeline(params: Fields, region: RegionStore) -> dict[str, Any]:
    if ("imageRecipeArn" in params) == ("containerRecipeArn" in params):
        raise AwsError(
            code="InvalidParameterCombinationException",
            message="Specify exactly one of 'imageRecipeArn' and 'containerRecipeArn'.",
        )
    for arn in _pipeline_uses(params):
        # workflows of AWS are not checked
        if arn and f":{region.account}:" in arn and region.find(arn) is None:
            raise missing(arn)
    recipe = region.find(params.get("imageRecipeArn") or params["containerRecipeArn"]) or {}
    check_workflows(params, [region.find(entry["workflowArn"]) for entry in params.get("workflows", ())])
    check_scanning(params, region)
    role = params.get("executionRole")
    if role and not region.neighbours.can_assume(role, region=region.name):
        raise invalid("executionRole", f"Image Builder cannot assume the role '{role}'.")
    tests = params.get("imageTestsConfiguration", {})
    added: dict[str, Any] = {
        "platform": recipe["platform"],
        "status": params.get("status", "ENABLED"),
        "enhancedImageMetadataEnabled": params.get("enhancedImageMetadataEnabled", True),
        "imageTestsConfiguration": {"imageTestsEnabled": True, "timeoutMinutes": 720, **tests},
    }
    if "schedule" in params:
        added["schedule"] = _schedule(params["schedule"])
    return added


def _pipeline_uses(resource: Fields) -> Sequence[str | None]:
    members = ("imageRecipeArn", "containerRecipeArn", "infrastructureConfigurationArn")
    workflows = (entry["workflowArn"] for entry in resource.get("workflows", ()))
    return [*(resource.get(member) for member in (*members, "distributionConfigurationArn")), *workflows]


def _workflow(params: Fields, region: RegionStore) -> dict[str, Any]:
    text = _document(params, region)
    return {**read_workflow(text, type=params["type"]), "data": text, "owner": region.account}


def _schedule(schedule: Fields) -> dict[str, Any]:
    expression = schedule.get("scheduleExpression", "")
    if not re.fullmatch(r"cron\((\S+\s+){5}\S+\)|rate\([1-9]\d* (minute|hour|day)s?\)", expression):
        raise invalid("schedule.scheduleExpression", f"'{expression}' is not a cron or rate expression.")
    condition = "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"
    return {"pipelineExecutionStartCondition": condition, "timezone": "UTC", **schedule}


def _component_uses(recipe: Fields) -> Sequence[str | None]:
    return [entry["componentArn"] for entry in recipe.get("components", ())]


KINDS = (
    Kind("Component", _component, versioned=True, has_builds=True),
    Kind("Workflow", _workflow, versioned=True, has_builds=True, has_types=True),
    Kind("ImageRecipe", image_recipe, uses=_component_uses, versioned=True),
    Kind("ContainerRecipe", container_recipe, uses=_component_uses, versioned=True),
    Kind("InfrastructureConfiguration", _infrastructure_configuration),
    Kind("DistributionConfiguration", _distribution_configuration),
    Kind("ImagePipeline", _image_pipeline, uses=_pipeline_uses, list_member="imagePipelineList"),
    Kind("LifecyclePolicy", check_policy, plural="LifecyclePolicies"),
)
