"""bnbench's own engines, reference and native, called as a study calls them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import cast

from bench.peers.interface import Trainer, TrainingJob
from bnbench.data import load_fashion_mnist
from bnbench.records import EpochRecord
from bnbench.specs import EngineName, TrialSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import train_all


def make_trainer(job: TrainingJob) -> Trainer:
    """Make the engine that `job.way` names.

    An engine trains a trial from its seed to its end, so every call starts anew. An epoch costs the
    same whichever it is. The accuracies are those of trials as long as all calls together.
    """
    name = cast("EngineName", job.way)
    engine = make_engine(name, load_fashion_mnist(job.data_dir, download=False))
    num_epochs = 0

    def train(epochs: int) -> list[tuple[EpochRecord, ...]]:
        recipe = replace(job.recipe, epochs=epochs)
        trials = [
            TrialSpec(job.variant, recipe, seed, "cpu", name) for seed in range(job.num_trials)
        ]
        records = [trained.record for trained in train_all(engine, trials)]
        for record in records:
            if record.status == "failed":
                raise RuntimeError(f"the trial of seed {record.trial.seed} failed: {record.reason}")
        return [record.epochs for record in records]

    def train_epoch() -> float:
        nonlocal num_epochs
        num_epochs += 1
        started = time.perf_counter()
        epochs = [epoch for (epoch,) in train(1)]
        wall_seconds = time.perf_counter() - started
        train_seconds = sum(epoch.train_seconds for epoch in epochs)
        if job.num_trials == 1:
            return train_seconds
        # The clocks of several trials overlap, so they only divide the whole call's seconds.
        eval_seconds = sum(epoch.eval_seconds for epoch in epochs)
        return wall_seconds * train_seconds / (train_seconds + eval_seconds)

    def measure_accuracies() -> list[float]:
        return [epochs[-1].test_accuracy for epochs in train(num_epochs)]

    return Trainer(train_epoch, measure_accuracies)
