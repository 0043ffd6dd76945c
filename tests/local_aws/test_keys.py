"""Keys of one account that others use: what their policies and grants decide, and how grants are kept."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

REGION = "eu-north-1"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
GRANTED = ["Decrypt", "GenerateDataKeyWithoutPlaintext", "DescribeKey", "CreateGrant"]
ROLE = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
numbers = itertools.count(1)


class SharedKey:
    """A key of one account, and another account that is to use it. Without `policy`, only the first one does."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        number = next(numbers)
        self.images, self.prod = f"6{number:011}", f"7{number:011}"
        self.role = f"arn:aws:iam::{self.prod}:role/{ROLE}"
        self.kms, self.others = (aws.client("kms", region=REGION, account=each) for each in (self.images, self.prod))
        self.arn: str = self.kms.create_key()["KeyMetadata"]["Arn"]

    def policy(self, *statements: Mapping[str, Any]) -> None:
        """Let the key's account do everything, and others what the statements say."""
        own = {"Principal": {"AWS": f"arn:aws:iam::{self.images}:root"}, "Action": "kms:*"}
        allowed = [{"Effect": "Allow", "Resource": "*", **each} for each in (own, *statements)]
        text = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        self.kms.put_key_policy(KeyId=self.arn, Policy=text.replace("{prod}", self.prod).replace("{role}", self.role))

    def make_role(self) -> None:
        iam = self.aws.client("iam", account=self.prod)
        iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")

    def grant(self, kms: Any = None, **arguments: Any) -> dict[str, Any]:
        grant = {"KeyId": self.arn, "GranteePrincipal": self.role, "Operations": GRANTED, **arguments}
        made: dict[str, Any] = (kms or self.others).create_grant(**grant)
        return made

    def refused_grant(self, **arguments: Any) -> str:
        grant = {"KeyId": self.arn, "GranteePrincipal": self.role, "Operations": GRANTED, **arguments}
        return refusal(self.others.create_grant, **grant)

    def denied(self, operation: str) -> str:
        return (
            f"AccessDeniedException: User: arn:aws:iam::{self.prod}:root is not authorized to perform: "
            f"kms:{operation} on resource: {self.arn} because the resource does not exist in this Region, no "
            "resource-based policies allow access, or a resource-based policy explicitly denies access"
        )


@pytest.fixture
def key(local_aws: LocalAws) -> SharedKey:
    return SharedKey(local_aws)


FOR_GRANTS = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
FLEETS = {"Principal": {"AWS": "arn:aws:iam::{prod}:root"}}
GRANTEE = {**FLEETS, "Action": FOR_GRANTS[:1], "Condition": {"StringEquals": {"kms:GranteePrincipal": "{role}"}}}


def test_key_of_another_account_is_used_as_its_policy_says(key: SharedKey) -> None:
    assert refusal(key.others.describe_key, KeyId=key.arn) == key.denied("DescribeKey")
    key.policy({**FLEETS, "Action": USE})
    assert key.others.describe_key(KeyId=key.arn)["KeyMetadata"]["Arn"] == key.arn
    encrypted = key.others.encrypt(KeyId=key.arn, Plaintext=b"a volume")["CiphertextBlob"]
    assert key.kms.decrypt(KeyId=key.arn, CiphertextBlob=encrypted)["Plaintext"] == b"a volume"
    assert key.others.decrypt(KeyId=key.arn, CiphertextBlob=encrypted)["Plaintext"] == b"a volume"
    assert refusal(key.others.list_grants, KeyId=key.arn) == key.denied("ListGrants")


def test_key_that_does_not_exist_is_refused_like_one_that_must_not_be_used(key: SharedKey) -> None:
    elsewhere = key.arn.replace(key.arn[-8:], "00000000")
    expected = key.denied("DescribeKey").replace(key.arn, elsewhere)
    assert refusal(key.others.describe_key, KeyId=elsewhere) == expected
    assert refusal(key.kms.describe_key, KeyId=elsewhere).startswith("NotFoundException")


def test_other_account_does_not_administer_a_key_whatever_its_policy_says(key: SharedKey) -> None:
    key.policy({**FLEETS, "Action": "kms:*"})
    key.others.describe_key(KeyId=key.arn)
    assert refusal(key.others.schedule_key_deletion, KeyId=key.arn) == key.denied("ScheduleKeyDeletion")
    assert refusal(key.others.get_key_policy, KeyId=key.arn) == key.denied("GetKeyPolicy")


def test_grant_is_kept_on_the_key_with_the_account_that_made_it(key: SharedKey) -> None:
    key.make_role()
    key.policy(GRANTEE, {**FLEETS, "Action": FOR_GRANTS[1:]})
    made = key.grant(Name="web-prod", Constraints={"EncryptionContextSubset": {"team": "web"}})
    for kms in (key.kms, key.others):
        (grant,) = kms.list_grants(KeyId=key.arn)["Grants"]
        assert {name: value for name, value in grant.items() if name != "CreationDate"} == {
            "KeyId": key.arn,
            "GrantId": made["GrantId"],
            "Name": "web-prod",
            "GranteePrincipal": key.role,
            "IssuingAccount": f"arn:aws:iam::{key.prod}:root",
            "Operations": GRANTED,
            "Constraints": {"EncryptionContextSubset": {"team": "web"}},
        }
        assert kms.list_grants(KeyId=key.arn, GranteePrincipal=f"{key.role}s")["Grants"] == []
    key.others.revoke_grant(KeyId=key.arn, GrantId=made["GrantId"])
    assert key.kms.list_grants(KeyId=key.arn)["Grants"] == []
    assert refusal(key.others.revoke_grant, KeyId=key.arn, GrantId=made["GrantId"]).startswith("NotFoundException")


def test_grant_of_the_same_name_and_terms_is_the_same_grant(key: SharedKey) -> None:
    key.make_role()
    key.policy(GRANTEE, {**FLEETS, "Action": FOR_GRANTS[1:]})
    first, second = key.grant(Name="web-prod"), key.grant(Name="web-prod")
    assert first["GrantId"] == second["GrantId"]
    assert first["GrantToken"] != second["GrantToken"]
    others = [key.grant(Name="web-prod", Operations=GRANTED[:2]), key.grant(Name="web-dev"), key.grant(), key.grant()]
    assert len({first["GrantId"], *(each["GrantId"] for each in others)}) == 5
    assert len(key.others.list_grants(KeyId=key.arn)["Grants"]) == 5


@pytest.mark.parametrize("by", ["the account that made it", "the retiring principal", "a token", "the grantee"])
def test_grant_is_retired_by_those_that_it_concerns(key: SharedKey, by: str) -> None:
    key.make_role()
    key.policy(GRANTEE)
    third = f"8{next(numbers):011}"
    retiring, grantee = f"arn:aws:iam::{third}:root", f"arn:aws:iam::{key.prod}:root"
    key.policy({**GRANTEE, "Condition": {}})
    made = key.grant(GranteePrincipal=grantee, RetiringPrincipal=retiring, Operations=[*GRANTED, "RetireGrant"])
    clients = {
        "the retiring principal": key.aws.client("kms", region=REGION, account=third),
        "the account that made it": key.others,
        "a token": key.others,
        "the grantee": key.others,
    }
    stranger = key.aws.client("kms", region=REGION, account=f"8{next(numbers):011}")
    by_id = {"KeyId": key.arn, "GrantId": made["GrantId"]}
    assert "AccessDeniedException" in refusal(stranger.retire_grant, **by_id)
    clients[by].retire_grant(**({"GrantToken": made["GrantToken"]} if by == "a token" else by_id))
    assert key.kms.list_grants(KeyId=key.arn)["Grants"] == []


def test_grant_for_a_role_that_does_not_exist_is_refused(key: SharedKey) -> None:
    key.policy(GRANTEE)
    assert key.refused_grant() == f"InvalidArnException: ARN does not refer to a valid principal: {key.role}"
    key.make_role()
    key.grant()
    without_path = key.role.replace(ROLE, ROLE.rpartition("/")[2])
    key.policy({**GRANTEE, "Condition": {}})
    assert key.refused_grant(GranteePrincipal=without_path).startswith("InvalidArnException")


WHO_GRANTS: Mapping[str, tuple[bool, Sequence[Mapping[str, Any]]]] = {
    "nobody else": (False, []),
    "the account": (True, [{**FLEETS, "Action": "kms:CreateGrant"}]),
    "another account": (False, [{"Principal": {"AWS": "999999999999"}, "Action": "kms:CreateGrant"}]),
    "a service": (False, [{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "kms:CreateGrant"}]),
    "to the role": (True, [GRANTEE]),
    "to another role": (
        False,
        [{**GRANTEE, "Condition": {"StringLike": {"kms:GranteePrincipal": "arn:aws:iam::{prod}:role/deploy*"}}}],
    ),
    "for AWS services": (False, [{**GRANTEE, "Condition": {"Bool": {"kms:GrantIsForAWSResource": True}}}]),
    "through EC2": (
        False,
        [{**GRANTEE, "Condition": {"StringEquals": {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}}}],
    ),
    "for the account": (True, [{**GRANTEE, "Condition": {"StringEquals": {"kms:CallerAccount": "{prod}"}}}]),
    "for another account": (False, [{**GRANTEE, "Condition": {"StringEquals": {"kms:CallerAccount": "1"}}}]),
    "with these operations": (
        True,
        [{**GRANTEE, "Condition": {"ForAllValues:StringEquals": {"kms:GrantOperations": [*GRANTED, "Encrypt"]}}}],
    ),
    "with fewer operations": (
        False,
        [{**GRANTEE, "Condition": {"ForAllValues:StringEquals": {"kms:GrantOperations": GRANTED[:3]}}}],
    ),
    "everybody but this account": (
        False,
        [
            GRANTEE,
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": "{prod}"}},
            },
        ],
    ),
    "on another key": (False, [{**GRANTEE, "Resource": f"arn:aws:kms:{REGION}:*:key/another"}]),
    "what is not evaluated": (False, [{**GRANTEE, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "web"}}}]),
}


@pytest.mark.parametrize("who", WHO_GRANTS)
def test_key_policy_decides_who_makes_which_grant(key: SharedKey, who: str) -> None:
    key.make_role()
    allowed, statements = WHO_GRANTS[who]
    key.policy(*statements)
    if allowed:
        assert key.grant()["GrantId"]
    else:
        assert key.refused_grant() == key.denied("CreateGrant")
        assert key.kms.list_grants(KeyId=key.arn)["Grants"] == []


def test_key_policy_also_decides_about_its_own_account(key: SharedKey) -> None:
    administer = ["kms:PutKeyPolicy", "kms:GetKeyPolicy"]
    own = {"Effect": "Allow", "Principal": {"AWS": key.images}, "Resource": "*", "Action": administer}
    key.kms.put_key_policy(KeyId=key.arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [own]}))
    assert refusal(key.kms.describe_key, KeyId=key.arn) == (
        f"AccessDeniedException: User: arn:aws:iam::{key.images}:root is not authorized to perform: kms:DescribeKey on "
        f"resource: {key.arn} because no resource-based policy allows the kms:DescribeKey action"
    )
    assert key.kms.get_key_policy(KeyId=key.arn)["PolicyName"] == "default"


def test_key_policy_that_aws_does_not_take_is_refused(key: SharedKey) -> None:
    def refused(*statements: Mapping[str, Any]) -> str:
        allowed = [{"Effect": "Allow", "Resource": "*", "Action": "kms:*", **each} for each in statements]
        return refusal(key.kms.create_key, Policy=json.dumps({"Version": "2012-10-17", "Statement": allowed}))

    own = {"Principal": {"AWS": f"arn:aws:iam::{key.images}:root"}}
    absent = {"Principal": {"AWS": [key.prod, key.role]}}
    code = "MalformedPolicyDocumentException: "
    assert refused(own, absent) == f"{code}Policy contains a statement with one or more invalid principals."
    key.make_role()
    assert refused(absent) == f"{code}The new key policy will not allow you to update the key policy in the future."


def test_first_group_of_an_account_makes_the_role_of_auto_scaling(local_aws: LocalAws) -> None:
    account = f"8{next(numbers):011}"
    iam = local_aws.client("iam", account=account)
    ec2 = local_aws.client("ec2", region=REGION, account=account)
    auto_scaling = local_aws.client("autoscaling", region=REGION, account=account)
    assert refusal(iam.get_role, RoleName="AWSServiceRoleForAutoScaling").startswith("NoSuchEntity")
    ami = ec2.register_image(Name="web")["ImageId"]
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami})
    auto_scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=[f"{REGION}a"],
        LaunchTemplate={"LaunchTemplateName": "web"},
    )
    arn = iam.get_role(RoleName="AWSServiceRoleForAutoScaling")["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{account}:role/{ROLE}"
    (group,) = auto_scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["ServiceLinkedRoleARN"] == arn
    assert refusal(iam.create_service_linked_role, AWSServiceName="autoscaling.amazonaws.com") == (
        "InvalidInput: Service role name AWSServiceRoleForAutoScaling has been taken in this account, please try a "
        "different suffix."
    )
    second = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="keys")["Role"]
    assert second["RoleName"] == "AWSServiceRoleForAutoScaling_keys"
    trusted = second["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trusted == {"Service": "autoscaling.amazonaws.com"}
