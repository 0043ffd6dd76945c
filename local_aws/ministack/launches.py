"""What keeps Auto Scaling from launching instances: an AMI that the account does not see, a key that it cannot use.

No instance is ever started here. What AWS says is from its guides "Troubleshoot unhealthy instances" and "Required AWS
KMS key policy for use with encrypted volumes" of Auto Scaling, and from reports of users.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from local_aws.errors import AwsError
from local_aws.ministack.amis import Amis
from local_aws.ministack.described_images import DescribedImages
from local_aws.ministack.keys import Keys
from local_aws.ministack.launch_templates import ami_of
from local_aws.ministack.query_api import Query

_FOR_VOLUMES = (
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)
"""What a role must be allowed to do with a key to launch an instance with encrypted volumes."""


@dataclass(frozen=True)
class FailedLaunch:
    """A launch that did not succeed."""

    status: str
    """Of the scaling activity: Failed or Cancelled."""
    reason: str


class Launches:
    """Looks at what a launch template names, for an account."""

    def __init__(self, *, images: DescribedImages, amis: Amis, keys: Keys) -> None:
        self._images = images
        self._amis = amis
        self._keys = keys

    async def check(self, query: Query, template: Mapping[str, str], *, account: str) -> None:
        """Raises InvalidAMIID.NotFound for a version of a template whose AMI the account does not see."""
        ami = await ami_of(query, template)
        if ami.startswith("ami-"):  # other references are not resolved here
            await self._images.check(query, [ami], account=account)

    async def failure(
        self, query: Query, template: Mapping[str, str], *, account: str, role: str
    ) -> FailedLaunch | None:
        """Why an instance cannot be launched from a template, or None. `role` is the ARN of the group's role."""
        try:
            await self.check(query, template, account=account)
        except AwsError as error:
            return FailedLaunch("Failed", f"{error.message}. Launching EC2 instance failed.")
        key = self._amis.facts(await ami_of(query, template)).kms_key
        if key and not await self._keys.lets(query.scope, role, use=key, operations=_FOR_VOLUMES):
            return FailedLaunch(
                "Cancelled",
                "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
                "Client.InternalError: Client error on launch",
            )
        return None
