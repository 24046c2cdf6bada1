"""The limit: an epoch's matrix products at the rate of one large product.

The large product has matrices of 4096 x 4096 in float32, and torch's library computes it on all
threads. Nothing is trained.
"""

from __future__ import annotations

import time
from itertools import pairwise

import torch

from bench.peers.interface import Trainer, TrainingJob
from bnbench.specs import FASHION_MNIST_SHAPE, VariantSpec

MATRIX_SIZE = 4096


def count_epoch_flops(variant: VariantSpec, num_images: int = 60_000) -> int:
    """Count the floating-point operations of the matrix products of an epoch of one trial.

    For each image, a linear layer of n inputs and m units takes n m multiply-adds for its outputs,
    and as many for its weights' gradients. All layers but the first take as many again for their
    inputs' gradients. A multiply-add is two operations.
    """
    shape = FASHION_MNIST_SHAPE
    sizes = (shape.num_inputs, *variant.hidden_sizes, shape.num_classes)
    products = [num_inputs * num_units for num_inputs, num_units in pairwise(sizes)]
    return 2 * num_images * (3 * sum(products) - products[0])


def make_trainer(job: TrainingJob) -> Trainer:
    """Make the matrices."""
    num_flops = job.num_trials * count_epoch_flops(job.variant)
    left, right = torch.rand(2, MATRIX_SIZE, MATRIX_SIZE)
    product = torch.empty(MATRIX_SIZE, MATRIX_SIZE)

    def train_epoch() -> float:
        started = time.perf_counter()
        torch.mm(left, right, out=product)
        return (time.perf_counter() - started) * num_flops / (2 * MATRIX_SIZE**3)

    return Trainer(train_epoch, list)
