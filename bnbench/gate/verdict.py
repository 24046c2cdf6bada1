"""The verdict: every benchmark, start-up, memory and accuracy in one summary and one exit code."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum

from bnbench.gate.accuracy import AccuracySummary
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.process import RevisionFolder
from bnbench.gate.records import PEAK_MEMORY, STARTUP, PairRecord
from bnbench.gate.sequential import Decision
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

WORSE_EXIT_CODE = 1
UNDECIDED_EXIT_CODE = 3


class Verdict(StrEnum):
    """What the gate says of the whole change."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class BenchmarkSummary:
    """What the change did to one benchmark, or to start-up time or peak memory."""

    name: str
    outcome: ChangeOutcome
    ratio: float
    """Head over base: the geometric mean over process pairs of their medians."""
    low: float | None
    """Ends of the interval that alarms go by; None for a single pair."""
    high: float | None
    base: float
    """Median over all rounds: seconds a call, or bytes for peak memory."""
    head: float
    num_pairs: int
    more_minutes: float | None
    """How much longer it would have to be measured, where it is undecided."""
    waited_for: bool
    """Whether an undecided one leaves the verdict undecided; not so start-up and memory."""


@dataclass(frozen=True)
class GateSummary:
    """What one run of the gate says."""

    base: str
    base_commit: str
    head: str
    head_commit: str
    spec: GateSpec
    verdict: Verdict
    benchmarks: tuple[BenchmarkSummary, ...]
    accuracies: tuple[AccuracySummary, ...]
    failures: dict[str, str]
    """Benchmarks of both revisions that gave no time, with the reason."""
    only_base: tuple[str, ...]
    only_head: tuple[str, ...]
    shared_modules: tuple[str, ...]
    num_pairs: int
    seconds: float
    kernel_seconds: float
    """The reference kernel's median time: the speed of this machine."""

    @property
    def exit_code(self) -> int:
        """0 passed, 1 worse, 3 undecided."""
        return {
            Verdict.PASSED: 0,
            Verdict.FAILED: WORSE_EXIT_CODE,
            Verdict.UNDECIDED: UNDECIDED_EXIT_CODE,
        }[self.verdict]


def summarize_gate(
    base: RevisionFolder,
    head: RevisionFolder,
    spec: GateSpec,
    measurement: MeasurementRecord,
    accuracies: tuple[AccuracySummary, ...],
) -> GateSummary:
    """Put times, memory and accuracies together and decide."""
    minutes = measurement.seconds / len(measurement.pairs) / 60.0
    benchmarks = tuple(
        _summarize_benchmark(decision, measurement.pairs, minutes)
        for decision in measurement.decisions
    )
    suite = measurement.suite
    return GateSummary(
        base=base.name,
        base_commit=base.commit,
        head=head.name,
        head_commit=head.commit,
        spec=spec,
        verdict=_decide(benchmarks, accuracies, measurement.failures),
        benchmarks=benchmarks,
        accuracies=accuracies,
        failures=measurement.failures,
        only_base=tuple(name for name in suite.base_names if name not in suite.head_names),
        only_head=tuple(name for name in suite.head_names if name not in suite.base_names),
        shared_modules=suite.shared_modules,
        num_pairs=len(measurement.pairs),
        seconds=measurement.seconds,
        kernel_seconds=statistics.median(
            visit.kernel_seconds for pair in measurement.pairs for visit in pair.visits
        ),
    )


def _decide(
    benchmarks: tuple[BenchmarkSummary, ...],
    accuracies: tuple[AccuracySummary, ...],
    failures: dict[str, str],
) -> Verdict:
    outcomes = [
        *(benchmark.outcome for benchmark in benchmarks),
        *(accuracy.outcome for accuracy in accuracies),
    ]
    if ChangeOutcome.WORSE in outcomes:
        return Verdict.FAILED
    waited_for = [
        *(benchmark.outcome for benchmark in benchmarks if benchmark.waited_for),
        *(accuracy.outcome for accuracy in accuracies),
    ]
    # A benchmark that runs in base and no longer in head may be as slow as it likes: that is no
    # pass. One that is skipped in both, for want of a library, is.
    broken = any(reason.startswith("head: ") for reason in failures.values())
    if ChangeOutcome.UNDECIDED in waited_for or broken:
        return Verdict.UNDECIDED
    return Verdict.PASSED


def _summarize_benchmark(
    decision: Decision, pairs: tuple[PairRecord, ...], minutes_per_pair: float
) -> BenchmarkSummary:
    change = decision.change
    base, head = _find_typical(decision.name, pairs)
    return BenchmarkSummary(
        name=decision.name,
        outcome=change.outcome,
        ratio=math.exp(change.mean),
        low=None if change.low is None else math.exp(change.low),
        high=None if change.high is None else math.exp(change.high),
        base=base,
        head=head,
        num_pairs=change.count,
        more_minutes=None if change.num_more is None else change.num_more * minutes_per_pair,
        waited_for=decision.name not in (STARTUP, PEAK_MEMORY),
    )


def _find_typical(name: str, pairs: tuple[PairRecord, ...]) -> tuple[float, float]:
    if name == STARTUP:
        values = [pair.startup_seconds for pair in pairs]
    elif name == PEAK_MEMORY:
        values = [pair.peak_bytes for pair in pairs]
    else:
        values = [
            (base / visit.iterations, head / visit.iterations)
            for pair in pairs
            for visit in pair.visits
            if visit.benchmark == name
            for base, head in zip(visit.base_seconds, visit.head_seconds, strict=True)
        ]
    return (
        float(statistics.median(base for base, _ in values)),
        float(statistics.median(head for _, head in values)),
    )
