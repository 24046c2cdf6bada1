"""Keras 3: ``model.fit`` over arrays in memory, on the backend that ``KERAS_BACKEND`` names."""

from __future__ import annotations

import time

import keras

from bench.peers.arrays import draw_layers, load_arrays
from bench.peers.interface import Trainer, TrainingJob

STEPS_PER_CALL = 32
"""Batches that one call of the compiled function trains."""


class _EpochClock(keras.callbacks.Callback):
    def on_epoch_begin(self, *_: object) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.started


def make_trainer(job: TrainingJob) -> Trainer:
    """Build and compile one network with torch's first weights."""
    train_pixels, train_labels, test_pixels, test_labels = load_arrays(job.data_dir)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(train_pixels.shape[1:])])
    *hidden, output = draw_layers(job.variant, seed=0)
    for layer in hidden:
        _add_dense(model, *layer)
        if job.variant.normalization == "batch":
            # Keras's momentum is the share that stays, torch's 0.1 the share that is replaced.
            model.add(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
        model.add(keras.layers.ReLU())
    _add_dense(model, *output)
    model.compile(
        optimizer=keras.optimizers.SGD(job.recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # XLA does not speed these networks up on TensorFlow. Many steps per call do, on both.
        jit_compile=keras.backend.backend() == "jax",
        steps_per_execution=STEPS_PER_CALL,
    )
    clock = _EpochClock()

    def train_epoch() -> float:
        size = job.recipe.batch_size
        model.fit(train_pixels, train_labels, batch_size=size, verbose=0, callbacks=[clock])
        return clock.seconds  # the start and the end of `fit` are not counted

    def measure_accuracies() -> list[float]:
        predictions = model.predict(test_pixels, batch_size=1000, verbose=0).argmax(axis=1)
        return [float((predictions == test_labels).mean())]

    return Trainer(train_epoch, measure_accuracies)


def _add_dense(model: keras.Sequential, weights: object, biases: object) -> None:
    model.add(keras.layers.Dense(len(biases)))
    model.layers[-1].set_weights([weights, biases])
