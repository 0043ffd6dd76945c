"""The tables of documents: `broken_documents.txt`, and `sound_documents.txt`, which are accepted.

An entry is `=== what it is [what it is for]`, YAML, and for a broken one `>>>` and the exact lines about `app.yaml`
that a person reads. The platform is in the brackets: Linux, Windows, macOS or any. YAML that begins with `- ` is the
steps of the smallest document, whose first step is at line 5.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from estate.catalogue.operating_systems import Platform

_SMALLEST = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n"


@dataclass(frozen=True)
class Written:
    """A document, and the problems that are reported; none for a sound one."""

    name: str
    platform: Platform | None
    text: str
    lines: str


def _parsed(entry: str) -> Written:
    title, _, rest = entry.partition("\n")
    name, platform = re.fullmatch(r"(.*) \[(\w+)\]", title).groups()  # type: ignore[union-attr]
    text, _, lines = rest.partition(">>>\n")
    if text.startswith("- "):
        text = _SMALLEST + textwrap.indent(text, " " * 6)
    return Written(name, None if platform == "any" else cast(Platform, platform), text, lines.strip())


def _table(name: str) -> list[Written]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [_parsed(entry) for entry in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]]


BROKEN_DOCUMENTS = _table("broken_documents.txt")
SOUND_DOCUMENTS = _table("sound_documents.txt")
