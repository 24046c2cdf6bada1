"""The native engine: many trials at once in C++, on the CPU.

A trial starts from the reference engine's initial weights and sees its batches in its order, so
that the two engines differ by rounding alone. A trial's bits do not depend on the number of trials
in a call or of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bnbench import _native
from bnbench.data import Dataset
from bnbench.networks import build_first_network, build_network
from bnbench.own_code import OwnCode
from bnbench.records import EpochRecord, TrialRecord, describe_recipe
from bnbench.specs import DataShape, TrialSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver
from bnbench.training.schedule import compute_learning_rates


class NativeEngine:
    """Trains as many trials at once as it has threads."""

    def __init__(self, dataset: Dataset, threads: int) -> None:
        self._dataset = dataset
        self._threads = threads

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        """Train `trials`, all at once; see `Engine.train`."""
        epochs: list[list[EpochRecord]] = [[] for _ in trials]

        def take_epoch(index: int, epoch: _native.EnsembleEpoch) -> None:
            record = EpochRecord(
                len(epochs[index]) + 1,
                epoch.train_loss,
                epoch.test_loss,
                epoch.test_accuracy,
                epoch.train_seconds,
                epoch.eval_seconds,
            )
            epochs[index].append(record)
            on_epoch(trials[index], record)

        def take_trial(index: int, result: _native.EnsembleResult) -> None:
            trial, ended = trials[index], tuple(epochs[index])
            if result.parameters is None:
                record = TrialRecord(
                    trial, "failed", ended, result.reason, optimizers=(describe_recipe(trial),)
                )
                on_trial(TrainedTrial(record, None))
            else:
                num_steps = trial.recipe.count_steps(len(train)) * len(ended)
                state = _unflatten(trial, shape, result.parameters, num_steps)
                # The recipe's numbers are all that the C++ code is given.
                record = TrialRecord(trial, "finished", ended, optimizers=(describe_recipe(trial),))
                on_trial(TrainedTrial(record, state))

        train, test, shape = self._dataset.train, self._dataset.test, self._dataset.shape
        _native.train_ensemble(
            train.inputs.numpy(),
            train.labels.numpy(),
            test.inputs.numpy(),
            test.labels.numpy(),
            shape.num_classes,
            [_prepare(trial, shape, len(train)) for trial in trials],
            self._threads,
            take_epoch,
            take_trial,
        )


def _prepare(trial: TrialSpec, shape: DataShape, num_images: int) -> _native.EnsembleTrial:
    """Draw a trial's initial weights and random state as the reference engine does."""
    state = build_first_network(trial, shape).state_dict()
    variant, recipe = trial.variant, trial.recipe
    assert not isinstance(recipe.optimizer, OwnCode)  # `resolve_engines` chose another engine
    num_steps = recipe.epochs * recipe.count_steps(num_images)
    return _native.EnsembleTrial(
        hidden_sizes=variant.hidden_sizes,
        learning_rates=compute_learning_rates(recipe, num_steps),
        parameters=np.concatenate(
            [value.numpy().ravel() for value in state.values() if value.is_floating_point()]
        ),
        random_state=torch.get_rng_state().numpy().tobytes(),
        normalization=variant.normalization,
        placement=variant.placement,
        activation=variant.activation,
        dropout=variant.dropout,
        residual=variant.residual,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.optimizer,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        beta1=recipe.beta1,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        drop_last=recipe.drop_last,
        label_smoothing=recipe.label_smoothing,
        evaluation_statistics=recipe.evaluation_statistics,
        weight_averaging=recipe.weight_averaging,
        averaging_decay=recipe.averaging_decay,
    )


def _unflatten(
    trial: TrialSpec, shape: DataShape, parameters: np.ndarray, num_steps: int
) -> dict[str, torch.Tensor]:
    """Lay out flat parameters as the network's ``state_dict``."""
    rest = torch.from_numpy(parameters)
    state: dict[str, torch.Tensor] = {}
    for name, value in build_network(trial.variant, shape).state_dict().items():
        if value.is_floating_point():
            state[name] = rest[: value.numel()].reshape(value.shape).clone()
            rest = rest[value.numel() :]
        else:  # a normalization's count of the batches it has seen
            state[name] = torch.tensor(num_steps)
    return state
