"""How many accounts an image can be shared with: one more than AWS's limits leave room for is a problem."""

from typing import Any

import pytest

from estate.load import assemble
from estate.models.accounts import Account
from estate.models.settings import Settings
from estate.problems import EstateError
from tests.support.models import fleet, image

KEY = {"eu-west-1": {"kms_key_id": "arn:aws:kms:eu-west-1:111111111111:key/1f2e"}}
ORGANIZATION = "arn:aws:organizations::111111111111:organization/o-a1b2c3d4e5"
UNITS = [f"arn:aws:organizations::111111111111:ou/o-a1b2c3d4e5/ou-ab12-0000000{number}" for number in range(2)]


def accounts(count: int) -> list[str]:
    return [f"9{number:011}" for number in range(count)]


def problems(*, fleets: int = 0, **fields: Any) -> list[str]:
    """The problems of an image that fleets of some other accounts run."""
    named = {f"account-{number}": Account(id=f"2{number:011}", role="goldsmith") for number in range(fleets)}
    settings = Settings(namespace="acme", accounts={"images": Account(id="1" * 12, role="goldsmith"), **named})
    try:
        assemble(
            settings=settings,
            images=[image(account="images", **fields)],
            fleets=[fleet(name=f"in-{name}", account=name) for name in named],
        )
    except EstateError as error:
        return str(error).splitlines()
    return []


def test_fleets_of_at_most_36_other_accounts_read_the_channels() -> None:
    assert problems(fleets=36) == []
    assert problems(fleets=37) == [
        "images.web.account: the role that reads the image's channels has room for 36 other accounts, got 37 accounts; "
        "declare a second image for some of them"
    ]


@pytest.mark.parametrize("field", ["launch_permission", "target_accounts"])
def test_accounts_of_other_estates_take_the_same_room(field: str) -> None:
    def of(count: int) -> dict[str, Any]:
        return {field: {"accounts": accounts(count)} if field == "launch_permission" else accounts(count)}

    assert problems(fleets=30, external_fleets=True, **of(6)) == []
    assert problems(fleets=30, external_fleets=True, **of(7)) == [
        "images.web.external_fleets: the role that reads the image's channels has room for 36 other accounts, got 37 "
        "accounts; name an organization instead"
    ]


def test_a_unit_takes_the_room_of_three_accounts() -> None:
    def of(count: int) -> dict[str, Any]:
        permission = {
            "accounts": accounts(count),
            "organizations": [ORGANIZATION],
            "organizational_units": UNITS,
        }
        return {"external_fleets": True, "launch_permission": permission, "distribution": KEY}

    assert problems(**of(29)) == []
    assert problems(**of(30)) == [
        "images.web.external_fleets: the role that reads the image's channels has room for 36 other accounts, of which "
        "an organization takes the room of one, and a unit that of three, got 30 accounts, organizations: 1, units: 2; "
        "name an organization instead"
    ]


def test_a_key_of_the_stack_has_room_for_100_accounts_beside_those_of_fleets() -> None:
    assert problems(fleets=1, launch_permission={"accounts": accounts(60)}, target_accounts=accounts(100)) == []
    assert problems(fleets=1, launch_permission={"accounts": accounts(101)}) == [
        "images.web.launch_permission: a key that the stack makes has room for 100 accounts beside those of fleets, "
        "got 101 accounts; write distribution: {eu-west-1: {kms_key_id: …}}"
    ]
    assert problems(fleets=1, target_accounts=accounts(101)) == [
        "images.web.target_accounts: a key that the stack makes has room for 100 accounts beside those of fleets, "
        "got 101 accounts; write distribution: {eu-west-1: {kms_key_id: …}}"
    ]
    assert problems(fleets=1, target_accounts=accounts(101), distribution=KEY) == []


def test_an_ami_is_shared_with_at_most_1536_accounts() -> None:
    assert problems(fleets=1, launch_permission={"accounts": accounts(1535)}, distribution=KEY) == []
    assert problems(fleets=1, launch_permission={"accounts": accounts(1536)}, distribution=KEY) == [
        "images.web.launch_permission.accounts: AWS takes 1536 accounts, those of fleets included, got 1537 accounts"
    ]
