"""The arithmetic of an epoch, counted from the layer sizes."""

from __future__ import annotations

from itertools import pairwise

from bnbench.networks import NUM_CLASSES, NUM_PIXELS
from bnbench.specs import VariantSpec

NUM_TRAIN_IMAGES = 60_000
"""Images of an epoch: FashionMNIST's training set."""


def list_linear_layers(variant: VariantSpec) -> list[tuple[int, int]]:
    """The linear layers, first to last, each as (number of inputs, number of units)."""
    return list(pairwise((NUM_PIXELS, *variant.hidden_sizes, NUM_CLASSES)))


def count_epoch_flops(variant: VariantSpec, num_images: int = NUM_TRAIN_IMAGES) -> int:
    """Count the floating-point operations of the matrix products of one epoch of one trial.

    A linear layer of n inputs and m units costs n m multiply-adds an image for its outputs, as
    many for its weights' gradients and, unless it is the first, as many for its inputs'
    gradients; a multiply-add counts as two operations. What is linear in the number of units
    (biases, activations, normalization, the update) is not counted: the count is a floor.

    Args:
        variant: the network.
        num_images: images of the epoch.
    """
    products = [num_inputs * num_units for num_inputs, num_units in list_linear_layers(variant)]
    return 2 * num_images * (3 * sum(products) - products[0])
