"""Nothing of AWS, YAML or Terraform is more than text in a report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.report.escape import block, code, html, inline
from ops.report.make import report_of
from ops.report.markdown import write_markdown
from ops.report.plan_json import read_plan
from tests.support.recorded_plans import Page, change_texts, recorded, shown, with_texts

EVIL = [
    *("</details>", "<script>alert(1)</script>", "<!-- ", "-->", "<img src=x onerror=y>", "<b>"),
    *(
        "```",
        "````\n",
        "`",
        "~~~",
        "[a](http://evil.example)",
        "![a](b)",
        "<http://evil.example>",
        "http://evil.example",
    ),
    *("www.evil.example", "@octocat", "@org/team", "#12", "o/r#12", "GH-12", "!3", "a@b.example", "&lt;", "&#64;x"),
    *("\n\n# title\n", "\n---\n", "| a | b |", "\n| --- |\n", "**", "__", "\\", "\\`", "$x$", "\n- item\n", "1. one"),
    *("\u202egnp", "\u200b", "\x1b[31m", "\r\n", "\t", "\x00", "[ref]: http://evil.example", "~~x~~", ":tada:", "$$"),
]
ALLOWED = {
    *("h2", "p", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"),
    *("details", "summary"),
}
LINKS = re.compile(
    r"(?<![\w`])@\w|(?<!\w)#\d|\w#\d|\bhttps?://\w|\bwww\.\w|\bGH-\d|(?<!\w)!\d|\w@\w+\.\w", re.IGNORECASE
)
"""What GitHub or GitLab would make a link of."""
TEXTS = st.lists(st.sampled_from(EVIL) | st.text(max_size=5), min_size=1, max_size=4).map("".join)


def check(markdown: str) -> Page:
    page = Page(markdown)
    assert set(page.tags) <= ALLOWED, page.html
    assert page.open == [], page.html
    assert page.tags.count("h2") == 1
    assert LINKS.findall(page.text) == [], page.text
    assert not re.search("[\u202a-\u202e\x00\x1b]", markdown)
    return page


def shape(page: Page) -> list[str]:
    return [tag for tag in page.tags if tag not in ("code", "p", "pre")]


def evil_report(evil: str) -> str:
    """The report of a real plan, with this in every text of AWS, Terraform and the configuration."""
    stacks, facts, now = recorded("image-move")
    add = f"x{evil}"
    plan = json.loads(json.dumps(shown("image-move", "fleet-web-prod")))
    for change in plan["resource_changes"]:
        if change["type"] not in ("aws_launch_template", "aws_autoscaling_group"):
            change["change"]["actions"] = ["update"]
            change["change"]["before"] = {"name": "old"}
            change["change"]["after"] = {"name": add, add: "y"}
            change["address"] += f'["{evil}"]'
    plan["output_changes"][f"out{evil}"] = {"actions": ["update"], "before": 1, "after": 2}
    plan["resource_drift"] = [
        {
            "address": change["address"],
            "type": "x",
            "change": {"actions": ["update"], "before": {"name": "a"}, "after": {"name": "b"}},
        }
        for change in plan["resource_changes"]
    ]
    instance = {"status": "fail", "problems": [{"message": evil}], "address": {"to_display": f"check.age{evil}"}}
    plan["checks"] = [{"address": {"to_display": "check.age"}, "status": "fail", "instances": [instance]}]
    many = [
        replace(stacks[0], plan=read_plan(plan), account=f"1{evil}", region=f"r{evil}"),
        replace(stacks[1], plan=None, error=f"Error: {evil}\n\n{evil}", stack=f"s{evil}"),
        *stacks[2:],
    ]
    return write_markdown(report_of(many, with_texts(facts, lambda text: f"{text} {evil}"), now=now))


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_breaks_out(evil: str) -> None:
    assert shape(check(evil_report(evil))) == shape(check(evil_report("harmless")))


@given(TEXTS)
@settings(max_examples=30, deadline=None)
def test_no_mixture_of_texts_breaks_out(evil: str) -> None:
    check(evil_report(evil))


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_each_way_to_write_a_text_keeps_it_in_its_place(text: str) -> None:
    lines = [
        "## title",
        "",
        f"- {inline(text)}",
        "",
        "| a | b |",
        "| --- | --- |",
        f"| {inline(text)} | {code(text)} |",
        "",
        f"<details><summary>{html(text)}</summary>",
        "",
        *block(text),
        "",
        "</details>",
    ]
    page = check("\n".join(lines))
    assert page.tags.count("li") == 1
    assert page.tags.count("tr") == 2
    assert page.tags.count("td") == 2


@pytest.mark.parametrize(
    "text", ["plain", "a_b*c", "1.0.912/3 (6247/1)", "x | y", "`quoted`", "<b>", "a & b", "#12 @x"]
)
def test_a_text_is_read_as_it_was(text: str) -> None:
    page = Page(f"## {inline(text)}")
    assert page.text.replace("\u200b", "").strip() == text


def test_a_fence_is_longer_than_any_inside() -> None:
    assert block("a\n````\nb", "sh") == ["`````sh", "a", "````", "b", "`````"]
    assert code("a ``` b") == "````a ``` b````"


def test_what_a_report_is_changed_with_reaches_it() -> None:
    """Otherwise these tests would find nothing."""

    def texts(value: Any) -> str:
        return json.dumps(change_texts(value, lambda text: f"{text} EVIL"))

    assert "EVIL" in texts({"lacks": ["no credentials"]})
    assert evil_report("EVIL").count("EVIL") > 50
