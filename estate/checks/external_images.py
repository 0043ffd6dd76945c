"""Rules of images of other estates: where they are made, and that they are no images of this one."""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.context import Context
from estate.models.external_image import ExternalImage
from estate.problems import Key, Problem, did_you_mean, shown


def regions(image: ExternalImage, context: Context) -> Iterator[Problem]:
    """`distribution` of an external image has only regions of the image, and each key is in its region."""
    for region, distribution in image.distribution.items():
        key: Key = ("distribution", region)
        if region not in image.regions:
            otherwise = f"add it to images.{image.name}.regions, or delete it"
            rule = "the image is not distributed to this region"
            yield Problem(key, rule, shown(region), did_you_mean(region, image.regions, otherwise=otherwise))
        elif distribution.kms_key_id and Arn.parse(distribution.kms_key_id).region != region:
            yield Problem((*key, "kms_key_id"), f"must be in {region}", shown(distribution.kms_key_id))


def encryption(image: ExternalImage, context: Context) -> Iterator[Problem]:
    """An external image that is not encrypted has no KMS key for its home region."""
    for region, distribution in image.distribution.items():
        if distribution.kms_key_id and region == image.home and not image.root_volume.encrypted:
            rule = "contradicts root_volume.encrypted: false"
            got = shown(distribution.kms_key_id)
            yield Problem(("distribution", region, "kms_key_id"), rule, got, "delete one of them")


def namespaces(context: Context) -> Iterator[Problem]:
    """An external image has another namespace than the estate, or is made in an account in which the estate has no
    stacks."""
    accounts = context.settings.accounts
    used = {each.account for each in (*context.images.values(), *context.fleets.values())}
    own = {accounts[name].id for name in used if name in accounts}
    for image in context.external_images.values():
        external, account = image.external, accounts.get(image.account or "")
        if external.namespace == context.settings.namespace and (account is None or account.id in own):
            rule = "is the namespace of this estate, whose images are not external"
            remedy = f"delete it, and name {external.name or image.name} itself, or correct the namespace"
            key = ("images", image.name, "external", "namespace")
            yield Problem(key, rule, shown(external.namespace), remedy)
