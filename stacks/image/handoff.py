"""The hand-off: topic, function, subscription and schedule, which move the channel `latest` after a build."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import ImagebuilderImagePipeline
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription

from estate import names
from estate.estate import Estate
from estate.models.ages import in_days
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from lambda_src.handoff.configuration import FILE, PIPELINE_ARN, Configuration
from stacks.function import Function, add_function
from stacks.image.container_role import on_repositories
from stacks.policy import Statement, any_of, only_in
from stacks.topic import add_topic

RECONCILE_EVERY = "rate(1 hour)"
"""How soon the channel is right again when a message was lost."""

_LONGEST_PATTERN = 2048
"""Characters of an event pattern ("Amazon EventBridge quotas" in its user guide)."""


def add_handoff_topic(stack: TerraformStack, *, estate: Estate, image: Image, account: str, kms_key: str) -> SnsTopic:
    """The topic to which Image Builder publishes finished and failed builds.

    Its service-linked role may publish to any topic of the account ("AWS managed policies" in its user guide); an
    execution role of workflows is allowed by its own policy.
    """
    return add_topic(
        stack,
        "topic",
        name=names.handoff(estate.settings.namespace, image.name),
        kms_key=kms_key,
        account=account,
    )


def add_handoff(
    stack: TerraformStack,
    *,
    estate: Estate,
    image: Image,
    account: str,
    kms_key: str,
    topic: SnsTopic,
    pipeline: ImagebuilderImagePipeline,
) -> Function:
    """The function that moves `latest` in every region, called by the topic and by a schedule."""
    settings = estate.settings
    function = add_function(
        stack,
        source="handoff",
        name=names.handoff(settings.namespace, image.name),
        role_name=names.global_name(settings.namespace, image.name, "handoff", image.home),
        description=f"Moves the channel latest of image {settings.namespace}/{image.name} to its newest good build",
        account=account,
        configuration=(FILE, _configuration(estate, image).to_json()),
        environment={PIPELINE_ARN: pipeline.arn},
        statements=_statements(estate, image, account, pipeline),
        iam=settings.iam,
        kms_key=kms_key,
        dead_letters_from=[
            {
                "Sid": "TopicWritesDeadLetters",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                # in a queue's own policy: that queue
                "Resource": "*",
                "Condition": {"ArnEquals": {"aws:SourceArn": topic.arn}},
            }
        ],
    )
    _add_subscription(stack, topic=topic, function=function)
    name = names.handoff(settings.namespace, image.name)
    _add_rule(
        stack,
        "schedule",
        name=name,
        description="Looks at Image Builder even when no message came",
        schedule_expression=RECONCILE_EVERY,
        function=function,
    )
    if image.retention and image.channels:
        _add_rule(
            stack,
            "channels",
            name=f"{name}_channels",
            description="Looks which builds are in use when a channel moved, before a lifecycle policy looks",
            event_pattern=_moves_of_channels(estate, image),
            function=function,
        )
    return function


def _configuration(estate: Estate, image: Image) -> Configuration:
    """What the function knows about the image, of what is known at synthesis."""
    overdue = image.notifications.no_new_image_for
    return Configuration(
        namespace=estate.settings.namespace,
        image=image.name,
        regions=tuple(image.regions),
        tags=estate.tags_of(image),
        # by which the function knows a good output: an AMI's, or a container image's
        repository=estate.repository_of(image) if isinstance(image, ContainerImage) else "",
        architecture="" if isinstance(image, ContainerImage) else image.architecture,
        keep_newest=image.retention.newest if image.retention else 0,
        overdue_after_days=in_days(overdue) if overdue else 0,
    )


def _moves_of_channels(estate: Estate, image: Image) -> str:
    """What Parameter Store says in the home region of each channel but latest, which the function itself moves; of all
    of them where their names are more than EventBridge takes. Another look changes nothing."""
    parameters = estate.parameters(image)
    named = _changes_of([parameters[channel] for channel in image.channels])
    path = f"{names.image_path(estate.settings.namespace, image.name)}/"
    return named if len(named) <= _LONGEST_PATTERN else _changes_of([{"prefix": path}])


def _changes_of(names: Sequence[str | Mapping[str, str]]) -> str:
    """An event pattern for changes of parameters."""
    return json.dumps(
        {"source": ["aws.ssm"], "detail-type": ["Parameter Store Change"], "detail": {"name": list(names)}}
    )


def _add_subscription(stack: TerraformStack, *, topic: SnsTopic, function: Function) -> None:
    LambdaPermission(
        stack,
        "topic_permission",
        statement_id="topic",
        action="lambda:InvokeFunction",
        function_name=function.function.function_name,
        principal="sns.amazonaws.com",
        source_arn=topic.arn,
    )
    SnsTopicSubscription(
        stack,
        "subscription",
        topic_arn=topic.arn,
        protocol="lambda",
        endpoint=function.function.arn,
        redrive_policy=json.dumps({"deadLetterTargetArn": function.dead_letters.arn}),
    )


def _add_rule(
    stack: TerraformStack,
    what: Literal["schedule", "channels"],
    *,
    name: str,
    description: str,
    schedule_expression: str | None = None,
    event_pattern: str | None = None,
    function: Function,
) -> None:
    """Calls the function at times, or upon events."""
    rule = CloudwatchEventRule(
        stack,
        what,
        name=name,
        description=description,
        schedule_expression=schedule_expression,
        event_pattern=event_pattern,
    )
    LambdaPermission(
        stack,
        f"{what}_permission",
        statement_id=what,
        action="lambda:InvokeFunction",
        function_name=function.function.function_name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
    )
    CloudwatchEventTarget(stack, f"{what}_target", rule=rule.name, arn=function.function.arn)


def _statements(estate: Estate, image: Image, account: str, pipeline: ImagebuilderImagePipeline) -> list[Statement]:
    namespace, region, partition = estate.settings.namespace, image.home, names.partition(image.home)
    own = names.in_arn(names.image_builder(namespace, image.name))
    path = names.image_path(namespace, image.name)

    def on_parameters(sid: str, name: str, action: str | list[str]) -> Statement:
        resource = f"arn:{partition}:ssm:{any_of(image.regions)}:{account}:parameter{name}"
        return only_in(image.regions, {"Sid": sid, "Action": action, "Resource": [resource]})

    return [
        {"Sid": "ListBuilds", "Action": "imagebuilder:ListImagePipelineImages", "Resource": pipeline.arn},
        {
            "Sid": "LookAtBuilds",
            "Action": "imagebuilder:GetImage",
            "Resource": f"arn:{partition}:imagebuilder:{region}:{account}:image/{own}/*",
        },
        *_tag_builds(namespace, image, f"arn:{partition}:imagebuilder:{region}:{account}:image/{own}/*"),
        _look_at_outputs(estate, image, account),
        on_parameters("ReadChannels", path, "ssm:GetParametersByPath"),
        on_parameters("ReadChannel", f"{path}/*", ["ssm:GetParameter", "ssm:GetParameterHistory"]),
        # only latest: operators move the other channels under their own identity
        on_parameters(
            "MoveLatest",
            names.parameter(namespace, image.name, names.LATEST),
            ["ssm:AddTagsToResource", "ssm:PutParameter"],
        ),
    ]


def _tag_builds(namespace: str, image: Image, builds: str) -> Iterator[Statement]:
    """The function's own tags, in words about this image only: lifecycle policies select and spare by them."""
    owner, passing = names.owner_tag(namespace, image.name), [*names.IN_USE_TAG, *names.NEWEST_TAG, names.RETENTION_TAG]
    yield {
        "Sid": "TagBuilds",
        "Action": "imagebuilder:TagResource",
        "Resource": builds,
        "Condition": {
            "ForAllValues:StringEquals": {"aws:TagKeys": [*owner, *passing]},
            "StringLikeIfExists": {
                **{f"aws:RequestTag/{key}": value for key, value in owner.items()},
                f"aws:RequestTag/{names.RETENTION_TAG}": f"{namespace}/{image.name}/*",
            },
        },
    }
    yield {
        "Sid": "UntagBuilds",
        "Action": "imagebuilder:UntagResource",
        "Resource": builds,
        "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": passing}},
    }


def _look_at_outputs(estate: Estate, image: Image, account: str) -> Statement:
    if isinstance(image, ContainerImage):
        return on_repositories("LookAtContainerImages", "ecr:DescribeImages", image, estate=estate, account=account)
    # EC2's DescribeImages knows no resources
    return {"Sid": "LookAtAmis", "Action": "ec2:DescribeImages", "Resource": "*"}
