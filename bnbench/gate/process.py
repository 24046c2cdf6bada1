"""A worker as the gate sees it: a process that is started, asked to measure, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.gate.records import NO_SLOWDOWN, Slowdown
from bnbench.gate.revisions import RevisionFolder

WORKER_FILE = Path(__file__).with_name("worker.py")
ANSWER_SECONDS = 900.0
"""Timeout of an answer; then the process counts as hung."""
EXIT_SECONDS = 10.0


class Worker:
    """A running `worker`, in a process group of its own, which ends with it.

    Args:
        revision: what it measures.
        pytest_arguments: paths and options, such as ``bench`` and ``-k training``.
        log_file: where it writes what pytest and the tests print.
        variables: to add to its environment.
    """

    def __init__(
        self,
        revision: RevisionFolder,
        pytest_arguments: Sequence[str],
        log_file: Path,
        variables: Mapping[str, str],
    ) -> None:
        self.name = revision.name
        """The revision it runs, as the user named it."""
        self._log_file = log_file
        self._buffer = b""
        self._num_owed = 0  # answers that were asked for and not yet read
        self._failure: dict[str, Any] | None = None
        self.busy_processors = 0.0
        """Processors that the last round kept busy, on average."""
        self.started_at = time.perf_counter()
        """By the clock that all processes share."""
        # -P keeps this package's folder off the import path.
        command = [sys.executable, "-P", str(WORKER_FILE)]
        # Processes that share pytest's folder remove each other's files, and the warning about it
        # is an error in some suites.
        own_folder = f"--basetemp={log_file.with_suffix('.tmp')}"
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, own_folder, *pytest_arguments],
                bufsize=0,
                cwd=revision.tree,
                env={**revision.make_environment(), **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # In a group of its own: Ctrl-C reaches only the gate, which then ends it.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def select(self, names: Iterable[str]) -> None:
        """Tell it which benchmarks to run."""
        self._send("select", names=list(names))

    def time(self, iterations: int, slowdown: Slowdown = NO_SLOWDOWN) -> float:
        """Run a round of the benchmark it waits in and return the round's seconds.

        Raises:
            BenchmarkFailed: the benchmark raised.
        """
        self._ask("time", iterations=iterations, slowdown=slowdown.share, work=slowdown.work)
        return self.read_seconds()

    def start(self, iterations: int, slowdown: Slowdown, processor: int) -> None:
        """Start a round on one processor; it goes on calling afterwards, until `idle`."""
        self._ask(
            "start",
            iterations=iterations,
            slowdown=slowdown.share,
            work=slowdown.work,
            processor=processor,
        )

    def read_seconds(self) -> float:
        """Wait for the seconds of the round that was started.

        Raises:
            BenchmarkFailed: the benchmark raised.
        """
        event = self.read_event()
        self._num_owed -= 1
        if "seconds" not in event:
            self._failure = event
            raise BenchmarkFailed(str(event.get("reason")))
        self.busy_processors = float(event.get("busy", self.busy_processors))
        return float(event["seconds"])

    def idle(self) -> None:
        """Ask it to finish the call it is in and wait; `read_seconds` returns once it waits."""
        self._ask("idle")

    def time_kernel(self) -> float:
        """Run the reference kernel and return its seconds."""
        self._ask("time kernel")
        return self.read_seconds()

    def leave(self) -> dict[str, Any]:
        """Leave the benchmark it is in and return the event that says how it ended."""
        while self._num_owed and self._failure is None:
            with contextlib.suppress(BenchmarkFailed):
                self.read_seconds()
        if self._failure is None:
            self._send("go on")
            return self.read_event()
        event, self._failure, self._num_owed = self._failure, None, 0
        return event

    def read_event(self) -> dict[str, Any]:
        """Wait for the next event or answer.

        Raises:
            GateError: there is no answer in time, or the process is gone.
        """
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], ANSWER_SECONDS)
            if not ready:
                raise GateError(
                    f"{self.name}: expected an answer from its benchmark process within "
                    f"{ANSWER_SECONDS:g} s, got none; leave long benchmarks out"
                )
            chunk = self._answers.read(65536)
            if not chunk:
                raise GateError(self._describe_end())
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def close(self) -> None:
        """Kill the process and all that it started."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()  # no timeout: a stalled machine may be slow
        self._requests.close()
        self._answers.close()

    def _ask(self, request: str, **details: Any) -> None:
        self._send(request, **details)
        self._num_owed += 1

    def _send(self, request: str, **details: Any) -> None:
        try:
            self._requests.write(json.dumps({"do": request, **details}).encode() + b"\n")
        except OSError:
            raise GateError(self._describe_end()) from None

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            how = "no answer"
        else:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
        last = self._log_file.read_text(errors="replace").strip().splitlines()[-15:]
        return (
            f"{self.name}: expected a process that runs the benchmarks, got {how}; "
            "its last output:\n" + "\n".join(last)
        )


class BenchmarkFailed(Exception):  # noqa: N818 - an outcome that is recorded, not a program error
    """A benchmark raised while it was measured; its process goes on to the next one.

    `Worker.leave` gives the event that says so.
    """
