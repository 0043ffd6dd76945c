"""EBS volumes: what their types take, and how much of it AWS and AWS's provider take.

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
"""The types from which an instance can start and that are made today."""

AnyVolumeType = Literal["gp2", "gp3", "io1", "io2", "st1", "sc1"]
"""Those and the types that are for volumes beside the root only."""

IOPS_OF_AN_AMI = 10_000
"""Operations a second of an AMI's volume in provider 5.100; later ones take Image Builder's 64,000. Those of a
container recipe take 64,000 in both."""


@dataclass(frozen=True)
class _Limits:
    """What EBS takes for a type: `iops` are the least and the most, None where the type takes none."""

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
"""Operations a second that every gp3 volume has, however small it is."""


def check_volume(
    *, volume_type: AnyVolumeType, volume_size: int | None, iops: int | None, throughput: int | None
) -> None:
    """Raises `RuleError` for the first thing that the type of a volume does not take, at its field."""
    limits = _LIMITS[volume_type]
    if throughput is not None and volume_type != "gp3":
        remedy = "delete it, or write volume_type: gp3"
        raise RuleError("only gp3 takes it", got=shown(throughput), remedy=remedy, key=("throughput",))
    if limits.iops is None:
        if iops is not None:
            remedy = "delete it, or write volume_type: gp3"
            raise RuleError(f"{volume_type} does not take it", got=shown(iops), remedy=remedy, key=("iops",))
    elif iops is not None:
        least, most = limits.iops
        if iops < least:
            remedy = "delete it" if volume_type == "gp3" else f"write {least} or more"
            raise RuleError(f"{volume_type} has at least {least}", got=shown(iops), remedy=remedy, key=("iops",))
        if iops > most:
            raise RuleError(f"{volume_type} has at most {most}", got=shown(iops), key=("iops",))
    elif volume_type != "gp3":
        raise RuleError(f"{volume_type} needs it", remedy="write for instance iops: 3000", key=("iops",))
    _check_size(limits, volume_type, volume_size, iops)
    if throughput is not None and throughput * 4 > (iops or _GP3_IOPS):
        rule, remedy = "is at most a quarter of iops", f"write iops: {throughput * 4}"
        raise RuleError(rule, got=shown(throughput), remedy=remedy, key=("throughput",))


def _check_size(limits: _Limits, volume_type: AnyVolumeType, size: int | None, iops: int | None) -> None:
    """A volume whose size is its snapshot's is not looked at."""
    if size is None:
        return
    least, most = limits.sizes_in_gib
    if not least <= size <= most:
        raise RuleError(f"{volume_type} has {least} to {most} GiB", got=shown(size), key=("volume_size",))
    if iops is not None and iops > max(size * limits.iops_per_gib, _GP3_IOPS if volume_type == "gp3" else 0):
        rule = f"{volume_type} has at most {limits.iops_per_gib} for each GiB"
        remedy = f"write volume_size: {-(-iops // limits.iops_per_gib)} or more, or fewer"
        raise RuleError(rule, got=f"{iops} for {size} GiB", remedy=remedy, key=("iops",))


class BuildVolume(BaseModel):
    """A volume as Image Builder takes it: of an image, or of an instance that builds."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB. Without it: the parent image's size."""
    volume_type: VolumeType = "gp3"
    """Its type. Without it: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=64_000)] | None = None
    """Operations a second of a gp3 volume, 3000 or more, or of an io1 or io2 volume, which need it. An AMI has at most
    10000 unless `settings.provider_version` is 6. Without it: 3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB a second. Without it: 125."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self
