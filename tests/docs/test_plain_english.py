"""Texts that people read use ordinary words: no expression that new readers stumbled over comes back."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.estates import PROJECT

BETTER_WORDS = {
    "mend(s|ed|ing)?": "fix, or the thing to do",
    "whom": "who, or the name of the person or thing",
    "told": "notified, reported",
    "no more": "no longer, at most, only",
    "what no retry": "an error that retrying will not fix",
    "events that were given up": "events in the dead-letter queue",
    "takes? off the encryption": "encryption cannot be removed",
    "passes over every good build": "moves to every good build in turn",
    "if all that it ever pointed to stayed": "if every build to which it ever pointed were kept",
    "nothing would go": "nothing would be deleted",
    "needs? leave": "needs permission",
    "is there twice": "is declared twice",
    "names nobody": "is empty",
    "cannot be had": "is not available",
    r"without it(:| \|)": "Default: …",
    "TellWhoApproves": "PublishApprovalRequests",
    "GiveInstancesTheirRole": "PassInstanceRole",
    "beside the image's own account": "in addition to the account that owns the image",
    "the word `public` in its place": "`launch_permission: public`",
    "lets nothing in, and out only HTTPS": "no inbound rule, and one outbound rule, for HTTPS",
    "what `ops` does, it does as you": "`ops` uses your AWS credentials",
    "commercial regions are meant": "which regions are supported, and which are not",
    "nothing that 6 does not know": "they also work with version 6",
    "templates that somebody else keeps": "launch templates that are managed outside this estate",
    "which chats read": "in the form that Amazon Q Developer understands",
    "desired and max must ascend": "min must be at most desired, and desired at most max",
}
"""Expressions that are ruled out, as patterns, and what to write instead."""


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that finds whole words, also over the end of a line."""
    return re.compile(r"(?<!\w)" + pattern.replace(" ", r"\s+") + r"(?!\w)", re.IGNORECASE)


RULED_OUT = [(compiled(pattern), better) for pattern, better in BETTER_WORDS.items()]

FOLDERS = (
    *("bench", "bindings", "demo", "estate", "lambda_src", "local_aws", "ops", "pages", "scripts", "stacks"),
    *("config", "docs", "examples", "tests/snapshots", "tests/support"),
)
EXCLUDED = (
    *("CHANGELOG.md", "docs/decisions", "docs/components.md", "tests/support/*.py"),
    *("package-lock.json", "scripts/scan-requirements.txt"),
)
"""Records stay as they were written, and lock files hold words of other projects. The page of the components repeats
texts of components, whose versions would change with their words; the rest of it is in `pages`."""


def files(*kinds: str) -> list[Path]:
    """The files of some kinds, such as `*.py`, that people read or run."""
    found = {file for kind in kinds for folder in FOLDERS for file in (PROJECT / folder).rglob(kind)}
    found |= {file for kind in kinds for file in PROJECT.glob(kind)}
    excluded = {file for pattern in EXCLUDED for file in PROJECT.glob(pattern)}
    return sorted(file for file in found if excluded.isdisjoint((file, *file.parents)))


def texts() -> Iterator[tuple[Path, int, str]]:
    """Every text that people read, with its file and line."""
    for file in files("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file, node.lineno, node.value
    for file in files("*.md", "*.yaml", "*.yml", "*.txt", "*.sh", "Makefile", "goldsmith"):
        yield file, 1, file.read_text(encoding="utf-8")
    for file in files("*.json"):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            # the text of a component or workflow is its version, so it keeps its words
            if not line.lstrip().startswith('"data": '):
                yield from ((file, number, json.loads(text)) for text in re.findall(r'"(?:[^"\\]|\\.)*"', line))


def complaints(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text, from 0, that have an expression that is ruled out, and what to write instead."""
    for pattern, better in RULED_OUT:
        for found in pattern.finditer(text):
            yield text.count("\n", 0, found.start()), f"not {' '.join(found[0].split())!r}, but: {better}"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Retrying mends it.", 1),
        ("the people whom\nthe alarms notify", 1),
        ("There are no\n  more builds.", 1),
        ("We recommend to tag amended images, and to keep no moreover.", 0),
        ("Without it, an image is an AMI.", 0),
        ("Without it: none.\n| Key | Without it | Meaning |", 2),
    ],
)
def test_an_expression_is_found_as_whole_words(text: str, count: int) -> None:
    assert len(list(complaints(text))) == count


def test_texts_that_people_read_use_ordinary_words() -> None:
    found = [
        f"{file.relative_to(PROJECT)}:{first + line}: {better}"
        for file, first, text in texts()
        for line, better in complaints(text)
    ]
    assert not found, "\n".join(["write it in plain English:", *found])
