r"""The certificate: a rigorous bound on the error of a network's evaluation in binary32.

It holds for any runtime that rounds each operation to nearest in binary32, with ordinary matrix
products. It does not hold for directed rounding, or for fast matrix products such as Strassen's.

The model of rounding is that of Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed.,
2002, sections 2.2 and 3.1. Every product, sum, quotient and square root is rounded to nearest in
binary32 or finer, fused or not, and sums are formed in any order. With
:math:`u = 2^{-24}`, a value that went through `n` roundings is off by at most
:math:`\gamma_n = n u / (1 - n u)` of its magnitude.

A network is taken apart into stages: a linear layer with the batch normalization behind it is one
affine map :math:`z = A a + c`, followed by ReLU. What a runtime computes for a stage from its
inputs :math:`\hat a` is :math:`\hat z = A \hat a + c + \delta` with

.. math:: |\delta| \le \gamma_{k + 2} (|W| |\hat a| + |b|)
          \quad\text{or}\quad
          |\delta| \le \gamma_{k + 16} (|\alpha| (|W| |\hat a| + |b| + |\mu|) + |\beta|),

where `k` counts the inputs that are not exactly zero (adding an exact zero rounds nothing) and the
second form is that with batch normalization, :math:`\alpha = g / \sqrt{v + \varepsilon}`; its 16
cover every order of operations in use, folding into the weights included (docs/method.md counts
them). ReLU rounds nothing, and :math:`\mathrm{relu}(\hat z) - \mathrm{relu}(z) = s (\hat z - z)`
with `s` 1 where both are positive, 0 where neither is, and some `s` in [0, 1] where the bound
can't decide. So the error of the logits is *exactly*

.. math:: \hat y - y = \delta_m + A_m S_{m-1} (\delta_{m-1} + A_{m-1} S_{m-2} (\ldots \delta_1)),

which is bounded by carrying a row of :math:`A_m`, or the difference of two rows, backwards through
the stages image by image, with an interval for each coefficient behind an undecided unit. The
difference of two rows is what decides a prediction; bounding it directly is tighter than adding
the bounds of two logits.

The bound is evaluated in binary64, and so is the reference that runtimes are held against. Both
roundings are 2^-29 of the ones that are bounded; `_INFLATION` and `_REFERENCE_SHARE` cover them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnbench.models.reference import scale_pixels
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Images,
    LinearLayer,
    StoredNetwork,
)

UNIT_ROUNDOFF = 2.0**-24
"""Of binary32, rounding to nearest."""

_PIXEL_ROUNDINGS = 3  # a byte over 255 by division or by a rounded reciprocal
_LINEAR_ROUNDINGS = 2
_BATCH_NORM_ROUNDINGS = 16
_INFLATION = 1 + 2.0**-10
_REFERENCE_SHARE = 2.0**-20
# Underflow: an operation may lose up to 2^-126, the smallest normal number, in absolute terms
# where a runtime flushes to zero. Times all operations and the largest factors that are let in:
_UNDERFLOW = 2.0**-80
_LARGEST_FACTOR = 2.0**16
_LARGEST_VALUE = 2.0**100
_IMAGES_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class Certificate:
    """What holds for a network's logits in every runtime that the module describes.

    Shapes: (num_images, 10) unless said otherwise.
    """

    logits: NDArray[np.float64]
    """The reference: the network evaluated in binary64."""
    logit_bounds: NDArray[np.float64]
    """How far any runtime's logit may be from the reference's."""
    rival_bounds: NDArray[np.float64]
    """How far any runtime's lead of the predicted class over another may be from the
    reference's; 0 for the predicted class itself."""
    num_undecided: NDArray[np.int64]
    """Hidden units whose sign the bound can't decide; shape (num_images,)."""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The reference's predictions, the first of equals; shape (num_images,)."""
        predictions: NDArray[np.int64] = self.logits.argmax(axis=1)
        return predictions

    @property
    def leads(self) -> NDArray[np.float64]:
        """By how much the predicted class leads each class; 0 for itself."""
        top: NDArray[np.float64] = self.logits.max(axis=1, keepdims=True) - self.logits
        return top

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Images whose prediction rounding cannot change; shape (num_images,)."""
        decided = self.leads > self.rival_bounds
        decided[np.arange(len(decided)), self.predictions] = True
        certified: NDArray[np.bool_] = np.all(decided, axis=1)
        return certified


@dataclass(frozen=True, eq=False)
class _Stage:
    """An affine map ``z = A a + c`` as runtimes compute it."""

    matrix: NDArray[np.float64]
    """`A`, shape (num_outputs, num_inputs)."""
    constant: NDArray[np.float64]
    """`c`, shape (num_outputs,)."""
    constant_magnitude: NDArray[np.float64]
    """The sum of the magnitudes that make up `c`, shape (num_outputs,)."""
    num_roundings: int
    """Roundings of a term, besides one for each input."""


def certify(network: StoredNetwork, images: Images) -> Certificate | None:
    """Bound the errors that rounding to binary32 can cause in `network` on `images`.

    Returns:
        None if the bound does not cover the network, because it has other layers than linear ones,
        batch normalization and ReLU, or values so large that binary32 could overflow.
    """
    stages = _make_stages(network)
    if stages is None:
        return None
    parts = [
        _certify_batch(stages, scale_pixels(images[first : first + _IMAGES_AT_ONCE]))
        for first in range(0, len(images), _IMAGES_AT_ONCE)
    ]
    logits, logit_bounds, rival_bounds, num_undecided = map(
        np.concatenate, zip(*parts, strict=True)
    )
    if not (np.abs(logits) + logit_bounds < _LARGEST_VALUE).all():
        return None
    return Certificate(logits, logit_bounds, rival_bounds, num_undecided)


def _make_stages(network: StoredNetwork) -> list[_Stage] | None:
    """The network's affine maps; None unless a ReLU stands between any two of them."""
    stages: list[_Stage] = []
    expected: type | None = LinearLayer
    pending: LinearLayer | None = None
    for layer in network.layers:
        if isinstance(layer, LinearLayer) and expected is LinearLayer:
            pending, expected = layer, ActivationLayer
            stages.append(_join(layer, None))
        elif isinstance(layer, BatchNormLayer) and pending is not None:
            if not (layer.running_var >= 0).all():
                return None
            stages[-1], pending = _join(pending, layer), None
        elif isinstance(layer, ActivationLayer) and layer.kind == "relu" and stages:
            pending, expected = None, LinearLayer
        else:
            return None
    factors = [np.abs(stage.matrix).max(initial=0) for stage in stages]
    constants = [stage.constant_magnitude.max(initial=0) for stage in stages]
    if not stages or expected is LinearLayer or not max(factors + constants) < _LARGEST_FACTOR:
        return None
    return stages


def _join(linear: LinearLayer, norm: BatchNormLayer | None) -> _Stage:
    weight, bias = linear.weight.astype(np.float64), linear.bias.astype(np.float64)
    if norm is None:
        return _Stage(weight, bias, np.abs(bias), _LINEAR_ROUNDINGS)
    mean, shift = norm.running_mean.astype(np.float64), norm.bias.astype(np.float64)
    scale = norm.scale
    return _Stage(
        scale[:, None] * weight,
        scale * (bias - mean) + shift,
        np.abs(scale) * (np.abs(bias) + np.abs(mean)) + np.abs(shift),
        _BATCH_NORM_ROUNDINGS,
    )


def _certify_batch(
    stages: list[_Stage], pixels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Logits, their bounds, the leads' bounds and the undecided units of some images."""
    local_errors: list[NDArray[np.float64]] = []
    signs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    values, errors = pixels, np.zeros((len(pixels), 1))  # pixels are what they are
    nonzero = pixels != 0
    for number, stage in enumerate(stages):
        magnitude = np.abs(stage.matrix)
        num_roundings = nonzero.sum(axis=1, keepdims=True) + stage.num_roundings
        if number == 0:
            num_roundings = num_roundings + _PIXEL_ROUNDINGS
        gamma = num_roundings * UNIT_ROUNDOFF / (1 - num_roundings * UNIT_ROUNDOFF)
        reach = (np.abs(values) + errors) @ magnitude.T + stage.constant_magnitude
        local = gamma * reach * _INFLATION + _UNDERFLOW
        local_errors.append(local)
        values = values @ stage.matrix.T + stage.constant
        carried = errors @ magnitude.T if number > 0 else 0.0
        errors = (carried + local) * _INFLATION
        if number + 1 < len(stages):
            active, undecided = values > errors, np.abs(values) <= errors
            signs.append((active, undecided))
            nonzero = active | undecided
            values = np.maximum(values, 0.0)
            errors = np.where(nonzero, errors, 0.0)

    predicted = values.argmax(axis=1)
    unit = np.broadcast_to(np.eye(10), (len(values), 10, 10))
    rivals = unit[np.arange(len(values)), predicted][:, None, :] - unit
    logit_bounds = _carry_back(stages, local_errors, signs, unit)
    rival_bounds = _carry_back(stages, local_errors, signs, rivals)
    logit_bounds += _REFERENCE_SHARE * errors
    rival_bounds += _REFERENCE_SHARE * (errors + errors[np.arange(len(values)), predicted, None])
    rival_bounds[np.arange(len(values)), predicted] = 0.0
    num_undecided = sum(
        (undecided.sum(axis=1) for _, undecided in signs), np.zeros(len(values), dtype=np.int64)
    )
    return values, logit_bounds, rival_bounds, num_undecided


def _carry_back(
    stages: list[_Stage],
    local_errors: list[NDArray[np.float64]],
    signs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    rows: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bound the errors of linear combinations of logits.

    Args:
        stages: first to last.
        local_errors: of each stage, shape (num_images, num_outputs).
        signs: of each hidden stage, the units that are positive in every runtime, and those whose
            sign rounding could change; shape (num_images, num_units).
        rows: the combinations, shape (num_images, num_rows, 10).

    Returns:
        Shape (num_images, num_rows).
    """
    # Each coefficient lies within `center` ± `radius`.
    center, radius = rows, np.zeros_like(rows)
    total = np.zeros(rows.shape[:2])
    for number in reversed(range(len(stages))):
        weight = np.abs(center) + radius
        total += np.einsum("irk,ik->ir", weight, local_errors[number])
        if number == 0:
            break
        matrix = stages[number].matrix
        center, radius = center @ matrix, radius @ np.abs(matrix)
        active, undecided = (units[:, None] for units in signs[number - 1])
        # s · x for s in [0, 1] and x within center ± radius.
        low = np.minimum(center - radius, 0.0)
        high = np.maximum(center + radius, 0.0)
        center = np.where(active, center, np.where(undecided, (low + high) / 2, 0.0))
        radius = np.where(active, radius, np.where(undecided, (high - low) / 2, 0.0))
    result: NDArray[np.float64] = total * _INFLATION
    return result
