"""One golden image: its pipeline, and the hand-off of what it builds."""

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from constructs import Construct

from estate import names
from estate.estate import Estate, EstateImage
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from estate.recipes.ami import ami_recipe_of
from estate.recipes.container import container_recipe_of
from stacks.image.alarms import add_alarms
from stacks.image.container_distribution import add_container_distribution
from stacks.image.container_recipe import add_container_recipe
from stacks.image.disk_image import add_parent
from stacks.image.distribution import add_distribution
from stacks.image.encryption import add_key
from stacks.image.export import add_export
from stacks.image.handoff import add_handoff, add_handoff_topic
from stacks.image.infrastructure import add_infrastructure
from stacks.image.logs import add_log_bucket, add_log_groups
from stacks.image.notifications import add_notifications
from stacks.image.pipeline import add_pipeline
from stacks.image.recipe import add_recipe
from stacks.image.repository import add_repositories
from stacks.image.retention import add_retention
from stacks.image.workflows import add_workflows
from stacks.terraform import add_terraform


class ImagePipelineStack(TerraformStack):
    """The stack `image-<name>`, in the image's first region.

    Its outputs are what other tools need: the pipeline's ARN, the topic's, the function's name, the log bucket's,
    and the parameter of each channel.
    """

    def __init__(self, scope: Construct, *, estate: Estate, image: Image) -> None:
        super().__init__(scope, names.image_stack(image.name))
        add_terraform(
            self,
            settings=estate.settings,
            region=image.home,
            tags=estate.tags_of(image),
        )
        account = DataAwsCallerIdentity(self, "account").account_id

        key = add_key(self, estate=estate, image=image, account=account)
        topic = add_handoff_topic(self, estate=estate, image=image, account=account, kms_key=key)
        logs = add_log_bucket(self, estate=estate, image=image, kms_key=key)
        if isinstance(image, ContainerImage):
            repositories = add_repositories(self, estate=estate, image=image)
            container_recipe = add_container_recipe(
                self,
                recipe=container_recipe_of(EstateImage(estate, image)),
                repository=repositories[image.home],
                bucket=logs,
                kms_key=key,
            )
            distribution = add_container_distribution(self, estate=estate, image=image, repositories=repositories)
        else:
            contents = ami_recipe_of(EstateImage(estate, image))
            parent = add_parent(self, estate=estate, image=image, recipe=contents, account=account)
            recipe = add_recipe(self, recipe=contents, parent_image=parent, bucket=logs, kms_key=key)
            export = add_export(self, estate=estate, image=image, account=account)
            distribution = add_distribution(self, estate=estate, image=image, account=account, export=export)
        infrastructure = add_infrastructure(
            self, estate=estate, image=image, account=account, kms_key=key, logs=logs, topic=topic
        )
        workflows = add_workflows(
            self, estate=estate, image=image, account=account, kms_key=key, logs=logs, topic=topic
        )
        pipeline = add_pipeline(
            self,
            estate=estate,
            image=image,
            recipe=container_recipe if isinstance(image, ContainerImage) else recipe,
            infrastructure=infrastructure,
            distribution=distribution,
            workflows=workflows,
            log_groups=add_log_groups(self, estate=estate, image=image, kms_key=key),
        )
        handoff = add_handoff(
            self, estate=estate, image=image, account=account, kms_key=key, topic=topic, pipeline=pipeline
        )
        add_retention(self, estate=estate, image=image, account=account)
        emails = add_notifications(self, estate=estate, image=image, account=account, kms_key=key)
        add_alarms(self, estate=estate, image=image, handoff=handoff, emails=emails)

        TerraformOutput(self, "pipeline_arn", value=pipeline.arn)
        TerraformOutput(self, "topic_arn", value=topic.arn)
        TerraformOutput(self, "function_name", value=handoff.function.function_name)
        TerraformOutput(self, "log_bucket", value=logs.bucket)
        TerraformOutput(self, "parameters", value=estate.parameters(image))
