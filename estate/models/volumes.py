"""EBS volumes: the limits of each type, and those of AWS and of AWS's provider.

Sources: "Amazon EBS volume types" in the EBS user guide, botocore's service model of Image Builder
(`EbsInstanceBlockDeviceSpecification`), and what provider 5.100 answers to `terraform validate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictInt, model_validator

from estate.models.types import FROZEN
from estate.problems import RuleError, shown

VolumeType = Literal["gp2", "gp3", "io1", "io2"]
"""The types from which an instance can start and that can be created today."""

AnyVolumeType = Literal["gp2", "gp3", "io1", "io2", "st1", "sc1"]
"""Those, and the types that cannot be root volumes."""

IOPS_OF_AN_AMI = 10_000
"""The most I/O operations per second of an AMI's volume in provider 5.100; later versions take Image Builder's limit of
64,000. Both take 64,000 for container recipes."""


@dataclass(frozen=True)
class _Limits:
    """The limits of a type in EBS: `iops` are the least and the most, None where the type has no such setting."""

    sizes_in_gib: tuple[int, int]
    iops: tuple[int, int] | None = None
    iops_per_gib: int = 0


_LIMITS: Mapping[AnyVolumeType, _Limits] = MappingProxyType(
    {
        "gp2": _Limits((1, 16_384)),
        "gp3": _Limits((1, 65_536), (3000, 80_000), 500),
        "io1": _Limits((4, 16_384), (100, 64_000), 50),
        "io2": _Limits((4, 65_536), (100, 256_000), 1000),
        "st1": _Limits((125, 16_384)),
        "sc1": _Limits((125, 16_384)),
    }
)
_GP3_IOPS = 3000
"""I/O operations per second of every gp3 volume, however small."""


def check_volume(
    *, volume_type: AnyVolumeType, volume_size: int | None, iops: int | None, throughput: int | None
) -> None:
    """Raises `RuleError`, with the field, for the first setting that does not fit the type of a volume."""
    limits = _LIMITS[volume_type]
    if throughput is not None and volume_type != "gp3":
        remedy = "delete it, or write volume_type: gp3"
        raise RuleError("can only be set for gp3", got=shown(throughput), remedy=remedy, key=("throughput",))
    if limits.iops is None:
        if iops is not None:
            remedy = "delete it, or write volume_type: gp3"
            raise RuleError(f"cannot be set for {volume_type}", got=shown(iops), remedy=remedy, key=("iops",))
    elif iops is not None:
        least, most = limits.iops
        if iops < least:
            remedy = "delete it" if volume_type == "gp3" else f"write {least} or more"
            raise RuleError(f"{volume_type} has at least {least}", got=shown(iops), remedy=remedy, key=("iops",))
        if iops > most:
            raise RuleError(f"{volume_type} has at most {most}", got=shown(iops), key=("iops",))
    elif volume_type != "gp3":
        raise RuleError(f"{volume_type} requires it", remedy="write for example iops: 3000", key=("iops",))
    _check_size(limits, volume_type, volume_size, iops)
    if throughput is not None and throughput * 4 > (iops or _GP3_IOPS):
        rule, remedy = "must be at most a quarter of iops", f"write iops: {throughput * 4}"
        raise RuleError(rule, got=shown(throughput), remedy=remedy, key=("throughput",))


def _check_size(limits: _Limits, volume_type: AnyVolumeType, size: int | None, iops: int | None) -> None:
    """A volume without a size has that of its snapshot, which is not known here."""
    if size is None:
        return
    least, most = limits.sizes_in_gib
    if not least <= size <= most:
        raise RuleError(f"{volume_type} has {least} to {most} GiB", got=shown(size), key=("volume_size",))
    if iops is not None and iops > max(size * limits.iops_per_gib, _GP3_IOPS if volume_type == "gp3" else 0):
        rule = f"{volume_type} has at most {limits.iops_per_gib} per GiB"
        remedy = f"write volume_size: {-(-iops // limits.iops_per_gib)} or more, or fewer"
        raise RuleError(rule, got=f"{iops} for {size} GiB", remedy=remedy, key=("iops",))


class BuildVolume(BaseModel):
    """A volume as Image Builder takes it: of an image, or of an instance that builds."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB. Default: the size in the parent image."""
    volume_type: VolumeType = "gp3"
    """Its type. Default: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=64_000)] | None = None
    """I/O operations per second of a gp3 volume, at least 3000, or of an io1 or io2 volume, which require it. For an
    AMI at most 10000 unless `settings.providers` is version 6. Default: 3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB per second. Default: 125."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self
