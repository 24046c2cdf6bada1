"""Thousands of decisions from one recording: how often the gate is wrong, and how often right.

A decision draws recorded process pairs in random order without replacement and passes them to
the gate's own rule; each pair costs the seconds that it took. In A/A data base and head are the
same, so exchanging them in a pair gives data that are as likely: the exchange is drawn as well.
To slow one benchmark, its records with the injected slowdown are used; all others are A/A.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.gate.quantities import list_quantities
from bnbench.gate.recording import Recording
from bnbench.gate.records import PairRecord
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.arrays import FloatArray
from bnbench.stats.change import ChangeOutcome


@dataclass(frozen=True)
class ReplaySummary:
    """Outcomes of many replayed decisions with one slowdown injected into one benchmark."""

    slowdown: float
    """0 for A/A."""
    num_decisions: int
    outcomes: dict[str, int]
    """Count of each outcome of the slowed benchmark; at 0, of all benchmarks."""
    num_false_alarms: int
    """Decisions that called slower what was not slowed."""
    num_undecided: int
    """Decisions that left some benchmark undecided."""
    mean_seconds: float
    mean_pairs: float


class _RecordedPair:
    """A pair's log-ratios and seconds by benchmark and level."""

    def __init__(self, pair: PairRecord) -> None:
        self.ratios = {(v.benchmark, v.slowdown): v.log_ratio for v in pair.benchmarks}
        self.seconds = {(v.benchmark, v.slowdown): v.wall_seconds for v in pair.benchmarks}
        self.overhead_seconds = pair.overhead_seconds
        self.process_ratios = {
            each.quantity.name: each.log_ratio for each in pair.list_process_measurements()
        }


def replay_decisions(
    recording: Recording,
    spec: GateSpec,
    slowdown: float,
    num_decisions: int,
    generator: np.random.Generator,
) -> ReplaySummary:
    """Replay many decisions at one level; the benchmarks are slowed in turn.

    Args:
        recording: with at least two pairs and one benchmark.
        spec: the gate that decides.
        slowdown: a recorded level; 0 for A/A.
        num_decisions: how many, at least 1.
        generator: draws orders and exchanges.
    """
    pairs = [_RecordedPair(pair) for pair in recording.pairs]
    names = recording.names
    outcomes: Counter[str] = Counter()
    alarms = undecided = 0
    seconds, counts = [], []
    for number in range(num_decisions):
        slowed = names[number % len(names)] if slowdown else None
        order = generator.permutation(len(pairs))
        signs = generator.choice([-1.0, 1.0], len(pairs))
        found, spent, count = _decide(
            [pairs[index] for index in order], signs, names, slowed, slowdown, spec
        )
        seconds.append(spent)
        counts.append(count)
        judged = names if slowed is None else [slowed]
        outcomes.update(str(found[name]) for name in judged if name in found)
        alarms += any(
            outcome is ChangeOutcome.WORSE for name, outcome in found.items() if name != slowed
        )
        undecided += any(found.get(name) is ChangeOutcome.UNDECIDED for name in names)
    return ReplaySummary(
        slowdown,
        num_decisions,
        dict(outcomes),
        alarms,
        undecided,
        float(np.mean(seconds)),
        float(np.mean(counts)),
    )


def _decide(
    pairs: Sequence[_RecordedPair],
    signs: FloatArray,
    names: Sequence[str],
    slowed: str | None,
    slowdown: float,
    spec: GateSpec,
) -> tuple[dict[str, ChangeOutcome], float, int]:
    gate = SequentialGate(list_quantities(names), spec)
    spent = 0.0
    for pair, sign in zip(pairs, signs, strict=True):
        active = gate.active
        values = {name: sign * value for name, value in pair.process_ratios.items()}
        cost = pair.overhead_seconds
        for name in active:
            key = (name, slowdown if name == slowed else 0.0)
            values[name] = pair.ratios[key] if name == slowed else sign * pair.ratios[key]
            cost += pair.seconds[key]
        gate.add(values)
        spent += cost
        if gate.is_over or not gate.has_time_for_more(spent, cost):
            break
    found = {quantity.name: change.outcome for quantity, change in gate.finish().items()}
    return found, spent, gate.num_pairs
