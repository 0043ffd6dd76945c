"""Which other accounts use an image's AMIs, and the KMS keys that let them."""

from estate.estate import EstateFleet, EstateImage, NamedImage
from estate.models.ami_image import AmiImage
from estate.models.images import FleetImage


def launch_accounts(declared: EstateImage[AmiImage], region: str) -> tuple[str, ...]:
    """The accounts that may launch the AMIs of a region, where these stay in the image's account: those of
    `launch_permission`, and those of fleets there. An account of `target_accounts` runs its own copy."""
    image = declared.image
    permitted = image.launch_permissions.accounts if image.launch_permissions else ()
    fleets = (account for account in declared.accounts_elsewhere(region) if account not in image.target_accounts)
    return tuple(dict.fromkeys((*permitted, *fleets)))


def is_run_elsewhere(declared: EstateImage[AmiImage]) -> bool:
    """Whether fleets of other accounts may run the image: those of this estate, or of other estates."""
    return bool(declared.fleets_elsewhere) or declared.image.external_fleets


def fleet_accounts(declared: EstateImage[AmiImage], region: str) -> tuple[str, ...]:
    """The other accounts whose fleets may run the AMIs of a region, as far as the configuration names accounts."""
    return tuple(dict.fromkeys((*declared.accounts_elsewhere(region), *external_accounts(declared.image))))


def external_accounts(image: AmiImage) -> tuple[str, ...]:
    """The accounts in which fleets of other estates may run the image, as far as the configuration names accounts."""
    if not image.external_fleets:
        return ()
    permitted = image.launch_permissions.accounts if image.launch_permissions else ()
    return tuple(dict.fromkeys((*permitted, *image.target_accounts)))


def key_of(declared: EstateImage[AmiImage], region: str) -> str | None:
    """The ARN of the key that encrypts the AMIs of a region: the configured one, or the alias of the one that the stack
    makes. None for AWS's own key, and for AMIs that are not encrypted."""
    configured = declared.image.distribution_in(region).kms_key_id
    if configured or not key_users(declared, region):
        return configured
    return _alias(declared, region)


def key_for(fleet: EstateFleet) -> str | None:
    """The ARN of the key on which a fleet needs a grant, or the alias of the one that the stack of its image makes.

    None for a fleet of the image's account, where Auto Scaling may use the key by its policy, and for an image that is
    not encrypted.
    """
    image, region = fleet.image, fleet.fleet.region
    if not fleet.is_elsewhere or not _is_encrypted(image.image, region):
        return None
    return image.image.distribution_in(region).kms_key_id or _alias(image, region)


def key_users(declared: EstateImage[AmiImage], region: str) -> tuple[str, ...]:
    """The other accounts that use the key which the stack makes for a region; none where it makes none.

    It makes keys only for an image that fleets of other accounts may run, because AWS's own key cannot be shared.
    """
    image = declared.image
    if not (is_run_elsewhere(declared) and image.root_volume.encrypted) or image.distribution_in(region).kms_key_id:
        return ()
    fleets = declared.accounts_elsewhere(region)
    return tuple(dict.fromkeys((*fleets, *launch_accounts(declared, region), *image.target_accounts)))


def _alias(declared: NamedImage[FleetImage], region: str) -> str:
    alias = f"alias/{declared.names.ami_key_alias}"
    return declared.arn("kms", alias, account=declared.account or "", region=region)


def _is_encrypted(image: FleetImage, region: str) -> bool:
    return image.root_volume.encrypted or image.distribution_in(region).kms_key_id is not None
