"""The recorded plans of `tests/report/plans`, with what AWS said when they were made, and ways to change them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from pydantic import TypeAdapter

from ops.report.document import Report
from ops.report.facts import Facts
from ops.report.make import report_of
from ops.report.plan_json import read_plan
from ops.report.sources import StackPlan, read_sources
from tests.support.estates import PROJECT

PLANS = PROJECT / "tests" / "report" / "plans"
FACTS = PROJECT / "tests" / "report" / "facts"
GOLDEN = PROJECT / "tests" / "report" / "golden"
NO_FACTS = Facts(asked_aws=False, lacks=("what runs now: AWS was not asked",))
_SCHEMA = TypeAdapter(Facts)
_NAME = re.compile(r"ami-\w+|arn:\S+|fleet-[\w-]+|\d{4}-\d\d-\d\dT.*|[A-Z]\w*|[a-z_]+")
"""What refers to something else, so that it has to stay as it is."""


def scenarios() -> list[str]:
    """The names of what was recorded."""
    return sorted(folder.name for folder in PLANS.iterdir())


def recorded(scenario: str) -> tuple[tuple[StackPlan, ...], Facts, datetime]:
    """Plans, facts, and when they were made."""
    members = json.loads((FACTS / f"{scenario}.json").read_text())
    facts = _SCHEMA.validate_json(json.dumps(members["facts"]))
    return read_sources([str(PLANS / scenario)]), facts, datetime.fromisoformat(members["now"])


def recorded_report(scenario: str, *, facts: bool = True) -> Report:
    """The report of what was recorded; without facts, as the pull request of a fork gets it."""
    stacks, known, now = recorded(scenario)
    return report_of(stacks, known if facts else NO_FACTS, now=now)


def shown(scenario: str, stack: str) -> dict[str, Any]:
    """The JSON of a plan."""
    found: dict[str, Any] = json.loads((PLANS / scenario / f"{stack}.json").read_text())
    return found


def report_of_json(*plans: dict[str, Any], facts: Facts = NO_FACTS, now: datetime | None = None) -> Report:
    """The report of plans as Terraform writes them."""
    stacks = [StackPlan(stack=f"stack-{number}", plan=read_plan(plan)) for number, plan in enumerate(plans)]
    return report_of(stacks, facts, now=now or datetime(2026, 11, 30, tzinfo=UTC))


def multiplied(scenario: str, times: int) -> tuple[tuple[StackPlan, ...], Facts, datetime]:
    """The same plans many times, each fleet with a name of its own."""
    stacks, facts, now = recorded(scenario)
    texts = {file.stem: file.read_text() for file in (PLANS / scenario).glob("*-*.json")}
    many, rules, fleets = [], {}, {}
    for number in range(times):
        for stack in stacks:
            name, plan = f"{stack.stack}-{number}", stack.plan
            if stack.stack in texts:
                fleet = f"acme_{stack.stack.removeprefix('fleet-')}"
                plan = read_plan(json.loads(texts[stack.stack].replace(fleet, f"{fleet}-{number}")))
            many.append(replace(stack, stack=name, plan=plan))
            if stack.stack in facts.rules:
                rules[name], fleets[name] = facts.rules[stack.stack], facts.fleets[stack.stack]
    return tuple(many), replace(facts, rules=rules, fleets=fleets), now


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of JSON in which every text that nothing refers to is changed."""
    if isinstance(value, dict):
        return {name: change_texts(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [change_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) and not _NAME.fullmatch(value) else copy.copy(value)


def with_texts(facts: Facts, change: Callable[[str], str]) -> Facts:
    """Facts in which AWS's texts are changed."""
    members = change_texts(json.loads(_SCHEMA.dump_json(facts)), change)
    return _SCHEMA.validate_json(json.dumps(members))


class Page(HTMLParser):
    """Markdown as a renderer of GitHub or GitLab sees it, before that makes links of what is left as text."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        """Outside of code."""
        self.folded = ""
        self.above = ""
        """What stands above the fold."""
        renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.html = renderer.render(markdown)
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name not in ("style", "class")], (tag, attrs)
        self.tags.append(tag)
        if tag not in ("hr", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> ends something else"

    def handle_data(self, data: str) -> None:
        if "code" not in self.open:
            self.text += data
        if "details" in self.open:
            self.folded += data
        else:
            self.above += data


def golden(name: str) -> Path:
    """The file of a report that was reviewed."""
    return GOLDEN / f"{name}.md"
