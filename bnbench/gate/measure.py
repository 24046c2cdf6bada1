"""Measuring process pair after process pair until all is decided or the time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bnbench.errors import GateError
from bnbench.gate.pairs import PairRunner, SuiteRecord, describe_failures
from bnbench.gate.quantities import Quantity, list_quantities
from bnbench.gate.records import PairRecord
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import Change

PairObserver = Callable[[SequentialGate, PairRecord, float], None]
"""Called after each process pair, with the seconds of measuring so far."""


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
    """From the first process's start to the last one's end."""


def measure_until_decided(
    runner: PairRunner,
    spec: GateSpec,
    on_pair: PairObserver = lambda *_: None,
    read_seconds: Callable[[], float] = time.perf_counter,
) -> MeasurementRecord:
    """Measure process pairs until every benchmark is decided, or no look or time is left.

    Raises:
        GateError: the revisions share no benchmark, or none of them gives a time.
    """
    begin = read_seconds()
    gate: SequentialGate | None = None
    pairs: list[PairRecord] = []
    failures: dict[str, str] = {}
    while True:
        pair = runner.measure(None if gate is None else gate.active)
        pairs.append(pair)
        if gate is None:
            gate = SequentialGate(list_quantities(runner.suite.common), spec)
        failures |= pair.failures
        for name in pair.failures:
            gate.drop(name)
        gate.add({each.quantity.name: each.log_ratio for each in pair.list_measurements()})
        spent = read_seconds() - begin
        on_pair(gate, pair, spent)
        if gate.is_over or not gate.has_time_for_more(spent, pair.wall_seconds):
            break
    if not any(pair.benchmarks for pair in pairs):
        raise GateError(
            f"expected a benchmark that gives a time, got none:\n{describe_failures(failures)}"
        )
    return MeasurementRecord(
        runner.suite, tuple(pairs), gate.finish(), failures, read_seconds() - begin
    )
