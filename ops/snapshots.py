"""The Terraform of each stack as a team reviews it: `snapshots/STACK.json` beside the configuration.

What a person cannot review is left out, and what belongs to another file: cdktf's notes to itself, and the build of a
pin, which `pins.yaml` has. So a pull request that moves a pin changes one file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cdktf_out
from estate.estate import Estate, EstateFleet
from estate.models.pin import Pin
from estate.names import LATEST
from estate.sharing import key_for

FOLDER = "snapshots"
"""Beside the configuration."""
PIN = "<pin>"

_SOME_ACCOUNT = "000000000000"


def text_of(stack: Path, pin: Pin | None) -> str:
    """The snapshot of a synthesized stack in its folder; `pin` is that of its fleet. Raises `OSError`."""
    content = json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8"))
    removed = stack / "removed.tf.json"
    if removed.exists():
        content |= json.loads(removed.read_text(encoding="utf-8"))
    hidden = [value for value in (pin.build, pin.ami, pin.created, pin.key) if value] if pin else []

    def hide(text: str) -> str:
        for value in hidden:
            text = text.replace(value, PIN)
        return text

    return json.dumps(_reviewable(content, hide), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def texts_of(estate: Estate) -> dict[str, str]:
    """The snapshots of all stacks, which are synthesized for it. A fleet without a pin is as it will be with one.

    Raises `OSError` when the temporary folder cannot be written.
    """
    import main

    pins = {**estate.pins, **{name: _stand_in(estate.fleet(name)) for name in estate.unpinned}}
    complete = estate.model_copy(update={"pins": pins})
    with tempfile.TemporaryDirectory(prefix="goldsmith-check-") as temporary:
        out = Path(temporary) / "cdktf.out"
        main.write(complete, out)
        return {stack: text_of(cdktf_out.stack(out, stack), pin_of(complete, stack)) for stack in complete.stacks}


def pin_of(estate: Estate, stack: str) -> Pin | None:
    """The pin of a fleet's stack; None for any other stack, and for a fleet that needs none."""
    kind, _, name = stack.partition("-")
    return estate.fleet(name).pin if kind == "fleet" else None


def _stand_in(fleet: EstateFleet) -> Pin:
    """A pin of a fleet that has none yet; what differs by build is written as `<pin>` anyway."""
    key = key_for(fleet)
    if key and ":alias/" in key:  # a pin has the ID of the key, which only AWS knows
        key = f"{key.partition(':alias/')[0]}:key/00000000-0000-0000-0000-000000000000"
    return Pin(
        name=fleet.fleet.name,
        image=fleet.fleet.image,
        channel=fleet.fleet.channel or LATEST,
        region=fleet.fleet.region,
        owner=(fleet.account if fleet.runs_copy else fleet.image.account) or _SOME_ACCOUNT,
        key=key,
        build="999999999.999999999.999999999/999999999",
        ami="ami-fffffffffffffffff",
        created="2000-01-01T00:00:00+00:00",
    )


def _reviewable(value: Any, hide: Callable[[str], str]) -> Any:
    """JSON in a text as what it is, and a text of several lines as its lines, so that a difference is small."""
    if isinstance(value, Mapping):
        return {hide(key): _reviewable(each, hide) for key, each in value.items() if key != "//"}
    if isinstance(value, list):
        return [_reviewable(each, hide) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "[")):
        try:
            return _reviewable(json.loads(value), hide)
        except ValueError:
            pass
    text = hide(value)
    return text.split("\n") if "\n" in text.strip("\n") else text
