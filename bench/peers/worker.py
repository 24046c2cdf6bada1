"""A peer's own process: it trains when asked and answers with seconds.

Started by `process` as ``python -m bench.peers.worker``; requests come in on standard input and
answers go out on standard output, one JSON object a line:

    {"do": "prepare", "variant": "baseline"}              -> {"ok": true}
    {"do": "train", "variant": "baseline", "epochs": 1}   -> {"ok": true, "seconds": 0.61}
    {"do": "evaluate", "variant": "baseline"}             -> {"ok": true, "accuracies": [0.71]}
    anything that fails                     -> {"ok": false, "status": "failed", "reason": "..."}

It ends when its input ends, whatever it is doing: no measurement outlives the program.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from bench.peers.interface import Trainer, TrainingJob
from bnbench.networks import find_variant
from bnbench.specs import RecipeSpec


class Worker:
    """Holds a peer's trials, one set a variant."""

    def __init__(self, module: str, flavor: str, num_trials: int, data_dir: Path) -> None:
        self._module = module
        self._flavor = flavor
        self._num_trials = num_trials
        self._data_dir = data_dir
        self._trainers: dict[str, Trainer] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks; a failure is an answer, too."""
        try:
            return {"ok": True, **self._carry_out(request)}
        except ImportError as error:
            return {"ok": False, "status": "not available", "reason": describe_error(error)}
        except Exception as error:  # whatever a library raises is this peer's failure alone
            return {"ok": False, "status": "failed", "reason": describe_error(error)}

    def _carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        variant = request["variant"]
        if request["do"] == "prepare":
            module = importlib.import_module(self._module)
            self._trainers[variant] = module.make_trainer(
                TrainingJob(
                    find_variant(variant),
                    RecipeSpec(),
                    self._num_trials,
                    self._flavor,
                    self._data_dir,
                )
            )
            return {}
        trainer = self._trainers[variant]
        if request["do"] == "train":
            return {"seconds": trainer.train_epochs(request["epochs"])}
        if request["do"] == "evaluate":
            return {"accuracies": trainer.measure_accuracies()}
        raise ValueError(f"do: expected prepare, train or evaluate, got {request['do']!r}")


def describe_error(error: BaseException) -> str:
    """Say in one line what went wrong."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no further text'}"


def main() -> None:
    """Answer requests until there are no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--module", required=True)
    parser.add_argument("--flavor", required=True)
    parser.add_argument("--num-trials", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    answers = _keep_standard_output()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    worker = Worker(options.module, options.flavor, options.num_trials, options.data_dir)
    while True:
        answers.write(json.dumps(worker.answer(json.loads(requests.get()))) + "\n")
        answers.flush()


def _keep_standard_output() -> TextIO:
    """Take standard output for the answers; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _read_requests(requests: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    # The other end is gone. Libraries' threads must not keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
