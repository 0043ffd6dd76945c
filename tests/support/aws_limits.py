"""What AWS takes for each kind of resource that the stacks create: the oracle of test_largest_estate.py.

Sources, unless another is named: botocore's service model of the service, "Service quotas" in its user guide, and what
provider 5.100 answers to `terraform validate`, which counts bytes. `None` is for a kind with no limit on anything that
an estate sets.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


def in_bytes(value: Any) -> int:
    """The bytes of a text in UTF-8."""
    return len(str(value).encode())


def without_blanks(value: Any) -> int:
    """The characters of a policy, as IAM counts them."""
    return len(re.sub(r"\s", "", str(value)))


def in_widgets(value: Any) -> int:
    """The metrics of a dashboard."""
    return sum(len(each["properties"].get("metrics", ())) for each in json.loads(value)["widgets"])


def in_variables(value: Mapping[str, str]) -> int:
    """The bytes of a function's environment, its names among them."""
    return sum(in_bytes(name) + in_bytes(text) for name, text in value.items())


@dataclass(frozen=True)
class Most:
    """The most of an argument, by its path: `a.b` is `b` in each `a`."""

    most: int
    size: Callable[[Any], int] = in_bytes


DESCRIPTION = Most(1024)
INLINE = Most(16_000)
ITEMS = len
_IMAGE_BUILDER = {"name": Most(128), "description": DESCRIPTION}

LIMITS: Mapping[str, Mapping[str, Most] | None] = {
    "aws_ami": {"name": Most(128), "description": Most(255, len)},
    "aws_autoscaling_group": {"name": Most(255), "target_group_arns": Most(50, ITEMS), "tag": Most(50, ITEMS)},
    "aws_cloudwatch_dashboard": {"dashboard_name": Most(255), "dashboard_body": Most(2500, in_widgets)},
    "aws_cloudwatch_event_rule": {"name": Most(64), "description": Most(512), "event_pattern": Most(2048, len)},
    "aws_cloudwatch_event_target": {
        "input_transformer.input_template": Most(8192),
        "input_transformer.input_paths": Most(100, ITEMS),
        # targets of a rule, of which one may be the topic of the e-mails
        "for_each": Most(4, ITEMS),
    },
    "aws_cloudwatch_log_group": {"name": Most(512)},
    "aws_cloudwatch_metric_alarm": {
        "alarm_name": Most(255),
        "alarm_description": DESCRIPTION,
        "alarm_actions": Most(5, ITEMS),
    },
    "aws_ebs_snapshot_import": {"description": Most(255, len)},
    "aws_ecr_lifecycle_policy": {"policy": Most(30_720)},
    "aws_ecr_repository": {"name": Most(256)},
    "aws_iam_instance_profile": {"name": Most(128), "path": Most(512)},
    "aws_iam_policy": {"name": Most(128), "path": Most(512), "policy": Most(6144, without_blanks)},
    "aws_iam_role": {
        "name": Most(64),
        "path": Most(512),
        "assume_role_policy": Most(2048, without_blanks),
        "permissions_boundary": Most(2048),
    },
    # of managed ones ten may be attached to a role
    "aws_iam_role_policy_attachment": None,
    # each role has one, and all inline policies of a role have this together ("IAM and AWS STS quotas")
    "aws_iam_role_policy": {"name": Most(128), "policy": Most(10_240, without_blanks)},
    "aws_imagebuilder_component": {**_IMAGE_BUILDER, "name": Most(126), "data": INLINE},
    "aws_imagebuilder_container_recipe": {
        **_IMAGE_BUILDER,
        "dockerfile_template_data": INLINE,
        "parent_image": Most(1024),
        "working_directory": Most(1024),
        "component": Most(20, ITEMS),
        "component.parameter.name": Most(256),
        "instance_configuration.image": Most(1024),
        "target_repository.repository_name": Most(256),
    },
    "aws_imagebuilder_distribution_configuration": {
        **_IMAGE_BUILDER,
        "distribution.ami_distribution_configuration.name": Most(127),
        # two more are Image Builder's
        "distribution.ami_distribution_configuration.ami_tags": Most(48, ITEMS),
        "distribution.ami_distribution_configuration.target_account_ids": Most(1536, ITEMS),
        "distribution.ami_distribution_configuration.launch_permission.user_ids": Most(1536, ITEMS),
        "distribution.ami_distribution_configuration.launch_permission.organization_arns": Most(25, ITEMS),
        "distribution.ami_distribution_configuration.launch_permission.organizational_unit_arns": Most(25, ITEMS),
        "distribution.launch_template_configuration": Most(100, ITEMS),
        "distribution.license_configuration_arns": Most(50, ITEMS),
        "distribution.s3_export_configuration.s3_prefix": Most(1000),
    },
    "aws_imagebuilder_image_pipeline": {
        **_IMAGE_BUILDER,
        "schedule.schedule_expression": Most(1024),
        "workflow": Most(10, ITEMS),
        "workflow.parallel_group": Most(100),
        "workflow.parameter.name": Most(128),
    },
    "aws_imagebuilder_image_recipe": {
        **_IMAGE_BUILDER,
        "parent_image": Most(1024),
        "component": Most(20, ITEMS),
        "component.parameter.name": Most(256),
        "block_device_mapping.ebs.kms_key_id": Most(1024),
    },
    "aws_imagebuilder_infrastructure_configuration": {
        **_IMAGE_BUILDER,
        "key_pair": Most(1024),
        "resource_tags": Most(30, ITEMS),
        "security_group_ids": Most(16, ITEMS),
    },
    "aws_imagebuilder_lifecycle_policy": {
        **_IMAGE_BUILDER,
        "policy_detail": Most(3, ITEMS),
        "policy_detail.exclusion_rules.tag_map": Most(50, ITEMS),
        "policy_detail.exclusion_rules.amis.tag_map": Most(50, ITEMS),
        "policy_detail.exclusion_rules.amis.shared_accounts": Most(1536, ITEMS),
        "resource_selection.tag_map": Most(50, ITEMS),
    },
    "aws_imagebuilder_workflow": {**_IMAGE_BUILDER, "data": INLINE},
    "aws_kms_alias": {"name": Most(256)},
    "aws_kms_grant": {"name": Most(256)},
    "aws_kms_key": {"description": Most(8192), "policy": Most(32_768)},
    "aws_lambda_function": {
        "function_name": Most(64),
        "description": Most(256),
        "environment.variables": Most(4096, in_variables),
    },
    "aws_lambda_permission": {"statement_id": Most(100)},
    "aws_launch_template": {
        "name": Most(125),
        "description": Most(255),
        # 16,384 before base64
        "user_data": Most(21_848),
        "vpc_security_group_ids": Most(16, ITEMS),
        "tag_specifications.tags": Most(50, ITEMS),
    },
    "aws_s3_bucket": {"bucket_prefix": Most(37)},
    "aws_s3_bucket_lifecycle_configuration": {"rule.id": Most(255), "rule.filter.prefix": Most(1024)},
    "aws_s3_bucket_policy": {"policy": Most(20_480)},
    "aws_s3_bucket_public_access_block": None,
    "aws_s3_bucket_server_side_encryption_configuration": None,
    "aws_s3_object": {"key": Most(1024)},
    "aws_security_group": {"name_prefix": Most(100), "description": Most(255)},
    "aws_sns_topic": {"name": Most(256), "display_name": Most(100)},
    "aws_sns_topic_policy": {"policy": Most(30_720)},
    "aws_sns_topic_subscription": {"redrive_policy": Most(1024)},
    "aws_sqs_queue": {"name": Most(80), "policy": Most(20_480)},
    "aws_vpc_security_group_egress_rule": {"description": Most(255)},
    "terraform_data": None,
}

MOST_TAGS = 50
"""Of any resource, those that the provider adds included."""
_PLACEHOLDERS = ((r"data\.aws_caller_identity\.[a-z.]*account_id", "0" * 12), (r".*", "x" * 130))
"""What Terraform puts for a reference: an account, or at the most an ARN with the longest names."""


def too_much(kind: str, resource: Mapping[str, Any]) -> Iterator[str]:
    """Everything in a resource that exceeds AWS's limits, as messages."""
    for path, limit in (LIMITS[kind] or {}).items():
        for value in _values(resource, path.split(".")):
            size = limit.size(_resolved(value))
            if size > limit.most:
                yield f"{path} has {size} of {limit.most}"


def tags_of(resource: Mapping[str, Any], provider: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a resource gets: its own, and the provider's, unless it overrides them."""
    override = resource.get("override_provider")
    default = override if override else provider
    added = default.get("default_tags", [{}])
    return {**(added[0] if isinstance(added, list) else added).get("tags", {}), **resource.get("tags", {})}


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list) and path:
        for each in value:
            yield from _values(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _resolved(value: Any) -> Any:
    """With what Terraform puts for references, and its escapes undone."""
    if isinstance(value, dict):
        return {key: _resolved(each) for key, each in value.items()}
    if not isinstance(value, str):
        return value

    def put(match: re.Match[str]) -> str:
        return next(text for pattern, text in _PLACEHOLDERS if re.fullmatch(pattern, match[1]))

    return re.sub(r"(?<!\$)\$\{([^}]*)\}", put, value).replace("$${", "${").replace("%%{", "%{")
