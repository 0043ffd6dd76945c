"""The layout that CONTRIBUTING describes: who may import whom, no import cycle, and the public names of `estate`."""

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import estate
from tests.support.estates import PROJECT

PROGRAMS = ("main", "entry", "cdktf_out")
FOLDERS = ("bindings", "demo", "estate", "lambda_src", "local_aws", "ops", "pages", "scripts", "stacks")
PUBLIC = {
    *("load", "assemble", "Estate", "EstateError", "Problem"),
    *("Settings", "AmiImage", "ContainerImage", "ComponentUse", "Duration", "Fleet", "Capacity", "Subnets"),
    *("External", "ExternalImage"),
}


def modules() -> dict[str, Path]:
    """The project's modules by name, without tests and measurements."""
    files = [file for folder in FOLDERS for file in sorted((PROJECT / folder).rglob("*.py"))]
    files += [PROJECT / f"{program}.py" for program in PROGRAMS]
    named = {".".join(file.relative_to(PROJECT).with_suffix("").parts): file for file in files}
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


def imports(name: str, file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The project's modules that a module imports, wherever in it; not those that only its types need."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING"
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                found = f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module
                if found in known:
                    yield found


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Each module and those that it imports."""
    known = modules()
    return {name: set(imports(name, file, known)) - {name} for name, file in known.items()}


def test_no_module_imports_itself_by_way_of_others(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_each_folder_imports_only_what_the_table_allows(graph: dict[str, set[str]]) -> None:
    page = (PROJECT / "CONTRIBUTING.md").read_text()
    table = {
        folder: set(re.findall(r"`(\w+)(?:\.py|/)?`", may_import))
        for row in re.findall(r"^\| (`.*)\|$", page, re.MULTILINE)
        for what, _, may_import in [[cell.strip() for cell in row.split("|")]]
        for folder in re.findall(r"`(\w+)(?:\.py|/)`", what)
    }
    assert set(FOLDERS) | set(PROGRAMS) <= table.keys()
    imported = {(name.partition(".")[0], other.partition(".")[0]) for name, others in graph.items() for other in others}
    assert sorted((one, other) for one, other in imported if one != other and other not in table[one]) == []


def test_the_readmes_example_uses_the_public_names_after_a_start() -> None:
    """Names from `estate` and `stacks` only, and no import of them before `bindings.start()`."""
    example = ast.parse((PROJECT / "README.md").read_text().partition("```python\n")[2].partition("```")[0])
    first, start, *rest = map(ast.unparse, example.body)
    assert (first, start) == ("import bindings", "bindings.start()")
    assert {line.split()[1] for line in rest if re.match("from|import ", line)} == {"estate", "stacks"}


def test_estate_shows_these_names_and_no_others() -> None:
    assert set(estate.__all__) == PUBLIC
    assert all(hasattr(estate, name) for name in PUBLIC)
