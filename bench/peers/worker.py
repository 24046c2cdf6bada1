"""A peer's own process, which `process` starts as ``python -m bench.peers.worker SPEC FOLDER``.

Requests come in on standard input and answers go out on standard output, one JSON object a line:

    {"do": "train", "variant": "baseline"}      -> {"seconds": 0.61}
    {"do": "evaluate", "variant": "baseline"}   -> {"accuracies": [0.71]}

If a library is missing or raises, the answer is its status and the reason. The process ends when
its input ends.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.peers.catalog import PeerSpec
from bench.peers.interface import Trainer, TrainingJob
from bnbench.recipes import RecipeSpec
from bnbench.techniques import find_variant


class Worker:
    """The trials of a peer: one set per variant, made at its first request."""

    def __init__(self, peer: PeerSpec, data_dir: Path) -> None:
        self._peer, self._data_dir = peer, data_dir
        self._trainers: dict[str, Trainer] = {}

    def answer(self, request: dict[str, str]) -> dict[str, Any]:
        """Train or evaluate; a failure is an answer too."""
        try:
            trainer = self._get_trainer(request["variant"])
            if request["do"] == "train":
                return {"seconds": trainer.train_epoch()}
            return {"accuracies": trainer.measure_accuracies()}
        except ImportError as error:
            return {"status": "missing", "reason": describe_error(error)}
        except Exception as error:  # whatever a library raises is this peer's failure alone
            return {"status": "failed", "reason": describe_error(error)}

    def _get_trainer(self, variant: str) -> Trainer:
        if variant not in self._trainers:
            peer = self._peer
            self._trainers[variant] = importlib.import_module(peer.module).make_trainer(
                TrainingJob(
                    find_variant(variant), RecipeSpec(), peer.num_trials, peer.way, self._data_dir
                )
            )
        return self._trainers[variant]


def describe_error(error: Exception) -> str:
    """Describe an error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no further text'}"


def main() -> None:
    """Answer requests until there are no more."""
    # What libraries print goes to standard error, so standard output holds answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(PeerSpec(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)
    os._exit(0)  # a library's threads must not keep the process alive


if __name__ == "__main__":
    main()
