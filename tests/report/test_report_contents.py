"""What is different inside two builds, and how builds are named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.report.contents import by_severity, contents
from ops.report.facts import BuildFacts, Component, Facts, Pinned, Rules
from ops.report.labels import Labels
from ops.report.markdown import write_markdown
from tests.support.recorded_plans import report_of_json, shown

ARN = "arn:aws:imagebuilder:ap-northeast-1:000000000000:image/acme-web"
NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)


def build(version: str = "1.0.624735453/1", **facts: object) -> BuildFacts:
    return BuildFacts(arn=f"{ARN}/{version}", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "is_major", "is_back"),
    [
        ("1.1.1k-7.amzn2023", "3.0.7-1.amzn2023", True, False),
        ("1:2.9.1", "2:2.9.2", False, False),
        ("8.3.0", "8.10.0", False, False),
        ("8.10.0", "8.9.0", False, True),
        ("3.0", "2.9", True, True),
        ("1.0-1", "1.0-2", False, False),
        ("abc", "abd", False, False),
    ],
)
def test_knows_major_steps_and_steps_back(before: str, after: str, is_major: bool, is_back: bool) -> None:
    found = contents(build(packages={"p": before}), build(packages={"p": after}))
    (step,) = found.stepped or ()
    assert (step.is_major, step.is_back) == (is_major, is_back)


def test_names_major_steps_first() -> None:
    old, new = {"a": "1.0", "z": "1.0", "gone": "1"}, {"a": "1.1", "z": "2.0", "new": "1"}
    found = contents(build(packages=old), build(packages=new))
    assert [step.name for step in found.stepped or ()] == ["z", "a"]
    assert (found.added, found.removed) == ({"new": "1"}, {"gone": "1"})


def test_what_is_not_known_of_one_build_is_not_known() -> None:
    found = contents(build(packages={"a": "1"}, findings={}), build())
    assert (found.stepped, found.opened, found.scripts, found.base) == (None, None, None, None)
    assert not found.is_known


def test_vulnerabilities_are_counted_from_the_worst() -> None:
    old, new = {"CVE-1": "LOW", "CVE-2": "HIGH"}, {"CVE-2": "HIGH", "CVE-3": "CRITICAL", "CVE-4": "LOW", "CVE-5": ""}
    found = contents(build(findings=old), build(findings=new))
    assert by_severity(found.opened or {}) == "1 critical, 1 low, 1 unknown"
    assert by_severity(found.closed or {}) == "1 low"
    assert by_severity({}) == "none"


def test_compares_components_by_name_order_and_values() -> None:
    def component(name: str, script: str | None, version: str = "1", **parameters: str) -> Component:
        return Component(name=name, version=version, script=script, parameters=parameters)

    old = (component("app", "a\nb"), component("twice", "x", port="1"), component("twice", "x"), component("old", "x"))
    new = (component("app", "a\nc"), component("twice", "x", port="2"), component("twice", "x"), component("new", "y"))
    found = contents(build(components=old), build(components=new)).scripts or ()
    assert [(change.name, change.what) for change in found] == [
        ("app", "changed"),
        ("twice", "port: 1 → 2"),
        ("new", "added"),
        ("old", "removed"),
    ]
    assert found[0].diff == "@@ -1,2 +1,2 @@\n a\n-b\n+c"
    # Image Builder does not have the old document any longer
    gone = contents(build(components=(component("app", None),)), build(components=(component("app", "a", "2"),)))
    assert [(change.what, change.diff) for change in gone.scripts or ()] == [("changed", "")]


def test_labels_are_as_long_as_is_needed_to_tell_builds_apart() -> None:
    amis = {"ami-00000001": f"{ARN}/1.0.624735453/1", "ami-00000002": f"{ARN}/1.0.624799999/3"}
    labels = Labels(builds=amis, created={"ami-00000001": NOW}, ids=(), now=NOW)
    assert labels.of_ami("ami-00000001").short == "30 Nov 02:00 (62473/1)"
    assert labels.of_ami("ami-00000002").short == "62479/3"
    assert labels.of_ami("ami-00000003").short == "another AMI"
    assert labels.plain("1.0.624799999/3 is ami-00000001, not ami-0123456789abcdef0") == (
        "62479/3 is 30 Nov 02:00 (62473/1), not an AMI"
    )


def test_the_gate_and_packages_stand_where_a_person_looks_first() -> None:
    plan = shown("image-move", "fleet-web-prod")
    (ami,) = (each["values"] for each in plan["prior_state"]["values"]["root_module"]["resources"])
    arn, packages = ami["tags"]["Ec2ImageBuilderArn"], {"openssl": "3.0.7"}
    new = BuildFacts(arn=arn, has_gate=True, gate="2 critical", revoked="a key leaked", packages=packages)
    old = build(packages={"openssl": "1.1.1"})
    (template,) = (each for each in plan["resource_changes"] if each["type"] == "aws_launch_template")
    before = template["change"]["before"]["image_id"]
    pin = Pinned(ami=before, build=old.arn, created=datetime(2026, 11, 1, tzinfo=UTC))
    rules = Rules(is_by_goldsmith=True, pin=pin)
    facts = Facts(builds={new.arn: new, old.arn: old}, rules={"stack-0": rules})
    report = report_of_json(plan, facts=facts)
    assert [(need.kind, need.text.partition(") ")[2]) for need in report.needs] == [
        ("revoked", "is revoked: a key leaked"),
        ("gate", "does not pass the gate: 2 critical"),
        ("package", "has a major step of packages: openssl 1.1.1 → 3.0.7"),
    ]
    assert [need.kind for need in report.fails(("gate", "age"))] == ["gate"]
    assert report.fleets[0].runs.short == "01 Nov 00:00 (6247/1)"


def test_a_pinned_fleet_goes_back_by_a_revert() -> None:
    plan = shown("image-move", "fleet-web-prod")
    facts = Facts(rules={"stack-0": Rules(is_by_goldsmith=True, is_pinned=True)})
    (way,) = report_of_json(plan, facts=facts).ways_back
    assert way.commands == (
        "goldsmith rollout web-prod --abort      # while it runs",
        "git revert -m 1 MERGE_COMMIT      # later: revert the merge of this pull request, and apply",
        "goldsmith rollout web-prod",
    )
    assert "goldsmith rollback" not in write_markdown(report_of_json(plan, facts=facts))


@pytest.mark.parametrize(
    ("tests", "line"),
    [
        ([True, False], "passed the tests one"),
        ([False, False], "no test of its recipe has run on it"),
        ([False, None], ""),
    ],
)
def test_says_nothing_about_tests_that_it_does_not_know(tests: list[bool | None], line: str) -> None:
    plan = shown("image-move", "fleet-web-prod")
    (ami,) = (each["values"] for each in plan["prior_state"]["values"]["root_module"]["resources"])
    components = tuple(
        Component(name=name, version="1", is_test=is_test) for name, is_test in zip(("one", "two"), tests, strict=True)
    )
    new = BuildFacts(arn=ami["tags"]["Ec2ImageBuilderArn"], status="AVAILABLE", components=components)
    (proof,) = report_of_json(plan, facts=Facts(builds={new.arn: new})).proofs
    assert [each for each in proof.lines if "test" in each] == ([line] if line else [])
