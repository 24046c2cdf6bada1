r"""The certificate: a rigorous bound on the error of a network's evaluation in binary32.

It holds for the runtimes and the networks that `contract` describes. It does not hold for directed
rounding, or for fast matrix products such as Strassen's and Winograd's. A network out of range is
refused, and the refusal names the tensor or the layer.

The model of rounding is that of Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed.,
2002, sections 2.1, 2.2 and 3.1. Every product, sum, quotient and square root is rounded to nearest
in binary32 or finer, fused or not, and sums are formed in any order. With
:math:`u = 2^{-24}`, a value that went through `n` roundings is off by at most
:math:`\gamma_n = n u / (1 - n u)` of its magnitude. Where it underflows, it is off by at most
:math:`\lambda = 2^{-126}` besides, flushed to zero or not.

Each operator of the network splits the error of its output into a fixed linear map of its inputs'
errors and a rest that it bounds: :math:`\hat v - v = J (\hat a - a) + \delta`,
:math:`|\delta| \le d` (`operators.interface`). The rest holds the roundings; where an activation is
curved, or rounding could change the sign of a ReLU's input or the choice of a pooling, it holds
what the operator differs from `J`. So the error of the output is *exactly* a sum over all values of
the network,

.. math:: \hat y - y = \sum_v C_v \delta_v,

where :math:`C_v` adds up the products of the `J` along all paths from `v` to the output. A forward
pass finds each value's error, :math:`e = |J| e_{in} + d`, which the operators need for `d`. A
backward pass carries the rows of `C` from the output to the input, and :math:`\sum_v |C_v| d_v`
is the bound. Since the rows are fixed numbers, the row of a lead, the difference of two outputs,
is the difference of their rows; it decides a prediction, and is tighter than two bounds together.

Where going back farther is too dear, the sum ends early: an error behind the last value that was
reached is bounded by that value's `e`.

The bound is evaluated in binary64, and so is the reference that runtimes are held against. Both
roundings are 2^-29 of the ones that are bounded; `_INFLATION` and `_REFERENCE_SHARE` cover them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT
from bnbench.models.exported_model import ExportedModel
from bnbench.models.graph import Graph, Node, UncoveredError, join_stages
from bnbench.models.inputs import Inputs
from bnbench.models.operators.affine import Affine
from bnbench.models.operators.interface import (
    Array,
    Computed,
    Linearization,
    OutOfRangeError,
    require_at_most,
)

_INFLATION = 1 + 2.0**-10
_REFERENCE_SHARE = 2.0**-20
_MAX_PRODUCTS_BACK = 1.5e8
"""Products for one input that the backward pass may cost; about 0.1 s."""
_MAX_EMPTY_SHARE = 0.5
"""Share of the inputs whose bound may exceed their largest logit; a bound that says nothing must
not let any output pass."""
_VALUES_AT_ONCE = 2**20
"""Largest array of the backward pass; it decides how many inputs are bounded at once."""


@dataclass(frozen=True)
class Refusal:
    """Why a network has no certificate."""

    status: Literal["not covered", "out of range"]
    reason: str
    """The layer or tensor, what is expected of it, and what it is."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """What holds for a network's outputs in every runtime that `CONTRACT` covers.

    Shapes: (num_inputs, num_classes) unless said otherwise.
    """

    logits: Array
    """The reference: the network evaluated in binary64."""
    logit_bounds: Array
    """How far any runtime's logit may be from the reference's."""
    rival_bounds: Array
    """How far any runtime's lead of the predicted class over another may be from the
    reference's; 0 for the predicted class itself."""
    num_undecided: NDArray[np.int64]
    """Units whose branch the bound can't decide: the sign of a ReLU's input, the largest of a
    pooling's; shape (num_inputs,)."""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The reference's predictions, the first of equals; shape (num_inputs,)."""
        predictions: NDArray[np.int64] = self.logits.argmax(axis=1)
        return predictions

    @property
    def leads(self) -> Array:
        """By how much the predicted class leads each class; 0 for itself."""
        top: Array = self.logits.max(axis=1, keepdims=True) - self.logits
        return top

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Inputs whose prediction rounding cannot change; shape (num_inputs,)."""
        decided = self.leads > self.rival_bounds
        decided[np.arange(len(decided)), self.predictions] = True
        certified: NDArray[np.bool_] = np.all(decided, axis=1)
        return certified


def certify(graph: Graph, inputs: Inputs) -> Certificate | Refusal:
    """Bound the errors that rounding to binary32 can cause in a network on some inputs.

    Returns:
        A refusal if the bound does not cover the network's operators, or if a tensor or an
        intermediate value is out of the ranges of `CONTRACT`.
    """
    if graph.uncovered:
        return Refusal("not covered", graph.uncovered[0])
    joined = join_stages(graph)
    try:
        parts = [_certify_batch(joined, part) for part in _split(joined, inputs)]
    except OutOfRangeError as error:
        return Refusal("out of range", str(error))
    certificate = Certificate(*map(np.concatenate, zip(*parts, strict=True)))
    largest = np.maximum(np.abs(certificate.logits).max(axis=1), 1.0)
    is_empty = certificate.logit_bounds.max(axis=1) > largest
    if is_empty.mean() > _MAX_EMPTY_SHARE:
        return Refusal(
            "not covered",
            f"the bound of {is_empty.sum():,} inputs: expected one below their largest logit, got "
            f"up to {certificate.logit_bounds.max():.2g}; errors may grow too far in this network",
        )
    return certificate


def bound_model(model: ExportedModel, given: NDArray[Any]) -> Certificate | Refusal:
    """Bound a model's outputs for a data file's inputs, prepared as its manifest says.

    Args:
        model: with TorchScript of a stack of layers, a ``torch.export`` archive, or one beside it.
        given: as the data file holds them, shape (num_inputs, ...).

    Returns:
        A refusal if the bound does not cover the network; its reason names the operator, the
        tensor or the layer.

    Raises:
        RunError: the file is damaged, or the inputs do not fit the network.
    """
    try:
        return certify(model.graph, prepare_inputs(model, given))
    except UncoveredError as error:
        return Refusal("not covered", str(error))


def prepare_inputs(model: ExportedModel, given: NDArray[Any]) -> Inputs:
    """What a model's network is given for a data file's inputs; raises as `bound_model` does."""
    return Inputs(given, model.manifest.input.preprocessing, model.graph.input_shape)


def _split(graph: Graph, inputs: Inputs) -> Iterator[Computed]:
    """Parts of the inputs that fit into memory, with their errors."""
    largest = graph.count_largest_value(inputs.shape)
    output = graph.evaluate(inputs.take(0, 1).values)
    if output.ndim != 2:
        raise OutOfRangeError(
            f"the output: expected one row of logits for each input, got shape {output.shape[1:]}"
        )
    step = max(1, _VALUES_AT_ONCE // (largest * output.shape[1]))
    for first in range(0, max(len(inputs), 1), step):
        part = inputs.take(first, first + step)
        size = float(part.magnitudes.max(initial=0))
        require_at_most("the inputs", size, CONTRACT.max_tensor_value)
        yield part


def _certify_batch(graph: Graph, given: Computed) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Logits, their bounds, the leads' bounds and the undecided units of some inputs."""
    values, steps = [given], []
    num_undecided = np.zeros(len(given.values), dtype=np.int64)
    for node in graph.nodes:
        step = node.operator.linearize([values[source] for source in node.inputs])
        errors = step.carried if step.local is None else step.carried + step.local
        if step.num_undecided is not None:
            num_undecided += step.num_undecided
        steps.append(step)
        values.append(Computed(step.values, errors * _INFLATION))
    output = values[graph.output]
    logit_bounds, rival_bounds = _carry_back(graph, values, steps)
    rows = np.arange(len(output.values))
    predicted = output.values.argmax(axis=1)
    logit_bounds += _REFERENCE_SHARE * output.errors
    rival_bounds += _REFERENCE_SHARE * (output.errors + output.errors[rows, predicted, None])
    rival_bounds[rows, predicted] = 0.0
    if not (np.isfinite(logit_bounds).all() and np.isfinite(rival_bounds).all()):
        raise OutOfRangeError("the bound: expected a number, got one that binary64 can't hold")
    return output.values, logit_bounds, rival_bounds, num_undecided


def _carry_back(
    graph: Graph, values: list[Computed], steps: list[Linearization]
) -> tuple[Array, Array]:
    """Add up the errors of all values, for each output and for each lead of the predicted one."""
    output = values[graph.output].values
    num_inputs, num_rows = output.shape
    predicted = output.argmax(axis=1)
    rows: dict[int, Array] = {
        graph.output: np.broadcast_to(np.eye(num_rows), (num_inputs, num_rows, num_rows))
    }
    totals = np.zeros((2, num_inputs, num_rows))
    cost = 0.0
    first_layer = next(
        (k for k, node in enumerate(graph.nodes, 1) if isinstance(node.operator, Affine)), 0
    )
    for number in range(len(graph.nodes), 0, -1):
        if number == first_layer and len(rows) == 1:
            break  # only roundings of the input are behind it; its own error holds them
        if number not in rows:
            continue  # nothing that the output depends on
        node, step = graph.nodes[number - 1], steps[number - 1]
        cost += _count_products(node, step, num_rows) if number != graph.output else 0
        if cost > _MAX_PRODUCTS_BACK:
            break
        own = rows.pop(number)
        if step.local is not None:
            totals += _weigh(own, step.local, predicted)
        for source, back in zip(node.inputs, step.carry_back(own), strict=True):
            rows[source] = rows[source] + back if source in rows else back
    # The network's input, and where the pass was ended the last values that it reached.
    for number, own in rows.items():
        totals += _weigh(own, values[number].errors, predicted)
    return totals[0] * _INFLATION, totals[1] * _INFLATION


def _count_products(node: Node, step: Linearization, num_rows: int) -> float:
    """Products of one input's backward pass through a node."""
    num_values = math.prod(step.values.shape[1:])
    terms = node.operator.num_terms if isinstance(node.operator, Affine) else 1
    return float(num_values) * terms * num_rows


def _weigh(rows: Array, errors: Array, predicted: NDArray[np.int64]) -> Array:
    """Weigh errors by the magnitudes of coefficients, and of those of each lead.

    Args:
        rows: shape (num_inputs, num_rows, ...).
        errors: shape (num_inputs, ...).
        predicted: the row that leads, shape (num_inputs,).

    Returns:
        Shape (2, num_inputs, num_rows).
    """
    num_inputs, num_rows = rows.shape[:2]
    flat, weights = rows.reshape(num_inputs, num_rows, -1), errors.reshape(num_inputs, -1)
    used = np.flatnonzero((weights != 0).any(axis=0))
    if len(used) == 0:
        return np.zeros((2, num_inputs, num_rows))
    if len(used) < weights.shape[1]:
        flat, weights = flat[:, :, used], weights[:, used]
    own = np.abs(flat) @ weights[:, :, None]
    leads = flat[np.arange(num_inputs), predicted][:, None] - flat
    np.abs(leads, out=leads)
    return np.stack([own[..., 0], (leads @ weights[:, :, None])[..., 0]])
