"""`goldsmith report` as a person or a job runs it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.report.markdown import MARKER
from tests.support.ops_world import Answer, only, run_ops
from tests.support.recorded_plans import PLANS, shown

Report = Callable[..., Answer]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Report:
    """In a folder without a configuration, and without a way to AWS."""
    only({"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}, monkeypatch)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_ops(["report", *arguments, "--no-aws"], capsys)


def test_writes_markdown_that_a_bot_can_find_again(report: Report) -> None:
    answer = report(str(PLANS / "image-move"))
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == MARKER
    assert "nothing else changes" in answer.out.splitlines()[1]
    assert "AWS was not asked (--no-aws)" in answer.out


def test_writes_text_with_the_same_in_the_same_order(report: Report) -> None:
    answer = report(str(PLANS / "drift-and-volume"), "--format", "text")
    assert answer.status == 0
    title, *lines = answer.out.splitlines()
    assert title.startswith("LOSES volumes of worker; web ")
    parts = [
        *("Needs a person", "FLEET", "Proved", "If it goes wrong", "Checked", "Not checked"),
        "fleet-worker: 2 updated",
    ]
    found = [next(index for index, line in enumerate(lines) if line.startswith(part)) for part in parts]
    assert found == sorted(found)
    assert "  aws_autoscaling_group.fleet updated (max_size 9 → 6)" in lines
    assert "\x1b" not in answer.out


def test_text_cannot_write_to_the_terminal(report: Report, tmp_path: Path) -> None:
    plan = shown("image-move", "fleet-worker")
    plan["resource_changes"][0]["change"]["actions"] = ["create"]
    plan["resource_changes"][0]["address"] = "aws_x.\x1b[2J\u202ey"
    (tmp_path / "evil.json").write_text(json.dumps(plan))
    answer = report("evil.json", "--format", "text")
    assert "aws_x.[2Jy created" in answer.out
    assert "\x1b" not in answer.out


def test_text_keeps_the_spaces_of_differences_and_errors(report: Report, tmp_path: Path) -> None:
    error = "Error: no access\n\n  on cdk.tf.json line 3:\n\n\t  bucket:   logs\n"
    stacks = [{"stack": "image-web", "status": "failed", "error": error, "account": None, "region": "eu-west-1"}]
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "plans.json").write_text(json.dumps({"stacks": stacks}))
    lines = report("plans", "--format", "text").out.splitlines()
    shown = ["  Error: no access", "", "    on cdk.tf.json line 3:", "", "        bucket:   logs"]
    assert lines[lines.index("image-web: failed") + 1 :] == shown


def test_writes_json_for_programs(report: Report) -> None:
    answer = report(str(PLANS / "somebody-elses"), "--format", "json")
    members = json.loads(answer.out)
    assert members["format"] == 1
    assert members["counts"] == {"destroy": 1, "replace": 1, "update": 2, "no change": 1}
    assert [need["kind"] for need in members["needs"]] == ["destroy", "replace", "volume"]
    (stack,) = members["stacks"]
    assert [change["kind"] for change in stack["changes"]] == ["destroy", "replace", "update", "update"]


def test_reads_a_plan_from_standard_input(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.BytesIO(json.dumps(shown("destroy", "fleet-worker")).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(text))
    answer = report("-")
    assert answer.out.splitlines()[1].startswith(
        "## ⚠️ DESTROYS fleet worker with 3 instances; destroys 7 more resources"
    )


@pytest.mark.parametrize(
    ("scenario", "kinds", "failed"),
    [
        ("destroy", "destroy", ["destroy", "destroy"]),
        ("destroy", "replace,age", []),
        ("replacement", "destroy,replace", ["replace"]),
        ("revoked", "revoked", ["revoked", "revoked"]),
        ("old", "age", ["age"]),
        ("component-change", "destroy,replace,revoked,gate,age,unproved", []),
        ("image-move", "destroy,replace,revoked,gate,age,unproved", []),
    ],
)
def test_fails_on_what_a_job_wants_to_stop_for(report: Report, scenario: str, kinds: str, failed: list[str]) -> None:
    answer = report(str(PLANS / scenario), "--fail-on", kinds)
    assert answer.status == (1 if failed else 0)
    assert [line.partition(":")[0] for line in answer.err.splitlines()] == [f"--fail-on {kind}" for kind in failed]
    assert answer.out.startswith(MARKER), "the report is written all the same"


@pytest.mark.parametrize("kinds", ["everything", "", "age,,x"])
def test_refuses_kinds_that_it_does_not_know(report: Report, kinds: str) -> None:
    answer = report(str(PLANS / "destroy"), "--fail-on", kinds)
    assert answer.status == 2
    rule = "argument --fail-on: must be some of destroy, replace, revoked, gate, age, unproved with commas between them"
    assert rule in answer.err


def test_says_everything_that_is_wrong_with_its_files(report: Report, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"format_version": "1.0", "values": {}}')
    answer = report("state.json", "nothing.json")
    assert (answer.status, answer.out) == (2, "")
    state, nothing = answer.err.splitlines()
    assert state == "state.json: must be a plan, got a state; give what terraform show -json PLANFILE writes"
    assert nothing.startswith("nothing.json: cannot be read: No such file or directory; ")


def test_a_configuration_with_errors_is_said(report: Report, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("images: 3\n")
    answer = report(str(PLANS / "destroy"), "--config", "broken.yaml")
    assert answer.status == 2
    assert "broken.yaml:1 images:" in answer.err


def test_the_help_lists_what_its_json_has(report: Report) -> None:
    members = json.loads(report(str(PLANS / "image-move"), "--format", "json").out)
    text = report("--help").out
    assert [name for name in members if name not in text] == []
    assert [name for name in (*members["fleets"][0], *members["stacks"][0]) if name not in text] == []
