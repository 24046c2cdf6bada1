"""Keras 3: ``model.fit`` over arrays in memory, on the backend that its process was started for."""

from __future__ import annotations

import time

import keras

from bench.peers.arrays import share_float_dataset
from bench.peers.interface import TrainingJob
from bench.peers.work import list_linear_layers

STEPS_PER_CALL = 32
"""Batches trained by one call of the compiled function."""


class _EpochClock(keras.callbacks.Callback):
    """Adds up the seconds from each epoch's beginning to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        del epoch, logs
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        del epoch, logs
        self.seconds += time.perf_counter() - self._started


class KerasFit:
    """Trains one network; its layers start and keep statistics as torch's do."""

    def __init__(self, job: TrainingJob) -> None:
        if job.num_trials != 1:
            raise ValueError(f"num_trials: expected 1, got {job.num_trials}")
        if keras.backend.backend() != job.flavor:
            raise ValueError(f"Keras runs on {keras.backend.backend()}, not on {job.flavor}")
        self._data = share_float_dataset(job.data_dir)
        self._batch_size = job.recipe.batch_size
        keras.utils.set_random_seed(0)
        self._model = _build_model(job)
        self._model.compile(
            optimizer=keras.optimizers.SGD(
                learning_rate=job.recipe.learning_rate, momentum=job.recipe.momentum
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            # XLA makes these networks no faster on TensorFlow; many steps a call do, on both.
            jit_compile=job.flavor == "jax",
            steps_per_execution=STEPS_PER_CALL,
        )

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`. Starting and ending ``fit`` is not counted."""
        clock = _EpochClock()
        self._model.fit(
            self._data.train.pixels,
            self._data.train.labels,
            batch_size=self._batch_size,
            epochs=num_epochs,
            shuffle=True,
            verbose=0,
            callbacks=[clock],
        )
        return clock.seconds

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        logits = self._model.predict(self._data.test.pixels, batch_size=1000, verbose=0)
        return [float((logits.argmax(axis=1) == self._data.test.labels).mean())]


def _build_model(job: TrainingJob) -> keras.Model:
    layers = list_linear_layers(job.variant)
    model = keras.Sequential([keras.Input((layers[0][0],))])
    for number, (num_inputs, num_units) in enumerate(layers, start=1):
        bound = num_inputs**-0.5
        model.add(
            keras.layers.Dense(
                num_units,
                kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
                bias_initializer=keras.initializers.RandomUniform(-bound, bound),
            )
        )
        if number < len(layers):
            if job.variant.normalization == "batch":
                # Keras's momentum is the share that stays: torch's 0.1 is the share that goes.
                model.add(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5))
            model.add(keras.layers.Activation(job.variant.activation))
    return model


def make_trainer(job: TrainingJob) -> KerasFit:
    """Load the data and compile the model."""
    return KerasFit(job)
