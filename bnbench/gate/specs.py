"""What the gate is asked for: limits and error rates, and what to judge or to record by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnbench.errors import SpecError

LOOKS = (8, 13, 21, 34)
"""Numbers of process pairs after which the gate tries to decide. Each look costs error rate, so
there are few, each with about 1.6 times as many pairs as the last."""


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
    round_seconds: float = 0.01
    """Seconds per round; sets the calls per round."""
    benchmark_seconds: float = 0.6
    """Seconds that a process pair measures one benchmark before the next."""
    looks: tuple[int, ...] = LOOKS
    """Numbers of process pairs after which the gate tries to decide, rising."""
    max_accuracy_loss: float = 0.005
    """Loss of accuracy that must not pass, as a fraction of the images."""

    def __post_init__(self) -> None:
        for name, value, below in (
            ("max-slowdown", self.max_slowdown, 10.0),
            ("max-accuracy-loss", self.max_accuracy_loss, 1.0),
            ("false-alarms", self.false_alarms, 0.5),
            ("misses", self.misses, 0.5),
        ):
            if not 0.0 < value < below:
                raise SpecError(
                    f"{name}: expected percent above 0 and below {below * 100:g}, "
                    f"got {value * 100:g}"
                )
        for name, value in (
            ("minutes", self.budget_seconds / 60.0),
            ("round_seconds", self.round_seconds),
            ("benchmark_seconds", self.benchmark_seconds),
        ):
            if not (value > 0.0 and math.isfinite(value)):
                raise SpecError(f"{name}: expected a number above 0, got {value:g}")
        if list(self.looks) != sorted(set(self.looks)) or self.looks[:1] < (2,):
            raise SpecError(f"looks: expected rising numbers from 2 on, got {self.looks}")

    @property
    def limit(self) -> float:
        """`max_slowdown` as a log-ratio."""
        return math.log1p(self.max_slowdown)


@dataclass(frozen=True)
class CheckSpec:
    """A change to judge."""

    base: str
    """Revision to compare with, as git names it."""
    head: str
    """Revision to judge; ``worktree`` is the files as they are."""
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    decision: GateSpec
    cache_folder: Path
    """Folder for checkouts."""
    setup: str | None = None
    """Shell command that builds a revision."""
    accuracy_command: str | None = None
    """Shell command that trains in a revision and writes its accuracies."""
    outputs: Mapping[str, Path] = field(default_factory=dict)
    """Files to write, by their names in `formats.FORMATS`."""
    history_file: Path | None = None
    """History to append the result to."""


@dataclass(frozen=True)
class CertifySpec:
    """A recording of one revision against itself."""

    revision: str
    """Revision to measure, as git names it, or ``worktree``."""
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    decision: GateSpec
    """The decision whose error rates are asked for."""
    cache_folder: Path
    """Folder for checkouts."""
    recording_file: Path
    """The recording; continued if it exists."""
    seconds: float
    """Length of the whole recording."""
    setup: str | None = None
    """Shell command that builds the revision."""

    def __post_init__(self) -> None:
        if not (self.seconds > 0.0 and math.isfinite(self.seconds)):
            raise SpecError(f"minutes: expected a number above 0, got {self.seconds / 60.0:g}")
