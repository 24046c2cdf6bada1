"""scikit-learn's MLPClassifier, an epoch a call of ``partial_fit``."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier

from bench.peers.arrays import share_float_dataset
from bench.peers.interface import TrainingJob
from bnbench.networks import NUM_CLASSES, build_network


class SklearnMlp:
    """Trains one network without normalization, in float32, from the weights torch draws."""

    def __init__(self, job: TrainingJob) -> None:
        if job.num_trials != 1 or job.variant.normalization != "none":
            raise ValueError("MLPClassifier trains one network at a time, without normalization")
        self._data = share_float_dataset(job.data_dir)
        self._network = MLPClassifier(
            hidden_layer_sizes=job.variant.hidden_sizes,
            activation=job.variant.activation,
            solver="sgd",
            alpha=job.recipe.weight_decay,
            batch_size=job.recipe.batch_size,
            learning_rate="constant",
            learning_rate_init=job.recipe.learning_rate,
            momentum=job.recipe.momentum,
            nesterovs_momentum=False,
            shuffle=True,
            random_state=0,
        )
        # Its weights exist once it has seen a batch; they are then overwritten.
        size = job.recipe.batch_size
        pixels, labels = self._data.train.pixels[:size], self._data.train.labels[:size]
        self._network.partial_fit(pixels, labels, classes=np.arange(NUM_CLASSES))
        torch.manual_seed(0)
        drawn = [
            parameter.detach().numpy() for parameter in build_network(job.variant).parameters()
        ]
        for number, (weights, biases) in enumerate(
            zip(self._network.coefs_, self._network.intercepts_, strict=True)
        ):
            weights[...] = drawn[2 * number].T
            biases[...] = drawn[2 * number + 1]

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`."""
        started = time.perf_counter()
        for _ in range(num_epochs):
            self._network.partial_fit(self._data.train.pixels, self._data.train.labels)
        return time.perf_counter() - started

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        return [float(self._network.score(self._data.test.pixels, self._data.test.labels))]


def make_trainer(job: TrainingJob) -> SklearnMlp:
    """Load the data and describe the classifier."""
    return SklearnMlp(job)
