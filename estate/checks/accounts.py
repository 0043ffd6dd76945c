"""Rules of accounts: which one an image, its channels and the fleets that run it are in.

They are checked as far as the configuration shows accounts: the credentials of the environment show none. Keys, topics,
host resource groups and license configurations may be of another account, so they show nothing either.
"""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image
from estate.models.settings import Settings
from estate.problems import Key, Problem, did_you_mean, shown

_Accounts = frozenset[str]
"""Accounts of which it is one; none where nothing shows any."""


def of_an_image(image: Image, context: Context) -> Iterator[Problem]:
    """The `account` of an image is one of `settings.accounts`; it is required if there are any. In YAML an image is in
    the only account if there is one."""
    yield from _known(image.account, context.settings, ("account",))
    if image.account is None and context.settings.accounts:
        names = " or ".join(context.settings.accounts)
        yield Problem(("account",), "is required", remedy=f"write {names}, or one for all under defaults.images")


def of_an_external_image(image: ExternalImage, context: Context) -> Iterator[Problem]:
    """The `account` of an external image is one of `settings.accounts`; it is required if there are any. In YAML an
    image is in the only account if there is one."""
    yield from _known(image.account, context.settings, ("external", "account"))
    if image.account is None and context.settings.accounts:
        names = " or ".join(context.settings.accounts)
        yield Problem(("external", "account"), "is required", remedy=f"write {names}")


def of_a_fleet(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """The `account` of a fleet is one of `settings.accounts`."""
    yield from _known(fleet.account, context.settings, ("account",))


def of_the_backend(settings: Settings, context: Context) -> Iterator[Problem]:
    """The `account` of the backend is one of `settings.accounts`."""
    if settings.backend.s3:
        yield from _known(settings.backend.s3.account, settings, ("backend", "s3", "account"))


def ways_into_two_accounts(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """A fleet and an image of this estate are in two accounts only if a role or a profile leads into one of them:
    credentials of the environment belong to one account."""
    if isinstance(image, ExternalImage):
        return  # nothing is made in its account
    accounts = context.settings.accounts
    named = {name: accounts[name] for name in (fleet.account, image.account) if name in accounts}
    is_one = len({account.id for account in named.values()}) < 2
    if is_one or fleet.provider or any(account.role or account.profile for account in named.values()):
        return
    remedy = f"write settings.accounts: {{{fleet.account}: {{id: …, role: …}}}}"
    rule = f"no role and no profile leads into this account, or into {image.account}, where the image is made"
    yield Problem(("account",), rule, shown(fleet.account), remedy)


def provider_of_a_fleet(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """The role in the `provider` of a fleet is of the fleet's account."""
    account = context.settings.accounts.get(fleet.account or image.account or "")
    role = fleet.provider and fleet.provider.assume_role
    if account and role and Arn.parse(role.role_arn).account != account.id:
        rule = f"must be a role of account {account.id}, which `account` names"
        remedy = "write a role of that account, or another account"
        yield Problem(("provider", "assume_role", "role_arn"), rule, shown(role.role_arn), remedy)


def base(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """An image is made in the account of its base: Image Builder reads the base's channel there."""
    accounts = {_named(each.account, context.settings) for each in (image, base)}
    if isinstance(base, ExternalImage) and len(accounts) > 1:
        rule = f"image {base.name} is made in another account, where Image Builder cannot read its channels"
        remedy = "write the ID of an AMI that is shared with the account of this image"
        yield Problem(("parent",), rule, shown(base.name), remedy)
    elif not isinstance(base, ExternalImage) and image.account != base.account:
        rule = f"image {base.name} is made in another account"
        remedy = f"write the account of images.{base.name}: {base.account}" if base.account else "delete account"
        key = ("account",) if image.account else ("parent",)
        yield Problem(key, rule, shown(image.account or base.name), remedy)


def dashboards(context: Context) -> Iterator[Problem]:
    """With `settings.dashboards`, all images of a home region are made in one account: they share a dashboard."""
    first: dict[str, Image] = {}
    for image in context.images.values() if context.settings.dashboards else ():
        other = first.setdefault(image.home, image)
        if image.account != other.account and image.account and other.account:
            rule = f"the dashboard of {image.home} is in the account of image {other.name}"
            key = ("images", image.name, "account")
            yield Problem(key, rule, shown(image.account), "write the same account, or dashboards: false")


def names_of_one_account(context: Context) -> Iterator[Problem]:
    """Images that are made in one account name it in the same way: they have one history of channels there."""
    first: dict[str, Image] = {}
    for image in context.images.values():
        account = context.settings.accounts.get(image.account or "")
        other = first.setdefault(account.id, image) if account else image
        if image.account != other.account:
            rule, key = f"is the account of image {other.name} by another name", ("images", image.name, "account")
            yield Problem(key, rule, shown(image.account), f"write {other.account}")


def permissions_boundary(context: Context) -> Iterator[Problem]:
    """A permissions boundary that is an ARN belongs to the accounts of all images and fleets; one that is a name needs
    `settings.accounts`."""
    settings, place = context.settings, ("settings", "iam", "permissions_boundary")
    boundary = settings.iam.permissions_boundary
    if boundary and not boundary.startswith("arn:"):
        if not settings.accounts:
            rule, remedy = "a name needs settings.accounts, in which the policy is", "write its ARN"
            yield Problem(place, rule, shown(boundary), remedy)
    elif owner := _of_arn(boundary):
        used = {each.account for each in (*context.images.values(), *context.fleets.values())}
        others = [name for name, account in settings.accounts.items() if name in used and account.id not in owner]
        if others:
            rule = f"roles are made in {' and '.join(others)}, too, which needs a policy of its own"
            remedy = "write its name, which it must have in each account"
            yield Problem(place, rule, shown(boundary), remedy)


def execution_role(image: Image, context: Context) -> Iterator[Problem]:
    """An execution role belongs to the account in which the image is made."""
    if arn := image.workflows.execution_role:
        place = ("workflows", "execution_role")
        yield from _of_account(arn, _of_roles(image, context.settings), place, "in which the image is made")


def instance_profile(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """An instance profile belongs to the account in which the fleet runs."""
    if arn := fleet.instance_profile_arn:
        runs = _of_fleet(fleet, image, context.settings)
        yield from _of_account(arn, runs, ("instance_profile_arn",), "in which the fleet runs")


def target_groups(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """Target groups belong to the account in which the fleet runs.

    "The load balancer and its target group must be in the same AWS account, VPC, and Region as your Auto Scaling group"
    (its user guide).
    """
    accounts, why = _of_fleet(fleet, image, context.settings), "in which the fleet runs"
    if not accounts and fleet.instance_profile_arn:
        accounts, why = _of_arn(fleet.instance_profile_arn), "as the instance profile is"
    for index, arn in enumerate(fleet.target_group_arns):
        yield from _of_account(arn, accounts, ("target_group_arns", index), why)


def _known(account: str | None, settings: Settings, key: Key) -> Iterator[Problem]:
    if account is not None and account not in settings.accounts:
        remedy = did_you_mean(account, settings.accounts) or f"write settings.accounts: {{{account}: {{id: …}}}}"
        yield Problem(key, "settings.accounts has no such account", shown(account), remedy)


def _named(account: str | None, settings: Settings) -> _Accounts:
    found = settings.accounts.get(account) if account else None
    return frozenset({found.id} if found else ())


def _of_roles(image: Image | ExternalImage, settings: Settings) -> _Accounts:
    """The account of the roles that are made: AWS takes only a boundary of the same one."""
    if image.account:
        return _named(image.account, settings)
    boundary = settings.iam.permissions_boundary
    return _of_arn(boundary if boundary and boundary.startswith("arn:") else None)


def _of_image(image: FleetImage, settings: Settings) -> _Accounts:
    """The account of an image: AWS takes only an execution role of the same one."""
    if isinstance(image, ExternalImage):
        return _of_roles(image, settings)
    return _of_roles(image, settings) or _of_arn(image.workflows.execution_role)


def _of_fleet(fleet: Fleet, image: FleetImage, settings: Settings) -> _Accounts:
    return _named(fleet.account or image.account, settings) or _of_image(image, settings)


def _of_arn(arn: str | None) -> _Accounts:
    account = Arn.parse(arn).account_id if arn else None
    return frozenset({account} if account else ())


def _of_account(arn: str, accounts: _Accounts, key: Key, why: str) -> Iterator[Problem]:
    if accounts and _of_arn(arn) - accounts:
        yield Problem(key, f"must be of account {_either(accounts)}, {why}", shown(arn))


def _either(accounts: _Accounts) -> str:
    return " or ".join(sorted(accounts))
