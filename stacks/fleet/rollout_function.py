"""The function that gives a fleet with `updates: automatic` the builds of its channel, and rolls them out."""

from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.launch_template import LaunchTemplate
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.estate import EstateFleet
from lambda_src.rollout.configuration import EMAILS_TOPIC
from stacks.fleet.encryption import Key
from stacks.fleet.rollout_archive import rollout_code
from stacks.function import Function, add_call, add_function, parameter_changes
from stacks.policy import Statement
from stacks.topic import publishing

LOOK_EVERY = "rate(5 minutes)"
"""How long a build waits at most until its rollout begins, if nothing else holds it."""


def add_rollout_function(
    stack: TerraformStack, declared: EstateFleet, *, launch_template: LaunchTemplate, key: Key, emails: SnsTopic | None
) -> Function:
    """The function, called by a schedule, and when the channel moves if that is in its own account.

    `emails` is the topic for e-mail, if there is one.
    """
    fleet, name = declared.fleet, declared.names.function
    function = add_function(
        stack,
        code=rollout_code(declared),
        name=name,
        role_name=declared.names.role("rollout", declared.fleet.region),
        description=f"Rolls out the builds of its channel in fleet {declared.names.label}",
        account=key.account,
        environment={EMAILS_TOPIC: emails.arn} if emails else {},
        statements=[
            *_look(declared, key.account),
            *_roll_out(declared, launch_template, key.account),
            *_launch(declared, launch_template, key.account),
            *publishing(emails, fleet.notifications.topic_arns, key=key.arn),
        ],
        iam=declared.iam,
        kms_key=key.arn,
    )
    add_call(
        stack,
        "schedule",
        name=name,
        description="Looks what the fleet's channel points to, and what its instances run",
        schedule_expression=LOOK_EVERY,
        function=function,
    )
    if not declared.is_elsewhere:
        add_call(
            stack,
            "channel_moves",
            name=f"{name}_channel",
            description="Does not wait for the schedule when the fleet's channel moves",
            event_pattern=parameter_changes([declared.image.names.parameter(declared.fleet.channel)]),
            function=function,
        )
    return function


def _look(declared: EstateFleet, account: str) -> Iterator[Statement]:
    fleet, image = declared.fleet, declared.image
    # Auto Scaling and EC2 have no resource types for these, and CloudWatch reads alarms by their names with a
    # permission for all of them (AWS's service authorization reference)
    yield {
        "Sid": "LookAtInstances",
        "Action": [
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeInstanceRefreshes",
            *(["cloudwatch:DescribeAlarms"] if fleet.rollout.alarms else []),
            "ec2:DescribeImages",
            # when the instances of other fleets were launched
            *(["ec2:DescribeInstances"] if fleet.after else []),
            "ec2:DescribeLaunchTemplateVersions",
        ],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": fleet.region}},
    }
    yield {
        "Sid": "ReadRecords",
        "Action": "ssm:GetParametersByPath",
        "Resource": declared.arn("ssm", f"parameter{declared.names.records}", account=account),
    }
    if declared.is_elsewhere:
        yield {"Sid": "ReadImagesElsewhere", "Action": "sts:AssumeRole", "Resource": image.reader_role}
    else:
        regions = dict.fromkeys([fleet.region, image.image.home])  # holds are at home
        parameters = f"parameter{image.names.path}"
        yield {
            "Sid": "ReadChannels",
            "Action": "ssm:GetParametersByPath",
            "Resource": [declared.arn("ssm", parameters, account=account, region=region) for region in regions],
        }


def _roll_out(declared: EstateFleet, launch_template: LaunchTemplate, account: str) -> Iterator[Statement]:
    # the rest of a group's ARN is an ID of AWS's
    group = f"autoScalingGroup:*:autoScalingGroupName/{declared.names.group}"
    yield {
        "Sid": "ReplaceInstances",
        "Action": [
            "autoscaling:CancelInstanceRefresh",
            "autoscaling:RollbackInstanceRefresh",
            "autoscaling:StartInstanceRefresh",
        ],
        "Resource": declared.arn("autoscaling", group, account=account),
    }
    yield {"Sid": "AddVersions", "Action": "ec2:CreateLaunchTemplateVersion", "Resource": launch_template.arn}
    yield {
        "Sid": "WriteRecord",
        "Action": ["ssm:AddTagsToResource", "ssm:PutParameter"],
        "Resource": declared.arn("ssm", f"parameter{declared.names.record}", account=account),
    }
    yield {
        "Sid": "RememberNotices",
        "Action": ["ssm:GetParameter", "ssm:PutParameter"],
        "Resource": declared.arn("ssm", f"parameter{declared.names.notices}", account=account),
    }


def _launch(declared: EstateFleet, launch_template: LaunchTemplate, account: str) -> Iterator[Statement]:
    """Auto Scaling checks whether its caller may launch what a refresh launches ("Control Amazon EC2 launch template
    usage in Auto Scaling groups" in its user guide). The function itself launches nothing."""
    fleet = declared.fleet
    of_template = {"ArnEquals": {"ec2:LaunchTemplate": launch_template.arn}}

    def every(kind: str, *, owner: str = account) -> str:
        return declared.arn("ec2", f"{kind}/*", account=owner)

    # what only the template names; AMIs and snapshots have no account in their ARNs
    yield {
        "Sid": "LaunchFromTemplate",
        "Action": "ec2:RunInstances",
        "Resource": [every("image", owner=""), every("snapshot", owner=""), every("security-group")],
        "Condition": {**of_template, "Bool": {"ec2:IsLaunchTemplateResource": "true"}},
    }
    # subnets are the group's, and the rest is made by the launch or named with it
    yield {
        "Sid": "LaunchIntoSubnets",
        "Action": "ec2:RunInstances",
        "Resource": [
            launch_template.arn,
            every("network-interface"),
            every("subnet"),
            every("volume"),
            *fleet.license_configuration_arns,
            *_host_resource_group(declared),
        ],
        "Condition": of_template,
    }
    profile = launch_template.iam_instance_profile_input
    assert profile is not None  # every template of a fleet has one
    yield {
        "Sid": "LaunchWithProfile",
        "Action": "ec2:RunInstances",
        "Resource": every("instance"),
        "Condition": {"ArnEquals": {**of_template["ArnEquals"], "ec2:InstanceProfile": profile.arn}},
    }
    yield {
        "Sid": "TagInstances",
        "Action": "ec2:CreateTags",
        "Resource": [every("instance"), every("volume")],
        "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
    }
    # the role of a profile that is given is not known here; the statement before allows no other profile
    role = declared.names.role("fleet", fleet.region)
    path = "*" if fleet.instance_profile_arn else f"{declared.iam.path.removeprefix('/')}{role}"
    yield {
        "Sid": "PassInstanceRole",
        "Action": "iam:PassRole",
        "Resource": declared.arn("iam", f"role/{path}", account=account, region=""),
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }


def _host_resource_group(declared: EstateFleet) -> Iterator[str]:
    placement = declared.fleet.placement
    if placement and placement.host_resource_group_arn:
        yield placement.host_resource_group_arn
