"""All rules for which one model is not enough, and the fields that each reads.

docs/rules.md is generated from this table.
"""

from typing import Any

from estate.checks import (
    accounts,
    bases,
    components,
    containers,
    distribution,
    export,
    external_images,
    fleets,
    images,
    regions,
    retention,
    rollouts,
    subjects,
    systems,
    tags,
    volumes,
    workflows,
)
from estate.checks.context import Context
from estate.checks.rules import Rule, Rules, RulesAcross
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image
from estate.models.settings import Settings
from estate.problems import Problem

_ACCOUNT_OF_AN_IMAGE = ("image.account", "settings.accounts")
"""What shows the account of an image."""

_OF_SETTINGS: tuple[Rule[Settings], ...] = (
    Rule(images.tokens, reads=("settings.*",)),
    Rule(accounts.of_the_backend, reads=("settings.backend", "settings.accounts")),
)

_OF_IMAGES: tuple[Rule[Image], ...] = (
    Rule(images.tokens, reads=("image.*",)),
    Rule(images.tests, reads=("image.test", "image.image_tests")),
    Rule(images.schedule, reads=("image.schedule", "image.parent", "image.build", "image.test")),
    Rule(images.alarm_actions, reads=("image.notifications", "settings.alarm_actions")),
    Rule(images.scans, reads=("image.image_scanning", "image.image_tests")),
    Rule(images.gate, reads=("image.gate", "image.image_scanning")),
    Rule(regions.components, reads=("image.build[]", "image.test[]", "image.regions")),
    Rule(regions.parent, reads=("image.parent", "image.regions")),
    Rule(regions.placement, reads=("image.infrastructure", "image.regions")),
    Rule(regions.topics, reads=("image.notifications", "image.regions")),
    Rule(tags.number_of_an_image, reads=("image.tags", "settings.tags")),
    Rule(tags.case_of_an_image, reads=("image.tags", "settings.tags")),
    Rule(systems.build_instances, reads=("image.infrastructure", "image.os", "image.platform", "image.architecture")),
    Rule(systems.components, reads=("image.build[]", "image.test[]", "image.os", "image.platform")),
    Rule(components.number, reads=("image.build", "image.test")),
    Rule(components.once, reads=("image.build[]", "image.test[]")),
    Rule(components.one_document_a_name, reads=("image.build[]", "image.test[]")),
    Rule(components.file_names, reads=("image.build[]", "image.test[]")),
    Rule(components.phases, reads=("image.build[]", "image.test[]")),
    Rule(components.values, reads=("image.build[]", "image.test[]")),
    Rule(components.values_in_scripts, reads=("image.build[]", "image.test[]")),
    Rule(components.objects, reads=("image.build[]", "image.test[]")),
    Rule(workflows.tests, reads=("image.workflows", "image.image_tests")),
    Rule(workflows.number, reads=("image.workflows",)),
    Rule(workflows.one_document_a_name, reads=("image.workflows",)),
    Rule(workflows.file_names, reads=("image.workflows",)),
    Rule(regions.workflows, reads=("image.workflows", "image.regions")),
    Rule(accounts.of_an_image, reads=("image.account", "settings.accounts")),
    Rule(
        accounts.execution_role,
        reads=("image.workflows", "image.account", "settings.iam", "settings.accounts"),
    ),
    Rule(workflows.values, reads=("image.workflows",)),
    Rule(workflows.lengths_of_values, reads=("image.workflows",)),
    Rule(workflows.execution_role, reads=("image.workflows",)),
    Rule(workflows.targets, reads=("image.workflows",)),
    Rule(workflows.room_for_targets, reads=("image.workflows",)),
    Rule(workflows.components_run, reads=("image.workflows", "image.build", "image.test")),
    Rule(workflows.outputs, reads=("image.workflows",)),
)

_OF_AMIS: tuple[Rule[AmiImage], ...] = (
    Rule(systems.parent, reads=("image.parent", "image.os", "image.architecture", "image.regions")),
    Rule(bases.exists, reads=("image.parent",)),
    Rule(systems.disk_image, reads=("image.parent", "image.os")),
    Rule(systems.build_hosts, reads=("image.infrastructure", "image.os")),
    Rule(images.scans_of_macos, reads=("image.image_scanning", "image.image_tests", "image.os")),
    Rule(images.repository_for_scans, reads=("image.image_scanning",)),
    Rule(workflows.findings, reads=("image.workflows", "image.image_scanning", "image.image_tests")),
    Rule(workflows.ami_output, reads=("image.workflows",)),
    Rule(volumes.speed_of_the_root_volume, reads=("image.root_volume", "settings.providers")),
    Rule(volumes.speed, reads=("image.volumes", "settings.providers")),
    Rule(volumes.names, reads=("image.volumes", "image.os")),
    Rule(volumes.sizes, reads=("image.volumes", "image.parent")),
    Rule(distribution.regions, reads=("image.distribution", "image.regions")),
    Rule(distribution.keys_and_licenses, reads=("image.distribution", "image.regions")),
    Rule(distribution.ami_names, reads=("image.distribution", "settings.namespace")),
    Rule(distribution.fast_launch, reads=("image.distribution", "image.os")),
    Rule(tags.number_of_an_ami, reads=("image.distribution", "image.tags", "settings.tags")),
    Rule(tags.case_of_an_ami, reads=("image.distribution", "image.tags", "settings.tags")),
    Rule(
        distribution.public,
        reads=("image.launch_permission", "image.root_volume", "image.distribution", "image.regions"),
    ),
    Rule(
        distribution.key_of_an_unencrypted_image,
        reads=("image.root_volume", "image.distribution", "image.regions", "image.launch_permission"),
    ),
    Rule(
        distribution.shared_encryption,
        reads=(
            *("image.launch_permission", "image.target_accounts"),
            *("image.root_volume", "image.distribution", "image.regions"),
            *("image.account", "image.external_fleets", "settings.accounts"),
        ),
    ),
    Rule(
        distribution.external_fleets,
        reads=("image.external_fleets", "image.launch_permission", "image.target_accounts", "settings.accounts"),
    ),
    Rule(
        distribution.number_of_readers,
        reads=(
            *("image.external_fleets", "image.launch_permission", "image.target_accounts"),
            *("image.account", "settings.accounts"),
        ),
    ),
    Rule(
        distribution.number_of_accounts,
        reads=(
            *("image.account", "image.launch_permission", "image.target_accounts", "settings.accounts"),
            *("image.root_volume", "image.distribution", "image.regions"),
        ),
    ),
    Rule(distribution.target_accounts, reads=("image.target_accounts", *_ACCOUNT_OF_AN_IMAGE)),
    Rule(distribution.launch_permission, reads=("image.launch_permission", *_ACCOUNT_OF_AN_IMAGE)),
    Rule(distribution.accounts_of_launch_templates, reads=("image.distribution", *_ACCOUNT_OF_AN_IMAGE)),
    Rule(
        distribution.users_of_launch_templates,
        reads=("image.distribution", "image.launch_permission", "image.target_accounts", *_ACCOUNT_OF_AN_IMAGE),
    ),
    Rule(export.system, reads=("image.export", "image.os")),
    Rule(export.architecture, reads=("image.export", "image.os", "image.architecture")),
    Rule(export.encryption, reads=("image.export", "image.root_volume")),
    Rule(export.size_of_the_root_volume, reads=("image.export", "image.root_volume")),
    Rule(export.sizes, reads=("image.export", "image.volumes")),
    Rule(retention.regions, reads=("image.retention", "image.regions")),
    Rule(retention.public, reads=("image.retention", "image.launch_permission")),
    Rule(retention.shared_with_organizations, reads=("image.retention", "image.launch_permission")),
)

_OF_EXTERNAL_IMAGES: tuple[Rule[ExternalImage], ...] = (
    Rule(images.tokens, reads=("image.*",)),
    Rule(accounts.of_an_external_image, reads=("image.external", "settings.accounts")),
    Rule(external_images.regions, reads=("image.distribution", "image.regions")),
    Rule(external_images.encryption, reads=("image.distribution", "image.regions", "image.root_volume")),
    Rule(volumes.names, reads=("image.volumes", "image.platform")),
)

_OF_IMAGES_WITH_BASES: tuple[Rule[AmiImage, FleetImage], ...] = (
    Rule(accounts.base, reads=("image.account", "base.account", "base.external", "settings.accounts")),
    Rule(bases.channel, reads=("base.channels",)),
    Rule(bases.region, reads=("image.regions", "base.regions")),
    Rule(bases.system, reads=("image.os", "base.os", "base.platform")),
    Rule(
        bases.architecture,
        reads=("image.os", "image.architecture", "base.os", "base.platform", "base.architecture"),
    ),
    Rule(
        bases.encryption,
        reads=("image.root_volume", "image.regions", "base.root_volume", "base.distribution"),
    ),
    Rule(volumes.sizes_on_a_base, reads=("image.volumes", "base.volumes", "base.parent")),
)

_OF_CONTAINERS: tuple[Rule[ContainerImage], ...] = (
    Rule(containers.windows, reads=("image.parent", "image.platform")),
    Rule(containers.parent, reads=("image.parent",)),
    Rule(containers.components, reads=("image.build[]", "image.test[]")),
    Rule(containers.dockerfile, reads=("image.dockerfile",)),
    Rule(
        containers.size_of_the_recipe,
        reads=(
            *("image.dockerfile", "image.parent", "image.build", "image.test"),
            *("image.description", "image.working_directory"),
        ),
    ),
    Rule(containers.tags, reads=("image.container_tags", "image.repository")),
    Rule(containers.keys, reads=("image.repository", "image.regions")),
    Rule(containers.hops, reads=("image.infrastructure",)),
    Rule(retention.of_a_container_image, reads=("image.retention",)),
    Rule(retention.of_a_repository, reads=("image.retention", "image.repository")),
)

_ORDER = ("fleet.after", "fleet.environment", "fleet.image")
"""What shows which fleets run a build before others."""

_OF_FLEETS: tuple[Rule[Fleet], ...] = (
    Rule(images.tokens, reads=("fleet.*",)),
    Rule(fleets.name, reads=()),
    Rule(accounts.of_a_fleet, reads=("fleet.account", "settings.accounts")),
    Rule(fleets.image, reads=("fleet.image",)),
    Rule(rollouts.by_goldsmith, reads=("fleet.updates", "fleet.rollout", "fleet.window", "fleet.after")),
    Rule(rollouts.automatic, reads=("fleet.updates", "fleet.rollout")),
    Rule(rollouts.windows_of_automatic_fleets, reads=("fleet.updates", "fleet.window")),
    Rule(rollouts.fleets_before, reads=("fleet.after", "fleet.image")),
    Rule(rollouts.environments_before, reads=_ORDER),
    Rule(fleets.load_balancer, reads=("fleet.target_group_arns", "fleet.security_group_ids")),
    Rule(tags.number_of_a_fleet, reads=("fleet.tags", "settings.tags")),
    Rule(tags.case_of_a_fleet, reads=("fleet.tags", "settings.tags")),
    Rule(tags.metadata, reads=("fleet.tags", "fleet.metadata_options")),
    Rule(regions.topics_of_a_fleet, reads=("fleet.notifications", "fleet.region")),
    Rule(regions.target_groups, reads=("fleet.target_group_arns", "fleet.region")),
    Rule(regions.key_of_the_root_volume, reads=("fleet.root_volume", "fleet.region")),
    Rule(regions.keys_of_volumes, reads=("fleet.volumes", "fleet.region")),
    Rule(regions.placement_of_a_fleet, reads=("fleet.placement", "fleet.region")),
    Rule(regions.licenses, reads=("fleet.license_configuration_arns", "fleet.region")),
)

_ACCOUNTS_OF_A_FLEET = (
    *("fleet.account", "image.workflows", "image.account", "image.external"),
    *("settings.accounts", "settings.iam"),
)
"""What shows the account of a fleet."""

_OF_FLEETS_WITH_IMAGES: tuple[Rule[Fleet, FleetImage], ...] = (
    Rule(fleets.channel, reads=("fleet.channel", "image.channels")),
    Rule(fleets.region, reads=("fleet.region", "image.regions")),
    Rule(systems.fleet_instances, reads=("fleet.instance_type", "image.os", "image.platform", "image.architecture")),
    Rule(systems.fleet_hosts, reads=("fleet.placement", "image.os", "image.platform")),
    Rule(volumes.root_volume_of_a_fleet, reads=("fleet.root_volume", "image.root_volume")),
    Rule(volumes.names_of_a_fleet, reads=("fleet.volumes", "image.volumes", "image.os", "image.platform")),
    Rule(volumes.sizes_of_a_fleet, reads=("fleet.volumes", "image.volumes", "image.parent")),
    Rule(
        rollouts.fleets_before_automatic_ones,
        reads=(*_ORDER, "fleet.updates", "fleet.region", "fleet.account", "image.account", "settings.accounts"),
    ),
    Rule(
        accounts.ways_into_two_accounts,
        reads=("fleet.account", "fleet.provider", "image.account", "settings.accounts"),
    ),
    Rule(accounts.provider_of_a_fleet, reads=("fleet.account", "fleet.provider", "image.account", "settings.accounts")),
    Rule(accounts.instance_profile, reads=("fleet.instance_profile_arn", *_ACCOUNTS_OF_A_FLEET)),
    Rule(
        accounts.target_groups,
        reads=("fleet.target_group_arns", "fleet.instance_profile_arn", *_ACCOUNTS_OF_A_FLEET),
    ),
)

_ACROSS: tuple[Rule[()], ...] = (
    Rule(regions.settings, reads=("settings.kms_key_id", "settings.alarm_actions", "image.regions")),
    Rule(accounts.permissions_boundary, reads=("settings.iam", "settings.accounts", "image.account", "fleet.account")),
    Rule(accounts.names_of_one_account, reads=("image.account", "settings.accounts")),
    Rule(accounts.dashboards, reads=("settings.dashboards", "image.account", "image.regions")),
    Rule(
        external_images.namespaces,
        reads=("settings.namespace", "settings.accounts", "image.external", "image.account", "fleet.account"),
    ),
    Rule(bases.circles, reads=("image.parent",)),
    Rule(rollouts.circles, reads=_ORDER),
    Rule(components.names_in_arns, reads=("image.build[]", "image.test[]")),
    Rule(workflows.names_in_arns, reads=("image.workflows",)),
    Rule(tags.metadata_of_settings, reads=("settings.tags", "fleet.metadata_options")),
)

RULES: tuple[Rules[*tuple[Any, ...]] | RulesAcross, ...] = (
    Rules("Settings", subjects.settings, _OF_SETTINGS),
    Rules("Every image", subjects.images, _OF_IMAGES),
    Rules("AMIs", subjects.amis, _OF_AMIS),
    Rules("Images of other estates", subjects.external_images, _OF_EXTERNAL_IMAGES),
    Rules("An image and its base", subjects.images_with_bases, _OF_IMAGES_WITH_BASES, reads=("image.parent",)),
    Rules("Container images", subjects.containers, _OF_CONTAINERS),
    Rules("Fleets", subjects.fleets, _OF_FLEETS),
    Rules("A fleet and its image", subjects.fleets_with_images, _OF_FLEETS_WITH_IMAGES, reads=("fleet.image",)),
    RulesAcross("Across images and fleets", _ACROSS),
)


def problems_of(context: Context) -> list[Problem]:
    """What breaks any of the rules."""
    return [problem for group in RULES for problem in group.problems(context)]
