"""Measuring one pair of processes, one of base and one of head, from start to end.

Base and head run the same tests in the same order. Where both wait in the same benchmark, they
are timed side by side, in `rounds`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.gate.process import BenchmarkFailed, Worker
from bnbench.gate.processors import choose_processors
from bnbench.gate.records import BenchmarkRecord, PairRecord
from bnbench.gate.revisions import RevisionFolder
from bnbench.gate.rounds import RoundsSpec, calibrate, measure_benchmark
from bnbench.gate.specs import GateSpec

MAX_PADDING = 4096


@dataclass(frozen=True)
class SuiteRecord:
    """What the first pair of processes found in the suites."""

    base_names: tuple[str, ...]
    head_names: tuple[str, ...]
    shared_modules: tuple[str, ...]
    """Modules of the project that both sides import from outside their revisions."""

    @property
    def common_names(self) -> list[str]:
        """Benchmarks that both revisions have."""
        return [name for name in self.base_names if name in set(self.head_names)]


class PairRunner:
    """Measures pairs of processes, one after the other.

    Args:
        base: the revision compared with.
        head: the revision judged; may be the base itself.
        suite: arguments for pytest: paths and options.
        spec: how long a round and the rounds of a benchmark take.
        folder: for the processes' logs.
        generator: draws the padding of the environment.
        make_worker: starts a process.
    """

    def __init__(
        self,
        base: RevisionFolder,
        head: RevisionFolder,
        suite: tuple[str, ...],
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
        self._rounds: dict[str, RoundsSpec] = {}  # chosen in the first pair
        self._num_pairs = 0
        self.record: SuiteRecord | None = None
        """Known after the first pair."""

    def measure(
        self,
        choose_names: Callable[[SuiteRecord], Sequence[str]],
        levels: Sequence[float] = (0.0,),
    ) -> PairRecord:
        """Start a pair of processes, measure its benchmarks and end it.

        Args:
            choose_names: chooses the benchmarks to measure.
            levels: slowdowns to inject into the head's rounds, one after the other.

        Raises:
            GateError: a process does not start, does not answer or is gone.
        """
        begin = time.perf_counter()
        # The side that starts first alternates. The size of the environment is drawn, because the
        # place of stacks and heaps depends on it.
        order = (0, 1) if self._num_pairs % 2 == 0 else (1, 0)
        self._num_pairs += 1
        workers: dict[int, Worker] = {}
        try:
            for side in order:
                padding = {"GATE_PADDING": "x" * self._generator.randrange(MAX_PADDING)}
                workers[side] = self._make_worker(
                    self._revisions[side],
                    self._suite,
                    self._folder / f"{'head' if side else 'base'}.log",
                    padding,
                )
            return self._measure_all(workers[0], workers[1], choose_names, levels, begin)
        finally:
            for worker in workers.values():
                worker.close()

    def _measure_all(
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
        benchmarks: list[BenchmarkRecord] = []
        failures: dict[str, str] = {}
        while True:
            events = [base.read_event(), head.read_event()]
            kinds = [event["event"] for event in events]
            if kinds == ["benchmark", "benchmark"]:
                events = self._measure_one(base, head, str(events[0]["name"]), levels, benchmarks)
            elif "benchmark" in kinds:  # the other side failed before it called benchmark
                waiting = kinds.index("benchmark")
                events[waiting] = (base, head)[waiting].leave()
            if any(event["event"] == "end" for event in events):
                peaks = [int(event.get("peak_bytes", 0)) for event in events]
                return PairRecord(
                    tuple(benchmarks),
                    seconds,
                    (peaks[0], peaks[1]),
                    time.perf_counter() - begin,
                    failures,
                )
            failures |= describe_failure(events)

    def _collect(self, workers: tuple[Worker, Worker]) -> tuple[float, float]:
        """Wait until both have collected their suites; return the seconds each took."""
        collected, seconds = [], []
        for worker in workers:
            event = worker.read_event()
            errors = event.get("errors") or ([event["reason"]] if event["event"] == "end" else [])
            if errors:
                raise GateError(
                    f"{worker.name}: expected a suite that pytest can collect, got: "
                    + "\n".join(errors)
                )
            collected.append(event)
            # By the time in its answer, which may have waited while the other side was read.
            seconds.append(event["at"] - worker.started_at)
        self.record = SuiteRecord(
            tuple(collected[0]["names"]),
            tuple(collected[1]["names"]),
            tuple(sorted({*collected[0]["shared"], *collected[1]["shared"]})),
        )
        return seconds[0], seconds[1]

    def _measure_one(
        self,
        base: Worker,
        head: Worker,
        name: str,
        levels: Sequence[float],
        benchmarks: list[BenchmarkRecord],
    ) -> list[dict[str, Any]]:
        """Measure the benchmark that both wait in; return the events at its end."""
        measured: list[BenchmarkRecord] = []
        try:
            if name not in self._rounds:
                self._rounds[name] = calibrate(base, head, self._spec, self._processors)
            else:
                base.time(1)
                head.time(1)
            measured.extend(
                measure_benchmark(base, head, name, level, self._rounds[name]) for level in levels
            )
            benchmarks.extend(measured)
        except BenchmarkFailed:
            pass  # its rounds are left out; the event at its end has the reason
        return [base.leave(), head.leave()]


def describe_failures(failures: Mapping[str, str]) -> str:
    """Say why no benchmark gave a time; never empty."""
    reasons = [f"  {name}: {reason}" for name, reason in failures.items()]
    return "\n".join(reasons) or "  the pytest sessions ended before they reached one"


def describe_failure(events: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Say why a benchmark gave no time, and on which side; empty if it gave one.

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
