"""The mistakes in the predictions of exported models: confusions, and where variants disagree.

Predictions are read from the manifests, so no network is evaluated and no torch is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import BnbenchError
from bnbench.inspection import ConfusionRecord, DisagreementRecord, ImageRecord
from bnbench.models.exported_model import name_model_file
from bnbench.models.manifest import read_manifest
from bnbench.models.pictures import Pictures
from bnbench.specs import TrialSpec

NUM_IMAGES = 6
"""Images kept per direction of a disagreement."""
MAX_OF_CLASS = 2
"""Of these at most so many of one class, since one confusion would fill the figure."""

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of all models of one variant on one device."""

    variant: str
    device: str
    by_seed: dict[int, Labels]
    """Shape (num_test_images,) each."""


def read_predictions(
    folder: Path, trials: Iterable[TrialSpec], labels_sha256: str
) -> list[Predictions]:
    """Read the predictions of trials' models, by device and variant in the trials' order.

    A model whose manifest is missing, damaged or about other test labels is left out.
    """
    groups: dict[tuple[str, str], dict[int, Labels]] = {}
    for trial in trials:
        try:
            manifest = read_manifest((folder / name_model_file(trial)).with_suffix(".json"))
        except BnbenchError:
            continue
        if manifest.data.targets_sha256 == labels_sha256:
            classes = np.array(manifest.expected.predictions, np.uint8)
            groups.setdefault((trial.variant.name, trial.device), {})[trial.seed] = classes
    return [Predictions(*key, by_seed) for key, by_seed in groups.items()]


def count_confusions(predictions: Predictions, labels: Labels, num_classes: int) -> ConfusionRecord:
    """Count which class is taken for which; `labels` are the true classes of the test images."""
    size = num_classes
    # One number for each pair of classes, so that a single count finds them all.
    pairs = [size * labels.astype(np.intp) + found for found in predictions.by_seed.values()]
    matrices = np.array([np.bincount(p, minlength=size**2).reshape(size, size) for p in pairs])
    return ConfusionRecord(
        predictions.variant,
        predictions.device,
        tuple(predictions.by_seed),
        tuple(map(tuple, matrices.sum(axis=0).tolist())),
        tuple(map(tuple, np.diagonal(matrices, axis1=1, axis2=2).tolist())),
    )


def find_disagreements(
    baseline: Predictions, candidate: Predictions, labels: Labels, pictures: Pictures | None
) -> DisagreementRecord | None:
    """Find the images that most seeds of one variant get right and most of the other get wrong.

    Args:
        baseline: predictions of the study's first variant.
        candidate: those of another variant on the same device.
        labels: shape (num_test_images,), the true classes.
        pictures: the test images; None if the inputs are none.

    Returns:
        None if the variants share no seed.
    """
    seeds = [seed for seed in baseline.by_seed if seed in candidate.by_seed]
    if not seeds:
        return None
    answers = [labels, *(each.by_seed[seed] for each in (baseline, candidate) for seed in seeds)]
    num_classes = 1 + max(int(each.max()) for each in answers)
    votes = [_count_votes(each, seeds, num_classes) for each in (baseline, candidate)]
    right = [of_variant[labels, np.arange(len(labels))] for of_variant in votes]

    def select(winner: NDArray[np.intp], loser: NDArray[np.intp]) -> list[int]:
        found = np.flatnonzero((2 * winner > len(seeds)) & (2 * loser < len(seeds)))
        order = found[np.argsort((loser - winner)[found], kind="stable")]
        return [int(number) for number in order]

    def keep(numbers: list[int]) -> tuple[ImageRecord, ...]:
        kept: list[int] = []
        for number in numbers:
            if np.count_nonzero(labels[kept] == labels[number]) < MAX_OF_CLASS:
                kept.append(number)
        return tuple(
            ImageRecord(
                number,
                label=int(labels[number]),
                answers=tuple(int(each[:, number].argmax()) for each in votes),
                votes=tuple(int(each[:, number].max()) for each in votes),
                correct=tuple(int(each[number]) for each in right),
                pixels=None if pictures is None else pictures.encode(number),
            )
            for number in kept[:NUM_IMAGES]
        )

    ahead, behind = select(right[1], right[0]), select(right[0], right[1])
    names = baseline.variant, candidate.variant, baseline.device
    gains = (right[1] - right[0]) / len(seeds)
    return DisagreementRecord(
        *names,
        num_seeds=len(seeds),
        num_ahead=len(ahead),
        num_behind=len(behind),
        image_deviation=float(gains.std(ddof=1) / math.sqrt(gains.size)),
        ahead=keep(ahead),
        behind=keep(behind),
    )


def _count_votes(predictions: Predictions, seeds: list[int], num_classes: int) -> NDArray[np.intp]:
    """How many seeds say each class, shape (num_classes, num_test_images)."""
    found = np.array([predictions.by_seed[seed] for seed in seeds])
    return np.array([np.count_nonzero(found == label, axis=0) for label in range(num_classes)])
