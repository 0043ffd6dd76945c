"""The launch template. It has the AMI, so a plan shows `image_id: ami-old -> ami-new`; with `updates: automatic` it has
the first one only, and then those that the fleet's function gives it."""

from base64 import b64encode
from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.launch_template import (
    LaunchTemplate,
    LaunchTemplateIamInstanceProfile,
    LaunchTemplateLicenseSpecification,
    LaunchTemplateMetadataOptions,
    LaunchTemplatePlacement,
    LaunchTemplateTagSpecifications,
)

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from stacks.fleet.volumes import kept_throughputs, mappings
from stacks.guarded_ami import GuardedAmi
from stacks.policy import MANAGED_BY_SYSTEMS_MANAGER
from stacks.role import add_instance_profile
from stacks.terraform import stopping

_INSTANCE_TAGS = {None: None, True: "enabled", False: "disabled"}


def add_launch_template(
    stack: TerraformStack, declared: EstateFleet, *, ami: GuardedAmi, security_groups: list[str]
) -> LaunchTemplate:
    """The template of all instances: IMDSv2 only, encrypted volumes, the tags of estate and fleet."""
    fleet, name = declared.fleet, declared.names.group
    tags = {**declared.tags, "goldsmith:channel": fleet.channel, "Name": name}
    return LaunchTemplate(
        stack,
        "launch_template",
        name=name,
        description=f"Fleet {declared.names.label}",
        update_default_version=True,
        image_id=ami.id,
        instance_type=fleet.instance_type,
        placement=LaunchTemplatePlacement(**fleet.placement.model_dump(exclude_none=True)) if fleet.placement else None,
        license_specification=[
            LaunchTemplateLicenseSpecification(license_configuration_arn=arn)
            for arn in fleet.license_configuration_arns
        ]
        or None,
        vpc_security_group_ids=security_groups,
        iam_instance_profile=LaunchTemplateIamInstanceProfile(arn=_instance_profile_arn(stack, declared)),
        user_data=b64encode(fleet.user_data.encode()).decode() if fleet.user_data else None,
        metadata_options=LaunchTemplateMetadataOptions(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=fleet.metadata_options.http_put_response_hop_limit,
            instance_metadata_tags=_INSTANCE_TAGS[fleet.metadata_options.instance_metadata_tags],
        ),
        block_device_mappings=mappings(declared, root_device_name=ami.root_device_name),
        # the provider's default tags are those of the template, not of what is launched from it
        tag_specifications=[
            LaunchTemplateTagSpecifications(resource_type=kind, tags=tags) for kind in ("instance", "volume")
        ],
        lifecycle=stopping(
            *_kept_tags(fleet),
            *kept_throughputs(declared),
            ignoring=["image_id"] if fleet.is_automatic else [],
        ),
    )


def _kept_tags(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Not written in every template, because that would replace all instances once."""
    if fleet.metadata_options.instance_metadata_tags is None:
        yield (
            'try(self.metadata_options[0].instance_metadata_tags, null) != "enabled"',
            f"Fleet {fleet.name}: its instances have their tags in their metadata, and AWS's provider keeps that "
            "setting when it is left out. Write metadata_options: {instance_metadata_tags: false}.",
        )


def _instance_profile_arn(stack: TerraformStack, declared: EstateFleet) -> str:
    """The configured instance profile, or one whose role has the permissions for Systems Manager only."""
    if declared.fleet.instance_profile_arn:
        return declared.fleet.instance_profile_arn
    name, iam = declared.names.role("fleet", declared.fleet.region), declared.iam
    return add_instance_profile(stack, name=name, statements=[MANAGED_BY_SYSTEMS_MANAGER], iam=iam).arn
