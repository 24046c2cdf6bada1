"""What the gate is asked for: limits and error rates, and what to judge by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnbench.errors import SpecError


@dataclass(frozen=True)
class GateSpec:
    """The limits and error rates of a decision, and the time for it."""

    max_slowdown: float = 0.05
    """Slowdown that must not pass, as a fraction of base; the same limit for every quantity."""
    false_alarms: float = 0.01
    """Chance that a harmless change fails, over all quantities together."""
    misses: float = 0.05
    """Chance, for each quantity, that a slowdown of `max_slowdown` passes."""
    budget_seconds: float = 180.0
    """Seconds of measuring after which the gate stops."""
    max_accuracy_loss: float = 0.005
    """Loss of accuracy that must not pass, as a fraction of the images."""

    def __post_init__(self) -> None:
        for name, value, below in (
            ("max-slowdown", self.max_slowdown, 10.0),
            ("max-accuracy-loss", self.max_accuracy_loss, 1.0),
            ("false-alarms", self.false_alarms, 0.5),
        ):
            if not 0.0 < value < below:
                raise SpecError(
                    f"{name}: expected percent above 0 and below {below * 100:g}, "
                    f"got {value * 100:g}"
                )


@dataclass(frozen=True)
class SuiteSpec:
    """The benchmarks to measure, and how to lay a revision out for them."""

    arguments: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    cache_folder: Path
    """Folder for checkouts."""
    setup: str | None = None
    """Shell command that builds a revision; None where sources run as they are."""
    measure_seconds: float = 0.6
    """Seconds for which a process pair measures each benchmark."""

    def __post_init__(self) -> None:
        if not (self.measure_seconds > 0.0 and math.isfinite(self.measure_seconds)):
            raise SpecError(
                f"measure-seconds: expected a number above 0, got {self.measure_seconds:g}"
            )


@dataclass(frozen=True)
class CheckSpec:
    """A change to judge."""

    base: str
    """Revision to compare with, as git names it."""
    head: str
    """Revision to judge; ``worktree`` is the files as they are."""
    suite: SuiteSpec
    decision: GateSpec
    accuracy_command: str | None = None
    """Shell command that trains in a revision and writes its accuracies."""
    outputs: Mapping[str, Path] = field(default_factory=dict)
    """Files to write, by their names in `formats.FORMATS`."""
    history_file: Path | None = None
    """History to append the result to."""
