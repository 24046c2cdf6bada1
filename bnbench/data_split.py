"""Validation inputs cut from a training set."""

from __future__ import annotations

import dataclasses
import functools

import torch

from bnbench.data import Dataset, LabeledInputs
from bnbench.errors import SpecError
from bnbench.specs import TuningSpec


def cut_validation_split(dataset: Dataset, tuning: TuningSpec) -> Dataset:
    """Cut validation inputs from the training set, of each class in proportion to its number.

    Returns:
        A data set that trains on the rest and evaluates on the inputs cut; it holds no test input.

    Raises:
        SpecError: the training set has too few inputs, or a class would lose its last one.
    """
    number = tuning.count_validation(len(dataset.train))
    return _cut_split(dataset, number, tuning.split_seed)


def share_among_classes(number: int, class_sizes: list[int]) -> list[int]:
    """Share a number among classes in proportion to their sizes, by the largest remainders.

    Args:
        number: at most the sum of the sizes.
        class_sizes: inputs of each class.
    """
    total = sum(class_sizes)
    shares = [number * size // total for size in class_sizes]
    # Of equal remainders the first class's goes first.
    by_remainder = sorted(
        range(len(class_sizes)), key=lambda each: -(number * class_sizes[each] % total)
    )
    for label in by_remainder[: number - sum(shares)]:
        shares[label] += 1
    return shares


# The studies of a series share one split, and so the engines that hold its inputs.
@functools.lru_cache(maxsize=1)
def _cut_split(dataset: Dataset, number: int, split_seed: int) -> Dataset:
    labels = dataset.train.labels
    if number >= len(labels):
        raise SpecError(
            f"num_validation_images: expected fewer than the {len(labels):,} training inputs, got "
            f"{number:,}; cut fewer"
        )
    sizes = labels.to(torch.int64).bincount(minlength=dataset.shape.num_classes).tolist()
    shares = share_among_classes(number, sizes)
    generator = torch.Generator().manual_seed(split_seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label, (share, size) in enumerate(zip(shares, sizes, strict=True)):
        if share >= size:
            raise SpecError(
                f"num_validation_images: expected fewer, so that class {label} keeps one of its "
                f"{size} training inputs, got {number:,}; cut fewer"
            )
        of_class = shuffled[labels[shuffled] == label]
        chosen[of_class[:share]] = True

    def select(mask: torch.Tensor) -> LabeledInputs:
        return LabeledInputs(dataset.train.inputs[mask], labels[mask], "", "")

    return dataclasses.replace(
        dataset,
        name=f"{dataset.name}, validation split",
        train=select(~chosen),
        test=select(chosen),
        folder=None,
    )
