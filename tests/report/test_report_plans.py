"""Reading plans: every change is accounted for, and nothing secret is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.errors import UsageError
from ops.report.document import Report
from ops.report.facts import Facts, Rules
from ops.report.fleet import fleets_of
from ops.report.markdown import write_markdown
from ops.report.members import members_of
from ops.report.plan import QUIET, Kind
from ops.report.plan_json import read_plan
from ops.report.sources import read_sources
from tests.support.recorded_plans import NO_FACTS, report_of_json, shown

SECRET = "hunter2-very-secret"
ACTIONS = [
    *(["no-op"], ["create"], ["read"], ["update"], ["delete", "create"], ["create", "delete"], ["delete"]),
    *(["forget"], ["create", "forget"], ["open"], ["forget", "create"], []),
]
TYPES = ["aws_instance", "aws_imagebuilder_component", "aws_s3_bucket", "aws_launch_template", "aws_autoscaling_group"]


def planned(*changes: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "resource_changes": list(changes), **members}


def resource(address: str, actions: list[str], **change: Any) -> dict[str, Any]:
    kind = address.rsplit(".", 2)[-2] if address.count(".") else address
    more = {name: change.pop(name) for name in ("deposed", "previous_address", "action_reason") if name in change}
    return {
        "address": address,
        "type": kind,
        "mode": "managed",
        "name": "x",
        "change": {"actions": actions, **change},
    } | more


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SIDES = st.none() | st.dictionaries(st.sampled_from(["name", "version", "image_id", "tags", "x"]), VALUES, max_size=4)
CHANGES = st.lists(
    st.tuples(st.sampled_from(TYPES), st.sampled_from(ACTIONS), SIDES, SIDES, st.booleans(), st.booleans()), max_size=12
)


@given(CHANGES)
@settings(max_examples=150, deadline=None)
def test_every_change_is_counted_and_every_one_that_changes_something_is_named(changes: list[Any]) -> None:
    plan = planned(
        *(
            resource(
                f"{kind}.r{number}",
                actions,
                before=before,
                after=after,
                after_unknown={"name": True} if unknown else False,
                **({"deposed": "abcd1234"} if deposed else {}),
            )
            for number, (kind, actions, before, after, unknown, deposed) in enumerate(changes)
        )
    )
    report = report_of_json(plan)
    assert sum(report.counts.values()) == len(changes)
    quiet = {
        f"{kind}.r{number}" for number, (kind, actions, *_) in enumerate(changes) if actions in (["no-op"], ["read"])
    }
    named = [change.address for change in report.stacks[0].changes]
    assert Counter(named) == Counter({f"{kind}.r{number}" for number, (kind, *_) in enumerate(changes)} - quiet)
    markdown = write_markdown(report)
    assert [address for address in named if f"`{address}`" not in markdown] == []
    assert members_of(report)["counts"].keys() == {str(kind) for kind in report.counts}


PLACES = [
    "password",
    "plain",
    "user_data",
    "list",
    "deep",
    "becomes secret",
    "was secret",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_nowhere(place: str) -> None:
    """Whether the provider says so, or its name does; before and after."""
    before, after, old_mask, new_mask = {
        "password": ({"password": SECRET}, {"password": f"{SECRET}2"}, {}, {}),
        "plain": ({"x": SECRET}, {"x": f"{SECRET}2"}, {"x": True}, {"x": True}),
        "user_data": ({"user_data": SECRET}, {"user_data": "none"}, {}, {}),
        "list": ({"x": [SECRET]}, {"x": []}, {"x": [True]}, {"x": []}),
        "deep": ({"x": {"y": SECRET}}, {"x": {"y": 1}}, {"x": {"y": True}}, {}),
        "becomes secret": ({"x": SECRET}, {"x": "new"}, {}, {"x": True}),
        "was secret": ({"x": "old"}, {"x": SECRET}, {"x": True}, {}),
    }[place]
    change = {"before": before, "after": after, "before_sensitive": old_mask, "after_sensitive": new_mask}
    outputs = {"o": {"actions": ["update"], "before": SECRET, "after": "x", "before_sensitive": True}}
    plan = planned(
        resource("aws_instance.a", ["update"], **change),
        resource("aws_instance.b", ["delete", "create"], **change, replace_paths=[["x"]]),
        output_changes=outputs,
        resource_drift=[resource("aws_instance.a", ["update"], **change)],
    )
    report = report_of_json(plan)
    assert SECRET not in write_markdown(report)
    assert SECRET not in json.dumps(members_of(report))
    # but it is said what changes
    assert {change.kind for change in report.stacks[0].changes} == {Kind.UPDATE, Kind.REPLACE}
    assert all(change.differences for change in report.stacks[0].changes)


def test_secrets_of_a_plan_that_terraform_made_are_nowhere() -> None:
    plan = shown("somebody-elses", "somebody")
    assert "very-secret" in json.dumps(plan), "it has secrets to find"
    report = report_of_json(plan)
    assert "very-secret" not in write_markdown(report) + json.dumps(members_of(report))


def kinds(report: Report) -> dict[str, Kind]:
    return {change.address: change.kind for change in report.stacks[0].changes}


def test_a_new_version_of_a_component_destroys_nothing() -> None:
    component = "aws_imagebuilder_component.component_app"
    versions = {"before": {"name": "a", "version": "1.0.1"}, "after": {"name": "a", "version": "1.0.2"}}
    report = report_of_json(planned(resource(component, ["create", "delete"], **versions)))
    assert kinds(report) == {component: Kind.SUPERSEDE}
    assert report.title == "new versions of 1 component, for the next build: no instance is replaced"
    assert report.fails(("destroy", "replace")) == ()
    assert "`1.0.2`; the old one is deleted afterwards" in write_markdown(report)


def test_the_same_version_again_is_a_replacement_and_a_deleted_component_a_destroy() -> None:
    component, recipe = "aws_imagebuilder_component.component_app", "aws_imagebuilder_image_recipe.recipe"
    same = {"before": {"version": "1.0.1"}, "after": {"version": "1.0.1"}}
    report = report_of_json(planned(resource(component, ["create", "delete"], **same), resource(recipe, ["delete"])))
    assert kinds(report) == {component: Kind.REPLACE, recipe: Kind.DESTROY}
    assert [need.kind for need in report.fails(("destroy", "replace"))] == ["destroy", "replace"]


def test_an_old_version_that_an_apply_has_left_is_said_to_be_one() -> None:
    component = "aws_imagebuilder_component.component_app"
    report = report_of_json(planned(resource(component, ["delete"], deposed="abcd1234")))
    assert kinds(report) == {component: Kind.LEFTOVER}
    assert f"- `{component}` old version removed (deposed object `abcd1234`)" in write_markdown(report)


def test_imports_moves_and_forgotten_resources_are_named() -> None:
    report = report_of_json(
        planned(
            resource("aws_s3_bucket.a", ["no-op"], importing={"id": "a"}),
            resource("aws_s3_bucket.b", ["no-op"], previous_address="aws_s3_bucket.old"),
            resource("aws_s3_bucket.c", ["forget"], action_reason="delete_because_no_resource_config"),
            resource("aws_s3_bucket.d", ["invent"]),
        )
    )
    assert set(kinds(report).values()) == {Kind.IMPORT, Kind.MOVE, Kind.FORGET, Kind.OTHER}
    markdown = write_markdown(report)
    assert "- `aws_s3_bucket.b` moved in the state, moved from `aws_s3_bucket.old`" in markdown
    assert "forgotten by Terraform: not in the configuration any longer" in markdown
    assert "- `aws_s3_bucket.d` with an action that this Goldsmith does not know: `invent`" in markdown


def test_a_fleet_is_found_in_a_module_and_without_goldsmiths_tags_is_none() -> None:
    plan = shown("image-move", "fleet-worker")
    text = json.dumps(plan)
    text = text.replace('"address": "aws_', '"address": "module.a.module.b[0].aws_')
    (fleet,) = fleets_of(read_plan(json.loads(text)), stack="all")
    assert (fleet.name, fleet.address, fleet.moves) == ("worker", "module.a.module.b[0].", True)
    plain = json.loads(json.dumps(plan).replace("goldsmith:image", "image"))
    assert fleets_of(read_plan(plain), stack="all") == ()
    assert report_of_json(plain).title == "2 resources updated"


def test_two_fleets_of_one_plan_are_two() -> None:
    plan = shown("image-move", "fleet-web-prod")
    other = json.loads(
        json.dumps(shown("image-move", "fleet-worker")).replace('"address": "aws_', '"address": "module.x.aws_')
    )
    plan["resource_changes"] += other["resource_changes"]
    facts = Facts(
        rules={
            "stack-0": Rules(is_by_goldsmith=True, wave=2),
            "stack-0 module.x.": Rules(is_by_goldsmith=False, wave=1),
        }
    )
    report = report_of_json(plan, facts=facts)
    assert [(row.fleet, row.order) for row in report.fleets] == [
        ("worker", "wave 1, by the apply"),
        ("web-prod", "wave 2, goldsmith rollout"),
    ]
    assert "in 2 fleets, 15 instances" in report.title


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "tfplan").write_bytes(b"PK\x03\x04\xff\xfe")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        read_sources([str(tmp_path / name) for name in ("tfplan", "empty", "none.json")])
    plan, empty, none = str(caught.value).splitlines()
    assert "got a plan in Terraform's own format; write it as JSON: terraform show -json" in plan
    assert empty.endswith(
        "must have plans, got none; give files of terraform show -json, or the folder of goldsmith plan --out"
    )
    assert "cannot be read: No such file or directory" in none


def test_a_folder_of_plans_has_the_stacks_that_failed(tmp_path: Path) -> None:
    for stack in ("fleet-a", "fleet-b"):
        (tmp_path / stack).mkdir()
        (tmp_path / stack / "plan.json").write_text(json.dumps(planned()))
    entries = [
        {"stack": "fleet-a", "status": "changes", "account": "111111111111", "region": "eu-west-1"},
        {"stack": "fleet-b", "status": "failed", "error": "Error: it broke\n\nBecause of that."},
        {"stack": "fleet-c", "status": "empty"},
        {"stack": "fleet-d", "status": "changes"},
    ]
    (tmp_path / "plans.json").write_text(json.dumps({"stacks": entries}))
    a, b, c, d = read_sources([str(tmp_path)])
    assert (a.stack, a.account, a.region, a.has_failed) == ("fleet-a", "111111111111", "eu-west-1", False)
    assert (b.errors, b.has_failed, b.plan is not None) == (("it broke: Because of that.",), True, True)
    assert not c.has_failed
    assert (d.has_failed, d.error) == (True, "its plan is missing in the folder")


def test_files_are_named_by_what_says_which_stack_they_are(tmp_path: Path) -> None:
    names = ["one/plan.json", "two/tfplan.json", "three.json", "four.tfplan.json", "five/three.json"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(planned()))
    found = read_sources([str(tmp_path / name) for name in (*names, "./three.json")])
    assert [stack.stack for stack in found] == ["one", "two", "three (1)", "four", "three (2)"]


def test_no_facts_and_no_changes_say_that_nothing_changes() -> None:
    report = report_of_json(planned(resource("aws_s3_bucket.a", ["no-op"])), facts=NO_FACTS)
    assert report.title == "nothing changes"
    assert not any(change.kind in QUIET for change in report.stacks[0].changes)
