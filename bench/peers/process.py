"""A peer's process as the runner sees it: started, asked and ended."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from bench.peers.catalog import PeerSpec

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ANSWER_SECONDS = 1800.0
"""Seconds that an answer may take before the process is killed."""


class PeerFailure(Exception):  # noqa: N818 - it goes on record, and the others go on
    """A peer cannot go on: its status (missing or failed) and the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PeerProcess:
    """A running `worker`, which ends with the ``with`` block."""

    def __init__(
        self, peer: PeerSpec, data_dir: Path, log_file: Path, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._log_file, self._answer_seconds = log_file, answer_seconds
        spec = json.dumps(dataclasses.asdict(peer))
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.peers.worker", spec, str(data_dir)],
                cwd=PROJECT_ROOT,
                env={**os.environ, **peer.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, action: str, variant: str) -> Any:
        """Have the peer "train" or "evaluate", and return the seconds or the accuracies.

        Raises:
            PeerFailure: the peer is missing or failed, gave no answer in time, or has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # A peer that is too slow must not go on beside the others.
        timer = threading.Timer(self._answer_seconds, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps({"do": action, "variant": variant}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise PeerFailure("failed", self._describe_end())
        answer = json.loads(line)
        if "status" in answer:
            raise PeerFailure(answer["status"], answer["reason"])
        return answer["seconds" if action == "train" else "accuracies"]

    def _describe_end(self) -> str:
        code = self._process.wait()
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        return f"its process ended with exit code {code}" + (f": {lines[-1]}" if lines else "")
