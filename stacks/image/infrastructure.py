"""Where builds run: the infrastructure configuration, and the role of build instances."""

import re

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_infrastructure_configuration import (
    ImagebuilderInfrastructureConfiguration,
    ImagebuilderInfrastructureConfigurationInstanceMetadataOptions,
    ImagebuilderInfrastructureConfigurationLogging,
    ImagebuilderInfrastructureConfigurationLoggingS3Logs,
    ImagebuilderInfrastructureConfigurationPlacement,
)

from stacks.image.components import component_arns
from stacks.image.logs import PREFIX, build_log_arns
from stacks.image.scope import ImageScope
from stacks.policy import MANAGED_BY_SYSTEMS_MANAGER, Statement
from stacks.role import add_instance_profile
from stacks.terraform import literal


def add_infrastructure(stack: TerraformStack, scope: ImageScope) -> ImagebuilderInfrastructureConfiguration:
    """The infrastructure configuration. By default, build instances need IMDSv2 and are terminated when a build
    fails."""
    profile = add_instance_profile(
        stack,
        name=scope.role_name("build"),
        statements=_statements(scope),
        iam=scope.declared.iam,
    )
    infrastructure = scope.image.infrastructure
    return ImagebuilderInfrastructureConfiguration(
        stack,
        "infrastructure",
        name=scope.names.image_builder,
        description=f"Builds of image {scope.names.label}",
        instance_profile_name=profile.name,
        instance_types=list(scope.image.instance_types),
        subnet_id=infrastructure.subnet_id,
        security_group_ids=list(infrastructure.security_group_ids) or None,
        placement=ImagebuilderInfrastructureConfigurationPlacement(
            **infrastructure.placement.model_dump(exclude_none=True)
        )
        if infrastructure.placement
        else None,
        instance_metadata_options=ImagebuilderInfrastructureConfigurationInstanceMetadataOptions(
            http_tokens=infrastructure.instance_metadata_options.http_tokens,
            http_put_response_hop_limit=infrastructure.instance_metadata_options.http_put_response_hop_limit
            or scope.image.least_hop_limit,
        ),
        key_pair=infrastructure.key_pair,
        terminate_instance_on_failure=infrastructure.terminate_instance_on_failure,
        sns_topic_arn=scope.topic.arn,
        logging=ImagebuilderInfrastructureConfigurationLogging(
            s3_logs=ImagebuilderInfrastructureConfigurationLoggingS3Logs(
                s3_bucket_name=scope.logs.bucket, s3_key_prefix=PREFIX.rstrip("/")
            )
        ),
        # for the instances and volumes of builds, which do not get the provider's default tags
        resource_tags=scope.declared.tags,
    )


def _statements(scope: ImageScope) -> list[Statement]:
    """For a build instance: AWS's EC2InstanceProfileForImageBuilder, limited to this image."""
    region = scope.image.home
    return [
        MANAGED_BY_SYSTEMS_MANAGER,
        {
            "Sid": "ReadComponents",
            "Action": "imagebuilder:GetComponent",
            "Resource": component_arns(scope),
        },
        *_configured_objects(scope),
        *scope.kind.build_statements(scope),
        {
            # AWS's own buckets ("VPC endpoints" in Image Builder's user guide), with the program that runs components,
            # and with AWS's components
            "Sid": "LoadTaskExecutor",
            "Action": "s3:GetObject",
            "Resource": [
                scope.s3_arn(f"ec2imagebuilder-{what}-{region}-prod/*") for what in ("managed-resources", "toe")
            ],
        },
        {
            "Sid": "WriteBuildLog",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": build_log_arns(scope),
        },
        {"Sid": "UploadLogs", "Action": "s3:PutObject", "Resource": f"{scope.logs.arn}/{PREFIX}*"},
        {
            "Sid": "EncryptLogs",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": scope.kms_key,
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
        },
        {
            "Sid": "DecryptComponents",
            "Action": "kms:Decrypt",
            # for components whose key is known to their owner only; so the conditions limit it
            "Resource": "*",
            "Condition": {
                "ForAnyValue:StringEquals": {
                    "kms:EncryptionContextKeys": "aws:imagebuilder:arn",
                    "aws:CalledVia": "imagebuilder.amazonaws.com",
                }
            },
        },
    ]


def _configured_objects(scope: ImageScope) -> list[Statement]:
    """For the objects in S3 whose addresses are values of component parameters, such as that of `deploy-app`."""
    values = {value for use in scope.image.uses for value in use.with_.values()}
    objects = sorted(match[1] for value in values if (match := re.fullmatch(r"s3://([a-z0-9.-]+/.+)", value)))
    if not objects:
        return []
    # escaped, because * and ? are wildcards in a policy, and $ begins a variable
    paths = (re.sub(r"[*?$]", lambda special: f"${{{special[0]}}}", path) for path in objects)
    return [
        {
            "Sid": "ReadConfiguredObjects",
            "Action": "s3:GetObject",
            "Resource": [literal(scope.s3_arn(path)) for path in paths],
        }
    ]
