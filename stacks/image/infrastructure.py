"""Where builds run: infrastructure configuration, and the role of the instances that build."""

import re

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_infrastructure_configuration import (
    ImagebuilderInfrastructureConfiguration,
    ImagebuilderInfrastructureConfigurationInstanceMetadataOptions,
    ImagebuilderInfrastructureConfigurationLogging,
    ImagebuilderInfrastructureConfigurationLoggingS3Logs,
    ImagebuilderInfrastructureConfigurationPlacement,
)
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate import names
from estate.estate import Estate, EstateImage
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from estate.recipes import recipe_of
from stacks.image.container_role import container_build_statements
from stacks.image.logs import PREFIX, build_log_arns
from stacks.policy import MANAGED_BY_SYSTEMS_MANAGER, Statement
from stacks.role import add_instance_profile
from stacks.terraform import literal


def add_infrastructure(
    stack: TerraformStack,
    *,
    estate: Estate,
    image: Image,
    account: str,
    kms_key: str,
    logs: S3Bucket,
    topic: SnsTopic,
) -> ImagebuilderInfrastructureConfiguration:
    """The infrastructure configuration. If nothing else is said, build instances need IMDSv2 and end when a build
    fails."""
    namespace = estate.settings.namespace
    profile = add_instance_profile(
        stack,
        name=names.global_name(namespace, image.name, "build", image.home),
        statements=_statements(estate, image, account, kms_key, logs),
        iam=estate.settings.iam,
    )
    infrastructure = image.infrastructure
    return ImagebuilderInfrastructureConfiguration(
        stack,
        "infrastructure",
        name=names.image_builder(namespace, image.name),
        description=f"Builds of image {namespace}/{image.name}",
        instance_profile_name=profile.name,
        instance_types=list(image.instance_types),
        subnet_id=infrastructure.subnet_id,
        security_group_ids=list(infrastructure.security_group_ids) or None,
        placement=ImagebuilderInfrastructureConfigurationPlacement(
            **infrastructure.placement.model_dump(exclude_none=True)
        )
        if infrastructure.placement
        else None,
        instance_metadata_options=ImagebuilderInfrastructureConfigurationInstanceMetadataOptions(
            http_tokens=infrastructure.instance_metadata_options.http_tokens,
            # "if HTTP tokens are required, container image builds need a minimum of two hops" (botocore)
            http_put_response_hop_limit=infrastructure.instance_metadata_options.http_put_response_hop_limit
            or (2 if isinstance(image, ContainerImage) else 1),
        ),
        key_pair=infrastructure.key_pair,
        terminate_instance_on_failure=infrastructure.terminate_instance_on_failure,
        sns_topic_arn=topic.arn,
        logging=ImagebuilderInfrastructureConfigurationLogging(
            s3_logs=ImagebuilderInfrastructureConfigurationLoggingS3Logs(
                s3_bucket_name=logs.bucket, s3_key_prefix=PREFIX.rstrip("/")
            )
        ),
        # Image Builder tags the instances and volumes of a build with these; the provider's default tags don't reach
        resource_tags=estate.tags_of(image),
    )


def _statements(estate: Estate, image: Image, account: str, kms_key: str, logs: S3Bucket) -> list[Statement]:
    """What a build needs: AWS's EC2InstanceProfileForImageBuilder, narrowed to this image."""
    region, partition = image.home, names.partition(image.home)
    here = f"arn:{partition}:imagebuilder:{region}:{account}"
    components = recipe_of(EstateImage(estate, image)).components.values()
    made = [f"{here}:component/{names.in_arn(each.name)}/*" for each in components]
    # any version, because it is resolved only when an image is built
    managed = [f"{use.without_version}/*" for use in image.uses if use.is_managed]
    return [
        MANAGED_BY_SYSTEMS_MANAGER,
        {
            "Sid": "ReadComponents",
            "Action": "imagebuilder:GetComponent",
            "Resource": sorted({*made, *managed}),
        },
        *_given_objects(image, partition),
        *_container_build(image, estate, account),
        {
            # AWS's own buckets ("VPC endpoints" in Image Builder's user guide), from which a build loads the program
            # that runs components, and components of AWS
            "Sid": "LoadTaskExecutor",
            "Action": "s3:GetObject",
            "Resource": [
                f"arn:{partition}:s3:::ec2imagebuilder-{what}-{region}-prod/*" for what in ("managed-resources", "toe")
            ],
        },
        {
            "Sid": "WriteBuildLog",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": build_log_arns(estate=estate, image=image, account=account),
        },
        {"Sid": "UploadLogs", "Action": "s3:PutObject", "Resource": f"{logs.arn}/{PREFIX}*"},
        {
            "Sid": "EncryptLogs",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": kms_key,
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
        },
        {
            "Sid": "DecryptComponents",
            "Action": "kms:Decrypt",
            # components that Image Builder encrypts by a key which only their owner knows; hence the conditions
            "Resource": "*",
            "Condition": {
                "ForAnyValue:StringEquals": {
                    "kms:EncryptionContextKeys": "aws:imagebuilder:arn",
                    "aws:CalledVia": "imagebuilder.amazonaws.com",
                }
            },
        },
    ]


def _container_build(image: Image, estate: Estate, account: str) -> list[Statement]:
    if isinstance(image, ContainerImage):
        return container_build_statements(image, estate=estate, account=account)
    return []


def _given_objects(image: Image, partition: str) -> list[Statement]:
    """What components are told to fetch: values that are the address of an object in S3, as `deploy-app` takes one."""
    values = {value for use in image.uses for value in use.with_.values()}
    objects = sorted(match[1] for value in values if (match := re.fullmatch(r"s3://([a-z0-9.-]+/.+)", value)))
    if not objects:
        return []
    # in a policy * and ? stand for others, and $ begins a variable: here they are themselves
    paths = (re.sub(r"[*?$]", lambda special: f"${{{special[0]}}}", path) for path in objects)
    return [
        {
            "Sid": "ReadGivenObjects",
            "Action": "s3:GetObject",
            "Resource": [literal(f"arn:{partition}:s3:::{path}") for path in paths],
        }
    ]
