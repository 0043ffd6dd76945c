"""Every step's script in the shipped documents, as judged by shellcheck and by a grammar of PowerShell."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tree_sitter_powershell
from ruamel.yaml import YAML
from tree_sitter import Language, Node, Parser

from estate.catalogue.operating_systems import Platform
from estate.component_documents.document import parse
from tests.support.scratch_system import COMPONENTS

DOCUMENTS = sorted(COMPONENTS.glob("*/*.yaml"))
PLATFORMS: dict[str, Platform] = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
PLACEHOLDER = "placeholder"
POWERSHELL = Parser(Language(tree_sitter_powershell.language()))


class Script(NamedTuple):
    """One step's script, with a plain word in place of each parameter."""

    place: str
    action: str
    text: str


def scripts(path: Path) -> Iterator[Script]:
    """The scripts of a document."""
    document = YAML(typ="safe").load(path)
    for phase in document["phases"]:
        for step in phase["steps"]:
            if step["action"] in ("ExecuteBash", "ExecutePowerShell"):
                text = re.sub(r"\{\{ *[\w-]+ *\}\}", PLACEHOLDER, "\n".join(step["inputs"]["commands"]))
                place = f"{path.parent.name}/{path.name} {phase['name']}.{step['name']}"
                yield Script(place, step["action"], text)


SCRIPTS = [script for path in DOCUMENTS for script in scripts(path)]
BASH = [script for script in SCRIPTS if script.action == "ExecuteBash"]
POWERSHELL_SCRIPTS = [script for script in SCRIPTS if script.action == "ExecutePowerShell"]


def shellcheck(text: str) -> list[str]:
    """What shellcheck says of a bash script, each with its line."""
    command = [str(SHELLCHECK), "--shell=bash", "--format=json", "--norc", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return [f"line {each['line']}: SC{each['code']} {each['message']}" for each in json.loads(done.stdout)]


def powershell_errors(text: str) -> list[str]:
    """Where a PowerShell script is not one, each with its line."""

    def errors(node: Node) -> Iterator[str]:
        if node.is_error or node.is_missing:
            yield f"line {node.start_point.row + 1}: cannot be parsed from: {shown(node)}"
        elif node.has_error:
            for child in node.children:
                yield from errors(child)

    def shown(node: Node) -> str:
        return text.encode()[node.start_byte :].decode().partition("\n")[0]

    root = POWERSHELL.parse(text.encode()).root_node
    found = list(errors(root))
    assert bool(found) == root.has_error
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_document_is_one_that_image_builder_takes(path: Path) -> None:
    platform = PLATFORMS[path.stem]
    document = parse(path.read_text(), source=str(path), platform=platform)
    assert document.description
    assert all(parameter.description for parameter in document.parameters.values())


@pytest.mark.parametrize("script", BASH, ids=lambda script: script.place)
def test_shellcheck_finds_nothing_in_a_bash_step(script: Script) -> None:
    assert shellcheck(script.text) == [], script.place


@pytest.mark.parametrize("script", POWERSHELL_SCRIPTS, ids=lambda script: script.place)
def test_a_powershell_step_can_be_parsed(script: Script) -> None:
    assert powershell_errors(script.text) == [], script.place


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.place)
def test_every_step_stops_at_its_first_error(script: Script) -> None:
    first = {"ExecuteBash": "set -euo pipefail", "ExecutePowerShell": "$ErrorActionPreference = 'Stop'"}
    assert script.text.splitlines()[0] == first[script.action], script.place


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.place)
def test_no_step_leaves_a_parameter_open_to_the_shell(script: Script) -> None:
    """A value is put in as text: in single quotes, or alone on the line of a quoted here-document, it stays a value."""
    for line in script.text.splitlines():
        if PLACEHOLDER in line and line.strip() != PLACEHOLDER:
            assert re.search(f"'[^']*{PLACEHOLDER}[^']*'", line), f"{script.place}: {line}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_step_that_stands_in_two_phases_is_the_same_in_both(path: Path) -> None:
    """What `validate` proves of the build, `test` proves again of the image; documents cannot share steps."""
    steps: dict[str, object] = {}
    for phase in YAML(typ="safe").load(path)["phases"]:
        for step in phase["steps"]:
            assert steps.setdefault(step["name"], step["inputs"]) == step["inputs"], step["name"]


def test_a_broken_bash_script_is_caught() -> None:
    assert shellcheck("set -euo pipefail\nrm -rf $folder/*\n") == [
        'line 2: SC2115 Use "${var:?}" to ensure this never expands to /* .',
        "line 2: SC2154 folder is referenced but not assigned.",
        "line 2: SC2086 Double quote to prevent globbing and word splitting.",
    ]
    assert shellcheck("if true; then\necho\n")[0].startswith("line 1: SC1046 Couldn't find 'fi'")


def test_a_broken_powershell_script_is_caught() -> None:
    assert powershell_errors("Write-Host 'a'\n") == []
    assert powershell_errors("$a = 1\nif ($a -eq 1) {\n  Write-Host 'a'\n") != []
    assert powershell_errors("$a = 1\n}\n") == ["line 2: cannot be parsed from: }"]
