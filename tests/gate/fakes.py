"""Workers that take no time: what they answer is made up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnbench.gate.process import BenchmarkFailed, Worker
from bnbench.gate.records import NO_SLOWDOWN, BenchmarkRecord, PairRecord, Slowdown
from bnbench.gate.revisions import RevisionFolder

BASE = RevisionFolder("main", "b" * 40, Path("base"), (Path("base"),))
HEAD = RevisionFolder("worktree", "e" * 40, Path("head"), (Path("head"),))

SecondsOf = Callable[[str, str], float]
"""Revision and benchmark in, seconds a call out; raises what a benchmark would raise."""


class FakeWorker(Worker):
    """Runs a made-up suite."""

    def __init__(self, revision: RevisionFolder, names: Sequence[str], seconds_of: SecondsOf):
        self.name = revision.name
        self.started_at = 12.0
        self._names = list(names)
        self._seconds_of = seconds_of
        self._events: list[dict[str, Any]] = [
            {"event": "collected", "at": 12.5, "names": self._names, "shared": [], "errors": []}
        ]
        self._pending: list[str] = []
        self._current = ""
        self._failure: dict[str, Any] | None = None
        self._started: tuple[int, Slowdown] | None = None
        self.busy_processors = 1.0
        self.processors: list[int] = []
        self.on_start: Callable[[str], object] = lambda _: None
        self.on_read: Callable[[str], object] = lambda _: None
        self.calls: list[tuple[str, int, Slowdown]] = []
        self.is_closed = False

    def select(self, names: Iterable[str]) -> None:
        self._pending = list(names)
        self._next()

    def leave(self) -> dict[str, Any]:
        event, self._failure = self._failure, None
        if event is None:
            event = {"event": "finished", "name": self._current, "reason": None}
        self._next()
        return event

    def read_event(self) -> dict[str, Any]:
        return self._events.pop(0)

    def time(self, iterations: int, slowdown: Slowdown = NO_SLOWDOWN) -> float:
        self.calls.append((self._current, iterations, slowdown))
        try:
            seconds = self._seconds_of(self.name, self._current)
        except ValueError as error:
            self._failure = {"event": "finished", "name": self._current, "reason": str(error)}
            raise BenchmarkFailed(str(error)) from None
        return iterations * seconds * (1.0 + slowdown.share)

    def start(self, iterations: int, slowdown: Slowdown, processor: int) -> None:
        self.processors.append(processor)
        self.on_start(self.name)
        self._started = (iterations, slowdown)

    def read_seconds(self) -> float:
        if self._started is None:
            return 0.0
        self.on_read(self.name)
        return self.time(*self._started)

    def idle(self) -> None:
        self._started = None

    def time_kernel(self) -> float:
        return 0.004

    def close(self) -> None:
        self.is_closed = True

    def _next(self) -> None:
        if not self._pending:
            self._events.append({"event": "end", "peak_bytes": 1000, "reason": None})
            return
        self._current = self._pending.pop(0)
        self._events.append({"event": "benchmark", "name": self._current})


def make_pair(
    ratios: Mapping[str, float],
    wall_seconds: float = 10.0,
    failures: Mapping[str, str] | None = None,
    slowdowns: Sequence[Slowdown] = (NO_SLOWDOWN,),
) -> PairRecord:
    """A pair that measured each benchmark with the given log-ratio, at each injected slowdown."""
    return PairRecord(
        benchmarks=tuple(
            BenchmarkRecord(
                benchmark=name,
                slowdown=slowdown,
                iterations=10,
                base_seconds=(0.03,) * 4,
                head_seconds=(0.03 * math.exp(ratio) * (1.0 + slowdown.share),) * 4,
                kernel_seconds=0.004,
                wall_seconds=0.5,
            )
            for name, ratio in ratios.items()
            for slowdown in slowdowns
        ),
        startup_seconds=(0.5, 0.5),
        peak_bytes=(1000, 1000),
        wall_seconds=wall_seconds,
        failures=dict(failures or {}),
    )
