"""What the gate compares: quantities, and in one table what holds for each kind of them.

A quantity is a number that base and head both have and that is better when smaller: the time of
a benchmark, the start-up time, the peak memory. Only `KINDS` knows their units, words and rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

KindName = Literal["time", "startup", "memory"]


@dataclass(frozen=True)
class QuantityKind:
    """How quantities of one kind are decided, worded and written."""

    unit: str
    """Unit of the amounts in records and files."""
    scales: tuple[tuple[float, str], ...]
    """Units for people, the largest first, each with its size in `unit`."""
    num_digits: int
    """Significant digits for people."""
    worse: str
    """Adjective for head if its amount is greater."""
    better: str
    """Adjective for head if its amount is smaller."""
    is_waited_for: bool
    """Whether the gate measures on, and ends undecided, while such a quantity is undecided."""
    bencher_measure: str
    """Name of the measure in Bencher."""
    bencher_factor: float
    """From `unit` to Bencher's unit of that measure."""

    def format_amount(self, amount: float) -> str:
        """Write an amount with the unit that fits its size."""
        size, unit = next((each for each in self.scales if amount >= each[0]), self.scales[-1])
        return f"{amount / size:.{self.num_digits}g} {unit}"


_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTES = ((2.0**20, "MiB"),)
KINDS: dict[KindName, QuantityKind] = {
    "time": QuantityKind("seconds", _SECONDS, 3, "slower", "faster", True, "latency", 1e9),
    "startup": QuantityKind("seconds", _SECONDS, 3, "slower", "faster", False, "latency", 1e9),
    "memory": QuantityKind("bytes", _BYTES, 4, "larger", "smaller", False, "memory", 1.0),
}


@dataclass(frozen=True)
class Quantity:
    """One quantity that base and head are compared by."""

    name: str
    kind: KindName = "time"


STARTUP = Quantity("start-up time", "startup")
PEAK_MEMORY = Quantity("peak memory", "memory")


def list_quantities(benchmarks: Iterable[str]) -> list[Quantity]:
    """List all that the gate judges: the times of these benchmarks and what each process costs."""
    return [*map(Quantity, benchmarks), STARTUP, PEAK_MEMORY]
