"""The native engine: many trials at once in C++, on the CPU.

A trial starts from the reference engine's initial weights and sees its batches in its order, so
that the two engines differ by rounding alone. A trial's bits do not depend on the number of trials
in a call or of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from bnbench import _native
from bnbench.data import Dataset
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.records import EpochRecord, TrialRecord, describe_recipe
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver

HAS_VARIANTS: dict[str, tuple[object, ...]] = {
    "normalization": ("none", "batch"),
    "activation": ("relu", "sigmoid", "tanh"),
    "placement": ("before",),
    "dropout": (0.0,),
    "residual": (False,),
}
"""Values of a variant's fields that the C++ code has; it has all of the fields not named here."""
HAS_RECIPES: dict[str, tuple[object, ...]] = {
    "optimizer": ("sgd",),
    "schedule": ("constant",),
    "warmup_steps": (0,),
    "nesterov": (False,),
    "drop_last": (False,),
    "label_smoothing": (0.0,),
    "evaluation_statistics": ("running",),
    "weight_averaging": ("none",),
}
"""Values of a recipe's fields that the C++ code has."""
REQUIREMENT = "the CPU, and of the techniques only those that it has"


def find_obstacle(variant: VariantSpec, recipe: RecipeSpec, device: str) -> str | None:
    """Name what the C++ code cannot train; None if it can train the variant by the recipe."""
    if device != "cpu":
        return f"device {device}"
    for spec, has in ((variant, HAS_VARIANTS), (variant.adapt(recipe), HAS_RECIPES)):
        for name, values in has.items():
            if getattr(spec, name) not in values:
                return f"{name} {getattr(spec, name)} of variant {variant.name}"
    return None


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
                num_batches = math.ceil(len(train) / trial.recipe.batch_size) * len(ended)
                state = _unflatten(trial, result.parameters, num_batches)
                # The C++ code has one optimizer; the recipe's numbers are all that it is given.
                record = TrialRecord(trial, "finished", ended, optimizers=(describe_recipe(trial),))
                on_trial(TrainedTrial(record, state))

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
    """Lay out flat parameters as the network's ``state_dict``."""
    rest = torch.from_numpy(parameters)
    state: dict[str, torch.Tensor] = {}
    for name, value in build_network(trial.variant).state_dict().items():
        if value.is_floating_point():
            state[name] = rest[: value.numel()].reshape(value.shape).clone()
            rest = rest[value.numel() :]
        else:  # a normalization's count of the batches it has seen
            state[name] = torch.tensor(num_batches)
    return state
