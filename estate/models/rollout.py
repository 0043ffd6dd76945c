"""How the instances of a fleet are replaced: its `rollout:`, and its `after:`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator

from estate.models.durations import Counted, Duration
from estate.models.types import FROZEN, LARGEST_INTEGER, Distinct, Matching, Name, exactly_one
from estate.problems import RuleError

MOST_ALARMS = 10
"""Botocore, `AlarmSpecification` of Auto Scaling: up to 10 alarms."""
LONGEST_DELAY = 48 * 3600
"""In seconds (botocore: `CheckpointDelay`, `BakeTime`)."""
MOST_CHECKPOINTS = 100
"""Whole percentages that are distinct."""

AlarmName = Annotated[
    str,
    Matching(
        r"[^\x00-\x1f\x7f]{1,255}",
        "must be an alarm's name: 1 to 255 characters, none of them a control character",
    ),
]
"""As CloudWatch has them (botocore: `AlarmName`, and PutMetricAlarm)."""
Percentage = Annotated[StrictInt, Field(ge=1, le=100)]


class Rollout(BaseModel):
    """How the instances are replaced when the launch template changes, for example because its AMI changed.

    The fields are those of the preferences of an instance refresh, in AWS and in its Terraform provider, but for
    durations and what Goldsmith does itself.
    """

    model_config = FROZEN

    by: Literal["terraform", "goldsmith"] = "terraform"
    """Who replaces the instances. `terraform`: the apply that changes the launch template starts the instance refresh,
    and does not wait for its end. `goldsmith`: `goldsmith rollout` starts it after the apply and follows it to its end;
    if it fails, AWS puts all instances back on the version that they ran before. Default: terraform; with `updates:
    automatic` goldsmith, and the fleet's function starts it."""
    min_healthy_percentage: Annotated[StrictInt, Field(ge=0, le=100)] = 90
    """How much of the group stays healthy during a rollout, in percent. Default: 90."""
    max_healthy_percentage: Annotated[StrictInt, Field(ge=100, le=200)] = 100
    """How far the group may grow during a rollout, in percent of its desired capacity. Default: 100; if the group is so
    small that both percentages cannot hold, AWS launches a new instance before it terminates an old one."""
    warmup: Annotated[Duration, Counted("second", least=0, most=LARGEST_INTEGER)] | None = None
    """How long after its start a new instance counts as healthy. Default: the health check's grace period."""
    skip_matching: StrictBool = True
    """Whether instances that already run the new version of the launch template are kept. Default: enabled."""
    alarms: Annotated[tuple[AlarmName, ...], Field(max_length=MOST_ALARMS), Distinct()] = ()
    """Names of CloudWatch alarms of the fleet's account and region. When one of them is in the state ALARM during a
    rollout, it is rolled back. Needs `by: goldsmith`. Default: none."""
    checkpoints: Annotated[tuple[Percentage, ...], Field(max_length=MOST_CHECKPOINTS)] = ()
    """How much of the group is replaced, in percent, when a rollout pauses, in ascending order; the last one is 100.
    Default: none; it does not pause."""
    checkpoint_delay: Annotated[Duration, Counted("second", least=0, most=LONGEST_DELAY)] | None = None
    """How long a rollout pauses at each of the `checkpoints`. Default: 1 hour."""
    bake: Annotated[Duration, Counted("second", least=0, most=LONGEST_DELAY)] | None = None
    """How long a rollout waits after the last instance was replaced, while `alarms` can still roll it back. Needs
    `by: goldsmith`. Default: it does not wait."""
    protected_instances: Literal["refresh", "ignore", "wait"] | None = None
    """What happens to instances that are protected from scale in: `refresh` replaces them, `ignore` keeps them on the
    old build, `wait` waits an hour for the end of the protection, and then the rollout fails. Default: with
    `by: goldsmith` AWS's, wait; with `by: terraform` that of the provider, ignore."""
    standby_instances: Literal["terminate", "ignore", "wait"] | None = None
    """What happens to instances in the state Standby: `terminate` replaces them, `ignore` keeps them on the old build,
    `wait` waits an hour for their return to service, and then the rollout fails. Default: with `by: goldsmith` AWS's,
    wait; with `by: terraform` that of the provider, ignore."""
    wave: Annotated[StrictInt, Field(ge=1, le=LARGEST_INTEGER)] = 1
    """When one command rolls out several fleets, those of wave 1 come first, and a wave begins only when all of the one
    before have ended well. Needs `by: goldsmith`, unless it is 1, and is not for fleets with `updates: automatic`.
    Default: 1."""
    hold_on_failure: StrictBool = False
    """Whether a build that was rolled back here is kept from the other fleets of the account and region, until somebody
    tries it again. Needs `by: goldsmith`. Default: disabled; the others may still run it."""

    @model_validator(mode="after")
    def _healthy(self) -> Self:
        if self.max_healthy_percentage - self.min_healthy_percentage > 100:
            raise RuleError(
                "max_healthy_percentage may be at most 100 above min_healthy_percentage",
                got=f"{self.min_healthy_percentage} and {self.max_healthy_percentage}",
            )
        return self

    @model_validator(mode="after")
    def _paused(self) -> Self:
        numbers = ", ".join(map(str, self.checkpoints))
        if list(self.checkpoints) != sorted(set(self.checkpoints)):
            rule, remedy = "must be different percentages in ascending order", "write for example [20, 50, 100]"
            raise RuleError(rule, got=f"[{numbers}]", remedy=remedy, key=("checkpoints",))
        if self.checkpoints and self.checkpoints[-1] != 100:
            rule = "must end with 100, because a rollout ends with all instances replaced"
            raise RuleError(rule, got=f"[{numbers}]", remedy=f"write [{numbers}, 100]", key=("checkpoints",))
        if self.checkpoint_delay is not None and not self.checkpoints:
            rule, remedy = "is only for checkpoints", "write checkpoints, or delete it"
            raise RuleError(rule, got=f"'{self.checkpoint_delay}'", remedy=remedy, key=("checkpoint_delay",))
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        needing = {
            "alarms": bool(self.alarms),
            "bake": self.bake is not None,
            "wave": self.wave != 1,
            "hold_on_failure": self.hold_on_failure,
        }
        *others, last = [field for field, is_used in needing.items() if is_used] or [""]
        if self.by == "terraform" and last:
            names = f"{', '.join(others)} and {last}" if others else last
            rule = f"{names} {'need' if others else 'needs'} by: goldsmith, because Terraform's provider cannot do it"
            raise RuleError(rule, got="by: terraform", remedy=f"write by: goldsmith, or delete {names}")
        return self


class After(BaseModel):
    """Fleets that must have run a build for some time, without a rollback, before this one runs it."""

    model_config = exactly_one("environment", "fleets")

    environment: Name | None = None
    """An environment: all other fleets there that run the same image. Default: none; `fleets` are named."""
    fleets: Annotated[tuple[Name, ...], Distinct()] = ()
    """Fleets that run the same image. Default: none; `environment` is named."""
    soak: Annotated[Duration, Counted("minute", least=0, most=525_600)] = Duration(0, "minute")
    """How long they must have run it. Default: it is enough that their rollouts have ended well."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.environment is None) == (not self.fleets):
            raise RuleError(
                "must name either an environment or fleets",
                got="both" if self.fleets else "neither",
                remedy="write for example {environment: staging, soak: 2 days}",
            )
        return self
