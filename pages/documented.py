"""JSON Schema with the docstrings of fields as descriptions.

pydantic can collect them itself (`use_attribute_docstrings`), but then reads and parses the source of every model at
each import, which took a quarter of the time of loading an estate. Only the pages need them.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema


class Documented(GenerateJsonSchema):
    """A schema generator for pydantic's `schema_generator`."""

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        """The schema of a model, its properties described."""
        found = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        docstrings = dict(_docstrings(model))
        for name, field in model.model_fields.items():
            described = found["properties"].get(field.alias or name)
            if described is not None and name in docstrings:
                described["description"] = docstrings[name]
        return found


def _docstrings(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Field and docstring, those of a model after those of its bases."""
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
            assert isinstance(definition, ast.ClassDef)
            for statement, following in zip(definition.body, definition.body[1:], strict=False):
                match statement, following:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, inspect.cleandoc(text)
