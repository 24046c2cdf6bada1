"""Measuring one pair of processes, one of base and one of head, from start to end.

Base and head run the same tests in the same order. Where both wait in the same benchmark, they
are timed side by side, in `rounds`.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.gate.process import BenchmarkFailed, Worker
from bnbench.gate.records import NO_SLOWDOWN, BenchmarkRecord, Injection, PairRecord, Slowdown
from bnbench.gate.revisions import RevisionFolder
from bnbench.gate.rounds import RoundsSpec, calibrate, choose_processors, measure_benchmark
from bnbench.gate.specs import SuiteSpec
from bnbench.machine import read_load

MAX_PADDING = 4096


@dataclass(frozen=True)
class SuiteRecord:
    """What the first pair of processes found in the suites."""

    common: tuple[str, ...]
    """Benchmarks that both revisions have."""
    only_base: tuple[str, ...]
    only_head: tuple[str, ...]
    shared_modules: tuple[str, ...] = ()
    """Modules of the project that both sides import from outside their revisions."""


class PairRunner:
    """Measures pairs of processes, one after the other.

    Args:
        base: the revision compared with.
        head: the revision judged; may be the base itself.
        suite: the benchmarks, and how long to measure each.
        folder: for the processes' logs.
        make_worker: starts a process.
    """

    suite: SuiteRecord
    """Known after the first pair."""

    def __init__(
        self,
        base: RevisionFolder,
        head: RevisionFolder,
        suite: SuiteSpec,
        folder: Path,
        make_worker: Callable[..., Worker] = Worker,
    ) -> None:
        self._revisions = {"base": base, "head": head}
        self._arguments, self._measure_seconds = suite.arguments, suite.measure_seconds
        self._folder = folder
        self._make_worker = make_worker
        self._processors = choose_processors()
        self._rounds: dict[str, RoundsSpec] = {}  # chosen in the first pair
        self._order = ["base", "head"]

    def measure(
        self,
        names: Sequence[str] | None = None,
        injection: Injection | None = None,
    ) -> PairRecord:
        """Start a pair of processes, measure its benchmarks and end it.

        Args:
            names: the benchmarks to measure; None for all that both revisions have.
            injection: what to inject into the head's rounds, if anything.

        Raises:
            GateError: a process does not start, does not answer or is gone, or the revisions
                share no benchmark.
        """
        begin = time.perf_counter()
        with contextlib.ExitStack() as stack:
            workers = {}
            for side in self._order:
                # The place of stacks and heaps depends on the environment's size, so it is drawn.
                padding = {"GATE_PADDING": "x" * random.randrange(MAX_PADDING)}
                log_file = self._folder / f"{side}.log"
                workers[side] = self._make_worker(
                    self._revisions[side], self._arguments, log_file, padding
                )
                stack.callback(workers[side].close)
            self._order.reverse()  # the other side starts first in the next pair
            base, head = workers["base"], workers["head"]
            startup_seconds = self._collect(base, head)
            names = self.suite.common if names is None else names
            if not names:
                raise GateError(
                    "expected benchmarks that both revisions have, got "
                    f"{len(self.suite.only_base)} in base and {len(self.suite.only_head)} in head, "
                    "none of the same name"
                )
            slowdowns = {}
            if injection is not None:
                name = self.suite.common[injection.position % len(self.suite.common)]
                # In random order: what is measured first is nearer to the warm-up.
                slowdowns[name] = random.sample([NO_SLOWDOWN, injection.slowdown], 2)
            benchmarks, failures, peak_bytes = self._measure_all(base, head, names, slowdowns)
        seconds = time.perf_counter() - begin
        return PairRecord(
            tuple(benchmarks), startup_seconds, peak_bytes, seconds, failures, read_load()
        )

    def _measure_all(
        self,
        base: Worker,
        head: Worker,
        names: Sequence[str],
        slowdowns: Mapping[str, Sequence[Slowdown]],
    ) -> tuple[list[BenchmarkRecord], dict[str, str], tuple[int, int]]:
        benchmarks: list[BenchmarkRecord] = []
        failures: dict[str, str] = {}
        for worker in (base, head):
            worker.select(names)
        while True:
            events = [base.read_event(), head.read_event()]
            kinds = [event["event"] for event in events]
            if kinds == ["benchmark", "benchmark"]:
                name = str(events[0]["name"])
                # If it fails, its rounds are left out; the event at its end has the reason.
                with contextlib.suppress(BenchmarkFailed):
                    for worker in (base, head):
                        worker.time(1)  # the first call may import and allocate
                    if name not in self._rounds:
                        self._rounds[name] = calibrate(
                            base, head, self._processors, self._measure_seconds
                        )
                    rounds = self._rounds[name]
                    benchmarks += [
                        measure_benchmark(base, head, name, slowdown, rounds)
                        for slowdown in slowdowns.get(name, (NO_SLOWDOWN,))
                    ]
                events = [base.leave(), head.leave()]
            elif "benchmark" in kinds:  # the other side failed before it called benchmark
                waiting = kinds.index("benchmark")
                events[waiting] = (base, head)[waiting].leave()
            if any(event["event"] == "end" for event in events):
                base_peak, head_peak = (int(event.get("peak_bytes", 0)) for event in events)
                return benchmarks, failures, (base_peak, head_peak)
            failures |= describe_failure(events)

    def _collect(self, base: Worker, head: Worker) -> tuple[float, float]:
        """Wait until both have collected their suites; return the seconds each took."""
        events = []
        for worker in (base, head):
            event = worker.read_event()
            errors = event.get("errors") or ([event["reason"]] if event["event"] == "end" else [])
            if errors:
                raise GateError(
                    f"{worker.name}: expected a suite that pytest can collect, got: "
                    + "\n".join(errors)
                )
            events.append(event)
        base_names, head_names = (dict.fromkeys(event["names"]) for event in events)
        self.suite = SuiteRecord(
            tuple(name for name in base_names if name in head_names),
            tuple(name for name in base_names if name not in head_names),
            tuple(name for name in head_names if name not in base_names),
            tuple(sorted({module for event in events for module in event["shared"]})),
        )
        # By the time in the answers, which may have waited while the other side was read.
        return events[0]["at"] - base.started_at, events[1]["at"] - head.started_at


def make_no_time_error(failures: Mapping[str, str]) -> GateError:
    """The error if no benchmark gave a time, with the reasons."""
    reasons = [f"  {name}: {reason}" for name, reason in failures.items()]
    text = "\n".join(reasons) or "  the pytest sessions ended before they reached one"
    return GateError(f"expected a benchmark that gives a time, got none:\n{text}")


def describe_failure(events: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Say from its ends in base and head why a benchmark gave no time; empty if it gave one."""
    base, head = (event["reason"] for event in events)
    if base is None and head is None:
        return {}
    side = "head" if base is None else "base" if head is None else "both"
    return {str(events[0]["name"]): f"{side}: {base if head is None else head}"}
