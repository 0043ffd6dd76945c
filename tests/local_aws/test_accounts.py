"""Accounts of the local AWS: each has its own resources, and gets at those of another one through a role."""

import itertools
import json
from typing import Any

import boto3
import pytest

from local_aws.server import LocalAws, LocalAwsError
from tests.support.image_builder import refusal

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
    amis: dict[str, str] = {}
    instances: dict[str, Any] = {}
    for account in accounts:
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        amis[account] = ec2.register_image(Name=name)["ImageId"]
        template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": amis[account]})
        auto_scaling = local_aws.client("autoscaling", region=REGION, account=account)
        auto_scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=[f"{REGION}a"],
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"},
        )
    for account in accounts:
        auto_scaling = local_aws.client("autoscaling", region=REGION, account=account)
        (group,) = auto_scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        (instance,) = group["Instances"]
        instances[account] = instance["InstanceId"]
        ec2 = local_aws.client("ec2", region=REGION, account=account)
        (reservation,) = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
        assert reservation["Instances"][0]["ImageId"] == amis[account]
    with pytest.raises(ec2.exceptions.ClientError, match="does not exist"):
        ec2.describe_instances(InstanceIds=[instances[accounts[0]]])


# --- Roles


ORGANIZATION = "o-a1b2c3d4e5"
UNIT = f"{ORGANIZATION}/r-ab12/ou-ab12-11111111/"


def assume(role: str, *, by: Any, **arguments: Any) -> boto3.Session:
    """A session of a role, assumed by a client of STS."""
    made = by.assume_role(RoleArn=role, RoleSessionName="deploy", **arguments)["Credentials"]
    return boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], region_name=REGION)


def client(aws: LocalAws, session: boto3.Session, service: str) -> Any:
    return session.client(service, endpoint_url=aws.endpoint)  # type: ignore[call-overload]


def make_role(aws: LocalAws, name: str, account: str, *statements: dict[str, Any], path: str = "/") -> str:
    """The ARN of a new role with a trust policy of these statements; each allows sts:AssumeRole unless it says more."""
    trust = [{"Effect": "Allow", "Action": "sts:AssumeRole", **each} for each in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam = aws.client("iam", account=account)
    return str(iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=policy)["Role"]["Arn"])


def test_session_of_a_role_is_in_the_account_of_the_role(
    local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    images, prod = accounts
    parameter = f"/imagebuilder/acme/{name}/stable"
    ssm = local_aws.client("ssm", region=REGION, account=images)
    ssm.put_parameter(Name=parameter, Value="ami-1", Type="String")
    role = local_aws.make_role(name, account=images, trusts=[prod])
    session = assume(role, by=local_aws.client("sts", account=prod))
    identity = client(local_aws, session, "sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (images, f"arn:aws:sts::{images}:assumed-role/{name}/deploy")
    found = client(local_aws, session, "ssm").get_parameters_by_path(Path=f"/imagebuilder/acme/{name}")["Parameters"]
    assert [each["Value"] for each in found] == ["ami-1"]
    history = client(local_aws, session, "ssm").get_parameter_history(Name=parameter)["Parameters"]
    assert [each["Version"] for each in history] == [1]
    infrastructure(local_aws, name, images)
    listed = client(local_aws, session, "imagebuilder").list_infrastructure_configurations()
    assert len(listed["infrastructureConfigurationSummaryList"]) == 1
    own = local_aws.client("ssm", region=REGION, account=prod)
    assert own.get_parameters_by_path(Path=f"/imagebuilder/acme/{name}")["Parameters"] == []


def test_role_that_does_not_exist_is_refused_like_one_that_does_not_trust_the_caller(
    local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    images, prod = accounts
    sts = local_aws.client("sts", account=prod)
    expected = (
        f"AccessDenied: User: arn:aws:iam::{prod}:root is not authorized to perform: sts:AssumeRole on resource: "
        f"arn:aws:iam::{images}:role/{name}"
    )
    arguments = {"RoleArn": f"arn:aws:iam::{images}:role/{name}", "RoleSessionName": "deploy"}
    assert refusal(sts.assume_role, **arguments) == expected
    make_role(local_aws, name, images, {"Principal": {"AWS": images}})
    assert refusal(sts.assume_role, **arguments) == expected
    make_role(local_aws, f"{name}-path", images, {"Principal": {"AWS": prod}}, path="/deploy/")
    without_path = {**arguments, "RoleArn": f"arn:aws:iam::{images}:role/{name}-path"}
    assert refusal(sts.assume_role, **without_path) == f"{expected}-path"
    assume(f"arn:aws:iam::{images}:role/deploy/{name}-path", by=sts)


IN = {"aws:PrincipalOrgID": ORGANIZATION}
TRUSTS = {
    "the account by its number": (True, {"Principal": {"AWS": "{prod}"}}),
    "the account by its root": (True, {"Principal": {"AWS": ["arn:aws:iam::{prod}:root"]}}),
    "the role": (True, {"Principal": {"AWS": "arn:aws:iam::{prod}:role/ci/{name}"}}),
    "the session": (True, {"Principal": {"AWS": "arn:aws:sts::{prod}:assumed-role/{name}/deploy"}}),
    "another account": (False, {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}}),
    "another role": (False, {"Principal": {"AWS": "arn:aws:iam::{prod}:role/{name}-other"}}),
    "a service": (False, {"Principal": {"Service": "ec2.amazonaws.com"}}),
    "another action": (False, {"Principal": {"AWS": "*"}, "Action": "sts:TagSession"}),
    "all actions": (True, {"Principal": {"AWS": "*"}, "Action": "sts:*"}),
    "a role by condition": (
        True,
        {"Principal": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::{prod}:role/*/{name}"}}},
    ),
    "another role by condition": (
        False,
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::{prod}:role/{name}"}}},
    ),
    "an account by condition": (
        True,
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": ["999999999999", "{prod}"]}}},
    ),
    "no session of that account": (
        False,
        {"Principal": "*", "Condition": {"StringNotLike": {"aws:PrincipalAccount": ["99*", "{prod}"]}}},
    ),
    "an external ID": (True, {"Principal": "*", "Condition": {"StringEquals": {"sts:ExternalId": "acme"}}}),
    "another external ID": (False, {"Principal": "*", "Condition": {"StringLike": {"sts:ExternalId": "acm"}}}),
    "no external ID": (False, {"Principal": "*", "Condition": {"Null": {"sts:ExternalId": "true"}}}),
    "the organization": (True, {"Principal": "*", "Condition": {"StringEquals": IN}}),
    "another organization": (
        False,
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-9999999999"}}},
    ),
    "the unit": (
        True,
        {
            "Principal": "*",
            "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*/ou-ab12-11111111/*"}},
        },
    ),
    "another unit": (
        False,
        {"Principal": "*", "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "*/ou-ab12-22222222/*"}}},
    ),
    "several paths without a quantifier": (
        False,
        {"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalOrgPaths": "*"}}},
    ),
    "both conditions": (
        True,
        {"Principal": "*", "Condition": {"StringEquals": {**IN, "aws:PrincipalAccount": "{prod}"}}},
    ),
    "only one of two conditions": (
        False,
        {"Principal": "*", "Condition": {"StringEquals": {**IN, "aws:PrincipalAccount": "999999999999"}}},
    ),
}


@pytest.mark.parametrize("trusted", TRUSTS)
def test_trust_policy_decides_who_assumes_a_role(
    trusted: str, local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    images, prod = accounts
    local_aws.place_account(prod, UNIT)
    caller = make_role(local_aws, name, prod, {"Principal": {"AWS": prod}}, path="/ci/")
    make_role(local_aws, f"{name}-other", prod, {"Principal": {"AWS": prod}})
    session = assume(caller, by=local_aws.client("sts", account=prod))
    allowed, statement = TRUSTS[trusted]
    filled = json.loads(json.dumps(statement).replace("{prod}", prod).replace("{name}", name))
    role = make_role(local_aws, name, images, filled)
    sts = client(local_aws, session, "sts")
    if allowed:
        assume(role, by=sts, ExternalId="acme")
    else:
        refused = refusal(sts.assume_role, RoleArn=role, RoleSessionName="deploy", ExternalId="acme")
        assert refused == (
            f"AccessDenied: User: arn:aws:sts::{prod}:assumed-role/{name}/deploy is not authorized to perform: "
            f"sts:AssumeRole on resource: {role}"
        )


def test_trust_policy_names_only_principals_that_exist(
    local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    images, prod = accounts
    principal = f"arn:aws:iam::{prod}:role/{name}"
    expected = f'MalformedPolicyDocument: Invalid principal in policy: "AWS":"{principal}"'
    iam = local_aws.client("iam", account=images)
    statement = {"Effect": "Allow", "Principal": {"AWS": [prod, principal]}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    assert refusal(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust) == expected
    make_role(local_aws, name, images, {"Principal": {"AWS": prod}})
    assert refusal(iam.update_assume_role_policy, RoleName=name, PolicyDocument=trust) == expected
    make_role(local_aws, name, prod, {"Principal": {"Service": "ec2.amazonaws.com"}})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)


def test_deny_statement_outweighs_all_others(local_aws: LocalAws, name: str, accounts: tuple[str, str]) -> None:
    images, prod = accounts
    deny = {"Effect": "Deny", "Principal": "*", "Condition": {"StringNotEquals": {"sts:ExternalId": "acme"}}}
    role = make_role(local_aws, name, images, {"Principal": {"AWS": prod}}, deny)
    sts = local_aws.client("sts", account=prod)
    assume(role, by=sts, ExternalId="acme")
    assert "AccessDenied" in refusal(sts.assume_role, RoleArn=role, RoleSessionName="deploy")


@pytest.mark.parametrize(
    ("statement", "unknown"),
    [
        (
            {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "web"}}},
            "the condition key aws:PrincipalTag/team",
        ),
        (
            {"Principal": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}},
            "the condition operator DateLessThan",
        ),
        (
            {"Principal": "*", "Condition": {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}},
            "the variable in ${aws:username}",
        ),
        (
            {"Principal": "*", "Effect": "Deny", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": False}}},
            "the condition key aws:MultiFactorAuthPresent",
        ),
    ],
)
def test_what_cannot_be_evaluated_refuses_and_is_logged(
    statement: dict[str, Any], unknown: str, local_aws: LocalAws, name: str, accounts: tuple[str, str]
) -> None:
    images, prod = accounts
    others = [{"Principal": {"AWS": prod}}] if statement.get("Effect") == "Deny" else []
    role = make_role(local_aws, name, images, statement, *others)
    sts = local_aws.client("sts", account=prod)
    assert "AccessDenied" in refusal(sts.assume_role, RoleArn=role, RoleSessionName="deploy")
    assert (
        f"local AWS: arn:aws:iam::{prod}:root is refused sts:AssumeRole on {role}, because the local AWS does not "
        f"evaluate {unknown}\n"
    ) in local_aws.log()


def test_chained_roles_have_short_sessions(local_aws: LocalAws, name: str, accounts: tuple[str, str]) -> None:
    images, prod = accounts
    deployer = local_aws.make_role(name, account=prod, trusts=[prod])
    reader = local_aws.make_role(name, account=images, trusts=[deployer])
    own = local_aws.client("sts", account=prod)
    too_long = "ValidationError: The requested DurationSeconds exceeds "
    assert refusal(own.assume_role, RoleArn=deployer, RoleSessionName="deploy", DurationSeconds=3601) == (
        f"{too_long}the MaxSessionDuration set for this role."
    )
    sts = client(local_aws, assume(deployer, by=own), "sts")
    assert refusal(sts.assume_role, RoleArn=reader, RoleSessionName="deploy", DurationSeconds=3601) == (
        f"{too_long}the 1 hour session limit for roles assumed by role chaining"
    )
    chained = client(local_aws, assume(reader, by=sts, DurationSeconds=3600), "sts")
    assert chained.get_caller_identity()["Account"] == images
    assert "AccessDenied" in refusal(own.assume_role, RoleArn=reader, RoleSessionName="deploy")


def test_account_is_placed_only_where_an_organization_can_have_it(local_aws: LocalAws) -> None:
    with pytest.raises(LocalAwsError, match="organization"):
        local_aws.place_account("123456789012", "acme/web")
