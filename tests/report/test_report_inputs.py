"""Files that other programs, shells and versions wrote, and plans that do more than change resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.errors import UsageError
from ops.report.document import Report
from ops.report.facts import Facts
from ops.report.make import report_of
from ops.report.markdown import write_markdown
from ops.report.plan import Kind
from ops.report.sources import read_sources
from tests.support.recorded_plans import report_of_json, shown

REMEDY = "give what terraform show -json PLANFILE writes"
PLAN: Mapping[str, Any] = {"format_version": "1.2", "resource_changes": []}


def plan(**members: Any) -> dict[str, Any]:
    return {**PLAN, **members}


def change(address: str, *actions: str, **members: Any) -> dict[str, Any]:
    of_change = {"actions": actions, "before": {"x": 1}, "after": {"x": 2}, **members.pop("change", {})}
    return {"address": address, "type": address.partition(".")[0], "change": of_change, **members}


def fleet(template: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    tags = {"tags_all": {"goldsmith:image": "acme/web"}}
    return plan(
        resource_changes=[
            change("aws_launch_template.a", "update", change={"before": tags, "after": {**tags, **template}}),
            change("aws_autoscaling_group.a", "update", change={"before": group, "after": group}),
        ]
    )


BAD = {
    "[]": f"must be a JSON object, got []; {REMEDY}",
    "null": f"must be a JSON object, got null; {REMEDY}",
    "{}": f"must be a plan with format_version, got nothing; {REMEDY}",
    '{"version": 4, "resources": []}': f"must be a plan with format_version, got version, resources; {REMEDY}",
    '{"format_version": 1.2}': f'must have a format_version such as "1.2", got 1.2; {REMEDY}',
    '{"format_version": ""}': f'must have a format_version such as "1.2", got ""; {REMEDY}',
    '{"format_version": "2.0"}': "must have format_version 0 or 1, got 2.0; use a newer Goldsmith",
    '{"format_version": "1.0", "values": {}}': f"must be a plan, got a state; {REMEDY}",
    '{"format_version": "1.0", "provider_schemas": {}}': "must be a plan, got format_version, provider_schemas; "
    + REMEDY,
    json.dumps(
        plan(resource_changes=[{"address": "a.b", "type": "a"}])
    ): f"must be a plan of Terraform, got one without change; {REMEDY}",
    json.dumps(
        plan(resource_changes=[{**change("a.b", "create"), "address": 7}])
    ): f"must be a plan of Terraform, got a member of another type (address is 7); {REMEDY}",
    json.dumps(plan(checks=["x"])): "must be a plan of Terraform, got a member of another type ('str' object has no "
    f"attribute 'get'); {REMEDY}",
    json.dumps(plan(resource_changes=[change("a.b", "update", change={"before": {"x": 0}})])).replace(
        ": 0", ": " + "[" * 900 + "]" * 900
    ): f"must be a plan of Terraform, got values that are nested too deep; {REMEDY}",
    json.dumps(
        fleet({"block_device_mappings": [3]}, {"name": "acme_web"})
    ): f"must be a plan of Terraform, got a member of another type ('int' object has no attribute 'get'); {REMEDY}",
    json.dumps(fleet({"tag_specifications": [3]}, {})): "must be a plan of Terraform, got a member of another type "
    f"('int' object has no attribute 'get'); {REMEDY}",
}
OF_FILES = "give files of terraform show -json, or the folder of goldsmith plan --out"
BYTES = {
    b"": f"must be JSON, got nothing; {OF_FILES}",
    b" \n": f"must be JSON, got nothing; {OF_FILES}",
    b"PK\x03\x04\xff": "must be JSON, got a plan in Terraform's own format; write it as JSON: "
    "terraform show -json FILE",
    '{"format_version": "é"}'.encode("latin-1"): f"must be JSON in UTF-8, got other bytes; {OF_FILES}",
    b"Terraform will perform": f"must be JSON, got Expecting value: line 1 column 1 (char 0); {OF_FILES}",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_says_what_is_wrong_with_a_plan_and_what_to_give(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_sources([str(file)])
    assert str(caught.value) == f"{file}: {BAD[text]}"


@pytest.mark.parametrize("content", BYTES, ids=range(len(BYTES)))
def test_says_what_is_wrong_with_a_file_and_what_to_give(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "web.tfplan"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_sources([str(file)])
    assert str(caught.value) == f"{file}: {BYTES[content].replace('FILE', str(file))}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_reads_the_encodings_of_shells_on_windows(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_bytes(json.dumps(shown("destroy", "fleet-worker")).encode(encoding))
    (found,) = read_sources([str(tmp_path / "web.json")])
    assert found.plan and found.plan.changes


def test_two_files_of_one_stack_in_a_folder_are_both_read(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "plan.json").write_text(json.dumps(plan(resource_changes=[change("a.one", "delete")])))
    (tmp_path / "web.json").write_text(json.dumps(plan(resource_changes=[change("a.two", "delete")])))
    report = report_of_files(tmp_path)
    found = {stack.stack: [each.address for each in stack.changes] for stack in report.stacks}
    assert found == {"web (1)": ["a.one"], "web (2)": ["a.two"]}


def test_a_file_that_is_named_with_its_folder_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(json.dumps(plan(resource_changes=[change("a.one", "delete")])))
    assert len(report_of_files(tmp_path, tmp_path / "web.json", tmp_path / "." / "web.json").stacks) == 1


def test_the_folder_of_a_plan_of_no_stack_says_that_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text('{"stacks": []}')
    assert report_of_files(tmp_path).title == "nothing changes"


def report_of_files(*files: Path) -> Report:
    return report_of(read_sources([*map(str, files)]), Facts(), now=datetime(2026, 11, 30, tzinfo=UTC))


# --- Plans that do more than change resources


def test_what_terraform_defers_is_counted_and_listed() -> None:
    deferred = [{"reason": "absent_prereq", "resource_change": change("a.later", "create")}]
    report = report_of_json(plan(complete=False, deferred_changes=deferred))
    assert report.title == "1 resource deferred to a later plan"
    assert report.counts == {Kind.DEFERRED: 1}
    assert "- `a.later` deferred to a later plan" in write_markdown(report)


def test_a_plan_of_some_resources_does_not_say_that_nothing_else_changes() -> None:
    """`complete` is false with -target."""
    move = shown("image-move", "fleet-web-prod")
    assert report_of_json(move).title.endswith("; nothing else changes")
    report = report_of_json({**move, "complete": False})
    assert "nothing else changes" not in report.title
    assert "stack-0: what its plan leaves out (-target, or what Terraform defers)" in report.unchecked


def test_actions_that_the_apply_runs_are_said() -> None:
    report = report_of_json(plan(action_invocations=[{"address": "action.aws_lambda_invoke.x", "type": "y"}]))
    assert report.title == "runs 1 action; nothing else changes"
    assert [need.text for need in report.needs] == ["stack-0: the apply runs action.aws_lambda_invoke.x"]
    assert "- warning: the apply runs action.aws\\_lambda\\_invoke.x" in write_markdown(report)


def test_outputs_that_change_alone_are_said() -> None:
    outputs = {"a": {"actions": ["create"]}, "b": {"actions": ["delete"]}, "c": {"actions": ["no-op"]}}
    assert report_of_json(plan(output_changes=outputs)).title == "2 outputs change, and no resource does"
    assert report_of_json(plan(output_changes={"a": outputs["a"]})).title == "1 output changes, and no resource does"


def test_moves_imports_and_removals_are_called_what_they_are() -> None:
    same, imported = {"after": {"x": 1}}, {"importing": {"id": "i-1"}}
    report = report_of_json(
        plan(
            resource_changes=[
                change("a.moved", "no-op", previous_address="a.before", change=same),
                change("a.changed", "update", previous_address="a.old"),
                change("a.removed", "forget", change={"after": None}),
                change("a.imported", "no-op", change={**same, **imported}),
                change("a.both", "update", change=imported),
            ]
        )
    )
    assert report.title == "forgets 1 resource; 2 resources updated, 1 imported, 1 moved in the state"
    lines = write_markdown(report).splitlines()
    for line in (
        "- `a.removed` forgotten by Terraform",
        "- `a.both` updated: after it is imported (x `1` → `2`)",
        "- `a.changed` updated, moved from `a.old` (x `1` → `2`)",
        "- `a.imported` imported",
        "- `a.moved` moved in the state, moved from `a.before`",
    ):
        assert line in lines


def test_numbers_that_are_none_leave_the_time_unknown() -> None:
    group = {"name": "acme_web", "desired_capacity": 3, "default_instance_warmup": "soon"}
    refresh = [{"preferences": [{"min_healthy_percentage": "most", "checkpoint_percentages": ["a"]}]}]
    (row,) = report_of_json(fleet({"image_id": "ami-2"}, {**group, "instance_refresh": refresh})).fleets
    assert (row.fleet, row.instances, row.minutes) == ("web", 3, "unknown")
