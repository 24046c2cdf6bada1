"""What a gate is asked for: limits, error rates and how long it may measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bnbench.errors import SpecError

LOOKS = (8, 13, 21, 34)
"""After how many process pairs the gate looks at what it has; each look costs error rate, so
there are few, each with about 1.6 times as many pairs as the last."""


@dataclass(frozen=True)
class GateSpec:
    """The decision that is asked for."""

    max_slowdown: float = 0.05
    """Slowdown (as a fraction of the base's time) that must not pass; also of start-up time and,
    in bytes, of peak memory."""
    false_alarms: float = 0.01
    """Chance that a change that changes nothing fails, over all benchmarks together."""
    misses: float = 0.05
    """Chance, for each benchmark, that a slowdown of `max_slowdown` is called none."""
    budget_seconds: float = 180.0
    """Measuring stops here, whatever is decided by then."""
    round_seconds: float = 0.01
    """A round has as many iterations as take about this long."""
    visit_seconds: float = 0.6
    """How long a pair of processes measures one benchmark before it goes to the next."""
    looks: tuple[int, ...] = LOOKS
    max_accuracy_loss: float = 0.005
    """Loss of accuracy, as a fraction of the images, that must not pass."""

    def __post_init__(self) -> None:
        for name, value, below in (
            ("max-slowdown", self.max_slowdown, 10.0),
            ("max-accuracy-loss", self.max_accuracy_loss, 1.0),
            ("false-alarms", self.false_alarms, 0.5),
            ("misses", self.misses, 0.5),
        ):
            if not 0.0 < value < below:
                raise SpecError(
                    f"{name}: expected per cent above 0 and below {below * 100:g}, "
                    f"got {value * 100:g}"
                )
        for name, value in (
            ("minutes", self.budget_seconds / 60.0),
            ("round_seconds", self.round_seconds),
            ("visit_seconds", self.visit_seconds),
        ):
            if not (value > 0.0 and math.isfinite(value)):
                raise SpecError(f"{name}: expected a number above 0, got {value:g}")
        if list(self.looks) != sorted(set(self.looks)) or self.looks[:1] < (2,):
            raise SpecError(f"looks: expected rising numbers from 2 on, got {self.looks}")

    @property
    def limit(self) -> float:
        """`max_slowdown` as a log-ratio."""
        return math.log1p(self.max_slowdown)


def make_gate_spec(
    max_slowdown: float | None = None,
    max_accuracy_loss: float | None = None,
    false_alarms: float | None = None,
    minutes: float | None = None,
) -> GateSpec:
    """Make a specification of the command line's per cents, points and minutes.

    Raises:
        SpecError: a value cannot be.
    """
    given = {
        "max_slowdown": (max_slowdown, 0.01),
        "max_accuracy_loss": (max_accuracy_loss, 0.01),
        "false_alarms": (false_alarms, 0.01),
        "budget_seconds": (minutes, 60.0),
    }
    changes: dict[str, Any] = {
        name: value * factor for name, (value, factor) in given.items() if value is not None
    }
    return GateSpec(**changes)
