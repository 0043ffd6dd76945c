"""The distribution of AMIs."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistribution,
    ImagebuilderDistributionConfigurationDistributionAmiDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermission,
    ImagebuilderDistributionConfigurationDistributionFastLaunchConfiguration,
    ImagebuilderDistributionConfigurationDistributionFastLaunchConfigurationLaunchTemplate,
    ImagebuilderDistributionConfigurationDistributionFastLaunchConfigurationSnapshotConfiguration,
    ImagebuilderDistributionConfigurationDistributionLaunchTemplateConfiguration,
    ImagebuilderDistributionConfigurationDistributionS3ExportConfiguration,
)

from estate.estate import EstateImage
from estate.models.ami_image import AmiImage
from estate.models.distribution import FastLaunch
from estate.sharing import key_of, launch_accounts
from stacks.image.ami.export import Destination
from stacks.image.ami.keys import AmiKeys
from stacks.image.scope import ImageScope


def add_distribution(
    stack: TerraformStack,
    scope: ImageScope,
    *,
    declared: EstateImage[AmiImage],
    keys: AmiKeys,
    export: Destination | None,
) -> ImagebuilderDistributionConfiguration:
    """An AMI in each region of the image, and copies for other accounts. `export` is for the AMI of the home region."""
    return ImagebuilderDistributionConfiguration(
        stack,
        "distribution",
        name=scope.names.image_builder,
        description=f"AMIs of image {scope.names.label}",
        distribution=[
            _distribution(region, scope, declared=declared, export=export) for region in declared.image.regions
        ],
        depends_on=list(keys.aliases) or None,
    )


def _distribution(
    region: str, scope: ImageScope, *, declared: EstateImage[AmiImage], export: Destination | None
) -> ImagebuilderDistributionConfigurationDistribution:
    image = declared.image
    here = image.distribution_in(region)
    return ImagebuilderDistributionConfigurationDistribution(
        region=region,
        ami_distribution_configuration=(
            ImagebuilderDistributionConfigurationDistributionAmiDistributionConfiguration(
                name=here.ami_name or scope.names.ami,
                description=scope.names.label,
                ami_tags={**scope.declared.tags, **here.ami_tags},
                kms_key_id=key_of(declared, region),
                launch_permission=_launch_permission(declared, region),
                # with other accounts, AWS distributes to the own account only if it is in the list
                target_account_ids=[scope.account, *image.target_accounts] if image.target_accounts else None,
            )
        ),
        launch_template_configuration=[
            ImagebuilderDistributionConfigurationDistributionLaunchTemplateConfiguration(**each.model_dump())
            for each in here.launch_templates
        ]
        or None,
        fast_launch_configuration=[_fast_launch(here.fast_launch, scope.account)] if here.fast_launch else None,
        license_configuration_arns=list(here.license_configuration_arns) or None,
        s3_export_configuration=ImagebuilderDistributionConfigurationDistributionS3ExportConfiguration(
            role_name=export.role_name,
            disk_image_format=export.disk_image_format,
            s3_bucket=export.s3_bucket,
            s3_prefix=export.s3_prefix,
        )
        if export and region == image.home
        else None,
    )


def _launch_permission(
    declared: EstateImage[AmiImage], region: str
) -> ImagebuilderDistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermission | None:
    image = declared.image
    if image.is_public:
        return ImagebuilderDistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermission(
            user_groups=["all"]
        )
    permissions, accounts = image.launch_permissions, launch_accounts(declared, region)
    if permissions is None and not accounts:
        return None
    return ImagebuilderDistributionConfigurationDistributionAmiDistributionConfigurationLaunchPermission(
        user_ids=list(accounts) or None,
        organization_arns=list(permissions.organizations) or None if permissions else None,
        organizational_unit_arns=list(permissions.organizational_units) or None if permissions else None,
    )


def _fast_launch(
    fast_launch: FastLaunch, account: str
) -> ImagebuilderDistributionConfigurationDistributionFastLaunchConfiguration:
    return ImagebuilderDistributionConfigurationDistributionFastLaunchConfiguration(
        account_id=account,
        enabled=True,
        max_parallel_launches=fast_launch.max_parallel_launches,
        snapshot_configuration=(
            ImagebuilderDistributionConfigurationDistributionFastLaunchConfigurationSnapshotConfiguration(
                target_resource_count=fast_launch.target_resource_count
            )
            if fast_launch.target_resource_count
            else None
        ),
        launch_template=ImagebuilderDistributionConfigurationDistributionFastLaunchConfigurationLaunchTemplate(
            launch_template_id=fast_launch.launch_template_id,
            launch_template_version=fast_launch.launch_template_version,
        )
        if fast_launch.launch_template_id
        else None,
    )
