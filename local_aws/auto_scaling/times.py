"""How long launches and instance refreshes take, and how times are written."""

from dataclasses import dataclass
from datetime import UTC, datetime

_GIVE_UP_SECONDS = 3600
"""How long an instance refresh that cannot go on tries: "One-hour timeout" in the guide's page
instance-refresh-overview."""


@dataclass(frozen=True)
class RolloutTime:
    """How long launches and instance refreshes take. Default: no time at all."""

    launch_seconds: float = 0.0
    """From the launch of an instance until it is in service."""
    scale: float = 0.0
    """By which every duration of AWS is multiplied: warm-up, checkpoint delay, bake time, the hour of trying."""
    give_up_seconds: float | None = None
    """In place of the hour after which a refresh that cannot go on fails. Default: an hour, by scale."""

    def __post_init__(self) -> None:
        if min(self.launch_seconds, self.scale, self.give_up_seconds or 0) < 0:
            raise ValueError(f"durations are not negative, got {self}")

    def of(self, seconds: float) -> float:
        """How long a duration of AWS takes here."""
        return seconds * self.scale

    @property
    def give_up(self) -> float:
        """How long a refresh that cannot go on tries."""
        return self.of(_GIVE_UP_SECONDS) if self.give_up_seconds is None else self.give_up_seconds

    def retry(self, failures: int) -> float | None:
        """How long to wait after a failed launch before the next. None: until something changes.

        AWS waits longer after each failure; how long, it does not say.
        """
        first = max(self.launch_seconds, self.give_up / 20)
        return first * 2 ** (failures - 1) if first else None


def date(seconds: float) -> str:
    """A time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
