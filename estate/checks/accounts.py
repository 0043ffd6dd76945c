"""Rules of accounts: an image, its channels and the fleets that run it are in one account.

They are checked as far as the configuration shows accounts: a profile or the credentials of the environment show none.
Keys, topics, host resource groups and license configurations may be of another account, so they show nothing either.
"""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Settings
from estate.problems import Key, Problem, shown

_Accounts = frozenset[str]
"""Accounts of which it is one; none where nothing shows any."""


def permissions_boundary(settings: Settings, context: Context) -> Iterator[Problem]:
    """The permissions boundary belongs to the account in which Terraform works."""
    if arn := settings.iam.permissions_boundary:
        place = ("iam", "permissions_boundary")
        yield from _of_account(arn, settings.provider.accounts, place, "in which the roles are made")


def execution_role(image: Image, context: Context) -> Iterator[Problem]:
    """An execution role belongs to the account in which the image is made."""
    if arn := image.workflows.execution_role:
        place = ("workflows", "execution_role")
        yield from _of_account(arn, _of_roles(context.settings), place, "in which the image is made")


def fleet(fleet: Fleet, image: AmiImage, context: Context) -> Iterator[Problem]:
    """A fleet runs in the account in which its image is made."""
    made, runs = _of_image(image, context.settings), _of_provider(fleet)
    if made and runs and not made & runs:
        by_role = fleet.provider and fleet.provider.assume_role
        field = ("assume_role", "role_arn") if by_role else ("allowed_account_ids",)
        rule = f"a fleet runs in the account in which its image is made, {_either(made)}"
        remedy = "write another estate for that account, with an image of its own"
        yield Problem(("provider", *field), rule, _either(runs), remedy)


def instance_profile(fleet: Fleet, image: AmiImage, context: Context) -> Iterator[Problem]:
    """An instance profile belongs to the account in which the fleet runs."""
    if arn := fleet.instance_profile_arn:
        runs = _of_fleet(fleet, image, context.settings)
        yield from _of_account(arn, runs, ("instance_profile_arn",), "in which the fleet runs")


def target_groups(fleet: Fleet, image: AmiImage, context: Context) -> Iterator[Problem]:
    """Target groups belong to the account in which the fleet runs.

    "The load balancer and its target group must be in the same AWS account, VPC, and Region as your Auto Scaling group"
    (its user guide).
    """
    accounts, why = _of_fleet(fleet, image, context.settings), "in which the fleet runs"
    if not accounts and fleet.instance_profile_arn:
        accounts, why = _of_arn(fleet.instance_profile_arn), "as the instance profile is"
    for index, arn in enumerate(fleet.target_group_arns):
        yield from _of_account(arn, accounts, ("target_group_arns", index), why)


def _of_roles(settings: Settings) -> _Accounts:
    """The account of the roles that are made: AWS takes only a boundary of the same one."""
    return settings.provider.accounts or _of_arn(settings.iam.permissions_boundary)


def _of_image(image: AmiImage, settings: Settings) -> _Accounts:
    """The account of an image: AWS takes only an execution role of the same one."""
    return _of_roles(settings) or _of_arn(image.workflows.execution_role)


def _of_fleet(fleet: Fleet, image: AmiImage, settings: Settings) -> _Accounts:
    made, runs = _of_image(image, settings), _of_provider(fleet)
    return runs & made or runs or made


def _of_provider(fleet: Fleet) -> _Accounts:
    return fleet.provider.accounts if fleet.provider else frozenset()


def _of_arn(arn: str | None) -> _Accounts:
    account = Arn.parse(arn).account_id if arn else None
    return frozenset({account} if account else ())


def _of_account(arn: str, accounts: _Accounts, key: Key, why: str) -> Iterator[Problem]:
    if accounts and _of_arn(arn) - accounts:
        yield Problem(key, f"must be of account {_either(accounts)}, {why}", shown(arn))


def _either(accounts: _Accounts) -> str:
    return " or ".join(sorted(accounts))
