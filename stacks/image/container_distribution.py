"""Where finished container images go."""

from collections.abc import Mapping

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistribution,
    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfigurationTargetRepository,
)

from estate import names
from estate.estate import Estate
from estate.models.container_image import ContainerImage


def add_container_distribution(
    stack: TerraformStack, *, estate: Estate, image: ContainerImage, repositories: Mapping[str, str]
) -> ImagebuilderDistributionConfiguration:
    """The image into the repository of each region, tagged alike."""
    namespace = estate.settings.namespace
    return ImagebuilderDistributionConfiguration(
        stack,
        "distribution",
        name=names.image_builder(namespace, image.name),
        description=f"Container images of {namespace}/{image.name}",
        distribution=[
            ImagebuilderDistributionConfigurationDistribution(
                region=region,
                container_distribution_configuration=(
                    ImagebuilderDistributionConfigurationDistributionContainerDistributionConfiguration(
                        description=f"{namespace}/{image.name}",
                        container_tags=list(image.container_tags) or None,
                        target_repository=ImagebuilderDistributionConfigurationDistributionContainerDistributionConfigurationTargetRepository(
                            repository_name=repository, service="ECR"
                        ),
                    )
                ),
            )
            for region, repository in repositories.items()
        ],
    )
