"""The parts of its stack that an image's workflows touch, for the policies of the role that runs them."""

from dataclasses import dataclass

from estate import names
from estate.estate import Estate
from estate.models.images import Image


@dataclass(frozen=True)
class Surroundings:
    """The image, and what of its stack a workflow touches: ARNs and the account, as tokens."""

    estate: Estate
    image: Image
    account: str
    kms_key: str
    log_bucket: str
    topic: str

    @property
    def partition(self) -> str:
        """The partition of the image's regions."""
        return names.partition(self.image.home)

    def arn(self, service: str, resource: str, *, account: str | None = None) -> str:
        """An ARN of the home region, of this account unless another is said."""
        owner = self.account if account is None else account
        return f"arn:{self.partition}:{service}:{self.image.home}:{owner}:{resource}"
