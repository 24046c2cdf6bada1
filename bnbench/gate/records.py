"""What a gate measures: pairs of processes, one of base and one of head, and their benchmarks."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bnbench.gate.quantities import PEAK_MEMORY, STARTUP, Quantity


@dataclass(frozen=True)
class Measurement:
    """One quantity measured by one pair of processes."""

    quantity: Quantity
    base: tuple[float, ...]
    """Amounts of base, in the unit of the quantity's kind."""
    head: tuple[float, ...]
    """As many of head."""
    log_ratio: float
    """Logarithm of head over base: the one number of this pair that enters the decision."""


@dataclass(frozen=True)
class Slowdown:
    """Work that is injected into the head's rounds; only recordings have any."""

    share: float = 0.0
    """Share of the benchmark's own time, as a fraction; 0 for none."""
    work: Literal["busy", "memory"] = "busy"
    """A busy loop in registers, or copying memory that no cache holds."""


NO_SLOWDOWN = Slowdown()


@dataclass(frozen=True)
class Injection:
    """A slowdown of one benchmark of a suite, which is measured with it and without it."""

    position: int
    """Number of the benchmark in the suite, counted from 0 and around."""
    slowdown: Slowdown


@dataclass(frozen=True)
class BenchmarkRecord:
    """One benchmark measured by one pair of processes, in short rounds side by side."""

    benchmark: str
    slowdown: Slowdown
    """What was injected into the head's rounds."""
    iterations: int
    """Calls per round, the same on both sides."""
    base_seconds: tuple[float, ...]
    """Seconds of each whole round of base, in the order of measurement."""
    head_seconds: tuple[float, ...]
    """The same of head; round i was measured beside round i of base."""
    kernel_seconds: float
    """Seconds of the reference kernel at that time: the speed of the machine."""
    wall_seconds: float
    """How long it took to measure the benchmark in all."""

    @functools.cached_property
    def log_ratio(self) -> float:
        """Logarithm of head's time over base's: the median over double rounds.

        A double round is two rounds between which base and head exchanged their places (their
        processors, or who comes first), so that a better place favors neither in their mean.
        The median, because on a shared machine single rounds stall for many times their length.
        """
        ratios = np.log(self.head_seconds) - np.log(self.base_seconds)
        return float(np.median(ratios.reshape(-1, 2).mean(axis=1)))

    @property
    def measurement(self) -> Measurement:
        """The time per call as a quantity."""
        base, head = (
            tuple(seconds / self.iterations for seconds in rounds)
            for rounds in (self.base_seconds, self.head_seconds)
        )
        return Measurement(Quantity(self.benchmark), base, head, self.log_ratio)


@dataclass(frozen=True)
class PairRecord:
    """One pair of processes from start to end."""

    benchmarks: tuple[BenchmarkRecord, ...]
    startup_seconds: tuple[float, float]
    """Base and head: from the process's start until the suite is imported and collected."""
    peak_bytes: tuple[int, int]
    """Base and head: largest resident set."""
    wall_seconds: float
    """How long the pair took in all."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why benchmarks gave no time, by name."""
    load: float | None = None
    """Load average of the machine at the end, this pair's own two processes included; None if it
    was not recorded."""

    @functools.cached_property
    def table(self) -> dict[tuple[str, Slowdown], BenchmarkRecord]:
        """The benchmarks by their name and injected slowdown."""
        return {(each.benchmark, each.slowdown): each for each in self.benchmarks}

    @property
    def overhead_seconds(self) -> float:
        """What the pair cost besides its benchmarks: starting, fixtures, ending."""
        return max(self.wall_seconds - sum(each.wall_seconds for each in self.benchmarks), 0.0)

    def list_process_measurements(self) -> list[Measurement]:
        """What was measured of the processes as a whole."""
        amounts = ((STARTUP, self.startup_seconds), (PEAK_MEMORY, self.peak_bytes))
        return [
            Measurement(quantity, (base,), (head,), math.log(head / base))
            for quantity, (base, head) in amounts
            if base > 0 and head > 0
        ]

    def list_measurements(self) -> list[Measurement]:
        """All that was measured without an injected slowdown."""
        benchmarks = [each.measurement for each in self.benchmarks if each.slowdown == NO_SLOWDOWN]
        return benchmarks + self.list_process_measurements()
