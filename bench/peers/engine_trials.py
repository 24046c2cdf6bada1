"""bnbench's own engines, through the interface a study uses."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import replace
from pathlib import Path

from bench.peers.interface import TrainingJob
from bnbench.data import load_fashion_mnist
from bnbench.records import TrialRecord
from bnbench.specs import EngineName, TrialSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import Engine, train_all


class EngineTrials:
    """Trains trials by an engine.

    An engine trains a trial from its seed to its end, so that every call begins anew, with
    weights and orders drawn by the seeds: an epoch costs the same whichever it is. The accuracy
    asked for at the end is of trials as long as all calls together.
    """

    def __init__(self, engine: Engine, name: EngineName, job: TrainingJob) -> None:
        self._engine = engine
        self._name = name
        self._job = job
        self._num_epochs = 0

    def train_epochs(self, num_epochs: int) -> float:
        """Train the trials from their seeds for `num_epochs` epochs.

        Returns:
            Of one trial, the engine's own training clock. Of several at once, whose clocks
            overlap, the wall-clock of the whole call, including what the engine does before the
            first batch, less evaluation's share in the trials' clocks.
        """
        self._num_epochs += num_epochs
        started = time.perf_counter()
        epochs = [epoch for record in self._train(num_epochs) for epoch in record.epochs]
        wall_seconds = time.perf_counter() - started
        train_seconds = sum(epoch.train_seconds for epoch in epochs)
        if self._job.num_trials == 1:
            return train_seconds
        eval_seconds = sum(epoch.eval_seconds for epoch in epochs)
        return wall_seconds * train_seconds / (train_seconds + eval_seconds)

    def measure_accuracies(self) -> list[float]:
        """Train the trials from their seeds for as many epochs as were asked for so far."""
        return [record.epochs[-1].test_accuracy for record in self._train(self._num_epochs)]

    def _train(self, num_epochs: int) -> list[TrialRecord]:
        recipe = replace(self._job.recipe, epochs=num_epochs)
        trials = [
            TrialSpec(self._job.variant, recipe, seed, "cpu", self._name)
            for seed in range(self._job.num_trials)
        ]
        records = [trained.record for trained in train_all(self._engine, trials)]
        for record in records:
            if record.status == "failed":
                raise RuntimeError(f"the trial of seed {record.trial.seed} failed: {record.reason}")
        return records


@functools.cache
def _share_engine(name: EngineName, data_dir: Path) -> Engine:
    """The engine of that name with all cores, made once in a process: it holds the images."""
    dataset = load_fashion_mnist(data_dir, download=False)
    return make_engine(name, dataset, threads=len(os.sched_getaffinity(0)))


def make_trainer(job: TrainingJob) -> EngineTrials:
    """Describe the trials for the engine `job.flavor` names: ``reference`` or ``native``."""
    name: EngineName = "native" if job.flavor == "native" else "reference"
    return EngineTrials(_share_engine(name, job.data_dir), name, job)
