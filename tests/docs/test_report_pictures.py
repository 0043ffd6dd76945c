"""Pictures of a comment, drawn as GitHub shows it. That they are current is tested with the other generated pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pages.pictures import pictures_of
from tests.support.estates import PROJECT

RECORDED = PROJECT / "docs" / "pictures" / "report.md"
REPORTS = [RECORDED, *sorted((PROJECT / "tests" / "report" / "golden").glob("*.md"))]
SVG = "{http://www.w3.org/2000/svg}"
FRAME = 17
"""Between a text and the right edge of the picture."""


def texts(picture: str) -> Iterator[tuple[str, float, float]]:
    """Each text with its left and right end."""
    for text in ElementTree.fromstring(picture).iter(f"{SVG}text"):
        left = float(text.attrib["x"])
        yield text.text or "", left, left + float(text.attrib["textLength"])


def seen(picture: str) -> str:
    """All words of a picture, in their order."""
    return " ".join(" ".join(text for text, _, _ in texts(picture)).split())


def drawn(markdown: str) -> str:
    """The words of the picture of a Markdown text, without the line that says who commented."""
    return seen(pictures_of(markdown)["light"]).removeprefix("acme-bot commented").strip()


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.stem)
def test_no_text_is_outside_of_its_picture(report: Path) -> None:
    for picture in pictures_of(report.read_text()).values():
        width = float(ElementTree.fromstring(picture).attrib["width"])
        outside = [text for text, left, right in texts(picture) if left < FRAME or right > width - FRAME]
        assert outside == []


def test_texts_of_a_line_do_not_overlap() -> None:
    last: tuple[str, str, float] = ("", "", 0.0)
    markdown = f"{RECORDED.read_text()}\n- plain **bold** plain `code` plain\n"
    for text in ElementTree.fromstring(pictures_of(markdown)["light"]).iter(f"{SVG}text"):
        line, left = text.attrib["y"], float(text.attrib["x"])
        assert line != last[0] or left >= last[2] - 0.01, f"{text.text} is on {last[1]}"
        last = (line, text.text or "", left + float(text.attrib["textLength"]))


def test_what_is_folded_is_not_seen_and_the_rest_is() -> None:
    report, words = RECORDED.read_text(), seen(pictures_of(RECORDED.read_text())["light"])
    unfolded = re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"\1", report, flags=re.DOTALL)
    marks = r"<!--.*?-->|[#*|`\\]|&#8203;|^ *- |\| (?:--+:? \| )+"
    expected = re.sub(marks, "", unfolded, flags=re.MULTILINE).split()
    assert sorted(set(expected) - set(words.split()) - {"---", "--:"}) == []
    assert "aws_launch_template" in report and "aws_launch_template" not in words


def test_pictures_differ_in_colours_only_and_load_nothing() -> None:
    light, dark = (re.sub("#[0-9a-f]{6}", "colour", each) for each in pictures_of(RECORDED.read_text()).values())
    assert light == dark
    bare = light.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|href|url\(|@import|<script|<foreignObject|<image", bare)


def test_text_is_never_markup() -> None:
    assert drawn('## a &lt;b&gt; &amp; `<c> & "d"`\n') == 'a <b> & <c> & "d"'
    assert drawn("<details><summary>1 &lt; 2</summary>\n\nhidden\n\n</details>\n\nshown\n") == "1 < 2 shown"


def test_a_long_line_is_broken_between_words() -> None:
    assert drawn("- " + "word " * 200) == ("word " * 200).strip()


def test_what_a_report_never_has_is_refused() -> None:
    with pytest.raises(ValueError, match="a report has no ordered_list_open"):
        pictures_of("1. one\n")
