"""Mistakes in the evaluated network: its mode, its tensors, its layers, its outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault
from bnbench.models.diagnosis.hypothesis import (
    LOAD_ADVICE,
    Hypothesis,
    Values,
    list_parameters,
    suppose_tensors,
)
from bnbench.models.reference import apply_layer, compute_logits, scale_pixels
from bnbench.models.stored_network import (
    ActivationKind,
    ActivationLayer,
    BatchNormLayer,
    Images,
    Layer,
    Normalization,
    StoredNetwork,
)

_USUAL_BATCH_SIZES = (10, 16, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 2000, 5000)


def list_training_modes(
    network: StoredNetwork, num_images: int, batch_size: int
) -> Iterator[Hypothesis]:
    """Batch normalization by the statistics of the batch at hand, in all layers or in one."""
    norms = [layer.name for layer in network.layers if isinstance(layer, BatchNormLayer)]
    sizes = {size for size in (*_USUAL_BATCH_SIZES, batch_size) if 1 < size < num_images}
    for names in list_all_or_one(norms):
        for size in (*sorted(sizes), num_images):
            yield suppose_training(names, size)


def list_tensor_mistakes(network: StoredNetwork, batch_size: int) -> Iterator[Hypothesis]:
    """Tensors not loaded, in another order, rounded, or taken for something else."""
    parameters = list_parameters(network)
    # A framework's values before loading, which have no effect on the layer.
    initial = {
        name: np.full_like(
            values, name.endswith(".running_var") or (name.endswith(".weight") and values.ndim == 1)
        )
        for name, values in parameters.items()
    }

    def suppose(how: str, tensors: dict[str, NDArray[np.float32]]) -> Hypothesis:
        return suppose_tensors("parameter_altered", f"{how}; {LOAD_ADVICE}", tensors)

    def choose(end: str) -> list[str]:
        return [name for name in parameters if name.endswith(end)]

    statistics = choose(".running_mean") + choose(".running_var")
    if statistics:
        text = "the running means and variances were not loaded (0 and 1)"
        yield suppose(text, {name: initial[name] for name in statistics})
    for names in (
        *list_all_or_one(choose(".running_mean")),
        *list_all_or_one(choose(".running_var")),
        *list_all_or_one(choose(".bias")),
        *([name] for name in choose(".weight")),
    ):
        value = f"{initial[names[0]].flat[0]:g}"
        yield suppose(f"{' and '.join(names)} taken as {value}", {n: initial[n] for n in names})
    n = np.float32(max(batch_size, 2))
    for names in list_all_or_one(choose(".running_var")):
        for change, how in (
            (lambda v: v * (1 - 1 / n), f"times (n - 1) / n, with n = {n:g}"),
            (lambda v: v * (n / (n - 1)), f"times n / (n - 1), with n = {n:g}"),
            (np.square, "taken for standard deviations"),
        ):
            changed = {name: change(parameters[name]) for name in names}
            yield suppose(f"{' and '.join(names)} {how}", changed)
    matrices = list_all_or_one([name for name in parameters if parameters[name].ndim == 2])
    for names in matrices:
        turned = {n: parameters[n].reshape(parameters[n].shape[::-1]).T.copy() for n in names}
        yield suppose(f"{' and '.join(names)} read column by column, not row by row", turned)
    for names in matrices:
        for precision, change in (("binary16", _round_binary16), ("bfloat16", _round_bfloat16)):
            rounded = {name: change(parameters[name]) for name in names}
            text = f"{' and '.join(names)} rounded to {precision}; keep weights in binary32"
            yield suppose_tensors("low_precision", text, rounded)


def list_layer_mistakes(network: StoredNetwork) -> Iterator[Hypothesis]:
    """Normalizations and activations missing, or others in their place."""
    layers = network.layers

    def suppose(how: str, other: Sequence[Layer]) -> Hypothesis:
        def compute(network: StoredNetwork, images: Images) -> Values:
            return compute_logits(dataclasses.replace(network, layers=tuple(other)), images)

        text = f"evaluated with {how}; apply the file's layers, all of them and in their order"
        return Hypothesis(Fault("layer_left_out", text), compute)

    for kind in (Normalization, ActivationLayer):
        for names in list_all_or_one([layer.name for layer in layers if isinstance(layer, kind)]):
            others = [layer for layer in layers if layer.name not in names]
            yield suppose(f"{' and '.join(names)} left out", others)
    for activation in get_args(ActivationKind):
        other = [
            ActivationLayer(layer.name, activation) if isinstance(layer, ActivationLayer) else layer
            for layer in layers
        ]
        yield suppose(f"{activation} for every activation", other)
    yield suppose("ReLU after the last layer", [*layers, ActivationLayer("", "relu")])
    yield suppose("each normalization after its activation", _swap_normalizations(layers))


def list_output_mistakes() -> Iterator[Hypothesis]:
    """Functions applied to the logits."""

    def suppose(how: str, function: Callable[[Values], Values]) -> Hypothesis:
        text = f"{how} was applied to the logits; give what comes out of the last layer instead"
        return Hypothesis(
            Fault("softmax_applied", text),
            lambda network, images: function(compute_logits(network, images)),
        )

    def log_softmax(logits: Values) -> Values:
        shifted = logits - logits.max(axis=1, keepdims=True)
        result: Values = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return result

    yield suppose("softmax", lambda logits: np.exp(log_softmax(logits)))
    yield suppose("log-softmax", log_softmax)
    yield suppose("the logistic function", lambda logits: 0.5 * (1 + np.tanh(logits / 2)))


def list_all_or_one(names: list[str]) -> list[list[str]]:
    """All of them at once, and each alone."""
    return ([names] if len(names) > 1 else []) + [[name] for name in names]


def suppose_training(names: list[str], batch_size: int) -> Hypothesis:
    """That some batch normalizations used the statistics of each batch of this many images."""

    def evaluate_batch(network: StoredNetwork, images: Images) -> Values:
        values = scale_pixels(images)
        for layer in network.layers:
            used = layer
            if isinstance(layer, BatchNormLayer) and layer.name in names:
                # In binary64: the replaced statistics are never rounded.
                mean, variance = values.mean(axis=0), values.var(axis=0)
                used = dataclasses.replace(layer, running_mean=mean, running_var=variance)
            values = apply_layer(used, values)
        return values

    def compute(network: StoredNetwork, images: Images) -> Values:
        starts = range(0, len(images), batch_size)
        return np.concatenate([evaluate_batch(network, images[i : i + batch_size]) for i in starts])

    text = (
        f"{' and '.join(names)} ran in training mode, by the statistics of each batch of "
        f"{batch_size} images; call eval(), or the like, before evaluating"
    )
    return Hypothesis(Fault("training_mode", text), compute, group_size=batch_size)


def _round_binary16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)


def _round_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # To nearest, ties to even: the removed bits plus the last kept bit may carry.
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return (rounded << np.uint32(16)).astype(np.uint32).view(np.float32)


def _swap_normalizations(layers: Sequence[Layer]) -> list[Layer]:
    swapped = list(layers)
    for i in range(len(layers) - 1):
        if isinstance(layers[i], Normalization):
            swapped[i], swapped[i + 1] = layers[i + 1], layers[i]
    return swapped
