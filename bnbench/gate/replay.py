"""Thousands of decisions out of one recording: how often the gate is wrong, and how often right.

A decision draws recorded process pairs in random order, none twice, and feeds them to the very
rule that the gate decides by, paying for each with the seconds it took. In A/A data base and
head are the same, so that exchanging them in a pair gives data that were as likely: the exchange
is drawn, too. To find a slowdown of one benchmark, its visits with the slowdown injected are
taken, and all other benchmarks' without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.gate.recording import Recording
from bnbench.gate.records import PEAK_MEMORY, STARTUP, PairRecord
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.arrays import FloatArray
from bnbench.stats.change import ChangeOutcome


@dataclass(frozen=True)
class ReplaySummary:
    """What became of many replayed decisions at one injected slowdown of one benchmark."""

    slowdown: float
    """0 for A/A."""
    num_decisions: int
    outcomes: dict[str, int]
    """How often each outcome was said of the slowed benchmark; for A/A, of every benchmark."""
    num_false_alarms: int
    """Decisions that called anything slower that was not slowed."""
    num_undecided: int
    """Decisions that left some benchmark undecided."""
    mean_seconds: float
    mean_pairs: float


class _RecordedPair:
    """A pair's log-ratios and seconds by benchmark and level."""

    def __init__(self, pair: PairRecord) -> None:
        self.ratios = {(v.benchmark, v.slowdown): v.log_ratio for v in pair.visits}
        self.seconds = {(v.benchmark, v.slowdown): v.wall_seconds for v in pair.visits}
        self.idle_seconds = pair.idle_seconds
        everything = pair.list_log_ratios()
        self.extras = {
            name: everything[name] for name in (STARTUP, PEAK_MEMORY) if name in everything
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
    gate = SequentialGate(names, spec, extra_names=(STARTUP, PEAK_MEMORY))
    spent = 0.0
    for pair, sign in zip(pairs, signs, strict=True):
        active = gate.active
        values = {name: sign * value for name, value in pair.extras.items()}
        cost = pair.idle_seconds
        for name in active:
            key = (name, slowdown if name == slowed else 0.0)
            values[name] = pair.ratios[key] if name == slowed else sign * pair.ratios[key]
            cost += pair.seconds[key]
        gate.add(values)
        spent += cost
        if gate.is_over or not gate.has_time_for_more(spent, cost):
            break
    found = {decision.name: decision.change.outcome for decision in gate.finish()}
    return found, spent, gate.num_pairs
