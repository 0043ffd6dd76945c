"""Whether Amazon Inspector looks for vulnerabilities in what is built: the `image_scanning:` of an image."""

from pydantic import BaseModel, StrictBool

from estate.text import FROZEN


class ImageScanning(BaseModel):
    """Vulnerability scans of each build by Amazon Inspector, which must be enabled in the account. It has its price.

    The fields are those of the provider's `image_scanning_configuration`.
    """

    model_config = FROZEN

    image_scanning_enabled: StrictBool = False
    """Whether Inspector scans the instance that tests the image, or the container image in a repository that Image
    Builder keeps for it, and Image Builder keeps the findings. It needs tests. Without it: nothing is scanned."""
