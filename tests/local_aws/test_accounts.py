"""Accounts of the local AWS: each has its own resources."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws

REGION = "eu-north-1"
numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A name that no other test uses, because the server is shared."""
    return f"accounts-{next(numbers)}"


@pytest.fixture
def accounts() -> tuple[str, str]:
    """The numbers of two accounts that no other test uses."""
    return f"1{next(numbers):011}", f"1{next(numbers):011}"


def infrastructure(aws: LocalAws, name: str, account: str) -> str:
    """The ARN of a new infrastructure configuration in an account, with an instance profile of that account."""
    aws.client("iam", account=account).create_instance_profile(InstanceProfileName=name)
    image_builder = aws.client("imagebuilder", region=REGION, account=account)
    made = image_builder.create_infrastructure_configuration(name=name, instanceProfileName=name)
    return str(made["infrastructureConfigurationArn"])


# --- Image Builder, Auto Scaling and EC2


def test_each_account_has_its_own_image_builder(local_aws: LocalAws, name: str, accounts: tuple[str, str]) -> None:
    arns = {account: infrastructure(local_aws, name, account) for account in accounts}
    for account, arn in arns.items():
        assert arn == f"arn:aws:imagebuilder:{REGION}:{account}:infrastructure-configuration/{name}"
        image_builder = local_aws.client("imagebuilder", region=REGION, account=account)
        listed = image_builder.list_infrastructure_configurations()["infrastructureConfigurationSummaryList"]
        assert [each["arn"] for each in listed] == [arn]
    first, second = (local_aws.client("imagebuilder", region=REGION, account=account) for account in accounts)
    with pytest.raises(second.exceptions.ResourceNotFoundException):
        second.get_infrastructure_configuration(infrastructureConfigurationArn=arns[accounts[0]])
    second.delete_infrastructure_configuration(infrastructureConfigurationArn=arns[accounts[1]])
    first.get_infrastructure_configuration(infrastructureConfigurationArn=arns[accounts[0]])


def test_image_builder_uses_what_its_own_account_has(local_aws: LocalAws, name: str, accounts: tuple[str, str]) -> None:
    infrastructure(local_aws, name, accounts[0])
    image_builder = local_aws.client("imagebuilder", region=REGION, account=accounts[1])
    with pytest.raises(
        image_builder.exceptions.InvalidParameterValueException, match="instance profile does not exist"
    ):
        image_builder.create_infrastructure_configuration(name=name, instanceProfileName=name)


def test_groups_of_the_same_name_run_their_own_templates(
    local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    instances: dict[str, Any] = {}
    for number, account in enumerate(accounts, 1):
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": f"ami-{number}"})
        auto_scaling = local_aws.client("autoscaling", region=REGION, account=account)
        auto_scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=[f"{REGION}a"],
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"},
        )
    for number, account in enumerate(accounts, 1):
        auto_scaling = local_aws.client("autoscaling", region=REGION, account=account)
        (group,) = auto_scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        (instance,) = group["Instances"]
        instances[account] = instance["InstanceId"]
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        (reservation,) = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
        assert reservation["Instances"][0]["ImageId"] == f"ami-{number}"
    with pytest.raises(ec2.exceptions.ClientError, match="does not exist"):
        ec2.describe_instances(InstanceIds=[instances[accounts[0]]])
