"""A container image and the pipeline that builds it: an image of the estate with `kind: container`."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, StrictBool, StrictInt, Tag, model_validator

from estate.arns import Arn
from estate.catalogue.operating_systems import Architecture, instance_types
from estate.limits import PARENT
from estate.models.ami_image import ImageBase
from estate.models.parent import IMAGE_BUILDER_ARN, VERSION
from estate.models.root_volume import RootVolume
from estate.models.salvage import StandIn
from estate.models.types import (
    FROZEN,
    IMAGE_TAG,
    Distinct,
    ImageTag,
    KmsKeyArn,
    Matching,
    Region,
    RepositoryName,
    Text,
)
from estate.names import ImageNames
from estate.problems import UNSEEN, RuleError, shown

DEFAULT_DOCKERFILE = """\
FROM {{{ imagebuilder:parentImage }}}
{{{ imagebuilder:environments }}}
{{{ imagebuilder:components }}}
"""
"""The smallest template that builds: AWS's own example (user guide, "Create a container recipe")."""

_DIGEST = "@sha256:[0-9a-f]{64}"
_IMAGE = rf"([a-z0-9.-]+:[0-9]+/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:{IMAGE_TAG}({_DIGEST})?|{_DIGEST})"

ContainerParent = Annotated[
    Text,
    PARENT,
    Matching(
        rf"{_IMAGE}|{IMAGE_BUILDER_ARN}image/{VERSION}",
        "must be a container image with its tag",
        "write amazonlinux:2023 (Docker Hub), public.ecr.aws/…:…, …dkr.ecr.….amazonaws.com/…:…, or the ARN of an Image "
        "Builder image with its version",
    ),
]
InstanceImage = Annotated[
    Text,
    PARENT,
    Matching(
        r"ami-[0-9a-f]{8,17}|ssm:/(aws/service|imagebuilder)/[A-Za-z0-9._/-]+",
        "must be an AMI",
        "write its ID, or a parameter that Image Builder may read (ssm:/aws/service/… or ssm:/imagebuilder/…)",
    ),
]
DeviceName = Annotated[Text, Matching(r"(/dev/)?[a-z][a-z0-9]+", "must be a device's name", "write it as /dev/xvda")]
_PRIVATE = re.compile(r"([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z.]+/([^:@]+)")


class Repository(BaseModel):
    """A repository in Amazon ECR that the stack creates: `<namespace>/<image>` in each region of the image.

    To use a repository that exists already, write its name instead: `repository: team/web`. It must be in every region
    of the image. Before you remove a region from the image, remove its repository from the state, as docs/containers.md
    explains.
    """

    model_config = FROZEN

    scan_on_push: StrictBool = True
    """Whether ECR looks for known vulnerabilities in each image that is pushed. Default: enabled."""
    image_tag_mutability: Literal["IMMUTABLE", "MUTABLE"] = "IMMUTABLE"
    """Whether a tag can be moved to another image later. Default: IMMUTABLE; a tag never moves."""
    kms_keys: dict[Region, KmsKeyArn] = {}
    """A key of your own for the images of a region, by region. ECR cannot change the key of an existing repository.
    Default: AWS's key for ECR."""
    keep_newest: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = None
    """How many of the newest images are kept. ECR does not know about channels: keep more images than are built between
    two moves of the slowest channel. Default: all images that have a tag; an image without a tag is deleted after a
    day."""
    force_delete: StrictBool = False
    """Whether destroying the stack also deletes the images. Default: disabled; a repository that has images is not
    destroyed."""


def _from_text(value: Any) -> Any:
    if not isinstance(value, str | dict | Repository):
        rule, remedy = (
            "must be a repository",
            "write the name of an existing one, or the settings of a new one: {keep_newest: …}",
        )
        raise RuleError(rule, got=shown(value), remedy=remedy)
    return value


AnyRepository = Annotated[
    Annotated[RepositoryName, Tag(f"{UNSEEN}existing")] | Annotated[Repository, Tag(f"{UNSEEN}made")],
    Discriminator(lambda value: f"{UNSEEN}existing" if isinstance(value, str) else f"{UNSEEN}made"),
    BeforeValidator(_from_text, json_schema_input_type=RepositoryName | Repository),
]


class Instance(BaseModel):
    """The instance that builds and tests a container image. It needs Docker."""

    model_config = FROZEN

    image: InstanceImage | None = None
    """Its AMI. A Windows container is built on the version of Windows that it is made of. Default: the ECS-optimized
    AMI that Image Builder takes for the platform; on arm64 that of Amazon Linux 2023."""
    device_name: DeviceName | None = None
    """The device name of its root volume. Default: `/dev/xvda`; on Windows `/dev/sda1`."""
    root_volume: RootVolume = RootVolume()
    """Its root volume. Default: gp3, encrypted, as large as the AMI's."""


class ContainerImage(ImageBase):
    """A container image in Amazon ECR: what it is built from, when it is built, and where it is distributed."""

    output: ClassVar[Literal["image", "container"]] = "container"
    least_hop_limit: ClassVar[int] = 2
    """A container asks for metadata from inside the instance (botocore, InstanceMetadataOptions: "container image
    builds need a minimum of two hops")."""

    kind: Literal["container"]
    """`container`. An image without `kind` is an AMI."""
    parent: Annotated[ContainerParent, StandIn("stand-in:latest")]
    """The parent image with its tag or digest, in Docker Hub (`amazonlinux:2023`), ECR Public, ECR or another registry;
    or the ARN of a container image of Image Builder, which Windows needs. Docker pulls it when an image is built."""
    platform: Literal["Linux", "Windows"] = "Linux"
    """The platform of the parent image and of the components. Default: Linux."""
    architecture: Architecture = "x86_64"
    """The processor architecture of the instance that builds, and therefore of the image. Default: x86_64."""
    dockerfile: Text | None = None
    """The Dockerfile template: the path of a file from the configuration's folder, or the text itself, in several
    lines. It contains `{{{ imagebuilder:parentImage }}}`, `{{{ imagebuilder:environments }}}` and `{{{
    imagebuilder:components }}}`. Default: only these three lines."""
    working_directory: Annotated[str, Matching(r"[A-Za-z0-9_./\\: -]{1,1024}", "must be a path")] | None = None
    """The directory on the instance in which builds and tests work. Default: Image Builder chooses it."""
    repository: AnyRepository = Repository()
    """The ECR repository of the image: the name of one that exists, or the settings of one that the stack creates.
    Default: the stack creates `<namespace>/<image>`, encrypted, with scans and with tags that never move."""
    container_tags: Annotated[tuple[ImageTag, ...], Distinct()] = ()
    """More tags for each new image, in addition to the one with its version, which Image Builder sets. Default:
    none."""
    instance: Instance = Instance()
    """The instance that builds. Default: one with the ECS-optimized AMI that fits."""

    def parent_reference(self, *, namespace: str) -> str:
        """The parent image as Image Builder takes it, whatever the namespace."""
        return self.parent

    @property
    def system_name(self) -> str:
        """The operating system as problems name it."""
        return f"a container of {self.platform}"

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Where builds run: the declared instance types, or those that fit platform and architecture."""
        return self.infrastructure.instance_types or instance_types(self.platform, self.architecture)

    @property
    def own_dockerfile(self) -> str | None:
        """The path of a Dockerfile template in the configuration's folder, if the image names one."""
        return self.dockerfile if self.dockerfile and "\n" not in self.dockerfile else None

    def repository_name(self, *, namespace: str) -> str:
        """The ECR repository to which it is pushed: the named one, or the one that the stack creates."""
        return self.repository if isinstance(self.repository, str) else ImageNames(namespace, self.name).repository

    @property
    def made_repository(self) -> Repository | None:
        """The repository that the stack creates, if it creates one."""
        return self.repository if isinstance(self.repository, Repository) else None

    @property
    def private_parent(self) -> tuple[str, str, str] | None:
        """Account, region and repository of a parent in a private registry of ECR, with `*` for what the reference
        leaves open.

        The ARN of an image names no repository, and if Amazon owns the image, no account.
        """
        if match := _PRIVATE.match(self.parent):
            account, region, name = match.groups()
            return account, region, name
        if self.parent.startswith("arn:"):
            parent = Arn.parse(self.parent)
            return parent.account_id or "*", parent.region, "*"
        return None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.platform == "Windows" and self.architecture != "x86_64":
            rule, remedy = "Windows does not exist for this architecture", "write x86_64"
            raise RuleError(rule, got=shown(self.architecture), remedy=remedy, key=("architecture",))
        return self
