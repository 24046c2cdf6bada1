"""The networks and their training step as pure JAX functions."""

from __future__ import annotations

from typing import Any

import jax

from bench.peers.interface import TrainingJob
from bench.peers.work import list_linear_layers

Array = Any
"""A JAX array or, while a function is compiled, what stands for one."""
Tree = Any
"""A nest of arrays."""
RUNNING_SHARE = 0.1
"""Share of a batch's statistics in the running ones, as in torch."""
EPSILON = 1e-5
"""Added to variances, as in torch."""


class JaxNetwork:
    """The network of one trial as pure functions; a state is (parameters, running statistics)."""

    def __init__(self, job: TrainingJob) -> None:
        self._variant = job.variant
        self._recipe = job.recipe
        self._layers = list_linear_layers(job.variant)
        self._normalized = job.variant.normalization == "batch"
        self._activation = {
            "relu": jax.nn.relu,
            "sigmoid": jax.nn.sigmoid,
            "tanh": jax.numpy.tanh,
        }[job.variant.activation]

    def draw_state(self, key: Array) -> Tree:
        """Draw weights and biases as torch's linear layers do: uniform, up to 1 / sqrt(inputs)."""
        parameters = []
        for num_inputs, num_units in self._layers:
            key, weight_key, bias_key = jax.random.split(key, 3)
            bound = num_inputs**-0.5
            parameters.append(
                {
                    "weight": jax.random.uniform(
                        weight_key, (num_inputs, num_units), minval=-bound, maxval=bound
                    ),
                    "bias": jax.random.uniform(bias_key, (num_units,), minval=-bound, maxval=bound),
                }
            )
        statistics = []
        if self._normalized:
            for layer, num_units in zip(parameters, self._variant.hidden_sizes, strict=False):
                ones, zeros = jax.numpy.ones(num_units), jax.numpy.zeros(num_units)
                layer |= {"scale": ones, "shift": zeros}
                statistics.append({"mean": zeros, "variance": ones})
        return parameters, statistics

    def compute_logits(
        self, parameters: Tree, statistics: Tree, values: Array, training: bool
    ) -> tuple[Array, Tree]:
        """Compute logits and, in training, the statistics moved on by this batch."""
        moved = []
        for number, layer in enumerate(parameters[:-1]):
            values = values @ layer["weight"] + layer["bias"]
            if self._normalized:
                running = statistics[number]
                if training:
                    num_images = values.shape[0]
                    mean, variance = values.mean(axis=0), values.var(axis=0)
                    unbiased = variance * (num_images / (num_images - 1))
                    moved.append(
                        {
                            "mean": running["mean"] + RUNNING_SHARE * (mean - running["mean"]),
                            "variance": running["variance"]
                            + RUNNING_SHARE * (unbiased - running["variance"]),
                        }
                    )
                else:
                    mean, variance = running["mean"], running["variance"]
                factor = layer["scale"] * jax.lax.rsqrt(variance + EPSILON)
                values = (values - mean) * factor + layer["shift"]
            values = self._activation(values)
        return values @ parameters[-1]["weight"] + parameters[-1]["bias"], moved

    def train_batch(self, state: Tree, pixels: Array, labels: Array) -> Tree:
        """Take one step of SGD."""

        def compute_loss(parameters: Tree) -> tuple[Array, Tree]:
            logits, moved = self.compute_logits(parameters, state[1], pixels, training=True)
            log_probabilities = jax.nn.log_softmax(logits)
            picked = jax.numpy.take_along_axis(log_probabilities, labels[:, None], axis=1)
            return -picked.mean(), moved

        gradients, moved = jax.grad(compute_loss, has_aux=True)(state[0])
        rate = self._recipe.learning_rate
        parameters = jax.tree.map(lambda p, gradient: p - rate * gradient, state[0], gradients)
        return parameters, moved

    def train_epoch(self, state: Tree, order: Array, pixels: Array, labels: Array) -> Tree:
        """Take a step for every batch of `order`, the last, smaller one included."""
        size = self._recipe.batch_size
        num_whole = len(order) // size

        def train_on(state: Tree, batch: Array) -> tuple[Tree, None]:
            return self.train_batch(state, pixels[batch], labels[batch]), None

        whole = order[: num_whole * size].reshape(num_whole, size)
        state, _ = jax.lax.scan(train_on, state, whole)
        if len(order) % size:
            state, _ = train_on(state, order[num_whole * size :])
        return state

    def predict(self, state: Tree, pixels: Array) -> Array:
        """Predict classes by the running statistics."""
        logits, _ = self.compute_logits(state[0], state[1], pixels, training=False)
        return logits.argmax(axis=1)
