"""Deciding while measuring: a few looks, each with its share of the error rates.

One value a benchmark and process pair goes in; pairs are independent of each other, rounds
within one are not, so the pair is the unit of the interval. With `m` quantities judged and `l`
looks at most, a test has the rate ``false_alarms / (m * l)`` (Bonferroni), which holds however
the quantities and the looks depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnbench.gate.specs import GateSpec
from bnbench.stats.change import Change, ChangeOutcome, ErrorRates, decide_change

MORE_TIME_FOR_A_PAIR = 1.1


@dataclass(frozen=True)
class Decision:
    """What the gate says of one quantity."""

    name: str
    change: Change
    """In logarithms of head over base."""
    num_looks: int
    """Looks it took."""


class SequentialGate:
    """Takes in process pair after process pair until all is decided or no look is left.

    Args:
        names: the quantities for whose sake measuring goes on.
        spec: what is asked for.
        extra_names: quantities that come for free (start-up, memory): judged with the others,
            never waited for.
    """

    def __init__(
        self, names: Sequence[str], spec: GateSpec, extra_names: Sequence[str] = ()
    ) -> None:
        self._spec = spec
        self._names = list(names)
        self._extra_names = list(extra_names)
        self._values: dict[str, list[float]] = {name: [] for name in [*names, *extra_names]}
        self._decided: dict[str, Decision] = {}
        self._num_looks = 0
        num_tests = len(spec.looks) * max(len(self._values), 1)
        self._rates = ErrorRates(spec.false_alarms / num_tests, spec.misses / len(spec.looks))
        self.num_pairs = 0

    @property
    def active(self) -> list[str]:
        """The quantities that are worth measuring on."""
        return [name for name in self._names if name not in self._decided]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be measured."""
        return not self.active or self._num_looks == len(self._spec.looks)

    def has_time_for_more(self, spent_seconds: float, last_pair_seconds: float) -> bool:
        """Whether another pair fits the budget, even if it takes a little longer than the last."""
        needed = MORE_TIME_FOR_A_PAIR * last_pair_seconds
        return spent_seconds + needed <= self._spec.budget_seconds

    def drop(self, name: str) -> None:
        """Leave out what cannot be measured."""
        self._names = [kept for kept in self._names if kept != name]
        self._values.pop(name, None)
        self._decided.pop(name, None)

    def add(self, values: Mapping[str, float]) -> None:
        """Take in a process pair: a log-ratio of head to base for each quantity it measured."""
        self.num_pairs += 1
        for name, value in values.items():
            if name in self._values:
                self._values[name].append(value)
        looks = self._spec.looks
        if self._num_looks < len(looks) and self.num_pairs >= looks[self._num_looks]:
            self._look()

    def finish(self) -> list[Decision]:
        """Look for a last time if a look is left, and say what is known of every quantity."""
        if self._num_looks < len(self._spec.looks):
            self._look()
        return [
            self._decided.get(name) or Decision(name, self._judge(name), self._num_looks)
            for name in [*self._names, *self._extra_names]
            if self._values.get(name)
        ]

    def _look(self) -> None:
        self._num_looks += 1
        for name in self.active:
            if not self._values[name]:
                continue
            change = self._judge(name)
            if change.outcome is not ChangeOutcome.UNDECIDED:
                self._decided[name] = Decision(name, change, self._num_looks)

    def _judge(self, name: str) -> Change:
        return decide_change(self._values[name], self._spec.limit, self._rates)
