"""The inspection of a run's networks: their mistakes, and the values inside them.

It describes the networks and decides nothing: `verification` is what compares runtimes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from bnbench.data import CLASS_NAMES, Dataset, LabeledImages
from bnbench.errors import BnbenchError
from bnbench.inspection import (
    LEVELS,
    ConfusionRecord,
    DisagreementRecord,
    ImageRecord,
    InspectionRecord,
    Stage,
    ValuesRecord,
)
from bnbench.models.exported_model import name_model_file, read_model
from bnbench.models.manifest import read_manifest
from bnbench.models.torch_network import rebuild_network
from bnbench.networks import ACTIVATIONS, build_network
from bnbench.records import TrialRecord
from bnbench.specs import StudySpec, TrialSpec

BATCH_IMAGES = 1000
"""Training images of the batch that values are computed on; fewer if there are fewer."""
NUM_VALUE_SEEDS = 5
"""Seeds whose values are pooled; fewer if there are fewer."""
NUM_IMAGES = 6
"""Images kept per direction of a disagreement."""
MAX_OF_CLASS = 2
"""Of these at most so many of one class, since one confusion would fill the strip."""
SIGNIFICANT_DIGITS = 6

_ACTIVATION_TYPES = tuple(getattr(nn, name) for name in ACTIVATIONS.values())


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of all models of one variant on one device."""

    variant: str
    device: str
    by_seed: dict[int, NDArray[np.uint8]]
    """Shape (num_images,) each, in the order of the trials."""


def inspect_run(
    folder: Path, study: StudySpec, trials: Iterable[TrialRecord], dataset: Dataset
) -> InspectionRecord:
    """Inspect the scored models of a run.

    A model that is damaged or missing is left out: verification reports it.

    Args:
        folder: where the models and their manifests lie.
        study: the run's study.
        trials: the run's trials.
        dataset: the data set of the run; its test images are those the manifests are about.
    """
    scored = [
        record.trial
        for record in trials
        if record.status == "finished" and record.trial.purpose == "score"
    ]
    labels, images = dataset.test.labels.numpy(), dataset.test.images.numpy()
    groups = [
        Predictions(variant.name, device, by_seed)
        for device in study.devices
        for variant in study.variants
        if (by_seed := _read_predictions(folder, scored, variant.name, device, dataset.test))
    ]
    on_first = {each.variant: each for each in groups if each.device == study.devices[0]}
    baseline = on_first.get(study.variants[0].name)
    batch = min(BATCH_IMAGES, len(dataset.train))
    of_first = [trial for trial in scored if trial.device == study.devices[0]]
    value_seeds = _choose_seeds(study, of_first)
    return InspectionRecord(
        class_names=CLASS_NAMES,
        num_test_images=len(labels),
        confusions=tuple(count_confusions(each, labels) for each in groups),
        disagreements=tuple(
            found
            for name, candidate in on_first.items()
            if baseline is not None
            and name != baseline.variant
            and (found := find_disagreements(baseline, candidate, labels, images)) is not None
        ),
        batch_images=batch,
        value_seeds=value_seeds,
        values=tuple(
            record
            for variant in study.variants
            for record in _inspect_variant(
                folder,
                [t for t in of_first if t.variant == variant and t.seed in value_seeds],
                dataset.train.images[:batch],
                dataset.train.labels[:batch],
            )
        ),
    )


def count_confusions(predictions: Predictions, labels: NDArray[np.uint8]) -> ConfusionRecord:
    """Count which class is taken for which; `labels` are the true classes of the test images."""
    size = len(CLASS_NAMES)
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
    baseline: Predictions,
    candidate: Predictions,
    labels: NDArray[np.uint8],
    images: NDArray[np.uint8],
) -> DisagreementRecord | None:
    """Find the images that most seeds of one variant get right and most of the other get wrong.

    Args:
        baseline: predictions of the study's first variant.
        candidate: those of another variant on the same device.
        labels: shape (num_test_images,), the true classes.
        images: uint8, shape (num_test_images, 28, 28).

    Returns:
        None if the variants share no seed.
    """
    seeds = [seed for seed in baseline.by_seed if seed in candidate.by_seed]
    if not seeds:
        return None
    votes = [
        np.array(
            [
                sum((each.by_seed[seed] == label).astype(np.intp) for seed in seeds)
                for label in range(len(CLASS_NAMES))
            ]
        )
        for each in (baseline, candidate)
    ]
    right = [of_variant[labels, np.arange(len(labels))] for of_variant in votes]
    lead = right[1] - right[0]

    def select(sign: int) -> tuple[int, tuple[ImageRecord, ...]]:
        winner, loser = (right[1], right[0]) if sign > 0 else (right[0], right[1])
        found = np.flatnonzero((2 * winner > len(seeds)) & (2 * loser < len(seeds)))
        chosen: list[int] = []
        for number in found[np.argsort(-sign * lead[found], kind="stable")]:
            if np.count_nonzero(labels[chosen] == labels[number]) < MAX_OF_CLASS:
                chosen.append(int(number))
        return len(found), tuple(
            ImageRecord(
                number=number,
                label=int(labels[number]),
                answers=tuple(int(each[:, number].argmax()) for each in votes),
                votes=tuple(int(each[:, number].max()) for each in votes),
                correct=tuple(int(each[number]) for each in right),
                pixels=base64.b64encode(images[number].tobytes()).decode(),
            )
            for number in chosen[:NUM_IMAGES]
        )

    num_ahead, ahead = select(1)
    num_behind, behind = select(-1)
    names = baseline.variant, candidate.variant, baseline.device
    return DisagreementRecord(*names, len(seeds), num_ahead, num_behind, ahead, behind)


def summarize_values(
    variant: str,
    stage: Stage,
    networks: Sequence[nn.Sequential],
    images: torch.Tensor,
    labels: torch.Tensor,
) -> list[ValuesRecord]:
    """Summarize the values inside networks of one variant, on one batch in training mode.

    The inputs of each activation come first, then the gradients of the mean cross-entropy by each
    layer's weights. Values that are not all finite are left out.

    Args:
        variant: its name.
        stage: whether the networks have their initial or their trained weights.
        networks: one per seed; batch normalization changes their running statistics.
        images: uint8, shape (num_images, 28, 28).
        labels: shape (num_images,).
    """
    pixels = images.unsqueeze(1).to(torch.float32).div_(255)
    inputs: dict[str, list[NDArray[np.float32]]] = {}
    gradients: dict[str, list[NDArray[np.float32]]] = {}
    dead: dict[str, list[float]] = {}
    for network in networks:
        values = pixels
        network.train()
        for name, layer in network.named_children():
            if isinstance(layer, _ACTIVATION_TYPES):
                inputs.setdefault(name, []).append(values.detach().numpy())
                if isinstance(layer, nn.ReLU):
                    is_dead = (values <= 0).all(dim=0)
                    dead.setdefault(name, []).append(float(is_dead.float().mean()))
            values = layer(values)
        functional.cross_entropy(values, labels.to(torch.int64)).backward()
        for name, layer in network.named_children():
            if isinstance(layer, nn.Linear) and layer.weight.grad is not None:
                gradients.setdefault(name, []).append(layer.weight.grad.numpy())
    records = []
    for name, found in inputs.items():
        pooled = np.concatenate(found, axis=None).astype(np.float64)
        share = float(np.mean(dead[name])) if name in dead else None
        records.append(_summarize(variant, name, "input", stage, pooled, pooled.std(), share))
    for name, found in gradients.items():
        sizes = np.abs(np.concatenate(found, axis=None).astype(np.float64))
        root = np.sqrt(np.mean(sizes**2))
        records.append(_summarize(variant, name, "gradient", stage, sizes, root, None))
    return [record for record in records if record is not None]


def _summarize(
    variant: str,
    layer: str,
    kind: str,
    stage: Stage,
    values: NDArray[np.float64],
    spread: np.float64,
    dead: float | None,
) -> ValuesRecord | None:
    if not np.isfinite(values).all():
        return None
    quantiles = tuple(_round(value) for value in np.quantile(values, LEVELS))
    return ValuesRecord(
        variant,
        layer,
        "input" if kind == "input" else "gradient",
        stage,
        quantiles,
        _round(spread),
        dead,
    )


def _round(value: float) -> float:
    """Drop the digits that a sum in another order would change."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _read_predictions(
    folder: Path, trials: Sequence[TrialSpec], variant: str, device: str, test: LabeledImages
) -> dict[int, NDArray[np.uint8]]:
    """The predictions in the manifests of a variant's models on a device, by seed."""
    found = {}
    for trial in trials:
        if (trial.variant.name, trial.device) != (variant, device):
            continue
        try:
            manifest = read_manifest((folder / name_model_file(trial)).with_suffix(".json"))
        except BnbenchError:
            continue
        digits = np.frombuffer(manifest.expected.predictions.encode(), np.uint8) - ord("0")
        if manifest.data.test_labels_sha256 == test.labels_sha256 and len(digits) == len(test):
            found[trial.seed] = digits
    return found


def _choose_seeds(study: StudySpec, trials: Sequence[TrialSpec]) -> tuple[int, ...]:
    """The first seeds of which every variant that has a model has one."""
    of_variant: dict[str, set[int]] = {}
    for trial in trials:
        of_variant.setdefault(trial.variant.name, set()).add(trial.seed)
    shared = set.intersection(*of_variant.values()) if of_variant else set()
    return tuple(seed for seed in study.seeds if seed in shared)[:NUM_VALUE_SEEDS]


def _inspect_variant(
    folder: Path, trials: Sequence[TrialSpec], images: torch.Tensor, labels: torch.Tensor
) -> list[ValuesRecord]:
    """The values in the networks of a variant's trials, before and after their training."""
    initial, trained = [], []
    for trial in trials:
        try:
            model = read_model(folder / name_model_file(trial))
            if not model.is_unaltered:
                continue
            trained.append(rebuild_network(model))
        except BnbenchError:
            continue
        # As both engines make it; the random stream of the caller goes on undisturbed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(trial.seed)
            initial.append(build_network(trial.variant))
    if not trials or not trained:
        return []
    name = trials[0].variant.name
    stages: tuple[tuple[Stage, list[nn.Sequential]], ...] = (
        ("before", initial),
        ("after", trained),
    )
    found = [each for s, nets in stages for each in summarize_values(name, s, nets, images, labels)]
    # Inputs before gradients, layers in their order, and for each its stages.
    layers = list(dict.fromkeys((each.kind, each.layer) for each in found))
    return sorted(found, key=lambda each: layers.index((each.kind, each.layer)))
