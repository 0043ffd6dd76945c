"""Reports of real plans, as they were reviewed: `tests/report/golden`. The plans and what AWS said were recorded by
`tests/support/record_plans.py` and `record_automatic_plans.py`."""

from __future__ import annotations

import re

import pytest

from ops.report.make import report_of
from ops.report.markdown import LONGEST, MARKER, write_markdown
from ops.report.members import members_of
from tests.support.estates import PROJECT
from tests.support.recorded_plans import (
    Page,
    golden,
    multiplied,
    recorded,
    recorded_report,
    scenarios,
)

PAGE = PROJECT / "docs" / "pull-requests.md"
NOT_ABOVE_THE_FOLD = re.compile(r"ami-[0-9a-f]{8,}|\b\d+\.\d+\.\d{8,}|[A-Za-z0-9+/]{40,}|goldsmith:\w+")
"""AMI IDs, versions of nine digits, base64 and tags."""


def check_golden(name: str, text: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--snapshot-update"):
        golden(name).parent.mkdir(exist_ok=True)
        golden(name).write_text(text)
    assert text == golden(name).read_text(), "run pytest --snapshot-update with this file, and review it"


@pytest.mark.parametrize("scenario", scenarios())
def test_reports_what_was_reviewed(scenario: str, request: pytest.FixtureRequest) -> None:
    check_golden(scenario, write_markdown(recorded_report(scenario)), request)


def test_the_pull_request_of_a_fork_gets_a_report_that_says_what_was_not_checked(
    request: pytest.FixtureRequest,
) -> None:
    check_golden("image-move-of-a-fork", write_markdown(recorded_report("image-move", facts=False)), request)


@pytest.mark.parametrize("scenario", scenarios())
@pytest.mark.parametrize("facts", [True, False])
def test_what_only_a_machine_reads_is_below_the_fold(scenario: str, facts: bool) -> None:
    page = Page(write_markdown(recorded_report(scenario, facts=facts)))
    assert page.open == []
    assert NOT_ABOVE_THE_FOLD.findall(page.above) == []
    assert "details" in page.tags


@pytest.mark.parametrize("scenario", scenarios())
def test_every_resource_of_every_plan_is_counted(scenario: str) -> None:
    stacks, facts, now = recorded(scenario)
    report = report_of(stacks, facts, now=now)
    assert sum(report.counts.values()) == sum(len(stack.plan.changes) for stack in stacks if stack.plan)


@pytest.mark.parametrize("scenario", ["image-move", "component-change", "revoked", "destroy", "first-image"])
def test_four_hundred_stacks_fit_into_a_comment_with_what_matters_first(scenario: str) -> None:
    stacks, facts, now = multiplied(scenario, 400)
    report = report_of(stacks, facts, now=now)
    text = write_markdown(report)
    assert text.startswith(MARKER)
    assert len(text) <= LONGEST
    page = Page(text)
    assert page.open == []
    assert NOT_ABOVE_THE_FOLD.findall(page.above) == []
    # all is counted, whatever is left out
    total = sum(report.counts.values())
    assert sum(members_of(report)["counts"].values()) == total
    assert f"Everything in {len(stacks)} stacks" in page.folded
    assert "more" in page.folded


def test_the_report_of_four_hundred_stacks_is_what_was_reviewed(request: pytest.FixtureRequest) -> None:
    stacks, facts, now = multiplied("image-move", 134)
    check_golden("four-hundred-stacks", write_markdown(report_of(stacks[:400], facts, now=now)), request)


def test_the_page_shows_a_report(request: pytest.FixtureRequest) -> None:
    """The same as the reviewed one, without what is folded."""
    shown = re.sub(r"<details>.*?</details>\n*", "", golden("image-move").read_text(), flags=re.DOTALL)
    head, mark, _ = PAGE.read_text().partition("\n## An example\n")
    text = PAGE.read_text().partition(mark)[2]
    before = text.partition("\n> ")[0].rstrip()
    quoted = "\n".join(f"> {line}".rstrip() for line in shown.strip().splitlines())
    wanted = f"{head}{mark}{before}\n\n{quoted}\n"
    if request.config.getoption("--snapshot-update"):
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "run pytest --snapshot-update with this file, and review it"
