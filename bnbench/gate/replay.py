"""The decisions of a recording made again: how often the gate is wrong, and how often right.

Each decision passes its process pairs, as they are and in the order of measurement, to the gate's
own rule; each pair costs the seconds that it took. Once nothing is slowed; once the records with
the injected slowdown replace those of one benchmark. Decisions share no process pair and no copy
of the code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.gate.quantities import list_quantities
from bnbench.gate.recording import RecordedDecision, Recording
from bnbench.gate.records import NO_SLOWDOWN, Slowdown
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome
from bnbench.stats.signed_rank import average_pairs

BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that a recording always gives the same figures."""

MAD_TO_DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
CENTER_EFFICIENCY = 3.0 / np.pi
"""Variance of a mean over that of a Hodges-Lehmann estimate, for normal values."""
SlowedName = tuple[str, Slowdown]
"""The name of a benchmark, and what was injected into it."""


@dataclass(frozen=True)
class ReplaySummary:
    """Outcomes of the decisions with one of these slowdowns injected into one benchmark."""

    slowdowns: tuple[Slowdown, ...]
    """Empty for A/A."""
    num_decisions: int
    outcomes: dict[str, int]
    """Decisions by the outcome of the slowed benchmark; in A/A, of the whole suite."""
    num_false_alarms: int
    """Decisions that called anything worse that was not slowed."""
    mean_seconds: float | None
    mean_pairs: float | None


@dataclass(frozen=True)
class BiasSummary:
    """How far copies of the same code differ in one quantity; log-ratios of head over base."""

    quantity: str
    mean: stats.Estimate
    """Mean over decisions of the mean of their pairs, with its 95% interval."""
    center: stats.Estimate
    """Mean over decisions of the Hodges-Lehmann estimate, by which the gate decides."""
    pair_deviation: float | None
    """Standard deviation of a pair within its decision; None if each has one pair."""
    robust_pair_deviation: float | None
    """The same from the median absolute deviation, which rare stalls do not move."""
    copy_deviation: float | None
    """Standard deviation of the centers that their pairs do not explain; None for one decision."""


def list_undecided(decision: RecordedDecision, spec: GateSpec) -> list[str]:
    """The benchmarks that the gate still measures, with or without the slowdown."""
    gates = [_decide(decision, each, spec) for each in {None, decision.injected}]
    active = {name for gate in gates if not gate.is_over for name in gate.active}
    return [name for name in decision.names if name in active]


def replay_decisions(
    recording: Recording, spec: GateSpec, slowdowns: tuple[Slowdown, ...] = ()
) -> ReplaySummary:
    """Make again all decisions with one of these slowdowns; interrupted ones are left out.

    Args:
        recording: what was recorded.
        spec: the gate that decides.
        slowdowns: recorded ones; by default, all decisions are made with nothing slowed.
    """
    outcomes: Counter[ChangeOutcome] = Counter()
    alarms = 0
    seconds, counts = [], []
    for decision in recording.decisions:
        slowed = decision.injected if slowdowns else None
        if slowdowns and (slowed is None or slowed[1] not in slowdowns):
            continue
        gate = _decide(decision, slowed, spec)
        if not gate.is_over and gate.num_pairs < gate.looks[0]:
            continue
        seconds.append(gate.seconds)
        counts.append(gate.num_pairs)
        found = {each.name: change.outcome for each, change in gate.finish().items()}
        worse = {name for name, outcome in found.items() if outcome is ChangeOutcome.WORSE}
        if slowed is None:
            alarms += bool(worse)
            outcomes[_summarize_suite(found, decision.names)] += 1
        else:
            alarms += bool(worse - {slowed[0]})
            outcomes[found.get(slowed[0], ChangeOutcome.UNDECIDED)] += 1
    return ReplaySummary(
        slowdowns,
        len(counts),
        {str(outcome): count for outcome, count in outcomes.items()},
        alarms,
        float(np.mean(seconds)) if seconds else None,
        float(np.mean(counts)) if counts else None,
    )


def _summarize_suite(found: Mapping[str, ChangeOutcome], names: Sequence[str]) -> ChangeOutcome:
    """What the gate says of a suite, start-up time and peak memory included."""
    if ChangeOutcome.WORSE in found.values():
        return ChangeOutcome.WORSE
    if any(found.get(name) is ChangeOutcome.UNDECIDED for name in names):
        return ChangeOutcome.UNDECIDED
    return ChangeOutcome.NOT_WORSE


def summarize_biases(recording: Recording) -> list[BiasSummary]:
    """Summarize the A/A log-ratios of every quantity.

    Pairs of one decision share the difference between its two copies, so the decision is the unit.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for decision in recording.decisions:
        values: dict[str, list[float]] = {}
        for pair in decision.pairs:
            for each in pair.list_measurements():
                values.setdefault(each.quantity.name, []).append(each.log_ratio)
        for name, found in values.items():
            groups.setdefault(name, []).append(np.array(found))
    return [_summarize_bias(name, found) for name, found in groups.items()]


def _summarize_bias(name: str, groups: list[np.ndarray]) -> BiasSummary:
    means = np.array([group.mean() for group in groups])
    centers = np.array([np.median(average_pairs(group)) for group in groups])
    mean, center = (
        stats.estimate_means(values[:, None], np.random.default_rng(BOOTSTRAP_SEED))[0]
        for values in (means, centers)
    )
    pair_deviation = robust_pair_deviation = copy_deviation = None
    degrees = sum(group.size - 1 for group in groups)
    if degrees:
        within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
        pair_deviation = float(np.sqrt(within / degrees))
        distances = [np.abs(group - np.median(group)) for group in groups]
        robust_pair_deviation = MAD_TO_DEVIATION * float(np.median(np.concatenate(distances)))
    if robust_pair_deviation is not None and len(groups) > 1:
        sizes = np.array([group.size for group in groups])
        explained = robust_pair_deviation**2 * float(np.mean(1.0 / sizes)) / CENTER_EFFICIENCY
        copy_deviation = float(np.sqrt(max(float(centers.var(ddof=1)) - explained, 0.0)))
    return BiasSummary(name, mean, center, pair_deviation, robust_pair_deviation, copy_deviation)


def _decide(
    decision: RecordedDecision, slowed: SlowedName | None, spec: GateSpec
) -> SequentialGate:
    """Pass recorded pairs to the gate until it is over or they lack what it measures."""
    gate = SequentialGate(list_quantities(decision.names), spec)
    for pair in decision.pairs:
        for name in pair.failures:
            gate.drop(name)
        keys = {name: (name, NO_SLOWDOWN) for name in gate.active}
        if slowed is not None and slowed[0] in keys:
            keys[slowed[0]] = slowed
        if not all(key in pair.table for key in keys.values()):
            break
        records = {name: pair.table[key] for name, key in keys.items()}
        values = {each.quantity.name: each.log_ratio for each in pair.list_process_measurements()}
        values |= {name: record.log_ratio for name, record in records.items()}
        seconds = sum(record.wall_seconds for record in records.values())
        gate.add(values, pair.overhead_seconds + seconds)
        if gate.is_over:
            break
    return gate
