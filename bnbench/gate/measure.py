"""Measuring pair after pair of processes until all is decided or the time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bnbench.errors import GateError
from bnbench.gate.pairs import SuiteRecord
from bnbench.gate.records import PEAK_MEMORY, STARTUP, PairRecord
from bnbench.gate.sequential import Decision, SequentialGate
from bnbench.gate.specs import GateSpec


class PairSource(Protocol):
    """Where process pairs come from: `pairs.PairRunner`, or a recording."""

    record: SuiteRecord | None

    def measure(self, choose_names: Callable[[SuiteRecord], Sequence[str]]) -> PairRecord:
        """Measure the chosen benchmarks once."""
        ...


@dataclass(frozen=True)
class MeasurementRecord:
    """All that one gate measured, and what was decided on the way."""

    suite: SuiteRecord
    pairs: tuple[PairRecord, ...]
    decisions: tuple[Decision, ...]
    failures: dict[str, str]
    """Why a benchmark that both revisions have gave no time."""
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
        on_pair: told after each pair, with the seconds spent.
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
            gate = SequentialGate(names, spec, extra_names=(STARTUP, PEAK_MEMORY))
        pairs.append(pair)
        failures |= pair.failures
        for name in pair.failures:
            gate.drop(name)
        gate.add(pair.list_log_ratios())
        spent = read_seconds() - begin
        on_pair(gate, pair, spent)
        if gate.is_over or not gate.has_time_for_more(spent, pair.wall_seconds):
            break
    if not any(pair.visits for pair in pairs):
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failures.items())
        raise GateError(f"expected a benchmark that gives a time, got that none does:\n{reasons}")
    return MeasurementRecord(
        source.record, tuple(pairs), tuple(gate.finish()), failures, read_seconds() - begin
    )
