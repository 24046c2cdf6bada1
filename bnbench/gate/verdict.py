"""The verdict: all quantities and the accuracy in one summary and one exit code."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum

from bnbench.gate.accuracy import AccuracySummary
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.pairs import SuiteRecord
from bnbench.gate.quantities import KINDS, KindName
from bnbench.gate.records import Measurement
from bnbench.gate.revisions import RevisionFolder
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome


class Verdict(StrEnum):
    """What the gate decided about the whole change."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class QuantitySummary:
    """What the change did to one quantity."""

    name: str
    kind: KindName
    outcome: ChangeOutcome
    ratio: float
    """Head over base: the center over process pairs of their medians."""
    low: float | None
    """Lower end of the interval at the false-alarm rate; None for too few pairs."""
    high: float | None
    """Upper end of the same interval."""
    base: float
    """Median over all rounds, in the unit of the kind; for a benchmark, per call."""
    head: float
    """The same of head."""
    num_pairs: int
    more_minutes: float | None
    """Minutes of measuring that would decide it; None if it is decided or not waited for."""


@dataclass(frozen=True)
class GateSummary:
    """What one run of the gate found."""

    base: str
    base_commit: str
    head: str
    head_commit: str
    spec: GateSpec
    quantities: tuple[QuantitySummary, ...]
    accuracies: tuple[AccuracySummary, ...]
    failures: dict[str, str]
    """Why benchmarks that both revisions have gave no time, by name."""
    suite: SuiteRecord
    num_pairs: int
    seconds: float
    kernel_seconds: float
    """Median seconds of the reference kernel: the speed of this machine."""

    @property
    def worse(self) -> list[str]:
        """Quantities that head is worse in."""
        return [each.name for each in self.quantities if each.outcome is ChangeOutcome.WORSE]

    @property
    def less_accurate(self) -> list[str]:
        """Variants that head classifies less accurately with."""
        return [each.variant for each in self.accuracies if each.outcome is ChangeOutcome.WORSE]

    @property
    def undecided(self) -> list[str]:
        """All that keeps an otherwise harmless change from passing.

        A benchmark that runs in base and fails in head may be arbitrarily slow, so it is no pass.
        One that both sides skip, for lack of a library perhaps, is none of the change's doing.
        """
        unknown = ChangeOutcome.UNDECIDED
        waited_for = [each for each in self.quantities if KINDS[each.kind].is_waited_for]
        return [
            *(each.name for each in waited_for if each.outcome is unknown),
            *(f"accuracy of {each.variant}" for each in self.accuracies if each.outcome is unknown),
            *(name for name, reason in self.failures.items() if reason.startswith("head: ")),
        ]

    @property
    def verdict(self) -> Verdict:
        """Failed if anything is worse; else undecided if anything that counts is."""
        if self.worse or self.less_accurate:
            return Verdict.FAILED
        return Verdict.UNDECIDED if self.undecided else Verdict.PASSED

    @property
    def exit_code(self) -> int:
        """0 passed, 1 worse, 3 undecided."""
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNDECIDED: 3}[self.verdict]


def summarize_gate(
    base: RevisionFolder,
    head: RevisionFolder,
    spec: GateSpec,
    measured: MeasurementRecord,
    accuracies: tuple[AccuracySummary, ...],
) -> GateSummary:
    """Put times, memory and accuracies together."""
    by_name: dict[str, list[Measurement]] = {}
    for pair in measured.pairs:
        for measurement in pair.list_measurements():
            by_name.setdefault(measurement.quantity.name, []).append(measurement)
    minutes = measured.seconds / len(measured.pairs) / 60.0
    quantities = [
        QuantitySummary(
            name=quantity.name,
            kind=quantity.kind,
            outcome=change.outcome,
            ratio=math.exp(change.center),
            low=None if change.low is None else math.exp(change.low),
            high=None if change.high is None else math.exp(change.high),
            base=statistics.median(x for each in by_name[quantity.name] for x in each.base),
            head=statistics.median(x for each in by_name[quantity.name] for x in each.head),
            num_pairs=change.count,
            more_minutes=change.num_more * minutes
            if change.num_more is not None and KINDS[quantity.kind].is_waited_for
            else None,
        )
        for quantity, change in measured.changes.items()
    ]
    return GateSummary(
        base=base.name,
        base_commit=base.commit,
        head=head.name,
        head_commit=head.commit,
        spec=spec,
        quantities=tuple(quantities),
        accuracies=accuracies,
        failures=measured.failures,
        suite=measured.suite,
        num_pairs=len(measured.pairs),
        seconds=measured.seconds,
        kernel_seconds=statistics.median(
            each.kernel_seconds for pair in measured.pairs for each in pair.benchmarks
        ),
    )
