"""The page of coverage: every member that Image Builder takes has a row, every field that a row names exists, and the
stacks write what a row says is used, and nothing that it says is not."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from pages.__main__ import estate_schema
from pages.coverage import Operation, Row, operations
from tests.support.any_configuration import FULL
from tests.support.estates import SNAPSHOTS, synthesize

MODEL = ServiceModel(Loader().load_service_model("imagebuilder", "service-2"), "imagebuilder")
MAKING = [name for name in MODEL.operation_names if name.startswith(("Create", "Import"))]
ROWS = [row for operation in operations() for row in operation.rows]
SCHEMA: dict[str, Any] = estate_schema()
OTHER_NAMES = {
    "imagerecipe.semanticversion": "imagerecipe.version",
    "containerrecipe.semanticversion": "containerrecipe.version",
    "imagerecipe.additionalinstanceconfiguration": "imagerecipe",
    "imagerecipe.userdataoverride": "imagerecipe.userdatabase64",
    "setdefaultversion": "default",
}
"""What AWS's provider calls otherwise."""


def members(shape: Shape | None, path: str = "") -> Iterator[str]:
    """The path of every member below a shape; lists and maps add no step."""
    while isinstance(shape, ListShape | MapShape):
        shape = shape.member if isinstance(shape, ListShape) else shape.value
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield f"{path}{name}"
            yield from members(member, f"{path}{name}.")


def test_each_operation_that_makes_something_is_there() -> None:
    assert [operation.name for operation in operations()] == sorted(MAKING)


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_each_member_has_one_row_and_each_row_its_member(operation: Operation) -> None:
    known = list(members(MODEL.operation_model(operation.name).input_shape))
    assert sorted(row.member for row in operation.rows) == sorted(known)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.operation}.{row.member}")
def test_each_row_says_which_field_or_why(row: Row) -> None:
    assert row.how in ("used", "default", "not")
    assert row.words
    fields = re.findall(r"`((?:images|settings|fleets)\.[^`]+)`", row.words)
    for field in fields:
        assert exists(SCHEMA, field.split(".")), f"there is no field {field}"
    assert fields or row.how != "used"


def exists(node: dict[str, Any], path: list[str]) -> bool:
    """Whether a field is in the schema. `NAME`, items of lists and values of mappings by region are no steps."""
    if "$ref" in node:
        return exists(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]], path)
    choices = [each for key in ("anyOf", "oneOf", "allOf") for each in node.get(key, ())]
    choices += [node[key] for key in ("then", "else") if key in node]
    if any(exists(each, path) for each in choices):
        return True
    if not path:
        return True
    step, *rest = path
    if step in node.get("properties", {}) and exists(node["properties"][step], rest):
        return True
    others = node.get("additionalProperties")
    inner = [node.get("items"), *(node.get("patternProperties") or {}).values(), others]
    below = rest if step == "NAME" else path
    return any(exists(each, below) for each in inner if isinstance(each, dict))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the stacks of the examples, and of an estate that says everything, write of Image Builder's resources."""
    folder = tmp_path_factory.mktemp("full")
    (folder / "estate.yaml").write_text(FULL)
    stacks = list(synthesize(folder / "estate.yaml", folder / "cdktf.out").values())
    stacks += [json.loads(file.read_text()) for file in SNAPSHOTS.glob("*/*.json")]
    return {
        path
        for stack in stacks
        for kind, resources in stack["resource"].items()
        if kind.startswith("aws_imagebuilder_")
        for resource in resources.values()
        for path in arguments(resource, f"{alike(kind.removeprefix('aws_imagebuilder_'))}.")
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.operation}.{row.member}")
def test_what_is_used_is_written_and_what_is_not_is_not(row: Row, written: set[str]) -> None:
    path = ".".join(map(alike, [row.operation.removeprefix("Create"), *row.member.split(".")]))
    for theirs, ours in OTHER_NAMES.items():
        path = path.replace(theirs, ours)
    if "by the provider's default tags" in row.words:
        assert path not in written, "the provider's tags and these would meet"
    elif row.how != "default":
        assert (path in written) == (row.how == "used"), path


def arguments(node: Any, path: str) -> Iterator[str]:
    """The path of every argument of a resource, as `alike` writes names; lists add no step."""
    if isinstance(node, list):
        for each in node:
            yield from arguments(each, path)
    elif isinstance(node, dict):
        for name, value in node.items():
            yield f"{path}{alike(name)}"
            yield from arguments(value, f"{path}{alike(name)}.")


def alike(name: str) -> str:
    """A name without what AWS and its provider write differently: capitals, underscores, and plurals."""
    return name.replace("_", "").lower().removesuffix("s")
