"""The limit: an epoch's arithmetic at the rate of one large matrix product.

It is the fastest this machine's matrix unit is known to go: a product of two square matrices of
4096 x 4096 in float32, on all threads, by the library torch ships.
"""

from __future__ import annotations

import functools
import time

import torch

from bench.peers.interface import TrainingJob
from bench.peers.work import count_epoch_flops

MATRIX_SIZE = 4096


class MatrixProduct:
    """Says how long the trials' matrix products take if they run as one large product does."""

    def __init__(self, job: TrainingJob) -> None:
        self._flops_per_epoch = job.num_trials * count_epoch_flops(job.variant)
        self._left, self._right, self._product = _share_matrices()

    def train_epochs(self, num_epochs: int) -> float:
        """Measure one product, and scale its time to the operations of `num_epochs` epochs."""
        started = time.perf_counter()
        torch.mm(self._left, self._right, out=self._product)
        seconds = time.perf_counter() - started
        return seconds * num_epochs * self._flops_per_epoch / (2 * MATRIX_SIZE**3)

    def measure_accuracies(self) -> list[float]:
        """None: it trains nothing."""
        return []


@functools.cache
def _share_matrices() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two matrices and room for their product, held once in a process."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(MATRIX_SIZE, MATRIX_SIZE, generator=generator) for _ in range(2))
    return left, right, torch.empty(MATRIX_SIZE, MATRIX_SIZE)


def make_trainer(job: TrainingJob) -> MatrixProduct:
    """Make the matrices."""
    return MatrixProduct(job)
