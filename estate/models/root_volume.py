"""The root volume of an image."""

from pydantic import StrictBool

from estate.models.volumes import BuildVolume


class RootVolume(BuildVolume):
    """The root volume of the image, and so of instances that do not say otherwise.

    The limits are those of Image Builder and of AWS's provider.
    """

    encrypted: StrictBool = True
    """Whether the AMI's volume is encrypted. `false` is for AMIs that are public or exported, which must not be; where
    the account encrypts new volumes by default, or the parent is encrypted, they are nevertheless. Without it: by the
    home region's `kms_key_id` under `distribution`, or AWS's own key."""
