"""`pins.yaml`: where it is, and how it is written.

Always in the same form, so that a pull request shows what changes, and nothing else.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from estate.declarations import PINS
from estate.models.pin import Pin
from ops.errors import OpsError

_HEAD = """\
# Written by goldsmith pin: what fleets with updates: pull-request run. Merging a change approves it, and git revert is
# the way back.
"""


def pin_file(configuration: Path) -> Path:
    """The file of a configuration: in its folder, or beside its file."""
    return (configuration if configuration.is_dir() else configuration.parent) / PINS


def text_of_pins(pins: Mapping[str, Pin]) -> str:
    """The file's text: fleets and fields in a fixed order."""
    return "\n".join(_lines(pins)) + "\n"


def write_pins(file: Path, pins: Mapping[str, Pin]) -> None:
    """Write the file, whole or not at all. Raises `OpsError`."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, prefix=f".{file.name}.", encoding="utf-8", delete=False
        ) as written:
            written.write(text_of_pins(pins))
        Path(written.name).chmod(file.stat().st_mode if file.exists() else 0o644)
        os.replace(written.name, file)
    except OSError as error:
        raise OpsError(f"{file}: cannot be written: {error.strerror or error}") from None


def _lines(pins: Mapping[str, Pin]) -> Iterator[str]:
    yield _HEAD + ("pins:" if pins else "pins: {}")
    for name in sorted(pins):
        yield f"  {name}:"
        for field, value in pins[name].model_dump(mode="json", exclude={"name"}).items():
            if isinstance(value, list | tuple):
                yield from [f"    {field}:", *(f"      - {json.dumps(each)}" for each in value)] if value else []
            elif value is not None:
                yield f"    {field}: {json.dumps(value)}"
