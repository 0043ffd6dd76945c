"""The keys of AMIs that other accounts use: one in each region, because AWS's own keys cannot be shared.

A key that is not needed any more still encrypts AMIs, which could not be launched without it. So where an image that
names its account needs no key, Terraform forgets the key that there may be, instead of deleting it.
"""

from dataclasses import dataclass

from cdktf import TerraformProvider, TerraformStack
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from estate.estate import EstateImage
from estate.models.ami_image import AmiImage
from estate.names import AUTO_SCALING_ROLE
from estate.sharing import fleet_accounts, key_users, launch_accounts
from stacks.image.scope import ImageScope
from stacks.policy import Statement, own_account, policy
from stacks.terraform import add_provider, forget

_USE = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"]
"""What EC2 does with the key of a snapshot ("Permissions for IAM users" of EBS encryption in its user guide)."""


@dataclass(frozen=True)
class AmiKeys:
    """The keys that a stack makes for AMIs."""

    arns: tuple[str, ...] = ()
    aliases: tuple[KmsAlias, ...] = ()
    """By these, Image Builder finds the keys: what names a key depends on its alias."""


def add_keys(stack: TerraformStack, scope: ImageScope, *, declared: EstateImage[AmiImage]) -> AmiKeys:
    """A key and its alias in each region in which other accounts use the AMIs and none is configured."""
    if declared.image.account is None:
        return AmiKeys()  # no fleet can be in another account
    arns, aliases, forgotten = [], [], []
    for region in declared.image.regions:
        is_home = region == declared.image.home
        suffix = "" if is_home else f"_{region.replace('-', '_')}"
        # also without a key: Terraform needs it to delete the alias of a key that is not needed any more
        provider = None if is_home else _provider(stack, scope, region)
        if not key_users(declared, region):
            forgotten.append(f"aws_kms_key.ami_key{suffix}")
            continue
        key = KmsKey(
            stack,
            f"ami_key{suffix}",
            description=f"AMIs of image {scope.names.label}",
            enable_key_rotation=True,
            policy=policy(*_statements(scope, declared, region)),
            provider=provider,
        )
        alias = KmsAlias(
            stack,
            f"ami_key_alias{suffix}",
            name=f"alias/{scope.names.ami_key_alias}",
            target_key_id=key.key_id,
            provider=provider,
        )
        arns.append(key.arn)
        aliases.append(alias)
    forget(stack, forgotten)  # which changes nothing where the state has no such key
    return AmiKeys(tuple(arns), tuple(aliases))


def _provider(stack: TerraformStack, scope: ImageScope, region: str) -> TerraformProvider:
    return add_provider(
        stack,
        settings=scope.settings,
        region=region,
        tags=scope.declared.tags,
        provider=scope.declared.provider,
        alias=region,
    )


def _statements(scope: ImageScope, declared: EstateImage[AmiImage], region: str) -> list[Statement]:
    """The image's account decides for itself, Image Builder included; each other account gets what it needs.

    In a key's policy the resource "*" is that key. What an account does with its part, its own IAM policies decide.
    """
    image, own = declared.image, declared.accounts_elsewhere(region)
    # these launch in their own ways, and EC2 makes a grant for each volume
    others = [
        account
        for account in dict.fromkeys((*launch_accounts(declared, region), *image.target_accounts))
        if account not in own or account in image.target_accounts
    ]
    return [
        own_account(scope.iam_arn("root")),
        {
            "Sid": "UseByOtherAccounts",
            "Principal": {"AWS": _roots(scope, key_users(declared, region))},
            "Action": _USE,
            "Resource": "*",
        },
        *_of_fleets(scope, fleet_accounts(declared, region)),
        *(
            [
                {
                    "Sid": "LaunchesAndCopiesOfOtherAccounts",
                    "Principal": {"AWS": _roots(scope, others)},
                    "Action": "kms:CreateGrant",
                    "Resource": "*",
                    "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
                }
            ]
            if others
            else []
        ),
        *_of_own_groups(scope),
    ]


def _of_fleets(scope: ImageScope, accounts: tuple[str, ...]) -> list[Statement]:
    """The stack of a fleet makes the grant for the service-linked role that launches its instances: no policy can give
    a service-linked role the use of another account's key."""
    if not accounts:
        return []
    roots = {"AWS": _roots(scope, accounts)}
    roles = [scope.arn("iam", AUTO_SCALING_ROLE, account=account, region="") for account in accounts]
    return [
        {
            "Sid": "GrantToAutoScaling",
            "Principal": roots,
            "Action": "kms:CreateGrant",
            "Resource": "*",
            # not kms:GrantIsForAWSResource, which refuses a grant that Terraform makes
            "Condition": {"StringEquals": {"kms:GranteePrincipal": roles}},
        },
        {
            "Sid": "ListAndRevokeGrants",
            "Principal": roots,
            "Action": ["kms:ListGrants", "kms:RevokeGrant"],
            "Resource": "*",
        },
    ]


def _of_own_groups(scope: ImageScope) -> list[Statement]:
    """For Auto Scaling in the image's own account, which could use AWS's own key without a statement: for fleets, those
    of other estates in the account included, and for groups that somebody made by hand."""
    # "*" with a condition, because KMS refuses a policy that names a role which does not exist yet
    principal = {"AWS": "*"}
    is_role = {
        "StringEquals": {"kms:CallerAccount": scope.account},
        "ArnEquals": {"aws:PrincipalArn": scope.iam_arn(AUTO_SCALING_ROLE)},
    }
    return [
        {"Sid": "UseByAutoScaling", "Principal": principal, "Action": _USE, "Resource": "*", "Condition": is_role},
        {
            "Sid": "GrantsByAutoScaling",
            "Principal": principal,
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": {**is_role, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]


def _roots(scope: ImageScope, accounts: tuple[str, ...] | list[str]) -> list[str]:
    return [scope.arn("iam", "root", account=account, region="") for account in accounts]
