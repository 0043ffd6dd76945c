"""The table of broken estates, `broken_estates*.txt`: what is written, and the exact lines that a person reads.

An entry is `=== what is wrong [where]`, YAML, `>>>`, lines. The brackets say where the YAML is put: into the image, the
fleet or the settings of the smallest estate, replacing the same key, or it is the whole `[estate]`. `--- name` begins
another file of the folder.
"""

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from estate.problems import EstateError

_SMALLEST = {
    "settings": {"namespace": "acme"},
    "image": {"os": "amazon-linux-2023", "build": "[update-os]", "regions": "[eu-west-1]", "channels": "[prod]"},
    "fleet": {
        "image": "web",
        "channel": "prod",
        "region": "eu-west-1",
        "instance_type": "t3.small",
        "subnets": "[subnet-0a]",
        "capacity": "{min: 1, max: 2}",
    },
}


@dataclass(frozen=True)
class BrokenEstate:
    """Files by name, and the problems that are reported."""

    name: str
    files: dict[str, str]
    lines: str

    def write(self, folder: Path) -> None:
        """Writes the files into a new folder."""
        for name, text in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


def smallest(where: str = "", text: str = "") -> str:
    """The smallest estate with a fleet, `estate.yaml`, with some lines in one of its parts."""
    parts = {}
    for part, fields in _SMALLEST.items():
        added = textwrap.dedent(text) if part == where else ""
        keys = set(re.findall(r"^([\w-]+):", added, re.MULTILINE))
        parts[part] = "".join(f"{key}: {value}\n" for key, value in fields.items() if key not in keys)
        parts[part] += added + ("" if added.endswith("\n") or not added else "\n")
    return (
        f"settings:\n{textwrap.indent(parts['settings'], '  ')}"
        f"images:\n  web:\n{textwrap.indent(parts['image'], '    ')}"
        f"fleets:\n  web-dev:\n{textwrap.indent(parts['fleet'], '    ')}"
    )


def written(folder: Path, value: Any) -> Path:
    """An estate, YAML or a value, as a file: JSON is YAML too."""
    file = folder / "estate.yaml"
    file.write_text(value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False))
    return file


def problems_in(path: Path) -> str:
    """The problems that `load` reports for an estate, which must have some."""
    with pytest.raises(EstateError) as caught:
        load(path)
    return str(caught.value)


def _parsed(entry: str) -> BrokenEstate:
    title, _, rest = entry.partition("\n")
    name, where = re.fullmatch(r"(.*) \[(\w+)\]", title).groups()  # type: ignore[union-attr]
    written, _, lines = rest.partition(">>>\n")
    first, *others = re.split(r"^--- (\S+)\n", written, flags=re.MULTILINE)
    files = {"estate.yaml": first if where == "estate" else smallest(where, first)}
    return BrokenEstate(name, files | dict(zip(others[::2], others[1::2], strict=True)), lines.strip())


BROKEN_ESTATES = [
    _parsed(entry)
    for file in sorted(Path(__file__).parent.glob("broken_estates*.txt"))
    for entry in re.split(r"^=== ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
]
