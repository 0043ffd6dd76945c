"""Problems of a component document: what AWS takes is accepted, the rest has file, line, step, rule and remedy."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate.catalogue.operating_systems import Platform
from estate.component_documents.action_modules import ACTION_MODULES
from estate.component_documents.document import parse
from estate.component_documents.references import BUILD_STAGE, TEST_STAGE
from estate.files import SHIPPED_COMPONENTS
from estate.limits import INLINE
from estate.problems import EstateError
from tests.support.any_configuration import WRITTEN, paths_of, plain, replaced
from tests.support.broken_documents import BROKEN_DOCUMENTS, SOUND_DOCUMENTS, Written


@pytest.mark.parametrize("document", BROKEN_DOCUMENTS, ids=lambda document: document.name)
def test_reports_what_is_wrong_and_where(document: Written) -> None:
    with pytest.raises(EstateError) as caught:
        parse(document.text, source="app.yaml", platform=document.platform)
    assert str(caught.value) == document.lines


@pytest.mark.parametrize("document", SOUND_DOCUMENTS, ids=lambda document: document.name)
def test_accepts_what_aws_accepts(document: Written) -> None:
    assert parse(document.text, source="app.yaml", platform=document.platform).text == document.text


CONTENTS = [plain(document.text) for document in SOUND_DOCUMENTS]


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_problem_of_a_document_is_one_line_with_its_place(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(CONTENTS))
    path = data.draw(st.sampled_from(list(paths_of(content))))
    text = json.dumps(replaced(content, path, data.draw(WRITTEN)), indent=1)
    try:
        parse(text, source="app.yaml", platform=data.draw(st.sampled_from(["Linux", "Windows", "macOS", None])))
    except EstateError as error:
        for line in str(error).split("\n"):
            assert re.match(r"app\.yaml:\d+[ :]", line) and line.isprintable(), line


@pytest.mark.parametrize("action", ACTION_MODULES)
def test_takes_every_action_with_only_the_inputs_that_it_requires(action: str) -> None:
    names = [name for name, *_ in ACTION_MODULES[action].needed]
    needed = ", ".join(f"{name}: [a]" if name == "commands" else f"{name}: a" for name in names)
    inputs = "stringEquals: a, value: a" if action == "Assert" else needed
    steps = f"steps: [{{name: A, action: {action}, inputs: {{{inputs}}}}}]"
    document = parse(f"schemaVersion: 1.0\nphases: [{{name: build, {steps}}}]", source="app.yaml")
    assert document.phases == ("build",)


def test_a_condition_is_checked_at_any_depth() -> None:
    condition = "{fileExist: /etc/hosts}"
    for _ in range(40):
        condition = f"{{and: [{condition}]}}"
    steps = f"steps: [{{name: A, action: Reboot, if: {condition}}}]"
    with pytest.raises(EstateError) as caught:
        parse(f"schemaVersion: 1.0\nphases: [{{name: build, {steps}}}]", source="app.yaml")
    (problem,) = caught.value.problems
    assert problem.key == ("build", "A", "if", *("and", 0) * 40, "fileExist")
    assert (problem.rule, problem.remedy) == ("unknown operator", "did you mean 'fileExists'?")


DOCUMENT = """\
schemaVersion: 1.0
description: The application
parameters:
  - port: {type: string, default: 80, description: Whole number. The port.}
  - debug: {type: string, default: false, description: true or false. Whether it writes more.}
  - level: {type: string, default: low, description: 'One of low, high. How much.'}
  - text: {type: string, description: 'What it says. One of these days, more.'}
  - answer: {type: string, allowedValues: ['no', 'yes']}
phases:
  - name: build
    steps:
      - name: Run
        action: ExecuteBash
        inputs:
          commands:
            - |
              run '--port={{ port }}' {{ text }} <<'EOF'
              {{ answer }}
              EOF
              echo {{ level }} '{{debug}}'
  - name: test
    steps: [{name: Restart, action: Reboot}]
"""


def test_knows_the_parameters() -> None:
    document = parse(DOCUMENT, source="app.yaml", platform="Linux")
    assert document.description == "The application"
    assert document.phases == ("build", "test")
    assert {
        name: (each.kind, each.default, each.meaning, each.quoted) for name, each in document.parameters.items()
    } == {
        "port": ("a whole number", "80", "The port.", True),
        "debug": ("true or false", "false", "Whether it writes more.", True),
        "level": ("one of low, high", "low", "How much.", False),
        "text": ("text", None, "What it says. One of these days, more.", False),
        "answer": ("one of no, yes", None, "", False),
    }


@pytest.mark.parametrize("file", sorted(SHIPPED_COMPONENTS.glob("*/*.yaml")), ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_shipped_documents_are_sound_on_their_platform_and_go_into_a_request(file: Path) -> None:
    platforms: dict[str, Platform] = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
    document = parse(file.read_text(), source=str(file), platform=platforms[file.stem])
    assert INLINE.fits(document.text)
    # AWS accepts others, too; those of Goldsmith are used
    assert [name for name in document.parameters if not re.search(rf"{{{{ ?{name} ?}}}}", document.text)] == []
    assert not set(document.phases) - {*BUILD_STAGE, *TEST_STAGE}
