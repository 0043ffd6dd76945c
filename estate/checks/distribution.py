"""Rules of where an image's AMIs go: its regions, keys, names, other accounts, and disk images."""

from collections.abc import Iterator

from estate import names
from estate.checks.parts import Parts
from estate.models.ami_image import AmiImage
from estate.models.distribution import RegionalDistribution
from estate.models.settings import Settings
from estate.problems import Key, Problem, did_you_mean, shown

MOST_AMI_TAGS = 47
"""EC2 takes 50 for an AMI: Goldsmith's own is one, and Image Builder adds CreatedBy and Ec2ImageBuilderArn."""

_LARGEST_EXPORTED = 1024
"""GiB of a volume ("Considerations for image export" in the user guide of VM Import/Export)."""


def check_distribution(image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """Distribution and export of an image that cannot work, or not as they are meant."""
    key: Key = ("images", image.name)
    if parts.sound(key, "distribution"):
        for region, distribution in image.distribution.items():
            yield from _region(region, distribution, image, parts)
    if parts.sound(key, "regions", "distribution", "root_volume", "launch_permission", "target_accounts"):
        yield from _encryption(image, key)
    if parts.sound(key, "parent", "regions", "root_volume"):
        yield from _encrypted_base(image, parts)
    if parts.settings and (own := own_account(parts.settings)):
        yield from _own_account(own, image, parts)
    if image.export and parts.sound(key, "export"):
        yield from _export(image, key, parts)
    if image.disk_image and parts.sound(key, "parent", "os") and image.system.platform != "Linux":
        rule = f"only Linux is taken from a disk image as it is, and {image.os} is not"
        yield Problem((*key, "parent"), rule, shown(image.disk_image.disk_image), "import it yourself, for an AMI ID")


def own_account(settings: Settings) -> str | None:
    """The account of the image stacks, where the settings tell."""
    allowed = settings.provider.allowed_account_ids
    return allowed[0] if len(allowed) == 1 else None


def _region(region: str, distribution: RegionalDistribution, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    image_key: Key = ("images", image.name)
    key: Key = (*image_key, "distribution", region)
    if parts.sound(image_key, "regions") and region not in image.regions:
        remedy = did_you_mean(region, image.regions, otherwise=f"add it to images.{image.name}.regions, or delete it")
        yield Problem(key, "the image does not go to this region", shown(region), remedy)
        return
    arns: dict[Key, str] = {("kms_key_id",): distribution.kms_key_id} if distribution.kms_key_id else {}
    for index, arn in enumerate(distribution.license_configuration_arns):
        arns["license_configuration_arns", index] = arn
    for place, arn in arns.items():
        if arn.split(":")[3] != region:
            yield Problem((*key, *place), f"must be in {region}", shown(arn))
    if parts.settings:
        prefix = names.ami_prefix(parts.settings.namespace, image.name)
        known = parts.sound(("settings",), "namespace")
        if known and distribution.ami_name and not distribution.ami_name.startswith(prefix):
            rule = f"must begin with {prefix}: fleets know builds of the image by that"
            yield Problem((*key, "ami_name"), rule, shown(distribution.ami_name))
        tags = {**parts.settings.tags, **image.tags, **distribution.ami_tags}
        if len(tags) > MOST_AMI_TAGS and parts.sound(image_key, "tags"):
            rule = f"an AMI has at most {MOST_AMI_TAGS} tags, with those of image and settings"
            yield Problem((*key, "ami_tags"), rule, str(len(tags)), "delete some")
    if distribution.fast_launch and parts.sound(image_key, "os") and image.system.platform != "Windows":
        rule = f"only Windows is launched fast, and {image.os} is not"
        yield Problem((*key, "fast_launch"), rule, remedy="delete it")


def _encryption(image: AmiImage, key: Key) -> Iterator[Problem]:
    keys = {region: arn for region in image.regions if (arn := image.distribution_in(region).kms_key_id)}
    if image.is_public:
        if image.root_volume.encrypted:
            remedy = "write root_volume: {encrypted: false}"
            yield Problem((*key, "launch_permission"), "an encrypted AMI cannot be public", shown("public"), remedy)
        for region in keys:
            place = (*key, "distribution", region, "kms_key_id")
            yield Problem(place, "an encrypted AMI cannot be public", shown(keys[region]), "delete it")
        return
    if not image.root_volume.encrypted:
        if image.home in keys:
            place = (*key, "distribution", image.home, "kms_key_id")
            rule = "encrypts what root_volume.encrypted: false leaves unencrypted"
            yield Problem(place, rule, shown(keys[image.home]), "delete one of them")
        return
    lacking = [region for region in image.regions if region not in keys]
    field = "launch_permission" if image.launch_permissions else "target_accounts"
    if lacking and (image.launch_permissions or image.target_accounts):
        rule = "other accounts cannot use AMIs that AWS's own key encrypts, as it does in " + " and ".join(lacking)
        wanted = ", ".join(f"{region}: {{kms_key_id: …}}" for region in lacking)
        yield Problem((*key, field), rule, remedy=f"write distribution: {{{wanted}}}")


def _encrypted_base(image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """EC2's API reference, EbsBlockDevice: "In no case can you remove encryption from an encrypted volume"."""
    base = parts.images.get(image.base.image) if image.base else None
    if image.root_volume.encrypted or not isinstance(base, AmiImage):
        return
    sound = parts.sound(("images", base.name), "root_volume", "distribution")
    if sound and (base.root_volume.encrypted or base.distribution_in(image.home).kms_key_id):
        key: Key = ("images", image.name, "root_volume", "encrypted")
        rule = f"nothing takes off the encryption of image {base.name}, its base"
        yield Problem(key, rule, "false", f"delete it, or leave {base.name} unencrypted, too")


def _own_account(own: str, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    key: Key = ("images", image.name)
    permitted = image.launch_permissions.accounts if image.launch_permissions else ()
    for field, place, accounts in (
        ("target_accounts", (*key, "target_accounts"), image.target_accounts),
        ("launch_permission", (*key, "launch_permission", "accounts"), permitted),
    ):
        if own in accounts and parts.sound(key, field):
            rule = "is the image's own account, which has the AMIs anyway"
            yield Problem((*place, accounts.index(own)), rule, shown(own), "delete it")
    if parts.sound(key, "distribution"):
        yield from _templates(own, image, parts)


def _templates(own: str, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """Launch templates of accounts that cannot use the AMI, or need not be named."""
    key: Key = ("images", image.name)
    permission = image.launch_permissions
    groups = permission and (permission.organizations or permission.organizational_units)
    unknown = groups or image.is_public or not parts.sound(key, "launch_permission", "target_accounts")
    using = {*(permission.accounts if permission else ()), *image.target_accounts}
    for region, distribution in image.distribution.items():
        for index, template in enumerate(distribution.launch_templates):
            place, got = (*key, "distribution", region, "launch_templates", index, "account_id"), template.account_id
            if got == own:
                yield Problem(place, "is the image's own account, which is meant anyway", shown(got), "delete it")
            elif got and not unknown and got not in using:
                remedy = f"add it to images.{image.name}.target_accounts, or to accounts of launch_permission"
                yield Problem(place, "this account may not use the AMI", shown(got), remedy)


def _export(image: AmiImage, key: Key, parts: Parts) -> Iterator[Problem]:
    place = (*key, "export")
    if parts.sound(key, "os") and image.system.platform != "Linux":
        rule = f"AWS exports Linux only, and {image.os} is not"
        yield Problem(place, rule, remedy="delete it")
    elif parts.sound(key, "os", "architecture") and image.architecture != "x86_64":
        yield Problem(place, "AWS exports images for x86_64 only", shown(image.architecture), "delete it")
    if not parts.sound(key, "root_volume"):
        return
    if image.root_volume.encrypted:
        yield Problem(place, "AWS does not export an encrypted AMI", remedy="write root_volume: {encrypted: false}")
    sizes: dict[Key, int | None] = {("root_volume",): image.root_volume.volume_size}
    if parts.sound(key, "volumes"):
        sizes |= {("volumes", name): volume.volume_size for name, volume in image.volumes.items()}
    for field, size in sizes.items():
        if size and size > _LARGEST_EXPORTED:
            rule = f"AWS exports volumes of at most {_LARGEST_EXPORTED} GiB"
            yield Problem((*key, *field, "volume_size"), rule, str(size), "delete it, or export")
