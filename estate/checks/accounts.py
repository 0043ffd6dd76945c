"""Rules of accounts: an image, its channels and the fleets that run it are in one, as far as the estate shows it.

What shows no account (a profile, the environment's credentials) is taken. What AWS lets be of another account is no
evidence: keys, topics, host resource groups, license configurations.
"""

from collections.abc import Iterator

from estate.arns import Arn
from estate.checks.parts import Parts
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.problems import Key, Problem, shown


def check_accounts(parts: Parts) -> Iterator[Problem]:
    """Every value that shows another account than the one that it must be of."""
    settings: Key = ("settings",)
    boundary = parts.settings.iam.permissions_boundary if parts.settings else None
    if boundary and parts.sound(settings, "iam"):
        place = (*settings, "iam", "permissions_boundary")
        yield from _of_account(boundary, _of_provider(parts), place, "in which the roles are made")
    for image in parts.images.values():
        key: Key = ("images", image.name)
        role = image.workflows.execution_role
        if role and parts.sound(key, "workflows"):
            place = (*key, "workflows", "execution_role")
            yield from _of_account(role, _of_roles(parts), place, "in which the image is made")
    for fleet in parts.fleets.values():
        yield from _fleet(fleet, parts)


def _of_provider(parts: Parts) -> frozenset[str]:
    """The accounts in one of which the settings' provider works; empty where nothing shows it, as in what follows."""
    known = parts.settings and parts.sound(("settings",), "provider")
    return parts.settings.provider.accounts if parts.settings and known else frozenset()


def _of_roles(parts: Parts) -> frozenset[str]:
    """AWS takes only a boundary of the account of the roles."""
    boundary = parts.settings.iam.permissions_boundary if parts.settings else None
    sound = boundary and parts.sound(("settings",), "iam")
    return _of_provider(parts) or (_of_arn(boundary) if boundary and sound else frozenset())


def _of_image(image: Image | None, parts: Parts) -> frozenset[str]:
    """AWS takes only an execution role of the account of the pipeline."""
    role = image.workflows.execution_role if image else None
    sound = image and parts.sound(("images", image.name), "workflows")
    return _of_roles(parts) or (_of_arn(role) if role and sound else frozenset())


def _of_arn(arn: str) -> frozenset[str]:
    account = Arn.parse(arn).account_id
    return frozenset({account} if account else ())


def _fleet(fleet: Fleet, parts: Parts) -> Iterator[Problem]:
    key: Key = ("fleets", fleet.name)
    if not parts.sound(key, "provider"):
        return
    made = _of_image(parts.images.get(fleet.image), parts) if parts.sound(key, "image") else frozenset()
    runs = fleet.provider.accounts if fleet.provider else frozenset()
    if made and runs and not made & runs:
        field = (
            ("assume_role", "role_arn") if fleet.provider and fleet.provider.assume_role else ("allowed_account_ids",)
        )
        rule = f"a fleet runs in the account in which its image is made, {_either(made)}"
        remedy = "write another estate for that account, with an image of its own"
        yield Problem((*key, "provider", *field), rule, _either(runs), remedy)
    runs, why = runs & made or runs or made, "in which the fleet runs"
    if parts.sound(key, "instance_profile_arn") and fleet.instance_profile_arn:
        place = (*key, "instance_profile_arn")
        yield from _of_account(fleet.instance_profile_arn, runs, place, why)
        if not runs:
            runs, why = _of_arn(fleet.instance_profile_arn), "as the instance profile is"
    if parts.sound(key, "target_group_arns"):
        # "The load balancer and its target group must be in the same AWS account, VPC, and Region as your Auto Scaling
        # group" (its user guide)
        for index, arn in enumerate(fleet.target_group_arns):
            yield from _of_account(arn, runs, (*key, "target_group_arns", index), why)


def _of_account(arn: str, accounts: frozenset[str], key: Key, why: str) -> Iterator[Problem]:
    if accounts and _of_arn(arn) - accounts:
        yield Problem(key, f"must be of account {_either(accounts)}, {why}", shown(arn))


def _either(accounts: frozenset[str]) -> str:
    return " or ".join(sorted(accounts))
