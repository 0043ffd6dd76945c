"""Rules of where an image's AMIs go: its regions, keys, names and other accounts."""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.settings import Settings
from estate.names import ImageNames
from estate.problems import Key, Problem, did_you_mean, shown

_MOST_TRUSTED = 36
"""A trust policy has at most 2,048 characters ("IAM and AWS STS quotas"), of which an account or an organization takes
about 40, a unit three times as many, and the rest of the policy 550."""
_MOST_OTHER_ACCOUNTS = 100
"""A key's policy has at most 32,768 bytes, of which each account of a fleet takes about 250, and each other one 80."""
_MOST_PERMITTED = 1536


def regions(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`distribution` has only regions of the image."""
    for region in image.distribution:
        if region not in image.regions:
            otherwise = f"add it to images.{image.name}.regions, or delete it"
            remedy = did_you_mean(region, image.regions, otherwise=otherwise)
            rule = "the image is not distributed to this region"
            yield Problem(("distribution", region), rule, shown(region), remedy)


def keys_and_licenses(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The KMS key and the license configurations of a region are in that region."""
    for region, distribution in image.distribution.items():
        if region not in image.regions:
            continue
        arns: dict[Key, str] = {("kms_key_id",): distribution.kms_key_id} if distribution.kms_key_id else {}
        for index, arn in enumerate(distribution.license_configuration_arns):
            arns["license_configuration_arns", index] = arn
        for key, arn in arns.items():
            if Arn.parse(arn).region != region:
                yield Problem(("distribution", region, *key), f"must be in {region}", shown(arn))


def ami_names(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The name of an AMI begins with `<namespace>.<image>.`, by which fleets recognize it."""
    prefix = ImageNames(context.settings.namespace, image.name).ami_prefix
    for region, distribution in image.distribution.items():
        if distribution.ami_name and not distribution.ami_name.startswith(prefix):
            rule = f"must begin with {prefix}, by which fleets recognize builds of the image"
            yield Problem(("distribution", region, "ami_name"), rule, shown(distribution.ami_name))


def fast_launch(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Fast launch is only for Windows."""
    for region, distribution in image.distribution.items():
        if distribution.fast_launch and image.platform != "Windows":
            rule = f"is only for Windows, and the image is {image.os}"
            yield Problem(("distribution", region, "fast_launch"), rule, remedy="delete it")


def public(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Public AMIs are not encrypted, because EC2 refuses that."""
    if not image.is_public:
        return
    rule = "an encrypted AMI cannot be public"
    if image.root_volume.encrypted:
        yield Problem(("launch_permission",), rule, shown("public"), "write root_volume: {encrypted: false}")
    for region in image.regions:
        if arn := image.distribution_in(region).kms_key_id:
            yield Problem(("distribution", region, "kms_key_id"), rule, shown(arn), "delete it")


def key_of_an_unencrypted_image(image: AmiImage, context: Context) -> Iterator[Problem]:
    """An image that is not encrypted has no KMS key for its home region."""
    arn = image.distribution_in(image.home).kms_key_id
    if arn and not image.root_volume.encrypted and not image.is_public:
        rule = "contradicts root_volume.encrypted: false"
        yield Problem(("distribution", image.home, "kms_key_id"), rule, shown(arn), "delete one of them")


def shared_encryption(image: AmiImage, context: Context) -> Iterator[Problem]:
    """AMIs that other accounts use are encrypted with your own keys or not at all: AWS's own key cannot be shared. If
    fleets of other accounts run the image, its stack makes the keys for these and all accounts that are named."""
    if image.is_public or not image.root_volume.encrypted:
        return
    lacking = [region for region in image.regions if not image.distribution_in(region).kms_key_id]
    shared = image.launch_permissions
    if shared and (shared.organizations or shared.organizational_units):
        makes_keys = False  # the policy of a key that the stack makes names accounts
    else:
        makes_keys = image.external_fleets or bool(_accounts_of_fleets(image, context))
    if lacking and not makes_keys and (shared or image.target_accounts):
        field = "launch_permission" if shared else "target_accounts"
        rule = "other accounts cannot use AMIs encrypted with AWS's own key, as those in " + " and ".join(lacking)
        wanted = ", ".join(f"{region}: {{kms_key_id: …}}" for region in lacking)
        yield Problem((field,), rule, remedy=f"write distribution: {{{wanted}}}")


def external_fleets(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`external_fleets` needs an account, and `launch_permission` or `target_accounts`, which say whose fleets these
    are; a public image cannot have it."""
    if not image.external_fleets:
        return
    key = ("external_fleets",)
    if not context.settings.accounts:
        rule = "needs an account: other estates read the channels in an account that the settings name"
        yield Problem(key, rule, remedy="write settings.accounts: {main: {id: …}}")
    if image.is_public:
        rule = "the channels of an image cannot be read by everybody, and launch_permission is public"
        yield Problem(key, rule, remedy="delete it, or name accounts or organizations in launch_permission")
    elif not image.launch_permission and not image.target_accounts:
        rule = "needs launch_permission or target_accounts, which say whose fleets may run the image"
        yield Problem(key, rule, remedy="write one of them, or delete it")


def number_of_readers(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The role that reads the channels has room for 36 other accounts: those of fleets and, with `external_fleets`, of
    `launch_permission` and `target_accounts`. An organization counts as one account, a unit as three."""
    shared = image.launch_permissions if image.external_fleets else None
    accounts = _accounts_of_fleets(image, context)
    if image.external_fleets:
        accounts |= {*(shared.accounts if shared else ()), *image.target_accounts}
    organizations = len(shared.organizations) if shared else 0
    units = len(shared.organizational_units) if shared else 0
    if len(accounts) + organizations + 3 * units <= _MOST_TRUSTED:
        return
    rule = f"the role that reads the image's channels has room for {_MOST_TRUSTED} other accounts"
    got = f"{len(accounts)} accounts"
    if organizations or units:
        rule += ", of which an organization takes the room of one, and a unit that of three"
        got += f", organizations: {organizations}, units: {units}"
    otherwise = "name an organization instead" if image.external_fleets else "declare a second image for some of them"
    yield Problem(("external_fleets",) if image.external_fleets else ("account",), rule, got, otherwise)


def number_of_accounts(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The policy of a key that the stack of an image makes has room for 100 accounts beside those of fleets, and an AMI
    is shared with at most 1,536 accounts."""
    fleets = _accounts_of_fleets(image, context)
    permitted = image.launch_permissions.accounts if image.launch_permissions else ()
    others = {*permitted, *image.target_accounts} - fleets
    lacking = [region for region in image.regions if not image.distribution_in(region).kms_key_id]
    if fleets and image.root_volume.encrypted and lacking and len(others) > _MOST_OTHER_ACCOUNTS:
        field = "launch_permission" if permitted else "target_accounts"
        rule = f"a key that the stack makes has room for {_MOST_OTHER_ACCOUNTS} accounts beside those of fleets"
        wanted = ", ".join(f"{region}: {{kms_key_id: …}}" for region in lacking)
        yield Problem((field,), rule, f"{len(others)} accounts", f"write distribution: {{{wanted}}}")
    if len({*permitted, *fleets}) > _MOST_PERMITTED:
        rule = f"AWS takes {_MOST_PERMITTED} accounts, those of fleets included"
        yield Problem(("launch_permission", "accounts"), rule, f"{len({*permitted, *fleets})} accounts")


def target_accounts(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`target_accounts` does not contain the image's own account."""
    yield from _own_account(image.target_accounts, image, context, ("target_accounts",))


def launch_permission(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`launch_permission` does not contain the image's own account."""
    accounts = image.launch_permissions.accounts if image.launch_permissions else ()
    yield from _own_account(accounts, image, context, ("launch_permission", "accounts"))


def accounts_of_launch_templates(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`account_id` of a launch template is not the image's own account, which is the default."""
    own = _account(image, context.settings)
    for key, account in _launch_templates(image):
        if account == own:
            yield Problem(key, "is the image's own account, which is the default", shown(account), "delete it")


def users_of_launch_templates(image: AmiImage, context: Context) -> Iterator[Problem]:
    """A launch template belongs to an account that may use the AMI."""
    own, permission = _account(image, context.settings), image.launch_permissions
    by_organization = permission and (permission.organizations or permission.organizational_units)
    if own is None or by_organization or image.is_public:
        return  # it may be any account
    permitted = permission.accounts if permission else ()
    using = {own, *permitted, *image.target_accounts, *_accounts_of_fleets(image, context)}
    for key, account in _launch_templates(image):
        if account not in using:
            remedy = f"add it to images.{image.name}.target_accounts, or to accounts of launch_permission"
            yield Problem(key, "this account may not use the AMI", shown(account), remedy)


def _account(image: AmiImage, settings: Settings) -> str | None:
    """The account of an image, if the configuration shows it."""
    return settings.accounts[image.account].id if image.account in settings.accounts else None


def _accounts_of_fleets(image: AmiImage, context: Context) -> set[str]:
    """The IDs of the other accounts whose fleets run the image."""
    named = {fleet.account for fleet in context.fleets.values() if fleet.image == image.name and image.account}
    accounts = context.settings.accounts
    return {accounts[name].id for name in named if name in accounts} - {_account(image, context.settings)}


def _own_account(accounts: tuple[str, ...], image: AmiImage, context: Context, key: Key) -> Iterator[Problem]:
    own = _account(image, context.settings)
    if own in accounts:
        rule = "is the image's own account, which owns the AMIs"
        yield Problem((*key, accounts.index(own)), rule, shown(own), "delete it")


def _launch_templates(image: AmiImage) -> Iterator[tuple[Key, str]]:
    """The accounts of launch templates that name one, and where."""
    for region, distribution in image.distribution.items():
        for index, template in enumerate(distribution.launch_templates):
            if template.account_id:
                yield ("distribution", region, "launch_templates", index, "account_id"), template.account_id
