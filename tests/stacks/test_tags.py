"""What the pages promise of tags, resource type by resource type, in the JSON of all examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from estate.estate import EstateImage
from estate.load import load
from tests.support.estates import ESTATES, reviewed

TAGGED = {
    "aws_ami",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_log_group",
    "aws_cloudwatch_metric_alarm",
    "aws_ebs_snapshot_import",
    "aws_ecr_repository",
    "aws_iam_instance_profile",
    "aws_iam_role",
    "aws_imagebuilder_component",
    "aws_imagebuilder_container_recipe",
    "aws_imagebuilder_distribution_configuration",
    "aws_imagebuilder_image_pipeline",
    "aws_imagebuilder_image_recipe",
    "aws_imagebuilder_infrastructure_configuration",
    "aws_imagebuilder_lifecycle_policy",
    "aws_imagebuilder_workflow",
    "aws_kms_key",
    "aws_lambda_function",
    "aws_launch_template",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_sns_topic",
    "aws_sqs_queue",
    "aws_vpc_security_group_egress_rule",
}
"""Types with the argument `tags`, which the provider's default tags reach (`terraform providers schema -json`)."""

TAGGED_OTHERWISE = {"aws_autoscaling_group"}
"""Types with an argument of another name, which default tags do not reach."""

WITHOUT_TAGS = {
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_event_target",
    "aws_ecr_lifecycle_policy",
    "aws_iam_role_policy",
    "aws_kms_alias",
    "aws_kms_grant",
    "aws_lambda_permission",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_object",  # S3 takes ten tags of an object, an estate may have more
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_sqs_queue_policy",
    "terraform_data",
}
"""Types that AWS or its provider gives no tags."""


@dataclass(frozen=True)
class Stack:
    """A synthesized stack, and the tags that its configuration asks for."""

    name: str
    json: dict[str, Any]
    tags: dict[str, str]

    def resources(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Address and arguments of each resource, or of those of some types."""
        for kind, resources in self.json["resource"].items():
            if not types or kind in types:
                for name, arguments in resources.items():
                    yield f"{self.name}: {kind}.{name}", arguments

    def default_tags(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Those of the provider of a resource."""
        alias = arguments.get("provider", "aws").partition(".")[2] or None
        (provider,) = (each for each in self.json["provider"]["aws"] if each.get("alias") == alias)
        tags: dict[str, str] = provider["default_tags"][0]["tags"]
        return tags


@pytest.fixture(scope="module")
def stacks() -> list[Stack]:
    made = []
    for name, folder in ESTATES.items():
        estate = load(folder)
        wanted = (
            {f"image-{each.name}": EstateImage(estate, each).tags for each in estate.images.values()}
            | {
                f"fleet-{each.name}": {
                    **estate.settings.tags,
                    **each.tags,
                    "goldsmith:image": estate.fleet(each.name).image.names.label,
                }
                for each in estate.fleets.values()
            }
            | {f"overview-{region}": estate.settings.tags for region in estate.overviews}
            | dict.fromkeys(estate.histories, estate.settings.tags)
        )
        made += [Stack(f"{name}/{stack}", synthesized, wanted[stack]) for stack, synthesized in reviewed(name).items()]
    return made


def test_examples_ask_for_tags_at_every_level(stacks: list[Stack]) -> None:
    keys = {(stack.name.partition("/")[2].partition("-")[0], key) for stack in stacks for key in stack.tags}
    assert {("image", "service"), ("image", "team"), ("fleet", "environment"), ("fleet", "team")} <= keys


def test_every_type_is_known_to_take_tags_or_not(stacks: list[Stack]) -> None:
    types = {kind for stack in stacks for kind in stack.json["resource"]}
    assert types - TAGGED - TAGGED_OTHERWISE - WITHOUT_TAGS == set()


def test_everything_in_a_stack_has_its_tags(stacks: list[Stack]) -> None:
    for stack in stacks:
        for address, arguments in stack.resources(*TAGGED):
            assert {**stack.default_tags(arguments), **arguments.get("tags", {})}.items() >= stack.tags.items(), address


def test_a_group_has_the_tags_of_its_fleet_and_instances_have_theirs_from_the_template_alone(
    stacks: list[Stack],
) -> None:
    groups = [(stack, *group) for stack in stacks for group in stack.resources("aws_autoscaling_group")]
    assert groups
    for stack, address, group in groups:
        assert {tag["key"]: tag["value"] for tag in group["tag"]} == stack.tags, address
        assert not any(tag["propagate_at_launch"] for tag in group["tag"]), address


def test_instances_and_their_volumes_have_the_tags_of_their_fleet(stacks: list[Stack]) -> None:
    templates = [(stack, *template) for stack in stacks for template in stack.resources("aws_launch_template")]
    assert templates
    for stack, address, template in templates:
        tags = {each["resource_type"]: each["tags"] for each in template["tag_specifications"]}
        assert tags.keys() == {"instance", "volume"}, address
        for each in tags.values():
            assert each.items() >= stack.tags.items(), address


def test_builds_and_amis_of_every_region_have_the_tags_of_their_image(stacks: list[Stack]) -> None:
    for stack in stacks:
        for address, configuration in stack.resources("aws_imagebuilder_infrastructure_configuration"):
            assert configuration["resource_tags"] == stack.tags, address
        for address, configuration in stack.resources("aws_imagebuilder_distribution_configuration"):
            for each in configuration["distribution"]:
                if ami := each.get("ami_distribution_configuration"):
                    assert ami["ami_tags"].items() >= stack.tags.items(), (address, each["region"])
