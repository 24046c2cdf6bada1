"""A peer that trains nothing. Its way says how it behaves."""

import os
import sys
import time

from bench.peers.interface import Trainer, TrainingJob


def make_trainer(job: TrainingJob) -> Trainer:
    if job.way == "missing":
        import no_such_package_anywhere  # noqa: F401

    def train_epoch() -> float:
        sys.stdout.write("a library's own output\n")
        if job.way == "raise":
            raise ValueError("no convergence\nand more lines")
        if job.way == "exit":
            sys.stderr.write("last words\n")
            os._exit(3)
        if job.way == "hang":
            time.sleep(60)
        return 0.5 * job.num_trials

    return Trainer(train_epoch, lambda: [0.7] * job.num_trials)
