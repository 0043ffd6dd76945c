"""The root volume of an image."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator

from estate.problems import RuleError, shown
from estate.text import FROZEN


class RootVolume(BaseModel):
    """The root volume of the image, and so of instances that do not say otherwise.

    The limits are those of AWS's provider 5.100.
    """

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB. Without it: the parent image's size."""
    volume_type: Literal["gp2", "gp3", "io1", "io2"] = "gp3"
    """Its type. Without it: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=10_000)] | None = None
    """Operations a second of a gp3 volume, 3000 or more, or of an io1 or io2 volume, which need it. Without it:
    3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB a second. Without it: 125."""
    encrypted: StrictBool = True
    """Whether the AMI's volume is encrypted. `false` is for AMIs that are public or exported, which must not be; where
    the account encrypts new volumes by default, or the parent is encrypted, they are nevertheless. Without it: by the
    home region's `kms_key_id` under `distribution`, or AWS's own key."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if self.throughput is not None and self.volume_type != "gp3":
            remedy = "delete it, or write volume_type: gp3"
            raise RuleError("only gp3 takes it", got=shown(self.throughput), remedy=remedy, key=("throughput",))
        if self.iops is not None and self.volume_type == "gp2":
            remedy = "delete it, or write volume_type: gp3"
            raise RuleError("gp2 does not take it", got=shown(self.iops), remedy=remedy, key=("iops",))
        if self.iops is not None and self.volume_type == "gp3" and self.iops < 3000:
            raise RuleError("gp3 has at least 3000", got=shown(self.iops), remedy="delete it", key=("iops",))
        if self.throughput is not None and self.throughput * 4 > (self.iops or 3000):
            rule, remedy = "is at most a quarter of iops", f"write iops: {self.throughput * 4}"
            raise RuleError(rule, got=shown(self.throughput), remedy=remedy, key=("throughput",))
        if self.iops is None and self.volume_type in ("io1", "io2"):
            raise RuleError(f"{self.volume_type} needs it", remedy="write for instance iops: 3000", key=("iops",))
        return self
