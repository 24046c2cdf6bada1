"""Independent decisions from one recording: how often the gate is wrong, and how often right.

A recording is cut into decisions that share no process pair. Each takes the pairs of one layout in
the order in which they were measured, as they are, and passes them to the gate's own rule; each
pair costs the seconds that it took. To slow one benchmark, its records with the injected slowdown
are used; all others are A/A.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.gate.quantities import list_quantities
from bnbench.gate.recording import Recording
from bnbench.gate.records import NO_SLOWDOWN, PairRecord, Slowdown
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that a recording always gives the same figures."""


@dataclass(frozen=True)
class ReplaySummary:
    """Outcomes of the decisions with one slowdown injected into one benchmark."""

    slowdown: Slowdown
    num_decisions: int
    """Disjoint decisions; each slows every benchmark in turn."""
    outcomes: dict[str, int]
    """Count of each outcome of the slowed benchmark; in A/A, of all benchmarks."""
    num_false_alarms: int
    """Decisions that called anything worse that was not slowed."""
    num_undecided: int
    """Decisions that left some benchmark undecided."""
    mean_seconds: float | None
    mean_pairs: float | None


@dataclass(frozen=True)
class BiasSummary:
    """How far copies of the same code differ in one benchmark; log-ratios of head over base."""

    benchmark: str
    mean: stats.Estimate
    """Mean over layouts of the mean of their pairs, with its 95% interval."""
    pair_deviation: float | None
    """Standard deviation of a pair within its layout; None if each has one pair."""
    layout_deviation: float | None
    """Standard deviation between layouts that their pairs do not explain; None for one layout."""


def replay_decisions(recording: Recording, spec: GateSpec, slowdown: Slowdown) -> ReplaySummary:
    """Replay all decisions that a recording has pairs for.

    Args:
        recording: with at least one benchmark.
        spec: the gate that decides.
        slowdown: a recorded one, or none.
    """
    names = recording.names
    outcomes: Counter[str] = Counter()
    alarms = undecided = num_decisions = 0
    seconds, counts = [], []
    for pairs in recording.layouts:
        rest: Sequence[PairRecord] = pairs
        while rest:
            slowed = names if slowdown.share else [None]
            gates = [_decide(rest, names, name, slowdown, spec) for name in slowed]
            num_used = max(gate.num_pairs for gate in gates)
            if num_used < gates[0].looks[0]:
                break  # too few for a decision are left
            rest = rest[num_used:]
            num_decisions += 1
            found = [
                {quantity.name: change.outcome for quantity, change in gate.finish().items()}
                for gate in gates
            ]
            seconds += [gate.seconds for gate in gates]
            counts += [gate.num_pairs for gate in gates]
            for name, each in zip(slowed, found, strict=True):
                outcomes.update(str(each[one]) for one in (names if name is None else [name]))
            alarms += any(
                outcome is ChangeOutcome.WORSE and one != name
                for name, each in zip(slowed, found, strict=True)
                for one, outcome in each.items()
            )
            undecided += any(
                each[name] is ChangeOutcome.UNDECIDED for each in found for name in names
            )
    return ReplaySummary(
        slowdown,
        num_decisions,
        dict(outcomes),
        alarms,
        undecided,
        float(np.mean(seconds)) if seconds else None,
        float(np.mean(counts)) if counts else None,
    )


def summarize_bias(recording: Recording, name: str) -> BiasSummary:
    """Summarize the A/A log-ratios of one benchmark.

    Pairs of one layout share the difference between its two copies, so the layout is the unit.
    """
    groups = [
        np.array([pair.table[name, NO_SLOWDOWN].log_ratio for pair in pairs])
        for pairs in recording.layouts
    ]
    means = np.array([group.mean() for group in groups])
    mean = stats.estimate_means(means[:, None], np.random.default_rng(BOOTSTRAP_SEED))[0]
    degrees = sum(group.size - 1 for group in groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    pair_variance = within / degrees if degrees else None
    layout_deviation = None
    if len(groups) > 1 and pair_variance is not None:
        explained = pair_variance * float(np.mean([1.0 / group.size for group in groups]))
        layout_deviation = float(np.sqrt(max(float(means.var(ddof=1)) - explained, 0.0)))
    return BiasSummary(
        name,
        mean,
        None if pair_variance is None else float(np.sqrt(pair_variance)),
        layout_deviation,
    )


def _decide(
    pairs: Iterable[PairRecord],
    names: Sequence[str],
    slowed: str | None,
    slowdown: Slowdown,
    spec: GateSpec,
) -> SequentialGate:
    """Pass recorded pairs to the gate until it is over or there are no more."""
    gate = SequentialGate(list_quantities(names), spec)
    for pair in pairs:
        seconds = pair.overhead_seconds
        values = {each.quantity.name: each.log_ratio for each in pair.list_process_measurements()}
        for name in gate.active:
            record = pair.table[name, slowdown if name == slowed else NO_SLOWDOWN]
            values[name] = record.log_ratio
            seconds += record.wall_seconds
        gate.add(values, seconds)
        if gate.is_over:
            break
    return gate
