"""The parent image of an image: one from outside, or another image of the estate, its base.

A base is named by a channel, so a child is built from what that channel points to when its build starts, and a
schedule of dependency updates rebuilds the child when the base has moved.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Discriminator, Tag

from estate import names
from estate.problems import RuleError, shown
from estate.text import FROZEN, NAME, Matching, Name

_AMI = r"ami-[0-9a-f]{8,17}"
IMAGE_BUILDER_ARN = r"arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:([0-9]{12}|aws[a-z-]*|third-party):"
"""The start of an ARN of Image Builder, of anybody's."""
VERSION = r"[a-z0-9_-]+/(([0-9]+|x)\.([0-9]+|x)\.([0-9]+|x)|[0-9]+\.[0-9]+\.[0-9]+/[0-9]+)"
"""A name and a version, which may have wildcards, at the end of such an ARN."""

_RULE = "must be a parent image"
_REMEDY = (
    "write an AMI ID, an Image Builder image ARN with its version, a parameter that Image Builder may read "
    "(ssm:/aws/service/… or ssm:/imagebuilder/…), or the name of another image"
)

Reference = Annotated[
    str,
    Matching(
        rf"{_AMI}|ssm:/(aws/service|imagebuilder)/[A-Za-z0-9._/-]+|{IMAGE_BUILDER_ARN}image/{VERSION}", _RULE, _REMEDY
    ),
]
_BaseName = Annotated[str, Matching(NAME, "must be the name of another image")]


class Base(BaseModel):
    """Another image of the estate as parent. In YAML its name alone is enough: `base` is `{image: base}`.

    The base must have been built once before the child's first build. It goes to the child's home region, and has its
    operating system and architecture.
    """

    model_config = FROZEN

    image: Name
    """The base image."""
    channel: Name = names.LATEST
    """The base's channel whose AMI the child is built from. Without it: latest."""


def _from_text(value: Any) -> Any:
    if not isinstance(value, str | dict | Base):
        raise RuleError(_RULE, got=shown(value), remedy=_REMEDY)
    is_name = isinstance(value, str) and re.fullmatch(NAME, value) and not re.fullmatch(_AMI, value)
    return {"image": value} if is_name else value


Parent = Annotated[
    # tags in brackets are no step of the path in the configuration
    Annotated[Reference, Tag("[reference]")] | Annotated[Base, Tag("[base]")],
    Discriminator(lambda value: "[reference]" if isinstance(value, str) else "[base]"),
    BeforeValidator(_from_text, json_schema_input_type=Reference | _BaseName | Base),
]
