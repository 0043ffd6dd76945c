"""The stack of an image: its pipeline, and the hand-off of its builds."""

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from constructs import Construct

from estate.estate import Estate, EstateImage
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from stacks.image.alarms import add_alarms
from stacks.image.ami.kind import AmiKind
from stacks.image.encryption import add_key
from stacks.image.handoff import add_handoff, add_handoff_topic
from stacks.image.infrastructure import add_infrastructure
from stacks.image.logs import add_log_bucket, add_log_groups
from stacks.image.notifications import add_notifications
from stacks.image.pipeline import add_pipeline
from stacks.image.retention import add_retention
from stacks.image.scope import ImageKind, ImageScope
from stacks.image.workflows import add_workflows
from stacks.terraform import add_terraform


class ImagePipelineStack(TerraformStack):
    """The stack `image-<name>`, in the image's first region.

    Its outputs are for other tools: the ARNs of pipeline and topic, the names of function and log bucket, and the
    parameter of each channel.
    """

    def __init__(self, scope: Construct, *, estate: Estate, image: Image) -> None:
        declared = EstateImage(estate, image)
        super().__init__(scope, declared.names.stack)
        add_terraform(
            self,
            settings=estate.settings,
            region=image.home,
            tags=declared.tags,
            account=image.account,
            provider=declared.provider,
        )
        shared = self._share(declared)
        pipeline = add_pipeline(
            self,
            shared,
            contents=shared.kind.add_contents(self, shared),
            infrastructure=add_infrastructure(self, shared),
            workflows=add_workflows(self, shared),
            log_groups=add_log_groups(self, shared),
        )
        emails = add_notifications(self, shared)
        handoff = add_handoff(self, shared, pipeline=pipeline, emails=emails)
        add_retention(self, shared)
        add_alarms(self, shared, handoff=handoff, emails=emails)

        TerraformOutput(self, "pipeline_arn", value=pipeline.arn)
        TerraformOutput(self, "topic_arn", value=shared.topic.arn)
        TerraformOutput(self, "function_name", value=handoff.function.function_name)
        TerraformOutput(self, "log_bucket", value=shared.logs.bucket)
        TerraformOutput(self, "parameters", value=declared.parameters)

    def _share(self, declared: EstateImage[Image]) -> ImageScope:
        """What all other parts refer to."""
        account = DataAwsCallerIdentity(self, "account").account_id
        key = add_key(self, declared, account=account)
        return ImageScope(
            declared=declared,
            kind=_kind_of(declared),
            account=account,
            kms_key=key,
            topic=add_handoff_topic(self, declared, account=account, kms_key=key),
            logs=add_log_bucket(self, declared, kms_key=key),
        )


def _kind_of(declared: EstateImage[Image]) -> ImageKind:
    estate, image = declared.estate, declared.image
    if isinstance(image, ContainerImage):
        # here, because most estates have no container images, and these bindings take 15 ms to import
        from stacks.image.container.kind import ContainerKind

        return ContainerKind(EstateImage(estate, image))
    return AmiKind(EstateImage(estate, image))
