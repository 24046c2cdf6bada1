"""Deciding while measuring: a few looks at the data, each with its share of the error rates.

Each process pair gives one value per quantity. Pairs are independent of each other and rounds
within a pair are not, so the pair is the unit of the interval. With `m` quantities and at most
`l` looks, each test has the rate ``false_alarms / (m * l)`` (Bonferroni), which holds however
quantities and looks depend on each other. A test at that rate needs a certain number of pairs
whatever they show, so the first look comes when there are as many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bnbench.gate.quantities import KINDS, Quantity
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import Change, ChangeOutcome, ErrorRates, decide_change
from bnbench.stats.signed_rank import count_needed

NUM_LOOKS = 4
"""How often the gate tries to decide; each look costs error rate."""
LOOK_GROWTH = 1.6
"""How many times as many pairs each look has as the one before."""
PAIR_TIME_RESERVE = 1.1
"""How much longer than the last pair the next one may take and still fit the time."""


def plan_looks(num_quantities: int, false_alarms: float) -> tuple[int, ...]:
    """Numbers of process pairs after which the gate tries to decide.

    Args:
        num_quantities: how many share the false-alarm rate, at least 1.
        false_alarms: rate over all quantities and looks, in (0, 0.5).
    """
    first = count_needed(false_alarms / (num_quantities * NUM_LOOKS))
    return tuple(round(first * LOOK_GROWTH**look) for look in range(NUM_LOOKS))


class SequentialGate:
    """Takes process pair after process pair until all is decided, or no look or time is left.

    Args:
        quantities: what is judged; those of a kind that is waited for decide when it is over.
        spec: what is asked for.
    """

    def __init__(self, quantities: Sequence[Quantity], spec: GateSpec) -> None:
        self._spec = spec
        self._quantities = {quantity.name: quantity for quantity in quantities}
        self._values: dict[str, list[float]] = {name: [] for name in self._quantities}
        self._decided: dict[str, Change] = {}
        self._num_looks = 0
        self.seconds = self._last_seconds = 0.0
        num_quantities = max(len(self._quantities), 1)
        self.looks = plan_looks(num_quantities, spec.false_alarms)
        self._rates = ErrorRates(
            spec.false_alarms / (num_quantities * NUM_LOOKS), spec.misses / NUM_LOOKS
        )
        self.num_pairs = 0

    @property
    def active(self) -> list[str]:
        """Names of the quantities that are undecided and waited for."""
        return [
            name
            for name, quantity in self._quantities.items()
            if KINDS[quantity.kind].is_waited_for and name not in self._decided
        ]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be measured, or no time for another pair."""
        needed = self.seconds + PAIR_TIME_RESERVE * self._last_seconds
        is_late = needed > self._spec.budget_seconds
        return not self.active or self._num_looks == NUM_LOOKS or is_late

    def drop(self, name: str) -> None:
        """Leave out a quantity that cannot be measured."""
        self._quantities.pop(name, None)

    def add(self, log_ratios: Mapping[str, float], seconds: float) -> None:
        """Take a process pair: each quantity's logarithm of head over base, and its seconds."""
        self.num_pairs += 1
        self.seconds, self._last_seconds = self.seconds + seconds, seconds
        for name, value in log_ratios.items():
            if name in self._quantities:
                self._values[name].append(value)
        if self._num_looks < NUM_LOOKS and self.num_pairs >= self.looks[self._num_looks]:
            self._look()

    def finish(self) -> dict[Quantity, Change]:
        """Look a last time if a look is left; give the change, a log-ratio, of each quantity."""
        if self._num_looks < NUM_LOOKS:
            self._look()
        return {
            quantity: self._decided.get(name) or self._judge(name)
            for name, quantity in self._quantities.items()
            if self._values[name]
        }

    def _look(self) -> None:
        self._num_looks += 1
        for name in self.active:
            if self._values[name]:
                change = self._judge(name)
                if change.outcome is not ChangeOutcome.UNDECIDED:
                    self._decided[name] = change

    def _judge(self, name: str) -> Change:
        return decide_change(self._values[name], math.log1p(self._spec.max_slowdown), self._rates)
