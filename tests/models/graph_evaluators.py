"""Runtimes that the contract allows for graphs, emulated in NumPy's binary32."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from bnbench.models.contract import CONTRACT
from bnbench.models.graph import Graph
from bnbench.models.operators.activations import ACTIVATIONS, Relu, Smooth
from bnbench.models.operators.affine import Affine
from bnbench.models.operators.elementwise import (
    ConstantFactorAndShift,
    ProductOfValues,
    ReciprocalRoot,
    Sum,
)
from bnbench.models.operators.interface import Operator
from bnbench.models.operators.normalizations import InputNorm
from bnbench.models.operators.pooling import Average, MaxPool
from bnbench.models.operators.products import Convolution, UnitFactor
from bnbench.models.operators.shapes import Concatenate, Mean, Pad, Permute, Reshape
from bnbench.models.operators.softmax import Softmax
from bnbench.models.stored_network import BatchNormLayer
from tests.models.evaluators import Evaluator, draw_evaluator

Float32 = NDArray[np.float32]
MOMENTS = ("two passes", "one pass", "updates")


@dataclass(frozen=True)
class GraphEvaluator:
    """A way to evaluate a graph in binary32; all values are `Float32`."""

    layers: Evaluator = field(default_factory=Evaluator)
    """How products, batch normalizations and subnormals are handled."""
    moments: str = "two passes"
    """How layer normalization finds mean and variance."""
    seed: int = 0
    """Of the errors of smooth functions, as large as the contract allows."""
    multiplies_by_reciprocals: bool = False

    def evaluate(self, graph: Graph, inputs: Float32) -> Float32:
        """The output, shape (num_inputs, num_classes)."""
        generator = np.random.default_rng(self.seed)
        values = [inputs]
        with np.errstate(all="ignore"):
            for node in graph.nodes:
                given = [values[source] for source in node.inputs]
                found = self.apply(node.operator, given, generator)
                assert found.dtype == np.float32, node.name
                values.append(self.layers.keep(found))
        return values[graph.output]

    def apply(  # noqa: C901 - one case for each operator
        self, operator: Operator, given: list[Float32], generator: np.random.Generator
    ) -> Float32:
        match operator:
            case Affine():
                return self._apply_affine(operator, given[0])
            case Relu():
                return np.maximum(given[0], np.float32(0))
            case Smooth():
                return self._apply_function(operator, given[0], generator)
            case MaxPool() | Reshape() | Permute() | Concatenate() | Pad():
                return operator.apply([each.astype(np.float64) for each in given]).astype(
                    np.float32
                )
            case Average():
                return self._average_windows(operator, given[0])
            case Mean():
                count = np.prod([given[0].shape[axis] for axis in operator.axes])
                total = given[0].sum(axis=operator.axes, keepdims=operator.keeps_axes)
                return self._divide(total, np.float32(count))
            case InputNorm():
                return self._normalize(operator, given[0])
            case Softmax():
                return self._apply_softmax(operator, given[0], generator)
            case Sum():
                return given[0] + np.float32(operator.sign) * given[1]
            case ProductOfValues():
                return given[0] * given[1]
            case ConstantFactorAndShift():
                factor = operator.factor.astype(np.float32)
                return given[0] * factor + operator.shift.astype(np.float32)
            case ReciprocalRoot():
                return np.float32(1) / np.sqrt(given[0])
        raise AssertionError(operator)

    def _apply_affine(self, operator: Affine, given: Float32) -> Float32:
        product, norm = operator.product, operator.norm
        if isinstance(product, UnitFactor):
            assert norm is not None
            moved = np.moveaxis(given, 1, -1)
            flat, weight = moved.reshape(-1, moved.shape[-1]), np.eye(moved.shape[-1])
            found = self._apply_product(flat, weight.astype(np.float32), product.bias, norm)
            return np.moveaxis(found.reshape(moved.shape), -1, 1)
        if not isinstance(product, Convolution):
            flat = given.reshape(-1, given.shape[-1])
            found = self._apply_product(flat, product.weight, product.bias, norm)
            return found.reshape(*given.shape[:-1], -1)
        settings = {
            "dilation": product.dilation,
            "padding": product.padding,
            "stride": product.stride,
        }
        kernel = product.weight.shape[2:]
        columns = torch.nn.functional.unfold(torch.tensor(given), kernel, **settings).numpy()
        num_inputs, _, num_places = columns.shape
        flat = columns.swapaxes(1, 2).reshape(num_inputs * num_places, -1)
        weight = product.weight.reshape(len(product.weight), -1)
        if product.groups > 1:  # zeros for the other groups' channels add nothing
            size = weight.shape[1]
            wide = np.zeros((len(weight), size * product.groups), np.float32)
            for unit, row in enumerate(weight):
                group = unit * product.groups // len(weight)
                wide[unit, group * size : (group + 1) * size] = row
            weight = wide
        found = self._apply_product(flat, weight, product.bias, norm)
        shape = torch.nn.functional.conv2d(
            torch.zeros(1, *given.shape[1:]),
            torch.tensor(product.weight),
            groups=product.groups,
            **settings,
        ).shape
        return found.reshape(num_inputs, *shape[2:], -1).transpose(0, 3, 1, 2).copy()

    def _apply_product(
        self, flat: Float32, weight: Float32, bias: Float32, norm: object
    ) -> Float32:
        evaluator = self.layers
        flat, weight, bias = map(evaluator.keep, (flat, weight, bias))
        if norm is None:
            return evaluator.sum(evaluator, flat, weight, bias)
        fields = {item.name: getattr(norm, item.name) for item in dataclasses.fields(norm)}  # type: ignore[arg-type]
        return evaluator._normalize(flat, weight, bias, BatchNormLayer(**fields))

    def _apply_function(
        self, operator: Smooth, given: Float32, generator: np.random.Generator
    ) -> Float32:
        wide = given.astype(np.float64)
        error = 0.999 * CONTRACT.function_error * generator.choice([-1, 1], wide.shape)
        match operator.kind:
            case "gelu" | "silu":
                function = {"gelu": ndtr, "silu": expit}[operator.kind]
                return given * (function(wide) + error).astype(np.float32)
            case "gelu_tanh":
                inner = np.float32(0.7978845608) * (
                    given + np.float32(0.044715) * (given * given * given)
                )
                tanh = (np.tanh(inner.astype(np.float64)) + error).astype(np.float32)
                return np.float32(0.5) * given * (np.float32(1) + tanh)
        return (ACTIVATIONS[operator.kind].apply([wide]) + error).astype(np.float32)

    def _average_windows(self, operator: Average, given: Float32) -> Float32:
        rows = (operator.rows != 0).astype(np.float32)
        columns = (operator.columns != 0).astype(np.float32)
        total = (rows @ (given @ columns.T)).astype(np.float32)
        scale = 1 / (operator.rows.max(axis=1)[:, None] * operator.columns.max(axis=1))
        return self._divide(total, np.round(scale).astype(np.float32))

    def _divide(self, total: Float32, count: NDArray[np.float32] | np.float32) -> Float32:
        if self.multiplies_by_reciprocals:
            return total * (np.float32(1) / count)
        return total / count

    def _normalize(self, operator: InputNorm, given: Float32) -> Float32:
        axes = tuple(range(-operator.weight.ndim, 0))
        count = np.float32(operator.weight.size)
        if not operator.is_centered:
            square = (given * given).sum(axis=axes, keepdims=True) / count
            inverse = np.float32(1) / np.sqrt(square + np.float32(operator.eps))
            return given * inverse * operator.weight
        mean = given.sum(axis=axes, keepdims=True) / count
        if self.moments == "two passes":
            variance = ((given - mean) ** 2).sum(axis=axes, keepdims=True) / count
        elif self.moments == "one pass":
            variance = (given * given).sum(axis=axes, keepdims=True) / count - mean * mean
        else:
            mean, variance = _update_moments(given, operator.weight.ndim)
        inverse = np.float32(1) / np.sqrt(variance + np.float32(operator.eps))
        if self.multiplies_by_reciprocals:  # as a scale and a shift
            scale = inverse * operator.weight
            return given * scale + (operator.bias - mean * scale)
        return (given - mean) * inverse * operator.weight + operator.bias

    def _apply_softmax(
        self, operator: Softmax, given: Float32, generator: np.random.Generator
    ) -> Float32:
        shifted = given - given.max(axis=operator.axis, keepdims=True)
        signs = generator.choice([-1, 1], given.shape)
        exact = np.exp(shifted.astype(np.float64))
        powers = (exact * (1 + 0.99 * CONTRACT.function_error * signs)).astype(np.float32)
        total = powers.sum(axis=operator.axis, keepdims=True)
        if not operator.is_logarithm:
            return self._divide(powers, total)
        logarithm = np.log(total.astype(np.float64))
        error = 0.99 * CONTRACT.function_error * np.maximum(logarithm, 1) * signs[..., :1]
        if operator.axis != -1:
            error = error[..., :1].max()
        return shifted - (logarithm + error).astype(np.float32)


def _update_moments(given: Float32, num_axes: int) -> tuple[Float32, Float32]:
    """Mean and variance by Welford's updates, number by number."""
    shape = given.shape[: given.ndim - num_axes]
    flat = given.reshape(*shape, -1)
    mean, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index in range(flat.shape[-1]):
        delta = flat[..., index] - mean
        mean = mean + delta / np.float32(index + 1)
        total = total + delta * (flat[..., index] - mean)
    full = (*shape, *(1,) * num_axes)
    return mean.reshape(full), (total / np.float32(flat.shape[-1])).reshape(full)


def draw_graph_evaluator(generator: np.random.Generator) -> GraphEvaluator:
    """A random one."""
    return GraphEvaluator(
        draw_evaluator(generator),
        MOMENTS[generator.integers(len(MOMENTS))],
        int(generator.integers(2**31)),
        bool(generator.integers(2)),
    )
