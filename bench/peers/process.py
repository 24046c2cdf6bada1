"""A peer's process seen from the measurement: started, asked and ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from bench.peers.catalog import PeerSpec

Status = Literal["measured", "not installed", "not available", "failed"]
"""How it went with a peer."""
PROJECT_ROOT = Path(__file__).resolve().parents[2]
ANSWER_SECONDS = 1800.0
"""How long an answer may take before the process is given up."""
EXIT_SECONDS = 10.0


class WorkerError(Exception):
    """A peer that cannot go on: in which state it is to be shown, and why."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


class WorkerProcess:
    """A running `worker`. It leads a process group of its own, which ends with it."""

    def __init__(
        self,
        peer: PeerSpec,
        data_dir: Path,
        log_file: Path,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._log_file = log_file
        self._answer_seconds = answer_seconds
        command = [sys.executable, "-m", "bench.peers.worker", "--module", peer.module]
        command += ["--flavor", peer.flavor, "--num-trials", str(peer.num_trials)]
        command += ["--data-dir", str(data_dir)]
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT_ROOT,
                env={**os.environ, **peer.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # A group of its own: Ctrl-C reaches the measurement alone, which then ends it.
                start_new_session=True,
            )

    def prepare(self, variant: str) -> None:
        """Have the peer load its data and build its networks."""
        self._ask({"do": "prepare", "variant": variant})

    def train(self, variant: str, epochs: int) -> float:
        """Have the peer train; its own clock's seconds."""
        return float(self._ask({"do": "train", "variant": variant, "epochs": epochs})["seconds"])

    def evaluate(self, variant: str) -> tuple[float, ...]:
        """Have the peer evaluate; an accuracy a trial."""
        return tuple(self._ask({"do": "evaluate", "variant": variant})["accuracies"])

    def close(self) -> None:
        """End the process and whatever it started, whatever it is doing."""
        self._kill()
        self._process.wait()  # without a limit: it is killed, and a stalled machine takes its time
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            WorkerError: the peer says it failed, says nothing in time, or is gone.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerError("failed", self._describe_end()) from None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._answer_seconds):
                self._kill()  # it would work on, beside the peers that are measured next
                raise WorkerError("failed", f"gave no answer in {self._answer_seconds:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError("failed", self._describe_end())
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise WorkerError(answer["status"], answer["reason"])
        return answer

    def _describe_end(self) -> str:
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process answers no more"
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"its process ended with {how}" + (f": {lines[-1]}" if lines else "")
