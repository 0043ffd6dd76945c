"""The page of coverage: every member that Image Builder takes has a row, and every field that a row names exists."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from docs.coverage import Operation, Row, operations
from docs.generate import estate_schema

MODEL = ServiceModel(Loader().load_service_model("imagebuilder", "service-2"), "imagebuilder")
MAKING = [name for name in MODEL.operation_names if name.startswith(("Create", "Import"))]
ROWS = [row for operation in operations() for row in operation.rows]
SCHEMA: dict[str, Any] = estate_schema()


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
