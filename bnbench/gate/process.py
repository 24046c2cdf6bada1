"""A worker seen from the gate: started, asked and ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bnbench.errors import GateError

WORKER_FILE = Path(__file__).with_name("worker.py")
STARTUP_FOLDER = Path(__file__).with_name("startup")
USERS_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
"""Variables by which people configure pytest; the other ``PYTEST_*`` describe a session that runs."""
ANSWER_SECONDS = 900.0
"""How long an answer may take before the process is given up."""
EXIT_SECONDS = 10.0


@dataclass(frozen=True)
class RevisionFolder:
    """Where a revision lies, ready to run."""

    name: str
    """As it was asked for, such as ``main``."""
    commit: str
    """Its full hash."""
    tree: Path
    """The checkout."""
    roots: tuple[Path, ...]
    """Folders its packages are imported from, first come first served."""

    def make_environment(self) -> dict[str, str]:
        """The environment variables with which a Python process imports from this revision.

        Those of a pytest session that started the gate are left out: pytest-benchmark refuses to
        run in a process that pytest-xdist seems to have started.
        """
        roots = os.pathsep.join(str(root) for root in self.roots)
        path = [str(STARTUP_FOLDER), roots]
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYTEST_") or name in USERS_VARIABLES
        }
        return {
            **inherited,
            "GATE_ROOTS": roots,
            "GATE_TREE": str(self.tree),
            "PYTHONPATH": os.pathsep.join(path),
        }


class Worker:
    """A running `worker`. It leads a process group of its own, which ends with it."""

    def __init__(
        self,
        revision: RevisionFolder,
        python: str,
        pytest_arguments: Sequence[str],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.name = revision.name
        """The revision it runs, as it was asked for."""
        self._log_file = log_file
        self._answer_seconds = answer_seconds
        self._buffer = b""
        self._num_owed = 0  # answers it was asked for and has not been heard with
        self._failure: dict[str, Any] | None = None
        self.busy_processors = 0.0
        """Processors that the last round kept busy, on average."""
        self.started_at = time.perf_counter()
        """By the clock that all processes share."""
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: its folder, full of this package's modules, is not to be imported from.
                # Temporary files of its own: where processes share pytest's folder, each tidies up
                # after the others, and a warning that it could not is an error to some suites.
                [
                    python,
                    "-P",
                    str(WORKER_FILE),
                    f"--basetemp={log_file.with_suffix('.tmp')}",
                    *pytest_arguments,
                ],
                cwd=revision.tree,
                env={**revision.make_environment(), **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # A group of its own: Ctrl-C reaches the gate alone, which then ends it.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def select(self, names: Iterable[str]) -> None:
        """Have it run these benchmarks."""
        self._send({"do": "select", "names": list(names)})

    def time(self, iterations: int, slowdown: float = 0.0) -> float:
        """Have it run a round of the benchmark it waits in; the round's seconds.

        Raises:
            BenchmarkFailed: the benchmark raised.
        """
        self._ask({"do": "time", "iterations": iterations, "slowdown": slowdown})
        return self.read_seconds()

    def start(self, iterations: int, slowdown: float, processor: int) -> None:
        """Have it run a round on one processor and then go on calling, until told to rest."""
        self._ask(
            {"do": "start", "iterations": iterations, "slowdown": slowdown, "processor": processor}
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

    def rest(self) -> None:
        """Have it finish the call it is in and wait; `read_seconds` tells when it does."""
        self._ask({"do": "rest"})

    def time_kernel(self) -> float:
        """Have it run the reference kernel; seconds."""
        self._ask({"do": "time kernel"})
        return self.read_seconds()

    def leave(self) -> dict[str, Any]:
        """Have it leave the benchmark it is in, if that has not failed, and say how it ended."""
        while self._num_owed and self._failure is None:
            with contextlib.suppress(BenchmarkFailed):
                self.read_seconds()
        if self._failure is None:
            self._send({"do": "go on"})
            return self.read_event()
        event, self._failure, self._num_owed = self._failure, None, 0
        return event

    def read_event(self) -> dict[str, Any]:
        """Wait for the next event or answer.

        Raises:
            GateError: it says nothing in time, or is gone.
        """
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(self._answer_seconds):
                    raise GateError(
                        f"{self.name}: expected an answer of its benchmarks' process within "
                        f"{self._answer_seconds:g} s, got none; leave long benchmarks out"
                    )
            chunk = os.read(self._process.stdout.fileno(), 65536)
            if not chunk:
                raise GateError(self._describe_end())
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def read_log(self, num_lines: int = 15) -> str:
        """The last lines that the process wrote."""
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-num_lines:])

    def close(self) -> None:
        """End the process and whatever it started, whatever it is doing."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()  # without a limit: it is killed, and a stalled machine takes its time
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _ask(self, request: dict[str, Any]) -> None:
        self._send(request)
        self._num_owed += 1

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise GateError(self._describe_end()) from None

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            how = "one that answers no more"
        else:
            how = f"that it ended with signal {-code}" if code < 0 else f"its exit code {code}"
        return (
            f"{self.name}: expected a process that runs the benchmarks, got {how}; "
            f"it wrote last:\n{self.read_log()}"
        )


class BenchmarkFailed(Exception):  # noqa: N818 - an outcome that is recorded, not a program error
    """A benchmark raised while it was measured; its process goes on to the next one.

    `Worker.leave` gives the event that says so.
    """
