"""The inspection of a run's networks: their mistakes, and the values inside them.

It describes the networks and decides nothing: `verification` is what compares runtimes.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from bnbench.data import Dataset, scale_inputs
from bnbench.errors import BnbenchError
from bnbench.inspection import LEVELS, InspectionRecord, Stage, ValuesRecord
from bnbench.models.exported_model import name_model_file, read_model
from bnbench.models.mistakes import count_confusions, find_disagreements, read_predictions
from bnbench.models.pictures import find_pictures
from bnbench.models.torch_network import rebuild_network
from bnbench.networks import ACTIVATIONS, build_first_network
from bnbench.records import TrialRecord
from bnbench.specs import DataShape, StudySpec, TrialSpec

BATCH_IMAGES = 1000
"""Training images of the batch that values are computed on; fewer if there are fewer."""
NUM_VALUE_SEEDS = 5
"""Seeds whose values are pooled; fewer if there are fewer."""
SIGNIFICANT_DIGITS = 6
MAX_VALUES = 2**20
"""Values of a layer that are kept of one network."""

_SHORTCUT = re.compile(r"^shortcut\d+\.")

_ACTIVATION_TYPES = tuple(getattr(nn, name) for name in ACTIVATIONS.values())


def inspect_run(
    folder: Path, study: StudySpec, records: Iterable[TrialRecord], dataset: Dataset
) -> InspectionRecord:
    """Inspect the scored models of a run.

    A model that is damaged or missing is left out: verification reports it.

    Args:
        folder: where the models and their manifests lie.
        study: the run's study.
        records: the run's trials.
        dataset: the data set of the run.
    """
    trials = [r.trial for r in records if r.status == "finished" and r.trial.purpose == "score"]
    labels, pictures = dataset.test.labels.numpy(), find_pictures(dataset.test.inputs.numpy())
    shape = dataset.shape
    groups = read_predictions(folder, trials, dataset.test.labels_sha256)
    on_first = {each.variant: each for each in groups if each.device == study.devices[0]}
    baseline = on_first.pop(study.variants[0].name, None)
    compared = [
        find_disagreements(baseline, candidate, labels, pictures)
        for candidate in on_first.values()
        if baseline is not None
    ]
    trials = [trial for trial in trials if trial.device == study.devices[0]]
    seeds = _choose_seeds(study, trials)
    batch = min(BATCH_IMAGES, len(dataset.train))
    if any(variant.own_code is not None for variant in study.variants):
        batch = min(batch, study.recipe.batch_size)  # they may have room for no more
    part = scale_inputs(dataset.train.inputs[:batch]), dataset.train.labels[:batch]
    values: list[ValuesRecord] = []
    with _use_one_thread():
        for variant in study.variants:
            chosen = [trial for trial in trials if trial.variant == variant and trial.seed in seeds]
            for stage, networks in _make_networks(folder, chosen, shape).items():
                values += summarize_values(variant.name, stage, networks, *part)
    return InspectionRecord(
        class_names=dataset.class_names or tuple(map(str, range(shape.num_classes))),
        num_test_images=len(labels),
        image_size=None if pictures is None else pictures.size,
        confusions=tuple(count_confusions(each, labels, shape.num_classes) for each in groups),
        disagreements=tuple(each for each in compared if each is not None),
        batch_images=batch,
        value_seeds=seeds,
        values=tuple(values),
    )


def summarize_values(
    variant: str,
    stage: Stage,
    networks: Sequence[nn.Module],
    inputs: torch.Tensor,
    labels: torch.Tensor,
) -> list[ValuesRecord]:
    """Summarize the values inside networks of one variant, on one batch in training mode.

    The inputs of each activation come first, then the gradients of the mean cross-entropy by each
    layer's weights. Values that are not all finite are left out.

    Args:
        variant: its name.
        stage: whether the networks have their initial or their trained weights.
        networks: one per seed; batch normalization changes their running statistics.
        inputs: float32, shape (n, *input_shape).
        labels: shape (n,).
    """
    collected: dict[str, list[NDArray[np.float32]]] = {}
    gradients: dict[str, list[NDArray[np.float32]]] = {}
    dead: dict[str, list[float]] = {}
    for network in networks:
        network.train()
        layers = {_SHORTCUT.sub("", name): layer for name, layer in network.named_modules()}

        def collect(layer: nn.Module, given: tuple[torch.Tensor, ...], name: str) -> None:
            values = given[0].detach()
            collected.setdefault(name, []).append(_thin(values))
            if isinstance(layer, nn.ReLU):
                # A unit of images is a channel.
                of_unit = values.movedim(1, -1).flatten(0, 2) if values.ndim == 4 else values
                is_dead = (of_unit <= 0).all(dim=0)
                dead.setdefault(name, []).append(float(is_dead.float().mean()))

        for name, layer in layers.items():
            if isinstance(layer, _ACTIVATION_TYPES):
                layer.register_forward_pre_hook(functools.partial(collect, name=name))
        functional.cross_entropy(network(inputs), labels.to(torch.int64)).backward()
        for name, layer in layers.items():
            if isinstance(layer, (nn.Linear, _ConvNd)) and layer.weight.grad is not None:
                gradients.setdefault(name, []).append(_thin(layer.weight.grad))
    shares = {name: float(np.mean(of_seeds)) for name, of_seeds in dead.items()}
    summarized = [
        *(_summarize(variant, n, "input", stage, v, shares.get(n)) for n, v in collected.items()),
        *(_summarize(variant, n, "gradient", stage, v, None) for n, v in gradients.items()),
    ]
    return [record for record in summarized if record is not None]


def _thin(values: torch.Tensor) -> NDArray[np.float32]:
    """A copy of the values, since an activation may change them in place; of many every k-th.

    An odd step does not stay in one column of an image.
    """
    step = math.ceil(values.numel() / MAX_VALUES) | 1
    thinned: NDArray[np.float32] = values.flatten()[::step].clone().numpy()
    return thinned


def _summarize(
    variant: str,
    layer: str,
    kind: Literal["input", "gradient"],
    stage: Stage,
    by_seed: Sequence[NDArray[np.float32]],
    dead: float | None,
) -> ValuesRecord | None:
    values = np.concatenate(by_seed, axis=None).astype(np.float64)
    if not np.isfinite(values).all():
        return None
    if kind == "gradient":
        values = np.abs(values)
    spread = values.std() if kind == "input" else np.sqrt(np.mean(values**2))
    quantiles = tuple(_round(value) for value in np.quantile(values, LEVELS))
    return ValuesRecord(variant, layer, kind, stage, quantiles, _round(spread), dead)


@contextlib.contextmanager
def _use_one_thread() -> Iterator[None]:
    """Compute on one thread, so that no sum depends on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _round(value: float) -> float:
    """Drop the digits that a sum in another order would change."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _choose_seeds(study: StudySpec, trials: Sequence[TrialSpec]) -> tuple[int, ...]:
    """The first seeds of which every variant that has a model has one."""
    of_variant: dict[str, set[int]] = {}
    for trial in trials:
        of_variant.setdefault(trial.variant.name, set()).add(trial.seed)
    shared = set.intersection(*of_variant.values()) if of_variant else set()
    return tuple(seed for seed in study.seeds if seed in shared)[:NUM_VALUE_SEEDS]


def _make_networks(
    folder: Path, trials: Sequence[TrialSpec], shape: DataShape
) -> dict[Stage, list[nn.Module]]:
    """The networks of a variant's trials, before and after training; empty if none is intact."""
    before, after = [], []
    # The random stream of the caller goes on undisturbed.
    with torch.random.fork_rng(devices=[]):
        for trial in trials:
            try:
                model = read_model(folder / name_model_file(trial))
                trained = rebuild_network(model) if model.is_unaltered else None
            except BnbenchError:
                continue
            if trained is not None:
                after.append(trained)
                before.append(build_first_network(trial, shape))
    return {"before": before, "after": after} if after else {}
