"""Thousands of decisions from one recording: how often the gate is wrong, and how often right.

A decision draws recorded process pairs in random order without replacement and passes them to
the gate's own rule; each pair costs the seconds that it took. In A/A data base and head are the
same, so exchanging them in a pair gives data that are as likely: the exchange is drawn as well.
To slow one benchmark, its records with the injected slowdown are used; all others are A/A.

What pytest-benchmark's ``--benchmark-compare-fail`` would decide is replayed beside it. Its rule
compares one statistic of one run with that of an earlier run: ``(head - base) / base > threshold``
fails. A run is one process, so base and head come from different process pairs of the recording,
as they come from different jobs in CI.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.gate.quantities import list_quantities
from bnbench.gate.recording import Recording
from bnbench.gate.records import PairRecord
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

STATISTICS: dict[str, Callable[..., float]] = {"mean": np.mean, "median": np.median, "min": np.min}
THRESHOLDS = (0.05, 0.1)


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


@dataclass(frozen=True)
class CompareFailSummary:
    """What one rule decided in many comparisons at one injected slowdown."""

    rule: str
    """Argument of pytest-benchmark's option, such as ``mean:5%``."""
    slowdown: float
    num_comparisons: int
    num_failed: int
    """Comparisons in which the slowed benchmark failed; at 0, in which any benchmark did."""


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
    pairs, names = recording.pairs, recording.names
    outcomes: Counter[str] = Counter()
    alarms = undecided = 0
    seconds, counts = [], []
    for number in range(num_decisions):
        slowed = names[number % len(names)] if slowdown else None
        order = generator.permutation(len(pairs))
        signs = generator.choice([-1.0, 1.0], len(pairs))
        drawn = zip([pairs[index] for index in order], signs, strict=True)
        gate = _decide(drawn, names, slowed, slowdown, spec)
        found = {quantity.name: change.outcome for quantity, change in gate.finish().items()}
        seconds.append(gate.seconds)
        counts.append(gate.num_pairs)
        judged = names if slowed is None else [slowed]
        outcomes.update(str(found[name]) for name in judged if name in found)
        alarms += any(
            outcome is ChangeOutcome.WORSE for name, outcome in found.items() if name != slowed
        )
        undecided += any(found.get(name) is ChangeOutcome.UNDECIDED for name in names)
    mean_seconds, mean_pairs = float(np.mean(seconds)), float(np.mean(counts))
    return ReplaySummary(
        slowdown, num_decisions, dict(outcomes), alarms, undecided, mean_seconds, mean_pairs
    )


def replay_compare_fail(
    recording: Recording, slowdown: float, num_comparisons: int, generator: np.random.Generator
) -> list[CompareFailSummary]:
    """Replay comparisons of two drawn runs, each rule on the same ones.

    The arguments are those of `replay_decisions`.
    """
    pairs, names = recording.pairs, recording.names
    runs = [generator.choice(len(pairs), 2, replace=False) for _ in range(num_comparisons)]
    first, second = np.transpose(runs)
    numbers = np.arange(num_comparisons)
    summaries = []
    for statistic, compute in STATISTICS.items():
        figures = [
            [
                (
                    compute(pair.table[name, 0.0].measurement.base),
                    compute(pair.table[name, slowdown].measurement.head),
                )
                for name in names
            ]
            for pair in pairs
        ]
        base, head = np.moveaxis(np.array(figures), 2, 0)  # each of shape (pairs, names)
        changes = head[second] / base[first] - 1.0
        found = changes[numbers, numbers % len(names)] if slowdown else changes.max(axis=1)
        summaries += [
            CompareFailSummary(
                f"{statistic}:{limit:.0%}", slowdown, num_comparisons, int((found > limit).sum())
            )
            for limit in THRESHOLDS
        ]
    return summaries


def _decide(
    drawn: Iterable[tuple[PairRecord, float]],
    names: Sequence[str],
    slowed: str | None,
    slowdown: float,
    spec: GateSpec,
) -> SequentialGate:
    gate = SequentialGate(list_quantities(names), spec)
    for pair, sign in drawn:
        values = {
            each.quantity.name: sign * each.log_ratio for each in pair.list_process_measurements()
        }
        seconds = pair.overhead_seconds
        for name in gate.active:
            record = pair.table[name, slowdown if name == slowed else 0.0]
            values[name] = record.log_ratio if name == slowed else sign * record.log_ratio
            seconds += record.wall_seconds
        gate.add(values, seconds)
        if gate.is_over:
            break
    return gate
