"""How the stack of a fleet reads the image's account, if that is another one: the provider `aws.images`.

It assumes the reader role of the image's stack. A provider that cannot assume its role fails every plan, that of a
destroy included. So the variable `read_images` turns it off: `TF_VAR_read_images=false` destroys a fleet although the
role or the image's account is gone.
"""

import json
from dataclasses import dataclass

from cdktf import TerraformStack, TerraformVariable
from cdktf_cdktf_provider_aws.provider import AwsProvider

from estate.estate import EstateFleet

READS_IMAGES = "var.read_images"


@dataclass(frozen=True)
class ImageAccount:
    """The account of the image."""

    id: str
    provider: AwsProvider
    """Reads there, in the fleet's region."""


def add_image_account(stack: TerraformStack, declared: EstateFleet) -> ImageAccount | None:
    """The image's account; None if it is the fleet's."""
    account = declared.image.account
    if account is None or not declared.is_elsewhere:
        return None
    TerraformVariable(
        stack,
        "read_images",
        type="bool",
        default=True,
        nullable=False,
        description="Whether to read the image's account. false is only for a destroy: nothing is assumed there",
    )
    own = declared.provider
    provider = AwsProvider(stack, "aws_images", alias="images", region=declared.fleet.region, profile=own.profile)
    first = own.assume_role.arguments if own.assume_role else {}
    fields = sorted({"role_arn", *first})
    # each role is assumed with the credentials of the one before
    reader = dict.fromkeys(fields) | {"role_arn": declared.image.reader_role}
    roles = f"{READS_IMAGES} ? [{json.dumps(reader)}] : []"
    provider.add_override(
        "dynamic.assume_role",
        {
            "for_each": f"${{concat([{json.dumps(first)}], {roles})}}" if first else f"${{{roles}}}",
            "content": {field: f"${{assume_role.value.{field}}}" for field in fields},
        },
    )
    provider.add_override("allowed_account_ids", f'${{{READS_IMAGES} ? ["{account}"] : ["{own.account}"]}}')
    return ImageAccount(account, provider)
