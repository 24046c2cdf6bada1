"""The native engine: many trials at once in C++, on the CPU.

A trial starts from the reference engine's initial weights and sees its batches in its order, so
that the two engines differ by rounding alone. How many trials share a call, and on how many
threads, does not change a trial's results by a bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bnbench import _native
from bnbench.data import Dataset
from bnbench.networks import build_network
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver

NORMALIZATIONS = ("none", "batch")
"""What the C++ code can put between a linear layer and its activation."""
REQUIREMENT = f"the CPU and normalization {' or '.join(NORMALIZATIONS)}"


def find_obstacle(variant: VariantSpec, device: str) -> str | None:
    """Name what keeps the C++ code from training a variant on a device; None if nothing does."""
    if device != "cpu":
        return f"device {device}"
    return None if variant.normalization in NORMALIZATIONS else f"variant {variant.name}"


class NativeEngine:
    """Trains as many trials at once as it has threads."""

    def __init__(self, dataset: Dataset, threads: int) -> None:
        self._dataset = dataset
        self._threads = threads

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        """Train `trials`, all at once; see `Engine.train`."""
        numbers = [0] * len(trials)  # epochs each trial has finished

        def take_epoch(index: int, epoch: _native.EnsembleEpoch) -> None:
            numbers[index] += 1
            on_epoch(trials[index], _make_epoch_record(numbers[index], epoch))

        def take_trial(index: int, result: _native.EnsembleResult) -> None:
            on_trial(self._take_over(trials[index], result))

        train, test = self._dataset.train, self._dataset.test
        _native.train_ensemble(
            train.images.numpy(),
            train.labels.numpy(),
            test.images.numpy(),
            test.labels.numpy(),
            [_prepare(trial) for trial in trials],
            self._threads,
            take_epoch,
            take_trial,
        )

    def _take_over(self, trial: TrialSpec, result: _native.EnsembleResult) -> TrainedTrial:
        epochs = tuple(
            _make_epoch_record(number, epoch) for number, epoch in enumerate(result.epochs, start=1)
        )
        if result.parameters is None:
            return TrainedTrial(TrialRecord(trial, "failed", epochs, result.reason), None)
        num_batches = math.ceil(len(self._dataset.train) / trial.recipe.batch_size)
        state = _unflatten(trial, result.parameters, num_batches * trial.recipe.epochs)
        return TrainedTrial(TrialRecord(trial, "finished", epochs), state)


def _prepare(trial: TrialSpec) -> _native.EnsembleTrial:
    """Draw a trial's initial weights and random state as the reference engine does."""
    torch.manual_seed(trial.seed)
    state = build_network(trial.variant).state_dict()
    recipe = trial.recipe
    return _native.EnsembleTrial(
        hidden_sizes=trial.variant.hidden_sizes,
        parameters=np.concatenate(
            [value.numpy().ravel() for value in state.values() if value.is_floating_point()]
        ),
        random_state=torch.get_rng_state().numpy().tobytes(),
        normalization=trial.variant.normalization,
        activation=trial.variant.activation,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )


def _unflatten(
    trial: TrialSpec, parameters: np.ndarray, num_batches: int
) -> dict[str, torch.Tensor]:
    """Lay flat parameters out as the network's ``state_dict``."""
    rest = torch.from_numpy(parameters)
    state: dict[str, torch.Tensor] = {}
    for name, value in build_network(trial.variant).state_dict().items():
        if value.is_floating_point():
            state[name] = rest[: value.numel()].reshape(value.shape).clone()
            rest = rest[value.numel() :]
        else:  # a normalization's count of the batches it has seen
            state[name] = torch.tensor(num_batches)
    return state


def _make_epoch_record(number: int, epoch: _native.EnsembleEpoch) -> EpochRecord:
    return EpochRecord(
        number,
        epoch.train_loss,
        epoch.test_loss,
        epoch.test_accuracy,
        epoch.train_seconds,
        epoch.eval_seconds,
    )
