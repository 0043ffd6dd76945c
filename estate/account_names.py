"""Accounts that images name as `settings.accounts` does, where AWS takes IDs: `target_accounts: [prod]`.

Their IDs stand only in the settings, as those of the accounts in which images and fleets are.
"""

from typing import Any

from estate.declarations import Declarations

_EACH = "*"
_PLACES = (
    ("target_accounts", _EACH),
    ("launch_permission", "accounts", _EACH),
    ("retention", "exclusion_rules", "shared_accounts", _EACH),
    ("distribution", _EACH, "launch_templates", _EACH, "account_id"),
)
"""Where an image names accounts; `*` is each key or item."""


def take_ids(declared: Declarations) -> None:
    """Writes the IDs of these accounts into the images and their defaults. Names that the settings do not have stay,
    and the models refuse them."""
    accounts = declared.settings.get("accounts") if isinstance(declared.settings, dict) else None
    ids = {
        name: account["id"]
        for name, account in (accounts.items() if isinstance(accounts, dict) else ())
        if isinstance(account, dict) and isinstance(account.get("id"), str)
    }
    images, defaults = declared.sections["images"], declared.sections["defaults"]
    for place in _PLACES:
        images.update({name: _with_ids(image, place, ids) for name, image in images.items()})
        if "images" in defaults:
            defaults["images"] = _with_ids(defaults["images"], place, ids)


def _with_ids(value: Any, place: tuple[str, ...], ids: dict[str, str]) -> Any:
    """A value with the IDs of the accounts that are named at a place in it. Values may be shared, so they stay."""
    if not place:
        return ids.get(value, value) if isinstance(value, str) else value
    step, rest = place[0], place[1:]
    if isinstance(value, list) and step == _EACH:
        return [_with_ids(item, rest, ids) for item in value]
    if isinstance(value, dict):
        return {key: _with_ids(inner, rest, ids) if step in (key, _EACH) else inner for key, inner in value.items()}
    return value
