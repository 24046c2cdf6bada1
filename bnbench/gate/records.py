"""What a gate measures: visits of benchmarks by pairs of processes, one of base, one of head."""

from __future__ import annotations

import functools
import math
import statistics
from dataclasses import dataclass, field

STARTUP = "start-up time"
PEAK_MEMORY = "peak memory"


@dataclass(frozen=True)
class VisitRecord:
    """One benchmark measured by one pair of processes, in short rounds side by side."""

    benchmark: str
    slowdown: float
    """Injected into the head's rounds, as a fraction; 0 but in recordings."""
    iterations: int
    """Calls a round, the same on both sides."""
    base_seconds: tuple[float, ...]
    """Of each round as a whole, in the order in which they were measured."""
    head_seconds: tuple[float, ...]
    """As many; the i-th was measured beside the base's i-th."""
    kernel_seconds: float
    """What the reference kernel took beside it: the speed of the machine at that time."""
    wall_seconds: float
    """How long the visit took in all."""
    at_once: bool = True
    """Whether both sides ran at once, on a processor each; otherwise they ran in turn."""

    @functools.cached_property
    def log_ratio(self) -> float:
        """Logarithm of head's time over base's: the median over double rounds.

        A double round is two rounds between which base and head exchanged their places (their
        processors, or who comes first), so that a better place favors neither in their mean.
        The median, since on a shared machine single rounds stall for many times their length.
        """
        ratios = [
            math.log(head / base)
            for base, head in zip(self.base_seconds, self.head_seconds, strict=True)
        ]
        return statistics.median(
            (first + second) / 2.0 for first, second in zip(ratios[::2], ratios[1::2], strict=True)
        )


@dataclass(frozen=True)
class PairRecord:
    """One pair of processes from start to end."""

    visits: tuple[VisitRecord, ...]
    startup_seconds: tuple[float, float]
    """Base and head: from the process's start until the suite is imported and collected."""
    peak_bytes: tuple[int, int]
    """Base and head: largest resident set."""
    wall_seconds: float
    """How long the pair took in all."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a benchmark gave no time, where one did not."""

    @property
    def idle_seconds(self) -> float:
        """What the pair cost besides its visits: starting, fixtures, ending."""
        return max(self.wall_seconds - sum(visit.wall_seconds for visit in self.visits), 0.0)

    def list_log_ratios(self) -> dict[str, float]:
        """The head over base of all that was measured without an injected slowdown, by name."""
        ratios = {visit.benchmark: visit.log_ratio for visit in self.visits if not visit.slowdown}
        for name, (base, head) in (
            (STARTUP, self.startup_seconds),
            (PEAK_MEMORY, self.peak_bytes),
        ):
            if base > 0 and head > 0:
                ratios[name] = math.log(head / base)
        return ratios
