"""The root volume of an image."""

from pydantic import StrictBool

from estate.models.volumes import BuildVolume


class RootVolume(BuildVolume):
    """The root volume of the image, and of its instances unless their fleet says otherwise.

    The limits are those of Image Builder and of AWS's provider.
    """

    encrypted: StrictBool = True
    """Whether the AMI's volume is encrypted. AMIs that are public or exported need `false`; they are encrypted all the
    same where the account encrypts new volumes by default, or the parent is encrypted. Default: enabled, with the home
    region's `kms_key_id` under `distribution`, or with AWS's own key."""
