"""Measuring process pair after process pair until all is decided or the time is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bnbench.gate.pairs import PairRunner, SuiteRecord, make_no_time_error
from bnbench.gate.quantities import Quantity, list_quantities
from bnbench.gate.records import PairRecord
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import Change


@dataclass(frozen=True)
class MeasurementRecord:
    """All that one gate measured, and what it decided."""

    suite: SuiteRecord
    pairs: tuple[PairRecord, ...]
    changes: dict[Quantity, Change]
    """The decision on each quantity."""
    failures: dict[str, str]
    """Why benchmarks that both revisions have gave no time, by name."""
    seconds: float
    """How long all process pairs took."""


def measure_until_decided(
    runner: PairRunner, spec: GateSpec, show: Callable[[str], None] = lambda _: None
) -> MeasurementRecord:
    """Measure process pairs until every benchmark is decided, or no look or time is left.

    `show` takes a line of progress after each pair.

    Raises:
        GateError: the revisions share no benchmark, or none of them gives a time.
    """
    pairs = [runner.measure()]
    gate = SequentialGate(list_quantities(runner.suite.common), spec)
    failures: dict[str, str] = {}
    while True:
        pair = pairs[-1]
        failures |= pair.failures
        for name in pair.failures:
            gate.drop(name)
        log_ratios = {each.quantity.name: each.log_ratio for each in pair.list_measurements()}
        gate.add(log_ratios, pair.wall_seconds)
        show(
            f"[{gate.seconds:.0f} s] process pair {gate.num_pairs}: {len(pair.benchmarks)} "
            f"benchmarks measured, {len(gate.active)} undecided"
        )
        if gate.is_over:
            break
        pairs.append(runner.measure(gate.active))
    if not any(pair.benchmarks for pair in pairs):
        raise make_no_time_error(failures)
    return MeasurementRecord(runner.suite, tuple(pairs), gate.finish(), failures, gate.seconds)
