"""One side's process: runs a suite under pytest and times its benchmarks on request.

`process` starts it as a file, in a revision that need not have this package, so it imports
only the standard library, pytest and pytest-benchmark. Every test runs as pytest runs it,
with its fixtures and its assertions; where it calls ``benchmark(...)``, the call waits for
requests until it is asked to go on. Events go out and requests come in, one JSON object per
line:

    -> {"event": "collected", "at": 81.7, "names": [...], "shared": [...], "errors": [...]}
    <- {"do": "select", "names": [...]}
    -> {"event": "benchmark", "name": "..."}
    <- {"do": "time", "iterations": 8, "slowdown": 0.0, "work": "busy"}
    -> {"seconds": 0.011, "busy": 1.0}
    <- {"do": "start", "processor": 1, ...}               -> as "time"
    <- {"do": "idle"}                                     -> {"seconds": 0.0}
    <- {"do": "time kernel"}                              -> {"seconds": 0.012}
    <- {"do": "go on"}
    -> {"event": "finished", "name": "...", "reason": null}    a reason if it gave no time
    -> {"event": "end", "peak_bytes": 123456789, "reason": null}

After "start" it goes on calling, untimed, until the next request, so that the other side's round
never has the machine alone.

It ends when its input ends, so no measurement outlives the gate.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest
from pytest_benchmark.fixture import BenchmarkFixture, FixtureAlreadyUsed

KERNEL_BYTES = bytes(4_000_000)
KERNEL_STEPS = 40_000

TRAFFIC_BYTES = 1 << 25
"""Size of each of two buffers; together larger than the caches of one core."""
TRAFFIC_STEP = 1 << 13
"""Bytes copied between two looks at the clock: about 2 µs, so that a round of 2 ms is slowed by no
more than was asked for."""

Timer = Callable[[int, float, str], float]
"""Iterations, injected slowdown and the kind of its work in, seconds out."""


class GatePlugin:
    """The plugin that makes pytest run the selected benchmarks and wait in each of them.

    Args:
        answers: where events are written; requests are read from the standard input.
    """

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._waited = False
        self._reason: str | None = None
        self._errors: list[str] = []
        self._has_collected = False
        threading.Thread(target=self._read_requests, daemon=True).start()

    def send(self, **event: Any) -> None:
        """Write an event or an answer."""
        self._answers.write(json.dumps(event) + "\n")
        self._answers.flush()

    def _read_requests(self) -> None:
        for line in sys.stdin:
            self._requests.put(json.loads(line))
        # The gate is gone. Threads of libraries must not keep this process alive.
        os._exit(0)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be imported."""
        if report.failed:
            text = str(report.longrepr).strip().splitlines()
            self._errors.append(f"{report.nodeid}: {text[-1] if text else 'no further text'}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Report the benchmarks of the suite and keep those that are requested."""
        benchmarks = {
            item.nodeid: item for item in items if "benchmark" in getattr(item, "fixturenames", ())
        }
        self._has_collected = True
        self.send(
            event="collected",
            at=time.perf_counter(),
            names=list(benchmarks),
            shared=list_shared_modules(),
            errors=self._errors,
        )
        # In the requested order: both sides must be in the same benchmark at the same time.
        items[:] = [benchmarks[name] for name in self._requests.get()["names"]]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note why a benchmark failed or was skipped; report its end."""
        if report.outcome != "passed" and self._reason is None:
            self._reason = describe_outcome(report)
        if report.when == "teardown":
            if self._reason is None and not self._waited:
                self._reason = "it never called its benchmark"
            self.send(event="finished", name=report.nodeid, reason=self._reason)
            self._waited, self._reason = False, None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End here, without pytest-benchmark's tables and exit handlers.

        All fixtures are torn down by now.
        """
        reason = None
        if not self._has_collected:
            reason = f"pytest collected nothing (exit code {int(exitstatus)})"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024
        self.send(event="end", peak_bytes=peak * unit, reason=reason)
        os._exit(0)

    def serve(self, name: str, run: Timer) -> None:
        """Answer requests inside a benchmark until one says to go on."""
        self._waited = True
        self.send(event="benchmark", name=name)
        while True:
            request = self._requests.get()
            match request["do"]:
                case "time":
                    self.send(**time_round(run, request))
                case "start":
                    self._run_on_processor(run, request)
                case "idle":
                    self.send(seconds=0.0)
                case "time kernel":
                    self.send(seconds=time_kernel())
                case _:
                    return

    def _run_on_processor(self, run: Timer, request: dict[str, Any]) -> None:
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {request["processor"]})
        try:
            self.send(**time_round(run, request))
            # A failure here costs no measurement; if it persists, the next round reports it.
            with contextlib.suppress(Exception):
                while self._requests.empty():
                    run(1, 0.0, "busy")
        finally:
            os.sched_setaffinity(0, everywhere)


def replace_benchmark_calls(plugin: GatePlugin) -> None:
    """Make ``benchmark(...)`` and ``benchmark.pedantic(...)`` wait for requests.

    The fixture stays pytest-benchmark's own, so that ``extra_info``, ``group`` and the rest work.
    """

    def call(fixture: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        return pedantic(fixture, function, args, kwargs)

    def pedantic(
        fixture: Any,
        target: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        setup: Any = None,
        teardown: Any = None,
        *_: Any,  # rounds and iterations are the gate's to choose
        **__: Any,
    ) -> Any:
        if fixture._mode:
            raise FixtureAlreadyUsed("expected one call of benchmark per test, got a second")
        # Otherwise it warns in teardown that it was not used.
        fixture._mode = "benchmark.pedantic(...)"
        measured = Measured(target, args, kwargs or {}, setup, teardown, fixture._timer)
        seconds = measured.run(1, 0.0, "busy")
        with contextlib.suppress(Exception):  # for tests that read benchmark.stats
            fixture._make_stats(1).update(seconds)
        plugin.serve(fixture.fullname, measured.run)
        return measured.result

    BenchmarkFixture.__call__ = call  # type: ignore[method-assign, assignment]
    BenchmarkFixture.pedantic = pedantic  # type: ignore[method-assign, assignment]


@dataclass
class Measured:
    """A benchmark's callable, with its last result."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    setup: Any
    teardown: Any
    read_seconds: Callable[[], float]
    """The clock that the suite sets by ``--benchmark-timer``, such as ``time.process_time``."""
    result: Any = None

    def run(self, iterations: int, slowdown: float, work: str) -> float:
        """Call it `iterations` times; return the seconds without setup and teardown."""
        if self.setup is None and self.teardown is None:
            return self._time_calls(iterations, slowdown, work)
        seconds = 0.0
        for _ in range(iterations):
            made = self.setup() if self.setup is not None else None
            if made:
                self.args, self.kwargs = made
            seconds += self._time_calls(1, slowdown, work)
            if self.teardown is not None:
                self.teardown(*self.args, **self.kwargs)
        return seconds

    def _time_calls(self, iterations: int, slowdown: float, work: str) -> float:
        target, args, kwargs = self.target, self.args, self.kwargs
        read_seconds = self.read_seconds
        start = read_seconds()
        for _ in range(iterations):
            result = target(*args, **kwargs)
        end = read_seconds()
        if slowdown > 0.0:
            # A real slowdown: the processor, or the memory, is busy for that much longer.
            until = end + (end - start) * slowdown
            while end < until:
                if work == "memory":
                    make_traffic().copy_step()
                end = read_seconds()
        self.result = result
        return end - start


def time_round(run: Timer, request: dict[str, Any]) -> dict[str, float]:
    """Run a round; its seconds, and how many processors it kept busy."""
    if request["work"] == "memory":
        make_traffic()  # on both sides, so that neither has more memory
    begin, begin_busy = time.perf_counter(), time.process_time()
    seconds = run(request["iterations"], request["slowdown"], request["work"])
    busy = time.process_time() - begin_busy
    # Clocks count nanoseconds; further digits are rounding errors.
    return {"seconds": round(seconds, 9), "busy": busy / max(time.perf_counter() - begin, 1e-9)}


class MemoryTraffic:
    """Copies from one large buffer to another, a step at a time."""

    def __init__(self) -> None:
        self._source = memoryview(bytearray(b"\1" * TRAFFIC_BYTES))
        self._target = memoryview(bytearray(b"\2" * TRAFFIC_BYTES))
        self._start = 0

    def copy_step(self) -> None:
        """Copy the next bytes, which no cache holds any more."""
        part = slice(self._start, self._start + TRAFFIC_STEP)
        self._target[part] = self._source[part]
        self._start = part.stop % TRAFFIC_BYTES


make_traffic = functools.cache(MemoryTraffic)


def time_kernel() -> float:
    """Time the reference kernel: the same work on every revision, in the library and in Python."""
    start = time.perf_counter()
    hashlib.sha256(KERNEL_BYTES).digest()
    total = 0
    for step in range(KERNEL_STEPS):
        total += step * step % 7
    return time.perf_counter() - start


def list_shared_modules() -> list[str]:
    """List modules of the revision's packages that come from outside the revision.

    An extension module that no setup built comes from the installed package. Both sides then
    share it, and the gate cannot measure changes of it.
    """
    roots = tuple(filter(None, os.environ.get("GATE_ROOTS", "").split(os.pathsep)))
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    own = {name for name, file in files.items() if file and file.startswith(roots)}
    packages = {name.partition(".")[0] for name in own}
    return sorted(
        name for name in files.keys() - own if files[name] and name.partition(".")[0] in packages
    )


def describe_outcome(report: pytest.TestReport) -> str:
    """Say in one line why a test did not pass."""
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr).strip()
    return f"{report.when} failed: {text.splitlines()[0] if text else 'no further text'}"


def main() -> None:
    """Run pytest with the arguments given, under the gate's plugin."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What tests print must not mix with the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    plugin = GatePlugin(answers)
    replace_benchmark_calls(plugin)
    # Without unraisableexception: an object that is collected late would end the process where a
    # suite turns warnings into errors.
    left_out = ["-p", "no:cacheprovider", "-p", "no:unraisableexception"]
    options = [f"--rootdir={Path.cwd()}", *left_out, "--benchmark-only", "-q", "-s"]
    code = pytest.main([*options, *sys.argv[1:]], plugins=[plugin])
    # Only a session that did not start, because of a wrong option perhaps, gets here.
    plugin.send(event="end", peak_bytes=0, reason=f"pytest did not start (exit code {int(code)})")
    os._exit(0)


if __name__ == "__main__":
    main()
