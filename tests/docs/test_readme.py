"""What README opens with: a picture in both schemes of colours, and an estate that is sound."""

import re
from pathlib import Path

from estate.load import load
from tests.support.estates import PROJECT

OPENING, _, _ = (PROJECT / "README.md").read_text().partition("\n## ")


def test_opens_with_the_picture_of_a_report_for_light_and_dark_screens() -> None:
    found = re.search(
        r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="(.+?)">\s*'
        r'<img alt="(.+?)" src="(.+?)">\s*</picture>',
        OPENING,
    )
    assert found, "there is no picture before the first heading"
    dark, alternative, light = found.groups()
    assert (dark, light) == ("docs/pictures/report-dark.svg", "docs/pictures/report-light.svg")
    assert all((PROJECT / file).is_file() for file in (dark, light))
    assert re.fullmatch(r"[A-Z][^\"<>]{40,300}\.", alternative), "who cannot see it hears no sentence"
    assert "](docs/pictures/report.md)" in OPENING, "the report as text is not linked"


def test_opens_with_ten_lines_that_are_an_estate(tmp_path: Path) -> None:
    shown = OPENING.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "estate.yaml").write_text(shown)
    estate = load(tmp_path)
    assert (len(shown.splitlines()), list(estate.images), list(estate.fleets)) == (10, ["web"], ["web-prod"])
