"""Mistakes in the evaluated network: its mode, its tensors, its layers, its outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bnbench.models.diagnosis.faults import Fault
from bnbench.models.diagnosis.hypothesis import (
    LOAD_ADVICE,
    Hypothesis,
    Images,
    Values,
    list_parameters,
    suppose_tensors,
)
from bnbench.models.reference import apply_layer, compute_logits, scale_pixels
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Layer,
    LayerNormLayer,
    StoredNetwork,
)

_USUAL_BATCH_SIZES = (10, 16, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000, 2000, 5000)


def list_training_modes(
    network: StoredNetwork, num_images: int, batch_size: int
) -> Iterator[Hypothesis]:
    """Batch normalization by the statistics of the batch at hand, in all layers or in one."""
    norms = [layer.name for layer in network.layers if isinstance(layer, BatchNormLayer)]
    sizes = {size for size in (*_USUAL_BATCH_SIZES, batch_size) if 1 < size < num_images}
    for names in _all_or_one(norms):
        for size in (*sorted(sizes), num_images):
            yield suppose_training(names, size)


def list_tensor_mistakes(network: StoredNetwork, batch_size: int) -> Iterator[Hypothesis]:
    """Tensors not loaded, in another order, rounded, or taken for something else."""
    parameters = list_parameters(network)
    initial = {name: _make_initial(name, values) for name, values in parameters.items()}

    def suppose(how: str, tensors: dict[str, NDArray[np.float32]]) -> Hypothesis:
        return suppose_tensors("parameter_altered", f"{how}; {LOAD_ADVICE}", tensors)

    def choose(end: str) -> list[str]:
        return [name for name in parameters if name.endswith(end)]

    statistics = choose(".running_mean") + choose(".running_var")
    if statistics:
        text = "the running means and variances were not loaded (0 and 1)"
        yield suppose(text, {name: initial[name] for name in statistics})
    for names in (
        *_all_or_one(choose(".running_mean")),
        *_all_or_one(choose(".running_var")),
        *_all_or_one(choose(".bias")),
        *([name] for name in choose(".weight")),
    ):
        value = f"{initial[names[0]].flat[0]:g}"
        yield suppose(f"{' and '.join(names)} taken as {value}", {n: initial[n] for n in names})
    for names in _all_or_one(choose(".running_var")):
        n = np.float32(max(batch_size, 2))
        for factor, how in (
            (1 - 1 / n, "times (n - 1) / n"),
            (n / (n - 1), "times n / (n - 1)"),
        ):
            text = f"{' and '.join(names)} {how}, with n = {n:g}"
            yield suppose(text, {name: parameters[name] * np.float32(factor) for name in names})
        squares = {name: parameters[name] ** 2 for name in names}
        yield suppose(f"{' and '.join(names)} taken for standard deviations", squares)
    matrices = [name for name in parameters if parameters[name].ndim == 2]
    for names in _all_or_one(matrices):
        turned = {n: parameters[n].reshape(parameters[n].shape[::-1]).T.copy() for n in names}
        yield suppose(f"{' and '.join(names)} read column by column, not row by row", turned)
    for names in _all_or_one(matrices):
        for precision, round_values in (
            ("binary16", _round_binary16),
            ("bfloat16", _round_bfloat16),
        ):
            yield suppose_tensors(
                "low_precision",
                f"{' and '.join(names)} rounded to {precision}; keep weights in binary32",
                {name: round_values(parameters[name]) for name in names},
            )


def list_layer_mistakes(network: StoredNetwork) -> Iterator[Hypothesis]:
    """Normalizations and activations missing, or others in their place."""
    layers = network.layers

    def suppose(how: str, other: Sequence[Layer]) -> Hypothesis:
        def compute(network: StoredNetwork, images: Images) -> Values:
            return compute_logits(dataclasses.replace(network, layers=tuple(other)), images)

        text = f"evaluated with {how}; apply the file's layers, all of them and in their order"
        return Hypothesis(Fault("layer_left_out", text), compute)

    for kind in (BatchNormLayer | LayerNormLayer, ActivationLayer):
        for names in _all_or_one([layer.name for layer in layers if isinstance(layer, kind)]):
            others = [layer for layer in layers if layer.name not in names]
            yield suppose(f"{' and '.join(names)} left out", others)
    for activation in ("relu", "sigmoid", "tanh"):
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


def _all_or_one(names: list[str]) -> list[list[str]]:
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


def _make_initial(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A framework's values of a tensor before loading, which have no effect on the layer."""
    is_factor = name.endswith(".running_var") or (name.endswith(".weight") and values.ndim == 1)
    return np.full_like(values, 1 if is_factor else 0)


def _round_binary16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _round_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # To nearest, ties to even: the removed bits plus the last kept bit may carry.
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return (rounded << np.uint32(16)).astype(np.uint32).view(np.float32)


def _swap_normalizations(layers: Sequence[Layer]) -> list[Layer]:
    swapped = list(layers)
    for i in range(len(layers) - 1):
        if isinstance(layers[i], BatchNormLayer | LayerNormLayer):
            swapped[i], swapped[i + 1] = layers[i + 1], layers[i]
    return swapped
