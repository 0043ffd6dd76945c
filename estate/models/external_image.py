"""An image of another estate that fleets of this one run: an image with `external`.

Nothing is made for it. It has the fields of its entry in the other estate that fleets need and that cannot be read when
this estate is synthesized.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, StrictInt
from pydantic.json_schema import SkipJsonSchema

from estate.catalogue.operating_systems import Architecture, Platform
from estate.models.ami_image import MOST_ACCEPTED, AmiImage, Regions
from estate.models.channels import MOST_CHANNELS, without_latest
from estate.models.container_image import ContainerImage
from estate.models.data_volumes import DeviceName, ImageVolume
from estate.models.salvage import StandIn
from estate.models.types import (
    FROZEN,
    AccountReference,
    AmiId,
    Distinct,
    KmsKeyArn,
    Name,
    Namespace,
    Region,
    RolePath,
)
from estate.problems import RuleError, shown


def _names(value: Any) -> Any:
    if isinstance(value, dict):
        rule, remedy = "must be a list: the estate that makes the image moves its channels", "write [staging, prod]"
        raise RuleError(rule, got=shown(value), remedy=remedy)
    return value


class External(BaseModel):
    """Which image of which estate it is."""

    model_config = FROZEN

    namespace: Namespace
    """The namespace of the other estate."""
    account: Name | None = None
    """The account in which the image is made, one of `settings.accounts`; it needs neither role nor profile there.
    Default: the only one of them, or, without any, the account of the credentials of the environment."""
    name: Name | None = None
    """The name of the image in the other estate. Default: its name in this one."""
    iam_path: RolePath = "/"
    """`settings.iam.path` of the other estate, in which the role is that reads the channels. Default: `/`."""


class ExternalRootVolume(BaseModel):
    """What fleets need to know of the root volume."""

    model_config = FROZEN

    encrypted: StrictBool = True
    """Whether the AMIs are encrypted. Default: they are."""
    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB, so that no fleet has a smaller one. Default: not known."""


class ExternalDistribution(BaseModel):
    """What fleets need to know of the AMIs of one region."""

    model_config = FROZEN

    kms_key_id: KmsKeyArn | None = None
    """The key of your own that encrypts the AMIs. Default: if they are encrypted and a fleet of another account runs
    them, the key that their stack makes."""


class ExternalImage(BaseModel):
    """An image of another estate, which fleets of this one run. It has no stack here.

    docs/accounts.md says what the other estate has to allow. The fields other than `external` are those of the image's
    entry there. An external image takes nothing from `defaults`.
    """

    model_config = FROZEN

    name: Annotated[SkipJsonSchema[Name], StandIn("stand-in")]
    """The key under `images:`."""
    external: Annotated[External, StandIn({"namespace": "xx"})]
    """Which image of which estate it is."""
    platform: Platform = "Linux"
    """The platform of its operating system. Default: Linux."""
    architecture: Architecture = "x86_64"
    """The processor architecture. Default: x86_64."""
    regions: Regions
    """The regions to which it is distributed, its home region first."""
    channels: Annotated[
        tuple[Name, ...],
        Field(max_length=MOST_CHANNELS),
        Distinct(),
        AfterValidator(without_latest),
        BeforeValidator(_names, json_schema_input_type=tuple[Name, ...]),
    ] = ()
    """The channels beside `latest` that fleets follow. Default: only `latest`."""
    root_volume: ExternalRootVolume = ExternalRootVolume()
    """The root volume. Default: encrypted."""
    volumes: dict[DeviceName, ImageVolume] = {}
    """Volumes in addition to the root volume, by device name. Default: none."""
    distribution: dict[Region, ExternalDistribution] = {}
    """Keys of your own, by region. Default: none."""
    target_accounts: Annotated[tuple[AccountReference, ...], Field(max_length=1535), Distinct()] = ()
    """Accounts that get copies of the AMIs; fleets there run the copies. Default: fleets run the shared AMIs."""

    accept: Annotated[tuple[AmiId, ...], Field(max_length=MOST_ACCEPTED), Distinct()] = ()
    """AMIs that Image Builder did not make, and that fleets may run. Default: fleets run builds of the image only."""

    refused: ClassVar[Mapping[str, str]]
    """Fields of images that this estate makes, each with what to do."""

    @property
    def account(self) -> str | None:
        """The account in which it is made, by its name in the settings."""
        return self.external.account

    @property
    def home(self) -> str:
        """The region of its stack in the other estate."""
        return self.regions[0]

    @property
    def system_name(self) -> str:
        """The operating system as problems name it."""
        return self.platform

    @property
    def ami_architecture(self) -> str:
        """The architecture of the AMI as EC2 names it: a Mac's is `x86_64_mac` or `arm64_mac`."""
        return f"{self.architecture}_mac" if self.platform == "macOS" else self.architecture

    def distribution_in(self, region: str) -> ExternalDistribution:
        """The settings for one region."""
        return self.distribution.get(region, ExternalDistribution())


_MADE_HERE = (AmiImage.model_fields.keys() | ContainerImage.model_fields.keys()) - ExternalImage.model_fields.keys()
ExternalImage.refused = {
    **dict.fromkeys(_MADE_HERE, "delete it"),
    "account": "write external: {namespace: …, account: …}",
    "kind": "delete it: only AMIs can be external",
    "os": "write platform: Linux, Windows or macOS",
}
