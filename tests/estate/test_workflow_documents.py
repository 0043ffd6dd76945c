"""Problems of a workflow document: what AWS takes is accepted, the rest has file, line, step, rule and remedy."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate.problems import EstateError
from estate.workflow_documents.actions import STEP_ACTIONS, Stage
from estate.workflow_documents.document import parse_workflow
from tests.support.any_configuration import WRITTEN, paths_of, plain, replaced
from tests.support.estates import PROJECT

STAGES: dict[str, Stage] = {each: each for each in get_args(Stage)}


@dataclass(frozen=True)
class Broken:
    """A document, and the problems that are reported."""

    name: str
    stage: Stage
    text: str
    lines: str


def parsed(entry: str) -> Broken:
    title, _, rest = entry.partition("\n")
    name, stage = re.fullmatch(r"(.*) \[(\w+)\]", title).groups()  # type: ignore[union-attr]
    text, _, lines = rest.partition(">>>\n")
    if text.startswith("- "):
        text = f"schemaVersion: 1.0\nsteps:\n{text}"
    return Broken(name, STAGES[stage], text, lines.strip())


TABLE = (PROJECT / "tests" / "support" / "broken_workflows.txt").read_text(encoding="utf-8")
BROKEN = [parsed(entry) for entry in re.split(r"^=== ", TABLE, flags=re.MULTILINE)[1:]]

# as Image Builder's own workflow has it, with what else its guide shows
SOUND: dict[Stage, str] = {
    "build": """\
---
name: build-image
description: Workflow to build an AMI
schemaVersion: 1.0
parameters:
  - name: downgrade
    type: boolean
    default: false
  - {name: tries, type: integer, default: 2, description: ""}
  - {name: names, type: stringList, default: [one, two]}
  - name: plain
steps:
  - name: LaunchBuildInstance
    action: LaunchInstance
    description: The first
    onFailure: Abort
    rollbackEnabled.: true
    inputs:
      waitFor: "ssmAgent"
      instanceTypesOverride: [t3.small]
  - name: UpdateSSMAgent
    action: RunCommand
    onFailure: Abort
    rollbackEnabled: $.parameters.downgrade
    if:
      - not:
          - numberEquals: '-1.5'
            value: $.parameters.tries
    inputs:
      documentName: "AWS-UpdateSSMAgent"
      instanceId.$: "$.stepOutputs.LaunchBuildInstance.instanceId"
      parameters:
        allowDowngrade:
          - "{{ $.parameters.downgrade }}"
        names.$: $.parameters.names
        other: ["{{ imagebuilder:buildDate }} {{ $.parameters.plain }} $.costs"]
  - name: CreateOutputAMI
    action: CreateImage
    if:
      and:
        - stringEquals: "AMI"
          value: "$.imagebuilder.imageType"
        - or: [{booleanEquals: true, value: $.imagebuilder.new}, {stringEquals: Linux, value: $.imageBuilder.Platform}]
    inputs:
      instanceId.$: "$.stepOutputs.LaunchBuildInstance.instanceId"
  - {name: Wait_2, action: WaitForSSMAgent, inputs: {instanceId: i-0a1b2c3d}, timeoutSeconds: 900}
outputs:
  - name: "ImageId"
    value: "$.stepOutputs.CreateOutputAMI.imageId"
  - {name: Said, value: "$.stepOutputs.UpdateSSMAgent.output[0]"}
""".replace("    rollbackEnabled.: true\n", ""),
    "test": """\
schemaVersion: 1.0
steps:
  - name: ValidateOutputAmi
    action: ExecuteStateMachine
    onFailure: Abort
    inputs:
      stateMachineArn: arn:aws:states:us-west-2:111122223333:stateMachine:checks
      input: '{"imageId": "{{ $.workflowOutputs.ImageId }}"}'
  - {name: Anyway, action: WaitForAction, onFailure: Continue}
""",
    "distribution": """\
schemaVersion: 1.0
steps:
  - name: Distribute
    action: DistributeImage
    inputs:
      distributions:
        - region: eu-west-1
          amiTags: {Release: "approved {{imagebuilder:buildVersion}}"}
  - name: Share
    action: ModifyImageAttributes
    inputs:
      distributedImages.$: $.stepOutputs.Distribute.distributedImages
      attributes: [{region: eu-west-1, launchPermission: {userIds: ["111122223333"]}}]
""",
}


@pytest.mark.parametrize("document", BROKEN, ids=lambda document: document.name)
def test_reports_what_is_wrong_and_where(document: Broken) -> None:
    with pytest.raises(EstateError) as caught:
        parse_workflow(document.text, source="flow.yaml", stage=document.stage)
    assert str(caught.value) == document.lines


@pytest.mark.parametrize("stage", SOUND)
def test_accepts_what_aws_accepts(stage: Stage) -> None:
    document = parse_workflow(SOUND[stage], source="flow.yaml", stage=stage)
    assert document.text == SOUND[stage]


def test_knows_parameters_outputs_and_the_inputs_of_steps() -> None:
    document = parse_workflow(SOUND["build"], source="flow.yaml", stage="build")
    assert document.description == "Workflow to build an AMI"
    assert {name: (each.type, each.default) for name, each in document.parameters.items()} == {
        "downgrade": ("boolean", False),
        "tries": ("integer", 2),
        "names": ("stringList", ["one", "two"]),
        "plain": ("string", None),
    }
    assert document.outputs == ("ImageId", "Said")
    assert document.does("CreateImage")
    assert not document.does("ExecuteComponents")
    assert list(document.values_of("RunCommand", "documentName", {})) == ["AWS-UpdateSSMAgent"]
    # what only a build knows
    assert list(document.values_of("CreateImage", "instanceId", {})) == [None]
    assert parse_workflow(SOUND["test"], source="flow.yaml", stage="test").workflow_outputs == ("ImageId",)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('lambdaFunctionName: "look-{{ $.parameters.stage }}-{{ $.parameters.tries }}"', "look-prod-2"),
        ("lambdaFunctionName.$: $.parameters.tries", "2"),
        ("lambdaFunctionName.$: $.parameters.other", None),
        ('lambdaFunctionName: "look-{{ $.imagebuilder.platform }}"', None),
        ("lambdaFunctionName.$: look", "look"),
    ],
)
def test_inputs_of_a_step_are_known_by_the_values_of_parameters(written: str, value: str | None) -> None:
    parameters = "{name: stage}, {name: tries, type: integer, default: 2}, {name: other}"
    use = 'payload: "[{{ $.parameters.stage }}, {{ $.parameters.tries }}, {{ $.parameters.other }}]"'
    text = f"schemaVersion: 1.0\nparameters: [{parameters}]\nsteps:\n  - name: Wait\n    action: WaitForAction\n"
    document = parse_workflow(f"{text}    inputs:\n      {use}\n      {written}\n", source="flow.yaml", stage="test")
    assert list(document.values_of("WaitForAction", "lambdaFunctionName", {"stage": "prod"})) == [value]


@pytest.mark.parametrize(
    ("type", "taken", "refused"),
    [("integer", ("0", "-3"), ("1.5", "many")), ("boolean", ("true", "false"), ("yes",)), ("string", ("yes",), ())],
)
def test_values_of_parameters_are_of_their_types(type: str, taken: tuple[str, ...], refused: tuple[str, ...]) -> None:
    text = "{schemaVersion: 1.0, parameters: [{name: one, type: %s}], steps: [{name: Wait, action: WaitForAction, "
    document = parse_workflow(
        text % type + 'inputs: {payload: "{{ $.parameters.one }}"}}]}', source="flow.yaml", stage="test"
    )
    assert all(document.parameters["one"].takes(value) for value in taken)
    assert not any(document.parameters["one"].takes(value) for value in refused)


@pytest.mark.parametrize("action", STEP_ACTIONS)
def test_takes_every_action_with_only_the_inputs_that_it_requires(action: str) -> None:
    known = STEP_ACTIONS[action]
    needed = ", ".join(f"{name}: {'ssmAgent' if name == 'waitFor' else 'a'}" for (name,) in known.needed)
    text = f"{{schemaVersion: 1.0, steps: [{{name: Only, action: {action}, inputs: {{{needed}}}}}]}}"
    for stage in known.notes.get("only", " ".join(STAGES)).split():
        assert parse_workflow(text, source="flow.yaml", stage=STAGES[stage]).does(action)


def test_accepts_fifteen_steps_and_as_many_bytes_as_a_document_may_have() -> None:
    def flow(steps: int, comment: str) -> str:
        lines = [f"  - {{name: Wait{number}, action: WaitForAction}}\n" for number in range(steps)]
        return f"schemaVersion: 1.0\nsteps:\n{''.join(lines)}#{comment}"

    longest = flow(15, "x" * (65_536 - len(flow(15, ""))))
    assert len(parse_workflow(longest, source="flow.yaml", stage="test").steps) == 15
    for text, said in (
        (
            longest[:-1] + "ä",
            "flow.yaml:1: a workflow has at most 65536 bytes, got 65537; put the work into components",
        ),
        (flow(16, ""), "flow.yaml:2 steps: a workflow has at most 15 steps, got 16; put the work into components"),
    ):
        with pytest.raises(EstateError) as caught:
            parse_workflow(text, source="flow.yaml", stage="test")
        assert str(caught.value) == said


CONTENTS = [(stage, plain(text.removeprefix("---\n"))) for stage, text in SOUND.items()]


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_problem_of_a_document_is_one_line_with_its_place(data: st.DataObject) -> None:
    stage, content = data.draw(st.sampled_from(CONTENTS))
    path = data.draw(st.sampled_from(list(paths_of(content))))
    text = json.dumps(replaced(content, path, data.draw(WRITTEN)), indent=1)
    try:
        parse_workflow(text, source="flow.yaml", stage=stage)
    except EstateError as error:
        for line in str(error).split("\n"):
            assert re.match(r"flow\.yaml:\d+[ :]", line) and line.isprintable(), line


@pytest.mark.parametrize("file", sorted((PROJECT / "examples").glob("*/workflows/*.yaml")), ids=lambda file: file.stem)
def test_examples_are_sound_for_one_stage_at_least(file: Path) -> None:
    def problems(stage: Stage) -> str:
        try:
            parse_workflow(file.read_text(), source=str(file), stage=stage)
        except EstateError as error:
            return str(error)
        return ""

    said = [problems(stage) for stage in get_args(Stage)]
    assert "" in said, said
