"""The decisions of a recording made again: how often the gate is wrong, and how often right.

Each decision passes its process pairs, as they are and in the order of measurement, to the gate's
own rule; each pair costs the seconds that it took. Once nothing is slowed; once the records with
the injected slowdown replace those of one benchmark. Decisions share no process pair and no copy
of the code.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.gate.quantities import list_quantities
from bnbench.gate.recording import RecordedDecision, Recording
from bnbench.gate.records import NO_SLOWDOWN, PairRecord, Slowdown
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that a recording always gives the same figures."""

SlowedName = tuple[str, Slowdown]
"""The name of a benchmark, and what was injected into it."""


@dataclass(frozen=True)
class ReplaySummary:
    """Outcomes of the decisions with one slowdown injected into one benchmark."""

    slowdown: Slowdown
    num_decisions: int
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
    """How far copies of the same code differ in one quantity; log-ratios of head over base."""

    quantity: str
    mean: stats.Estimate
    """Mean over decisions of the mean of their pairs, with its 95% interval."""
    pair_deviation: float | None
    """Standard deviation of a pair within its decision; None if each has one pair."""
    copy_deviation: float | None
    """Standard deviation between copies that their pairs do not explain; None for one decision."""


def is_decided(decision: RecordedDecision, spec: GateSpec) -> bool:
    """Whether a decision has all the pairs that the gate needs, slowed and not slowed."""
    return all(_decide(decision, each, spec).is_over for each in {None, decision.injected})


def replay_decisions(recording: Recording, spec: GateSpec, slowdown: Slowdown) -> ReplaySummary:
    """Make again all decisions with this slowdown; interrupted ones are left out.

    Args:
        recording: what was recorded.
        spec: the gate that decides.
        slowdown: a recorded one, or none.
    """
    outcomes: Counter[str] = Counter()
    alarms = undecided = 0
    seconds, counts = [], []
    for decision in recording.decisions:
        slowed = decision.injected if slowdown.share else None
        if slowdown.share and (slowed is None or slowed[1] != slowdown):
            continue
        gate = _decide(decision, slowed, spec)
        if not gate.is_over and gate.num_pairs < gate.looks[0]:
            continue
        seconds.append(gate.seconds)
        counts.append(gate.num_pairs)
        found = {each.name: change.outcome for each, change in gate.finish().items()}
        worse = {name for name, outcome in found.items() if outcome is ChangeOutcome.WORSE}
        own = decision.names if slowed is None else [slowed[0]]
        outcomes.update(str(found[name]) for name in own)
        alarms += bool(worse if slowed is None else worse - {slowed[0]})
        undecided += any(found[name] is ChangeOutcome.UNDECIDED for name in decision.names)
    return ReplaySummary(
        slowdown,
        len(counts),
        dict(outcomes),
        alarms,
        undecided,
        float(np.mean(seconds)) if seconds else None,
        float(np.mean(counts)) if counts else None,
    )


def summarize_biases(recording: Recording) -> list[BiasSummary]:
    """Summarize the A/A log-ratios of every quantity that all pairs measured.

    Pairs of one decision share the difference between its two copies, so the decision is the unit.
    """
    tables = [
        [_list_log_ratios(pair, None) for pair in decision.pairs]
        for decision in recording.decisions
    ]
    names = [
        name
        for name in (tables[0][0] if tables else ())
        if all(name in table for group in tables for table in group)
    ]
    return [
        _summarize_bias(name, [np.array([table[name] for table in group]) for group in tables])
        for name in names
    ]


def _summarize_bias(name: str, groups: list[np.ndarray]) -> BiasSummary:
    means = np.array([group.mean() for group in groups])
    mean = stats.estimate_means(means[:, None], np.random.default_rng(BOOTSTRAP_SEED))[0]
    degrees = sum(group.size - 1 for group in groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    pair_variance = within / degrees if degrees else None
    copy_deviation = None
    if len(groups) > 1 and pair_variance is not None:
        explained = pair_variance * float(np.mean([1.0 / group.size for group in groups]))
        copy_deviation = float(np.sqrt(max(float(means.var(ddof=1)) - explained, 0.0)))
    return BiasSummary(
        name,
        mean,
        None if pair_variance is None else float(np.sqrt(pair_variance)),
        copy_deviation,
    )


def _decide(
    decision: RecordedDecision, slowed: SlowedName | None, spec: GateSpec
) -> SequentialGate:
    """Pass recorded pairs to the gate until it is over or there are no more."""
    names = decision.names
    gate = SequentialGate(list_quantities(names), spec)
    for pair in decision.pairs:
        values = _list_log_ratios(pair, slowed)
        seconds = pair.overhead_seconds
        for name in names:
            if name in gate.active:
                seconds += pair.table[name, NO_SLOWDOWN].wall_seconds
            else:
                del values[name]
        gate.add(values, seconds)
        if gate.is_over:
            break
    return gate


def _list_log_ratios(pair: PairRecord, slowed: SlowedName | None) -> dict[str, float]:
    """The log-ratio of each quantity, one benchmark perhaps slowed."""
    values = {each.quantity.name: each.log_ratio for each in pair.list_measurements()}
    if slowed is not None:
        values[slowed[0]] = pair.table[slowed].log_ratio
    return values
