r"""The certificate: a rigorous bound on the error of a network's evaluation in binary32.

It holds for the runtimes and the networks that `contract` describes. It does not hold for directed
rounding, or for fast matrix products such as Strassen's. A network out of range is refused, and
the refusal names the tensor.

The model of rounding is that of Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed.,
2002, sections 2.1, 2.2 and 3.1. Every product, sum, quotient and square root is rounded to nearest
in binary32 or finer, fused or not, and sums are formed in any order. With
:math:`u = 2^{-24}`, a value that went through `n` roundings is off by at most
:math:`\gamma_n = n u / (1 - n u)` of its magnitude. Where it underflows, it is off by at most
:math:`\lambda = 2^{-126}` besides, flushed to zero or not.

A network is taken apart into stages: a linear layer with the batch normalization behind it is one
affine map :math:`z = A a + c`, followed by ReLU. What a runtime computes for a stage from its
inputs :math:`\hat a` is :math:`\hat z = A \hat a + c + \delta` with

.. math:: |\delta| \le \gamma_{k + 2} (|W| |\hat a| + |b|) + 16 \lambda R
          \quad\text{or}\quad
          |\delta| \le \gamma_{k + 16} (|\alpha| (|W| |\hat a| + |b| + |\mu|) + |\beta|)
                    + 16 \lambda R,

where `k` counts the inputs that are not exactly zero (adding an exact zero rounds nothing) and the
second form is that with batch normalization, :math:`\alpha = g r`, :math:`r = 1 / \sqrt{v +
\varepsilon}`; its 16 cover every order of operations in use, folding into the weights included
(docs/method.md counts them). The reach

.. math:: R = [g] [r] \left(\textstyle\sum_j [W_j] [\hat a_j] + [b] + [\mu]\right) + [\beta],
          \qquad [x] = \max(1, |x|),

is at least as large as any product of some of a term's factors and any sum of such products. So
nothing overflows if it stays below :math:`2^{100}`, and what an underflow loses is multiplied by
at most the term's share of `R`. A term meets at most 14 underflows: four factors read, four
products, three additions, a conversion, and two in `\alpha`. Underflow cannot happen inside `r`,
since :math:`v + \varepsilon` must be between :math:`2^{-32}` and :math:`2^{32}`.

ReLU rounds nothing, and :math:`\mathrm{relu}(\hat z) - \mathrm{relu}(z) = s (\hat z - z)`
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

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT
from bnbench.models.reference import scale_pixels
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Images,
    LinearLayer,
    StoredNetwork,
)

_PIXEL_ROUNDINGS = 3  # a byte over 255 by division or by a rounded reciprocal
_LINEAR_ROUNDINGS = 2
_BATCH_NORM_ROUNDINGS = 16
_UNDERFLOWS_PER_TERM = 16
_INFLATION = 1 + 2.0**-10
_REFERENCE_SHARE = 2.0**-20
_IMAGES_AT_ONCE = 500


@dataclass(frozen=True)
class Refusal:
    """Why a network has no certificate."""

    status: Literal["not covered", "out of range"]
    reason: str
    """The layer or tensor, what is expected of it, and what it is."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """What holds for a network's logits in every runtime that `CONTRACT` covers.

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


class _RefusedError(Exception):
    """Ends the proof; carries the refusal."""

    def __init__(self, status: Literal["not covered", "out of range"], reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(status, reason)


@dataclass(frozen=True, eq=False)
class _Stage:
    """An affine map ``z = A a + c`` as runtimes compute it."""

    name: str
    """The linear layer's."""
    matrix: NDArray[np.float64]
    """`A`, shape (num_outputs, num_inputs)."""
    constant: NDArray[np.float64]
    """`c`, shape (num_outputs,)."""
    constant_magnitude: NDArray[np.float64]
    """The sum of the magnitudes that make up `c`, shape (num_outputs,)."""
    reach_matrix: NDArray[np.float64]
    """``[g] [r] [W]``, shape (num_outputs, num_inputs)."""
    reach_constant: NDArray[np.float64]
    """``[g] [r] ([b] + [mu]) + [beta]``, shape (num_outputs,)."""
    num_roundings: int
    """Roundings of a term, besides one for each input."""


def certify(network: StoredNetwork, images: Images) -> Certificate | Refusal:
    """Bound the errors that rounding to binary32 can cause in `network` on `images`.

    Returns:
        A refusal if the bound does not cover the network's layers, or if a tensor or an
        intermediate value is out of the ranges of `CONTRACT`.
    """
    try:
        stages = _make_stages(network)
        parts = [
            _certify_batch(stages, scale_pixels(images[first : first + _IMAGES_AT_ONCE]))
            for first in range(0, len(images), _IMAGES_AT_ONCE)
        ]
    except _RefusedError as error:
        return error.refusal
    return Certificate(*map(np.concatenate, zip(*parts, strict=True)))


def _make_stages(network: StoredNetwork) -> list[_Stage]:
    """The network's affine maps, with a ReLU between any two of them."""
    stages: list[_Stage] = []
    expected: type | None = LinearLayer
    pending: LinearLayer | None = None
    for layer in network.layers:
        if isinstance(layer, LinearLayer) and expected is LinearLayer:
            pending, expected = layer, ActivationLayer
            stages.append(_join(layer, None))
        elif isinstance(layer, BatchNormLayer) and pending is not None:
            stages[-1], pending = _join(pending, layer), None
        elif isinstance(layer, ActivationLayer) and layer.kind == "relu" and stages:
            pending, expected = None, LinearLayer
        else:
            raise _RefusedError(
                "not covered",
                f"{layer.name}: expected linear layers with a ReLU between any two, each with at "
                "most one batch normalization before it, got another network",
            )
    if not stages or expected is LinearLayer:
        raise _RefusedError("not covered", "expected a linear layer as the last, got none")
    gains = [max(1.0, np.abs(stage.matrix).sum(axis=1).max(initial=0)) for stage in stages]
    _require("the product of all layers", math.prod(map(float, gains)), CONTRACT.max_gain)
    return stages


def _join(linear: LinearLayer, norm: BatchNormLayer | None) -> _Stage:
    weight = _take(f"{linear.name}.weight", linear.weight)
    bias = _take(f"{linear.name}.bias", linear.bias)
    if norm is None:
        return _Stage(
            name=linear.name,
            matrix=weight,
            constant=bias,
            constant_magnitude=np.abs(bias),
            reach_matrix=_at_least_one(weight),
            reach_constant=_at_least_one(bias),
            num_roundings=_LINEAR_ROUNDINGS,
        )
    gain = _take(f"{norm.name}.weight", norm.weight)
    shift = _take(f"{norm.name}.bias", norm.bias)
    mean = _take(f"{norm.name}.running_mean", norm.running_mean)
    _check_variance(norm)
    scale = norm.scale
    root = np.sqrt(norm.running_var.astype(np.float64) + norm.eps)
    factor = _at_least_one(gain) * _at_least_one(1 / root)
    return _Stage(
        name=linear.name,
        matrix=scale[:, None] * weight,
        constant=scale * (bias - mean) + shift,
        constant_magnitude=np.abs(scale) * (np.abs(bias) + np.abs(mean)) + np.abs(shift),
        reach_matrix=factor[:, None] * _at_least_one(weight),
        reach_constant=factor * (_at_least_one(bias) + _at_least_one(mean)) + _at_least_one(shift),
        num_roundings=_BATCH_NORM_ROUNDINGS,
    )


def _check_variance(norm: BatchNormLayer) -> None:
    variance = norm.running_var.astype(np.float64)
    total = variance + norm.eps
    if not (norm.eps >= 0 and (variance >= 0).all() and (total >= CONTRACT.min_variance).all()):
        raise _RefusedError(
            "out of range",
            f"{norm.name}.running_var: expected variances and eps of 0 or more, together "
            f"{CONTRACT.min_variance:.2g} or more, got {total.min():.2g} with eps {norm.eps:.2g}",
        )
    _require(f"{norm.name}.running_var", float(total.max(initial=0)), CONTRACT.max_variance)


def _take(name: str, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """A tensor in binary64, if it is in range."""
    wide = values.astype(np.float64)
    _require(name, float(np.abs(wide).max(initial=0)), CONTRACT.max_tensor_value)
    return wide


def _at_least_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.maximum(np.abs(values), 1.0)
    return result


def _require(name: str, largest: float, limit: float) -> None:
    if not largest <= limit:  # so that NaN is refused
        raise _RefusedError(
            "out of range", f"{name}: expected values up to {limit:.2g}, got {largest:.2g}"
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
        relative = num_roundings * CONTRACT.unit_roundoff
        inputs = np.abs(values) + errors
        reach = np.maximum(inputs, 1.0) @ stage.reach_matrix.T + stage.reach_constant
        _require(f"the outputs of {stage.name}", float(reach.max(initial=0)), CONTRACT.max_reach)
        size = inputs @ magnitude.T + stage.constant_magnitude
        underflow = _UNDERFLOWS_PER_TERM * CONTRACT.underflow * reach
        local = (relative / (1 - relative) * size + underflow) * _INFLATION
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
    logit_bounds, rival_bounds = _carry_back(stages, local_errors, signs, predicted)
    open_images = np.flatnonzero(sum(undecided.any(axis=1) for _, undecided in signs))
    if len(open_images) > 0:
        of_open = (
            [local[open_images] for local in local_errors],
            [(active[open_images], undecided[open_images]) for active, undecided in signs],
        )
        unit = np.broadcast_to(np.eye(10), (len(open_images), 10, 10))
        rivals = unit[np.arange(len(open_images)), predicted[open_images]][:, None, :] - unit
        logit_bounds[open_images] = _carry_back_intervals(stages, *of_open, unit)
        rival_bounds[open_images] = _carry_back_intervals(stages, *of_open, rivals)
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
    predicted: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound the errors of logits, and of the predicted logit less each, without undecided units.

    Where no unit is undecided, coefficients are numbers, and those of a difference of logits are
    differences of them. For an image with such a unit the result means nothing.
    """
    images = np.arange(len(predicted))
    rows = np.broadcast_to(np.eye(10), (len(images), 10, 10))
    logits, rivals = np.zeros((2, len(images), 10))
    for number in reversed(range(len(stages))):
        local = local_errors[number][:, :, None]
        logits += (np.abs(rows) @ local)[:, :, 0]
        rivals += (np.abs(rows[images, predicted][:, None] - rows) @ local)[:, :, 0]
        if number > 0:
            rows = (rows @ stages[number].matrix) * signs[number - 1][0][:, None]
    return logits * _INFLATION, rivals * _INFLATION


def _carry_back_intervals(
    stages: list[_Stage],
    local_errors: list[NDArray[np.float64]],
    signs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    rows: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bound the errors of linear combinations of logits, of any images.

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
