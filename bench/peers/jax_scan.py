"""JAX: a whole epoch is one compiled call that scans over the batches.

The data stay on the device, weights are donated from epoch to epoch, and each epoch's orders are
drawn by NumPy, which is many times faster on a CPU than JAX's sort. Each batch is gathered inside
the scan: on a CPU that is faster than gathering the epoch before it.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.peers.arrays import read_float_dataset
from bench.peers.interface import TrainingJob

Tree = Any
"""A nest of arrays."""


class JaxScan:
    """Trains networks in one of two ways.

    ``vmap`` takes a step of all trials at once; ``cores`` makes a device of every core, deals the
    trials out, and lets each core train one after the other.
    """

    def __init__(self, job: TrainingJob) -> None:
        placing = _share_placing(job.flavor, job.num_trials, job.data_dir)
        # Imported here: how many devices there are is settled once JAX is used.
        import jax

        from bench.peers.jax_network import JaxNetwork

        self._jax = jax
        self._num_trials = job.num_trials
        self._network = JaxNetwork(job)
        self._dealt = placing.dealt
        self._train, self._test = placing.train, placing.test
        keys = jax.random.split(jax.random.key(0), job.num_trials)
        self._states = jax.device_put(jax.vmap(self._network.draw_state)(keys), self._dealt)
        self._generator = np.random.default_rng(0)
        if job.flavor == "cores":
            spread, whole = jax.sharding.PartitionSpec("core"), jax.sharding.PartitionSpec()
            train = jax.shard_map(
                self._train_in_turn,
                mesh=placing.mesh,
                in_specs=(spread, spread, whole, whole),
                out_specs=spread,
                check_vma=False,
            )
        elif job.num_trials == 1:
            train = self._train_alone
        else:
            train = jax.vmap(self._network.train_epoch, in_axes=(0, 0, None, None))
        self._train_epoch = jax.jit(train, donate_argnums=0)

    def _train_in_turn(self, states: Tree, orders: Any, pixels: Any, labels: Any) -> Tree:
        def train(trial: tuple[Tree, Any]) -> Tree:
            return self._network.train_epoch(*trial, pixels, labels)

        return self._jax.lax.map(train, (states, orders))

    def _train_alone(self, states: Tree, orders: Any, pixels: Any, labels: Any) -> Tree:
        alone = self._jax.tree.map(lambda leaf: leaf[0], states)
        trained = self._network.train_epoch(alone, orders[0], pixels, labels)
        return self._jax.tree.map(lambda leaf: leaf[None], trained)

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`. Drawing the orders is counted."""
        started = time.perf_counter()
        for _ in range(num_epochs):
            orders = self._jax.device_put(self._draw_orders(), self._dealt)
            self._states = self._train_epoch(self._states, orders, *self._train)
        self._jax.block_until_ready(self._states)
        return time.perf_counter() - started

    def _draw_orders(self) -> npt.NDArray[np.int32]:
        """Draw each trial's order of the images; shape (num_trials, num_images)."""
        num_images = len(self._train[1])
        orders = [self._generator.permutation(num_images) for _ in range(self._num_trials)]
        return np.stack(orders).astype(np.int32)

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        pixels, labels = self._test
        predict = self._jax.vmap(self._network.predict, in_axes=(0, None))
        correct = predict(self._states, pixels) == labels
        return [float(fraction) for fraction in correct.mean(axis=1)]


@dataclass(frozen=True)
class _Placing:
    """The devices of a process and the images on them, held once for all variants."""

    mesh: Any
    dealt: Any
    """Where arrays with a leading axis of trials are."""
    train: tuple[Any, Any]
    """Pixels and labels, whole on every device."""
    test: tuple[Any, Any]


@functools.cache
def _share_placing(flavor: str, num_trials: int, data_dir: Path) -> _Placing:
    num_devices = 1
    if flavor == "cores":
        num_devices = count_devices(num_trials, len(os.sched_getaffinity(0)))
        flags = os.environ.get("XLA_FLAGS", "")
        device_count = f"--xla_force_host_platform_device_count={num_devices}"
        os.environ["XLA_FLAGS"] = f"{flags} {device_count}".strip()
    import jax

    sharding = jax.sharding
    mesh = jax.make_mesh((num_devices,), ("core",), axis_types=(sharding.AxisType.Auto,))
    if flavor == "cores":
        dealt = sharding.NamedSharding(mesh, sharding.PartitionSpec("core"))
        whole = sharding.NamedSharding(mesh, sharding.PartitionSpec())
    else:
        dealt = whole = sharding.SingleDeviceSharding(jax.devices()[0])
    data = read_float_dataset(data_dir)
    train = jax.device_put((data.train.pixels, data.train.labels), whole)
    test = jax.device_put((data.test.pixels, data.test.labels), whole)
    return _Placing(mesh, dealt, train, test)


def count_devices(num_trials: int, num_cores: int) -> int:
    """The most devices, at most one a core, that all train the same number of trials."""
    return max(n for n in range(1, num_cores + 1) if num_trials % n == 0)


def make_trainer(job: TrainingJob) -> JaxScan:
    """Load the data, draw the weights and describe the computation; the first epoch compiles."""
    return JaxScan(job)
