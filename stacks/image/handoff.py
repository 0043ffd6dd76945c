"""The hand-off, which moves the channel `latest` after a build: topic, function, subscription and schedule."""

import json
from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import ImagebuilderImagePipeline
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription

from estate import names
from estate.estate import EstateImage
from estate.models.images import Image
from estate.recipes.handoff import handoff_of
from lambda_src.handoff.configuration import EMAILS_TOPIC, FILE, PIPELINE_ARN, history_bucket
from stacks.function import SOURCES, Code, Function, add_call, add_function, archive, parameter_changes
from stacks.image.scope import ImageScope
from stacks.policy import Statement, any_of, only_in
from stacks.topic import add_topic, publishing

RECONCILE_EVERY = "rate(1 hour)"
"""After a lost message, `latest` is correct again within this time."""

_LONGEST_PATTERN = 2048
"""The most characters of an event pattern ("Amazon EventBridge quotas" in its user guide)."""


def add_handoff_topic(stack: TerraformStack, declared: EstateImage[Image], *, account: str, kms_key: str) -> SnsTopic:
    """The topic to which Image Builder publishes builds that ended.

    Its service-linked role may publish to any topic of the account ("AWS managed policies" in its user guide). The
    role of workflows has a statement for it.
    """
    return add_topic(
        stack,
        "topic",
        name=declared.names.handoff,
        kms_key=kms_key,
        account=account,
    )


def add_handoff(
    stack: TerraformStack, scope: ImageScope, *, pipeline: ImagebuilderImagePipeline, emails: SnsTopic | None
) -> Function:
    """The function that moves channels in every region, called by the topic and by a schedule.

    `emails` is the topic for e-mail, if there is one.
    """
    name = scope.names.handoff
    function = add_function(
        stack,
        code=Code(
            name="handoff",
            handler="handoff.handler.handle",
            archive=archive(SOURCES / "handoff", files={FILE: handoff_of(scope.declared).to_json()}),
        ),
        name=name,
        role_name=scope.role_name("handoff"),
        description=f"Moves the channels of image {scope.names.label} to its good builds",
        account=scope.account,
        environment={PIPELINE_ARN: pipeline.arn, **({EMAILS_TOPIC: emails.arn} if emails else {})},
        statements=[
            *_statements(scope, pipeline),
            *publishing(emails, scope.image.notifications.topic_arns, key=scope.kms_key),
        ],
        iam=scope.declared.iam,
        kms_key=scope.kms_key,
        dead_letters_from=[
            {
                "Sid": "TopicWritesDeadLetters",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                # in a queue's policy: that queue
                "Resource": "*",
                "Condition": {"ArnEquals": {"aws:SourceArn": scope.topic.arn}},
            }
        ],
    )
    _add_subscription(stack, topic=scope.topic, function=function)
    add_call(
        stack,
        "schedule",
        name=name,
        description="Checks the builds in Image Builder, in case a message was lost",
        schedule_expression=RECONCILE_EVERY,
        function=function,
    )
    if scope.image.retention and scope.image.channels:
        add_call(
            stack,
            "channels",
            name=f"{name}_channels",
            description="Tags the builds in use when a channel moves, so that no lifecycle policy deletes them",
            event_pattern=_moves_of_channels(scope),
            function=function,
        )
    return function


def _moves_of_channels(scope: ImageScope) -> str:
    """The event pattern for moves of the channels in the home region, except latest, which the function itself moves.

    For all parameters of the image, if the names are too long for a pattern. Then the function runs more often.
    """
    named = parameter_changes([scope.names.parameter(channel) for channel in scope.image.channels])
    return named if len(named) <= _LONGEST_PATTERN else parameter_changes([{"prefix": f"{scope.names.path}/"}])


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


def _statements(scope: ImageScope, pipeline: ImagebuilderImagePipeline) -> list[Statement]:
    builds, path, regions = f"{scope.image_builder_arn('image')}/*", scope.names.path, scope.image.regions

    def on_parameters(sid: str, name: str, action: str | list[str]) -> Statement:
        resource = scope.arn("ssm", f"parameter{name}", region=any_of(regions))
        return only_in(regions, {"Sid": sid, "Action": action, "Resource": [resource]})

    return [
        {"Sid": "ListBuilds", "Action": "imagebuilder:ListImagePipelineImages", "Resource": pipeline.arn},
        {"Sid": "GetBuilds", "Action": "imagebuilder:GetImage", "Resource": builds},
        *_tag_builds(scope, builds),
        *_read_findings(scope),
        *scope.kind.output_statements(scope),
        on_parameters("ReadChannels", path, "ssm:GetParametersByPath"),
        on_parameters("ReadChannel", f"{path}/*", ["ssm:GetParameter", "ssm:GetParameterHistory"]),
        # every channel of the configuration: those with a soak time move by themselves, and the function completes what
        # a command could not; no holds, which only people write
        on_parameters("MoveChannels", f"{path}/*", ["ssm:AddTagsToResource", "ssm:PutParameter"]),
        {
            "Sid": "WriteNoHolds",
            "Effect": "Deny",
            "Action": "ssm:PutParameter",
            "Resource": scope.arn("ssm", f"parameter{path}/_*", region="*"),
        },
        *_keep_history(scope),
    ]


def _read_findings(scope: ImageScope) -> Iterator[Statement]:
    """For the gate. These lists are of the whole account, and know no resources."""
    if scope.image.gate:
        actions = ["imagebuilder:ListImageScanFindingAggregations", "imagebuilder:ListImageScanFindings"]
        yield {"Sid": "ReadFindings", "Action": actions, "Resource": "*"}


def _keep_history(scope: ImageScope) -> Iterator[Statement]:
    """For the image's own objects in the history bucket."""
    name, bucket = (
        scope.names.image,
        history_bucket(scope.names.namespace, account=scope.account, region=scope.image.home),
    )
    moves, cache = f"moves/{name}/", f"cache/{name}.json"
    yield {
        "Sid": "ListHistory",
        "Action": "s3:ListBucket",
        "Resource": scope.s3_arn(bucket),
        # also without a prefix: otherwise S3 says "forbidden" instead of "no such key" to a request for an object
        "Condition": {"StringLikeIfExists": {"s3:prefix": f"{moves}*"}},
    }
    objects = [scope.s3_arn(f"{bucket}/{moves}*"), scope.s3_arn(f"{bucket}/{cache}")]
    yield {"Sid": "WriteHistory", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": objects}


def _tag_builds(scope: ImageScope, builds: str) -> Iterator[Statement]:
    """For the function's own tags, with values for this image only. Lifecycle policies select builds by them."""
    owner, passing = scope.names.owner_tag, [*names.IN_USE_TAG, *names.NEWEST_TAG, names.RETENTION_TAG]
    yield {
        "Sid": "TagBuilds",
        "Action": "imagebuilder:TagResource",
        "Resource": builds,
        "Condition": {
            "ForAllValues:StringEquals": {"aws:TagKeys": [*owner, *passing]},
            "StringLikeIfExists": {
                **{f"aws:RequestTag/{key}": value for key, value in owner.items()},
                f"aws:RequestTag/{names.RETENTION_TAG}": f"{scope.names.label}/*",
            },
        },
    }
    yield {
        "Sid": "UntagBuilds",
        "Action": "imagebuilder:UntagResource",
        "Resource": builds,
        "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": passing}},
    }
