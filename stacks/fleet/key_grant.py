"""The use of the key of another account by the role that launches a fleet's instances.

Amazon EC2 Auto Scaling launches with a service-linked role. No policy of its own account can let it use a key of
another one, so the fleet's stack makes a grant on the key ("Required AWS KMS key policy for use with encrypted volumes"
in Auto Scaling's user guide).
"""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_kms_key import DataAwsKmsKey
from cdktf_cdktf_provider_aws.kms_grant import KmsGrant

from estate.estate import EstateFleet
from estate.names import AUTO_SCALING_ROLE
from estate.sharing import key_for
from stacks.fleet.image_account import ImageAccount
from stacks.guarded_ami import GuardedAmi
from stacks.terraform import stopping

_OPERATIONS = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
]
"""What launches from an encrypted AMI need ("Permissions for IAM users" of EBS encryption in EC2's user guide)."""


def add_key_grant(
    stack: TerraformStack, declared: EstateFleet, *, ami: GuardedAmi, images: ImageAccount | None
) -> KmsGrant | None:
    """The grant; None for a fleet of the image's account, and for an image that is not encrypted. A pin names the
    key."""
    key_id = _pinned(declared) if declared.pin else _configured(stack, declared, ami=ami, images=images)
    if key_id is None:
        return None
    return KmsGrant(
        stack,
        "key_grant",
        name=declared.names.group,
        key_id=key_id,
        grantee_principal=declared.arn("iam", AUTO_SCALING_ROLE, account=declared.account or "", region=""),
        operations=_OPERATIONS,
    )


def _pinned(declared: EstateFleet) -> str | None:
    return declared.pin.key if declared.pin and declared.is_elsewhere else None


def _configured(
    stack: TerraformStack, declared: EstateFleet, *, ami: GuardedAmi, images: ImageAccount | None
) -> str | None:
    """The key that the configuration names, or the one of the image's stack; an alias cannot have grants."""
    key = key_for(declared)
    if images is None or key is None:
        return None
    configured = declared.image.image.distribution_in(declared.fleet.region).kms_key_id
    return configured or _look_up(stack, declared, ami=ami, alias=key, images=images)


def _look_up(stack: TerraformStack, declared: EstateFleet, *, ami: GuardedAmi, alias: str, images: ImageAccount) -> str:
    """The ARN of the key that the image's stack made, read in its account."""
    fleet, image = declared.fleet, declared.image
    key = DataAwsKmsKey(
        stack,
        "ami_key",
        key_id=alias,
        provider=images.provider,
        lifecycle=stopping(
            (
                "self.enabled",
                f"Fleet {fleet.name}: the key of the AMIs of image {image.names.label} in account {images.id} and "
                f'{fleet.region}, ${{try(self.arn, "?")}}, cannot be used: it is ${{try(self.key_state, "?")}}. '
                "Instances could not start. Enable the key or cancel its deletion.",
            )
        ),
    )
    # this data source fails when it finds nothing, so it reads only where the AMI was found
    key.add_override("count", f"${{{ami.found}}}")
    # a destroy without the image's account, which evaluates this, needs some value
    return f'${{coalesce(one(data.aws_kms_key.ami_key[*].arn), "{alias}")}}'
