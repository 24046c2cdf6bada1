"""Measuring process pair after process pair until all is decided or the time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bnbench.errors import GateError
from bnbench.gate.pairs import SuiteRecord, describe_failures
from bnbench.gate.quantities import list_quantities
from bnbench.gate.records import PairRecord
from bnbench.gate.sequential import Decision, SequentialGate
from bnbench.gate.specs import GateSpec


class PairSource(Protocol):
    """Where process pairs come from: `pairs.PairRunner`, or a fake."""

    record: SuiteRecord | None

    def measure(self, choose_names: Callable[[SuiteRecord], Sequence[str]]) -> PairRecord:
        """Measure the chosen benchmarks once."""
        ...


@dataclass(frozen=True)
class MeasurementRecord:
    """All that one gate measured, and what it decided."""

    suite: SuiteRecord
    pairs: tuple[PairRecord, ...]
    decisions: tuple[Decision, ...]
    failures: dict[str, str]
    """Why benchmarks that both revisions have gave no time, by name."""
    seconds: float
    """From the first process's start to the last one's end."""


def measure_until_decided(
    source: PairSource,
    spec: GateSpec,
    on_pair: Callable[[SequentialGate, PairRecord, float], None] = lambda *_: None,
    read_seconds: Callable[[], float] = time.perf_counter,
) -> MeasurementRecord:
    """Measure process pairs until every benchmark is decided, or no look or time is left.

    Args:
        source: measures a pair.
        spec: what is asked for.
        on_pair: called after each pair, with the seconds spent.
        read_seconds: the clock of the budget.

    Raises:
        GateError: the revisions share no benchmark, or none of them gives a time.
    """
    begin = read_seconds()
    gate: SequentialGate | None = None
    pairs: list[PairRecord] = []
    failures: dict[str, str] = {}

    def choose(suite: SuiteRecord) -> Sequence[str]:
        return suite.common_names if gate is None else gate.active

    while True:
        pair = source.measure(choose)
        assert source.record is not None
        if gate is None:
            names = source.record.common_names
            if not names:
                raise GateError(
                    "expected benchmarks that both revisions have, got "
                    f"{len(source.record.base_names)} in base and "
                    f"{len(source.record.head_names)} in head, none of the same name"
                )
            gate = SequentialGate(list_quantities(names), spec)
        pairs.append(pair)
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
        source.record, tuple(pairs), tuple(gate.finish()), failures, read_seconds() - begin
    )
