"""Texts of AWS, YAML and Terraform as Markdown, in which they are nothing but text.

GitHub and GitLab make links of `@name`, `#12` and addresses after they have read the Markdown, so a backslash does not
prevent that; a character without width does ("Autolinked references and URLs" and "Mentioning people and teams" in
GitHub's docs, "GitLab Flavored Markdown" in GitLab's). In code they make no links. Characters that reorder or hide text
are left out (Unicode's technical report 36).
"""

from __future__ import annotations

import re

_BETWEEN = "&#8203;"
"""Zero width space."""
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKS = frozenset("\\`*_{}[]()<>~|$+=^-!#&@:\"'")
"""What may mean something in Markdown; a backslash before any ASCII punctuation makes it text (CommonMark 2.4)."""
_PLAIN_MARKS = frozenset("-+=()!:\"'@{}^&<>")
"""Those of them that mean something only in places where none of these texts stands, or that are written otherwise."""
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LINKING = re.compile(
    r"""(?<![A-Za-z0-9])[#!%~&^](?=[\w"'\[{])   # issues, merge requests, snippets, milestones, labels, epics
    | [\w)\]]\#(?=\w)                            # owner/repository#12
    | @(?=[\w.\[])                               # people, teams, addresses of mail
    | \$                                         # formulas
    | (?<=[A-Za-z]):(?=[\w/])                    # https://, mailto:
    | \bw{3}\.
    | \bGH-(?=[0-9])
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""After which GitHub or GitLab would see something to link to."""
_LONGEST = 600


def inline(text: str) -> str:
    """A text inside a line, or in a cell of a table."""
    marked = _escaped(_line(text), marks=_MARKS - _PLAIN_MARKS)
    # what makes a list, a heading or a quotation where a line begins with the text
    return re.sub(r"^([-+=#>]|[0-9]+(?=[.)]))", _opening, marked)


def html(text: str) -> str:
    """A text inside an HTML element, in which Markdown is not read."""
    return _escaped(_line(text), marks=frozenset())


def code(text: str) -> str:
    """A text as code inside a line, or in a cell of a table; empty for no text."""
    words = _line(text).replace("|", "¦")  # which ends a cell, and cannot be escaped in both places
    if not words:
        return ""
    fence = "`" * (_longest_run(words) + 1)
    space = " " if words[0] == "`" or words[-1] == "`" else ""
    return f"{fence}{space}{words}{space}{fence}"


def block(text: str, language: str = "") -> list[str]:
    """The lines of a fenced block of code, whose fence is longer than any inside."""
    lines = [_HIDDEN.sub("", line.replace("\t", "    ")) for line in text.splitlines()]
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    return [f"{fence}{language}", *lines, fence]


def clipped(text: str, longest: int = _LONGEST) -> str:
    """A text that is cut where it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 2].rstrip()} …"


def one_line(text: str) -> str:
    """A text without line ends and characters that nobody sees."""
    return " ".join(_HIDDEN.sub("", re.sub(r"\s", " ", text)).split())


def as_written(text: str) -> str:
    """The same with the spaces of the text, of which the lines of a difference have some that mean something."""
    broken = re.sub(r"[ \t]*[^\S \t]\s*", " ", text.rstrip())
    return _HIDDEN.sub("", broken.expandtabs(4))


def _line(text: str) -> str:
    return clipped(one_line(text))


def _escaped(text: str, *, marks: frozenset[str]) -> str:
    breaks = {match.end() - 1 for match in _LINKING.finditer(text)}
    written = []
    for index, character in enumerate(text):
        written.append(_HTML.get(character) or (f"\\{character}" if character in marks else character))
        if index in breaks:
            written.append(_BETWEEN)
    return "".join(written)


def _opening(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
