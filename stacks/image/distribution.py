"""Where finished AMIs go."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
    ImagebuilderDistributionConfigurationDistribution,
    ImagebuilderDistributionConfigurationDistributionAmiDistributionConfiguration,
)

from estate import names
from estate.estate import Estate
from estate.image import Image


def add_distribution(stack: TerraformStack, *, estate: Estate, image: Image) -> ImagebuilderDistributionConfiguration:
    """One AMI in each region of the image, named and tagged alike."""
    namespace = estate.settings.namespace
    return ImagebuilderDistributionConfiguration(
        stack,
        "distribution",
        name=names.image_builder(namespace, image.name),
        description=f"AMIs of image {namespace}/{image.name}",
        distribution=[
            ImagebuilderDistributionConfigurationDistribution(
                region=region,
                ami_distribution_configuration=(
                    ImagebuilderDistributionConfigurationDistributionAmiDistributionConfiguration(
                        name=names.ami(namespace, image.name),
                        description=f"{namespace}/{image.name}",
                        ami_tags=estate.tags_of(image),
                    )
                ),
            )
            for region in image.regions
        ],
    )
