"""scikit-learn's MLPClassifier in float32: one call of ``partial_fit`` per epoch.

It has no batch normalization.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.neural_network import MLPClassifier

from bench.peers.arrays import draw_layers, load_arrays
from bench.peers.interface import Trainer, TrainingJob
from bnbench.specs import FASHION_MNIST_SHAPE


def make_trainer(job: TrainingJob) -> Trainer:
    """Make one classifier with torch's first weights."""
    train_pixels, train_labels, test_pixels, test_labels = load_arrays(job.data_dir)
    size = job.recipe.batch_size
    network = MLPClassifier(
        hidden_layer_sizes=job.variant.hidden_sizes,
        solver="sgd",
        alpha=0.0,
        batch_size=size,
        learning_rate_init=job.recipe.learning_rate,
        momentum=0.0,
        random_state=0,
    )
    # The weights exist only after the first batch; then they are overwritten.
    network.partial_fit(
        train_pixels[:size], train_labels[:size], classes=np.arange(FASHION_MNIST_SHAPE.num_classes)
    )
    layers = draw_layers(job.variant, seed=0)
    for (weights, biases), coefs, intercepts in zip(
        layers, network.coefs_, network.intercepts_, strict=True
    ):
        coefs[...], intercepts[...] = weights, biases

    def train_epoch() -> float:
        started = time.perf_counter()
        network.partial_fit(train_pixels, train_labels)
        return time.perf_counter() - started

    return Trainer(train_epoch, lambda: [float(network.score(test_pixels, test_labels))])
