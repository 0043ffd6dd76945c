"""What a report says goes on without another command: the functions of fleets with `updates: automatic`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.report.make import report_of
from ops.report.markdown import write_markdown
from tests.support.ops_world import only, run_ops
from tests.support.recorded_plans import PLANS, Page, recorded, recorded_report, with_texts

Lines = Callable[[str], list[str]]
AT_ONCE = "these fleets take it without another command"
ESTATE = """\
settings: {namespace: acme}
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1], IMAGE}
MORE
fleets:
"""
FLEET = (
    "  NAME: {image: web, region: eu-west-1, instance_type: t3.micro, subnets: [subnet-0a1b2c3d], "
    "capacity: {min: 1, max: 1}, FIELDS}\n"
)
CHILD = """\
  app: {parent: web@stable, build: [update-os], regions: [eu-west-1], schedule: {rate: 7 days}}
"""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lines:
    """What goes on by itself after a change of the recipe of `web`, by this configuration."""
    only({"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}, monkeypatch)
    file = tmp_path / "estate.yaml"

    def run(estate: str) -> list[str]:
        file.write_text(estate)
        plan = str(PLANS / "automatic-next-build" / "image-web.json")
        answer = run_ops(["report", plan, "--no-aws", "--format", "json", "--config", str(file)], capsys)
        assert answer.status == 0, answer.err
        found: list[str] = json.loads(answer.out)["by_itself"]
        return found

    return run


def estate(image: str = "channels: {stable: {from: latest}}", more: str = "", **fleets: str) -> str:
    text = ESTATE.replace("IMAGE", image).replace("MORE\n", more)
    return text + "".join(
        FLEET.replace("NAME", name.replace("_", "-")).replace("FIELDS", fields) for name, fields in fleets.items()
    )


def test_without_a_fleet_that_takes_builds_by_itself_nothing_is_said(lines: Lines) -> None:
    assert lines(estate(web_dev="channel: latest", web_prod="channel: stable, updates: pull-request")) == []


def test_a_build_that_somebody_starts_reaches_fleets_by_themselves_and_with_people(lines: Lines) -> None:
    found = lines(
        estate(
            web_dev="channel: latest, updates: automatic",
            web_canary="channel: stable, updates: automatic",
            web_prod="channel: stable, updates: pull-request",
            worker="channel: latest",
        )
    )
    starts = "goldsmith build web starts its next build, because it has no schedule"
    assert found == [
        f"web: {starts}; when it has passed its tests, {AT_ONCE}: web-dev (latest)",
        "web, with a person: web-canary (goldsmith promote web stable), web-prod (goldsmith promote web stable, "
        "goldsmith pin web-prod) and worker (its next plan and apply)",
    ]


def test_a_build_soaks_from_channel_to_channel_and_waits_for_windows_and_fleets(lines: Lines) -> None:
    channels = "{staging: {from: latest, soak: 1 day}, prod: {from: staging, soak: 3 days}}"
    gate = "image_scanning: {image_scanning_enabled: true}, gate: {max_severity: high}"
    found = lines(
        estate(
            f"channels: {channels}, schedule: {{rate: 7 days, when: always}}, {gate}",
            web_dev="channel: latest, updates: automatic",
            web_prod='channel: prod, updates: automatic, window: "mon-thu 10:00-16:00 Asia/Tokyo", '
            "after: {fleets: [web-dev], soak: 2 days}",
        )
    )
    prod = (
        "web-prod (prod has it after 1 day in latest and 3 days in staging, in its window mon-thu 10:00-16:00 "
        "Asia/Tokyo, after web-dev has run the build for 2 days)"
    )
    starts = "its schedule (every 7 days) starts its next build"
    assert found == [
        f"web: {starts}; when it has passed its tests and the gate, {AT_ONCE}: web-dev (latest) and {prod}"
    ]


def test_an_image_that_is_built_on_it_follows(lines: Lines) -> None:
    child = FLEET.replace("NAME", "app-dev").replace("image: web", "image: app").replace("FIELDS", "updates: automatic")
    found = lines(estate(more=CHILD) + child.replace("region", "channel: latest, region"))
    starts = "it is built on web@stable; its schedule (every 7 days) starts its next build when that has moved"
    assert found == [f"app: {starts}; when it has passed its tests, {AT_ONCE}: app-dev (latest)"]


def test_a_schedule_of_dependency_updates_does_not_build_a_new_recipe(lines: Lines) -> None:
    (found,) = lines(estate("schedule: {rate: 7 days}", web_canary="channel: latest, updates: automatic"))
    assert found.startswith(
        "web: goldsmith build web starts its next build; its schedule does only when its parent or a managed component "
        "is newer; "
    )


def test_what_nobody_could_look_up_is_not_promised() -> None:
    report = recorded_report("automatic-template", facts=False)
    same = "its function replaces the instances as soon as its window allows it, with the build that they run"
    assert report.by_itself == tuple(
        f"{fleet}: the apply replaces no instance; then {same}, unless it is held"
        for fleet in ("web-dev", "web-staging")
    )


def test_the_way_back_of_a_template_is_a_revert_and_the_function() -> None:
    commands = {way.fleets: way.commands for way in recorded_report("automatic-template").ways_back}
    assert commands["web-dev",] == (
        "goldsmith rollout web-dev --abort      # while it runs",
        "git revert -m 1 MERGE_COMMIT      # later: revert the merge of this pull request, plan and apply",
        "goldsmith rollout web-dev --now --why REASON      # or wait for its function, and its window",
    )


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({}, "what web@latest points to, and this apply replaces the instances"),
        ({"is_by_goldsmith": True}, "what web@latest points to, and after this apply, goldsmith rollout replaces the "),
        ({"is_pinned": True}, "what its pin says, and this apply replaces the instances"),
    ],
)
def test_without_its_function_plans_and_pins_give_it_builds(rules: dict[str, Any], wanted: str) -> None:
    stacks, facts, now = recorded("automatic-to-plan")
    changed = {key: replace(each, **rules) for key, each in facts.rules.items()}
    (line,) = report_of(stacks, replace(facts, rules=changed), now=now).by_itself
    assert line.startswith(
        f"web-dev: its function is destroyed, and the record stays; from now on plans give it {wanted}"
    )


def test_text_has_the_same_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run_ops(["report", str(PLANS / "automatic-template"), "--no-aws", "--format", "text"], capsys)
    title = "What goes on by itself\n"
    assert answer.out.partition(title)[2].startswith("  web-dev: the apply replaces no instance; then its function")


@pytest.mark.parametrize("scenario", ["automatic-after-rollback", "automatic-rules", "automatic-next-build"])
@pytest.mark.parametrize("evil", ["</details>", "[a](http://evil.example)", "@octocat", "\n\n# title\n", "| a | b |"])
def test_no_text_breaks_out(scenario: str, evil: str) -> None:
    stacks, facts, now = recorded(scenario)

    def page(text: str) -> Page:
        return Page(write_markdown(report_of(stacks, with_texts(facts, lambda old: f"{old} {text}"), now=now)))

    assert "harmless" in page("harmless").above
    assert page(evil).tags == page("harmless").tags
