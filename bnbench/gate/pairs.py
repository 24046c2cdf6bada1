"""Measuring one pair of processes, one of base and one of head, from start to end.

Base and head run the same tests in the same order. Where both wait in the same benchmark, they
are timed side by side, in `rounds`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.gate.process import BenchmarkFailed, RevisionFolder, Worker
from bnbench.gate.processors import choose_processors
from bnbench.gate.records import PairRecord, VisitRecord
from bnbench.gate.rounds import RoundsSpec, calibrate, measure_visit
from bnbench.gate.specs import GateSpec

MAX_PADDING = 4096


@dataclass(frozen=True)
class SuiteSpec:
    """How to run the benchmarks of a revision."""

    python: str
    pytest_arguments: tuple[str, ...]
    """Paths and options, such as ``bench`` and ``-k training``."""


@dataclass(frozen=True)
class SuiteRecord:
    """What the first pair of processes found in the suites."""

    base_names: tuple[str, ...]
    head_names: tuple[str, ...]
    shared_modules: tuple[str, ...]
    """Modules of the project that both sides import from outside their revision."""

    @property
    def common_names(self) -> list[str]:
        """Benchmarks that both revisions have."""
        return [name for name in self.base_names if name in set(self.head_names)]


class PairRunner:
    """Measures pairs of processes, one after the other.

    Args:
        base: the revision compared with.
        head: the revision judged; may be the base itself.
        suite: which benchmarks, and how they are run.
        spec: how long rounds and visits are.
        folder: for the processes' logs.
        generator: draws the padding of the environment.
    """

    def __init__(
        self,
        base: RevisionFolder,
        head: RevisionFolder,
        suite: SuiteSpec,
        spec: GateSpec,
        folder: Path,
        generator: random.Random,
        make_worker: Callable[..., Worker] = Worker,
    ) -> None:
        self._revisions = (base, head)
        self._suite = suite
        self._spec = spec
        self._folder = folder
        self._generator = generator
        self._make_worker = make_worker
        self._processors = choose_processors()
        self._rounds: dict[str, RoundsSpec] = {}  # found in a benchmark's first visit, and kept
        self._num_pairs = 0
        self.record: SuiteRecord | None = None
        """Known once a pair was measured."""

    def measure(
        self,
        choose_names: Callable[[SuiteRecord], Sequence[str]],
        levels: Sequence[float] = (0.0,),
    ) -> PairRecord:
        """Start a pair of processes, visit its benchmarks and end it.

        Args:
            choose_names: the benchmarks to visit, of those that there are.
            levels: slowdowns to inject into the head's rounds; a visit each.

        Raises:
            GateError: a process does not come up, does not answer or is gone.
        """
        begin = time.perf_counter()
        # Which side is started first alternates, and so does nothing else between pairs; where
        # stacks and heaps lie depends on the size of the environment, so that is drawn.
        order = (0, 1) if self._num_pairs % 2 == 0 else (1, 0)
        self._num_pairs += 1
        workers: dict[int, Worker] = {}
        try:
            for side in order:
                padding = {"GATE_PADDING": "x" * self._generator.randrange(MAX_PADDING)}
                workers[side] = self._make_worker(
                    self._revisions[side],
                    self._suite.python,
                    self._suite.pytest_arguments,
                    self._folder / f"{'head' if side else 'base'}.log",
                    padding,
                )
            return self._visit_all(workers[0], workers[1], choose_names, levels, begin)
        finally:
            for worker in workers.values():
                worker.close()

    def _visit_all(
        self,
        base: Worker,
        head: Worker,
        choose_names: Callable[[SuiteRecord], Sequence[str]],
        levels: Sequence[float],
        begin: float,
    ) -> PairRecord:
        seconds = self._collect((base, head))
        assert self.record is not None
        names = choose_names(self.record)
        if not names:
            return PairRecord((), (0.0, 0.0), (0, 0), time.perf_counter() - begin)
        for worker in (base, head):
            worker.select(names)
        visits: list[VisitRecord] = []
        failures: dict[str, str] = {}
        while True:
            events = [base.read_event(), head.read_event()]
            kinds = [event["event"] for event in events]
            if kinds == ["benchmark", "benchmark"]:
                events = self._visit(base, head, str(events[0]["name"]), levels, visits)
            elif "benchmark" in kinds:  # the other side has failed before it got there
                waiting = kinds.index("benchmark")
                events[waiting] = (base, head)[waiting].leave()
            if any(event["event"] == "end" for event in events):
                peaks = [int(event.get("peak_bytes", 0)) for event in events]
                return PairRecord(
                    tuple(visits),
                    seconds,
                    (peaks[0], peaks[1]),
                    time.perf_counter() - begin,
                    failures,
                )
            failures |= describe_failure(events)

    def _collect(self, workers: tuple[Worker, Worker]) -> tuple[float, float]:
        """Wait until both have collected their suites; how long either took to get there."""
        collected, seconds = [], []
        for worker in workers:
            event = worker.read_event()
            errors = event.get("errors") or ([event["reason"]] if event["event"] == "end" else [])
            if errors:
                raise GateError(
                    f"{worker.name}: expected a suite that pytest can collect, got that "
                    + "\n".join(errors)
                )
            collected.append(event)
            # By its own word: its answer may have waited while the other side was listened to.
            seconds.append(event["at"] - worker.started_at)
        self.record = SuiteRecord(
            tuple(collected[0]["names"]),
            tuple(collected[1]["names"]),
            tuple(sorted({*collected[0]["shared"], *collected[1]["shared"]})),
        )
        return seconds[0], seconds[1]

    def _visit(
        self,
        base: Worker,
        head: Worker,
        name: str,
        levels: Sequence[float],
        visits: list[VisitRecord],
    ) -> list[dict[str, Any]]:
        """Measure the benchmark that both wait in; both sides' events at its end."""
        measured: list[VisitRecord] = []
        try:
            if name not in self._rounds:
                self._rounds[name] = calibrate(base, head, self._spec, self._processors)
            else:
                base.time(1)
                head.time(1)
            measured.extend(
                measure_visit(base, head, name, level, self._rounds[name]) for level in levels
            )
            visits.extend(measured)
        except BenchmarkFailed:
            pass  # what was measured before it failed is left out; its end says why
        return [base.leave(), head.leave()]


def describe_failure(events: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Say why a benchmark gave no time, and on which side; nothing where it gave one.

    Args:
        events: how it ended in base and in head.
    """
    base, head = (event["reason"] for event in events)
    name = str(events[0]["name"])
    if base is not None and head is not None:
        return {name: f"both: {head}"}
    if base is not None:
        return {name: f"base: {base}"}
    return {} if head is None else {name: f"head: {head}"}
