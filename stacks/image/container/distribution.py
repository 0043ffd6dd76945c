"""The distribution of container images."""

from collections.abc import Mapping, Sequence

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistribution,
    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfigurationTargetRepository,
)

from stacks.image.scope import ImageScope


def add_container_distribution(
    stack: TerraformStack, scope: ImageScope, *, repositories: Mapping[str, str], container_tags: Sequence[str]
) -> ImagebuilderDistributionConfiguration:
    """To the repository of each region, with the same tags."""
    return ImagebuilderDistributionConfiguration(
        stack,
        "distribution",
        name=scope.names.image_builder,
        description=f"Container images of {scope.names.label}",
        distribution=[
            ImagebuilderDistributionConfigurationDistribution(
                region=region,
                container_distribution_configuration=(
                    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfiguration(
                        description=scope.names.label,
                        container_tags=list(container_tags) or None,
                        target_repository=ImagebuilderDistributionConfigurationDistributionContainerDistributionConfigurationTargetRepository(
                            repository_name=repository, service="ECR"
                        ),
                    )
                ),
            )
            for region, repository in repositories.items()
        ],
    )
