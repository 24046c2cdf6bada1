"""JAX: one compiled call per epoch, which scans over the batches.

``vmap`` trains all trials in one step. ``in turn`` gives each device its share of the trials and
trains them one after the other; `catalog` makes each core a device. Weights are donated from epoch
to epoch. NumPy draws the orders: on a CPU it is many times faster than JAX's sort. Each batch is
gathered inside the scan, which is faster on a CPU than to gather the epoch before it.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.peers.arrays import draw_layers, load_arrays
from bench.peers.interface import Trainer, TrainingJob

Array = Any
"""A JAX array, or what stands for one while a function is compiled."""
Tree = Any
"""A nest of arrays. The state of a trial is (parameters, running statistics)."""
RUNNING_SHARE = 0.1
"""Share of a batch's statistics in the running ones, as in torch."""
EPSILON = 1e-5
"""Added to variances, as in torch."""


def draw_state(job: TrainingJob, seed: int) -> Tree:
    """Draw a trial's first weights, and the statistics and gains that go with them."""
    layers = draw_layers(job.variant, seed)
    parameters = [{"weight": weights, "bias": biases} for weights, biases in layers]
    statistics = []
    if job.variant.normalization == "batch":
        for layer in parameters[:-1]:
            ones, zeros = np.ones_like(layer["bias"]), np.zeros_like(layer["bias"])
            layer |= {"scale": ones, "shift": zeros}
            statistics.append({"mean": zeros, "variance": ones})
    return parameters, statistics


def normalize(layer: Tree, running: Tree, values: Array, training: bool) -> tuple[Array, Tree]:
    """Normalize a batch; in training also move the running statistics."""
    mean, variance = running["mean"], running["variance"]
    if training:
        mean, variance = values.mean(axis=0), values.var(axis=0)
        unbiased = variance * (len(values) / (len(values) - 1))
        batch = {"mean": mean, "variance": unbiased}
        running = jax.tree.map(lambda old, new: old + RUNNING_SHARE * (new - old), running, batch)
    factor = layer["scale"] * jax.lax.rsqrt(variance + EPSILON)
    return (values - mean) * factor + layer["shift"], running


def compute_logits(
    parameters: Tree, statistics: Tree, values: Array, training: bool
) -> tuple[Array, Tree]:
    """Compute the logits of a batch, and the running statistics after it."""
    moved = []
    for number, layer in enumerate(parameters[:-1]):
        values = values @ layer["weight"] + layer["bias"]
        if statistics:
            values, running = normalize(layer, statistics[number], values, training)
            moved.append(running)
        values = jax.nn.relu(values)
    return values @ parameters[-1]["weight"] + parameters[-1]["bias"], moved


def make_trainer(job: TrainingJob) -> Trainer:
    """Put data and weights on the devices; the first epoch compiles."""
    size, rate = job.recipe.batch_size, job.recipe.learning_rate
    mesh = jax.make_mesh((jax.device_count(),), ("core",), (jax.sharding.AxisType.Auto,))
    dealt, whole = jax.sharding.PartitionSpec("core"), jax.sharding.PartitionSpec()
    on_each, on_all = (jax.sharding.NamedSharding(mesh, spec) for spec in (dealt, whole))
    *train_images, test_pixels, test_labels = jax.device_put(load_arrays(job.data_dir), on_all)
    drawn = [draw_state(job, seed) for seed in range(job.num_trials)]
    states = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *drawn), on_each)
    generator = np.random.default_rng(0)

    def train_batch(state: Tree, pixels: Array, labels: Array) -> Tree:
        def compute_loss(parameters: Tree) -> tuple[Array, Tree]:
            logits, moved = compute_logits(parameters, state[1], pixels, training=True)
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
            return -picked.mean(), moved

        gradients, moved = jax.grad(compute_loss, has_aux=True)(state[0])
        return jax.tree.map(lambda p, gradient: p - rate * gradient, state[0], gradients), moved

    def train_trial(state: Tree, order: Array, pixels: Array, labels: Array) -> Tree:
        def train_on(state: Tree, batch: Array) -> tuple[Tree, None]:
            return train_batch(state, pixels[batch], labels[batch]), None

        num_whole = len(order) // size
        batches = order[: num_whole * size].reshape(num_whole, size)
        state, _ = jax.lax.scan(train_on, state, batches)
        if len(order) % size:
            state, _ = train_on(state, order[num_whole * size :])
        return state

    def train_trials(states: Tree, orders: Array, pixels: Array, labels: Array) -> Tree:
        if job.way == "vmap":
            return jax.vmap(train_trial, (0, 0, None, None))(states, orders, pixels, labels)
        return jax.lax.map(lambda trial: train_trial(*trial, pixels, labels), (states, orders))

    train = jax.jit(
        jax.shard_map(
            train_trials,
            mesh=mesh,
            in_specs=(dealt, dealt, whole, whole),
            out_specs=dealt,
            check_vma=False,
        ),
        donate_argnums=0,
    )

    def train_epoch() -> float:
        nonlocal states
        started = time.perf_counter()
        num_images = len(train_images[1])
        orders = [generator.permutation(num_images) for _ in range(job.num_trials)]
        dealt_orders = jax.device_put(np.stack(orders).astype(np.int32), on_each)
        states = jax.block_until_ready(train(states, dealt_orders, *train_images))
        return time.perf_counter() - started

    @jax.vmap
    def measure_accuracy(state: Tree) -> Array:
        logits, _ = compute_logits(*state, test_pixels, training=False)
        return (logits.argmax(axis=1) == test_labels).mean()

    return Trainer(train_epoch, lambda: [float(fraction) for fraction in measure_accuracy(states)])
