"""The parent of an image: an image from outside the estate, another image of the estate (its base), or a disk image.

A base is named with a channel, so a child is built from what that channel points to when its build starts, and a
schedule of dependency updates rebuilds the child when the channel has moved.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Tag

from estate import names
from estate.limits import PARENT
from estate.models.types import FROZEN, NAME, Matching, Name
from estate.problems import UNSEEN, RuleError, shown

_AMI = r"ami-[0-9a-f]{8,17}"
IMAGE_BUILDER_ARN = r"arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:([0-9]{12}|aws[a-z-]*|third-party):"
"""The start of an ARN of Image Builder, of any account."""
VERSION = r"[a-z0-9_-]+/(([0-9]+|x)\.([0-9]+|x)\.([0-9]+|x)|[0-9]+\.[0-9]+\.[0-9]+/[0-9]+)"
"""A name and a version, which may have wildcards, at the end of such an ARN."""

_WORD = "[a-z][a-z0-9]*(-[a-z0-9]+)*"
_RULE = "must be a parent image"
_REMEDY = (
    "write an AMI ID, an Image Builder image ARN with its version, a parameter that Image Builder may read "
    "(ssm:/aws/service/… or ssm:/imagebuilder/…), the name of another image, or {disk_image: s3://…, format: …}"
)

Reference = Annotated[
    str,
    PARENT,
    Matching(
        rf"{_AMI}|ssm:/(aws/service|imagebuilder)/[A-Za-z0-9._/-]+|{IMAGE_BUILDER_ARN}image/{VERSION}", _RULE, _REMEDY
    ),
]
_BaseName = Annotated[str, Matching(f"{_WORD}(@{_WORD})?", "must be another image, or a channel of it")]


class Base(BaseModel):
    """Another image of the estate as parent. In YAML its name is enough: `base` is `{image: base}`.

    The base must have been built once before the child's first build. It must be distributed to the child's home
    region, and have the same operating system and architecture.
    """

    model_config = FROZEN

    image: Name
    """The base image."""
    channel: Name = names.LATEST
    """The base's channel whose AMI the child is built from. Default: latest."""


class DiskImage(BaseModel):
    """A disk image in S3 as parent: the stack imports it as a snapshot and registers an AMI from the snapshot.

    The disk image must be a Linux that is made for EC2, as publishers' cloud images are: with drivers for NVMe and ENA,
    and with cloud-init, through which Image Builder gets access. Nothing is converted. The object must be in the home
    region and not encrypted with a KMS key. Only the address identifies its content, so give another disk image another
    key: the plan then imports it, makes a new recipe, and deletes the old snapshot and AMI. If the AMI was deregistered
    by hand, write another `version` of the image: an existing recipe cannot change to the new AMI.
    """

    model_config = FROZEN

    disk_image: Annotated[
        str,
        Matching(
            r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.'()/=+@-]{1,900}",
            "must be the address of an object in S3",
            "write it as s3://bucket/key",
        ),
    ]
    """The disk image's address, `s3://bucket/key`."""
    format: Literal["VMDK", "VHD", "RAW"]
    """Its format; a VMDK must be stream-optimized."""
    boot_mode: Literal["legacy-bios", "uefi", "uefi-preferred"] | None = None
    """The boot mode. Default: BIOS for x86_64, UEFI for arm64, as for any AMI of EC2 without a boot mode."""

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """The bucket and the key of the object."""
        bucket, _, key = self.disk_image.removeprefix("s3://").partition("/")
        return bucket, key


def _from_text(value: Any) -> Any:
    if not isinstance(value, str | dict | Base | DiskImage):
        raise RuleError(_RULE, got=shown(value), remedy=_REMEDY)
    if not isinstance(value, str) or re.fullmatch(_AMI, value):
        return value
    image, at, channel = value.partition("@")
    if not re.fullmatch(NAME, image):
        return value
    if at and re.match("[0-9]", channel):
        rule, remedy = "a parent is an image or one of its channels, not a build", f"write {image}, or {image}@CHANNEL"
        raise RuleError(rule, got=shown(value), remedy=remedy)
    return {"image": image, "channel": channel} if at else {"image": image}


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"{UNSEEN}reference"
    return (
        f"{UNSEEN}disk"
        if isinstance(value, DiskImage) or (isinstance(value, dict) and "disk_image" in value)
        else f"{UNSEEN}base"
    )


Parent = Annotated[
    Annotated[Reference, Tag(f"{UNSEEN}reference")]
    | Annotated[Base, Tag(f"{UNSEEN}base")]
    | Annotated[DiskImage, Tag(f"{UNSEEN}disk")],
    Discriminator(_kind),
    BeforeValidator(_from_text, json_schema_input_type=Reference | _BaseName | Base | DiskImage),
]
