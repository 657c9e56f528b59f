"""The options that Publisher and SessionStream share: what they may be, and their defaults."""

from __future__ import annotations

import dataclasses
import math

CALL_TIMEOUT = 10.0
PUBLISH_TIMEOUT = 60.0
BACKOFF_MIN = 0.1
BACKOFF_MAX = 2.0
IN_FLIGHT_EVENTS_MAX = 10_000
IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024
# What control takes at most, whatever the kind.
EVENT_BYTES_MAX = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Options:
    """Times in seconds."""

    call_timeout: float = CALL_TIMEOUT
    publish_timeout: float = PUBLISH_TIMEOUT
    backoff_min: float = BACKOFF_MIN
    backoff_max: float = BACKOFF_MAX
    in_flight_events_max: int = IN_FLIGHT_EVENTS_MAX
    in_flight_bytes_max: int = IN_FLIGHT_BYTES_MAX

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{field.name}: must be above 0, is {value}")
        if self.backoff_max < self.backoff_min:
            raise ValueError(
                f"backoff_max: must be at least backoff_min ({self.backoff_min}), "
                f"is {self.backoff_max}"
            )
