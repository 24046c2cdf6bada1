"""What each of torch's operators is, as an operator of the graph: one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.graph import Node, UncoveredError, make_batch_norm
from bnbench.models.operators.activations import ACTIVATIONS
from bnbench.models.operators.affine import Affine, BatchNorm
from bnbench.models.operators.elementwise import (
    ConstantFactorAndShift,
    ProductOfValues,
    ReciprocalRoot,
    Sum,
)
from bnbench.models.operators.interface import Operator
from bnbench.models.operators.normalizations import InputNorm
from bnbench.models.operators.pooling import (
    Average,
    MaxPool,
    average_adaptively,
    average_windows,
)
from bnbench.models.operators.products import Convolution, Linear
from bnbench.models.operators.shapes import Concatenate, Mean, Pad, Permute, Reshape
from bnbench.models.operators.softmax import Softmax

_MAX_VALUES = 2**28
_MAX_KERNEL = 2**12
_RMS_NORM_EPS = 2.0**-23  # torch's own where none is given: the smallest difference from 1


@dataclass(frozen=True)
class Reference:
    """A value that depends on the network's input, by its number in the graph."""

    number: int


@dataclass(frozen=True, eq=False)
class Constant:
    """A parameter, buffer or constant."""

    name: str
    values: NDArray[Any]


Value = Reference | Constant


class GraphBuilder:
    """Collects a graph's nodes, and finds the shape of each value by evaluating it once.

    Args:
        shape: of one input of the network.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.nodes: list[Node] = []
        self.shapes = [shape]

    def append(self, name: str, operator: Operator, *sources: Reference) -> Reference:
        """Append an operator; raises RunError if its inputs do not fit."""
        shapes = [self.shapes[source.number] for source in sources]
        if any(math.prod(shape) > _MAX_VALUES for shape in shapes):
            raise RunError(f"{name}: expected up to 2^28 values, got {shapes}")
        try:
            output = operator.apply([np.ones((1, *shape)) for shape in shapes])
        except (ValueError, IndexError) as error:
            raise RunError(f"{name}: expected inputs that fit, got {shapes}: {error}") from None
        self.nodes.append(Node(name, operator, tuple(source.number for source in sources)))
        self.shapes.append(output.shape[1:])
        return Reference(len(self.nodes))


class Arguments:
    """A node's arguments by torch's names.

    Args:
        name: the layer's, for messages.
        values: `Value`, numbers, texts or lists of them.
        claim_shape: what the file says of the output's shape for one input.
    """

    def __init__(
        self, name: str, values: dict[str, Any], claim_shape: Callable[[], tuple[int, ...]]
    ) -> None:
        self.name = name
        self.claim_shape = claim_shape
        self._values = values

    def get(self, key: str, default: Any = None) -> Any:
        """An argument as it is."""
        return self._values.get(key, default)

    def value(self, *keys: str) -> Reference:
        """A value that depends on the network's input, by the first of the keys that is there."""
        found = next((self._values[key] for key in keys if key in self._values), None)
        if not isinstance(found, Reference):
            raise self.refuse(f"a value in {keys[0]}", "a constant" if found else "none")
        return found

    def constant(self, key: str, default: NDArray[Any] | None = None) -> NDArray[Any]:
        """A constant's values."""
        found = self._values.get(key)
        if found is None and default is not None:
            return default
        if not isinstance(found, Constant):
            raise self.refuse(f"a constant as {key}", "a value" if found else "none")
        return found.values

    def pair(self, key: str, default: Sequence[int], lowest: int = 1) -> tuple[int, int]:
        """Two numbers, or one for both."""
        numbers = self._values.get(key) or default
        numbers = [numbers] if isinstance(numbers, int) else list(numbers)
        first, second = numbers * 2 if len(numbers) == 1 else numbers
        if not all(
            type(number) is int and lowest <= number <= _MAX_KERNEL for number in (first, second)
        ):
            raise self.refuse(f"numbers from {lowest} to {_MAX_KERNEL} as {key}", str(numbers))
        return first, second

    def require(self, key: str, expected: object) -> None:
        """Refuse any other setting than the expected one, or none."""
        found = self._values.get(key, expected)
        if found is not None and found != expected:
            raise self.refuse(f"{key} {expected!r}", repr(found))

    def axis(self, dim: object, num_axes: int) -> int:
        """An axis counted from the end; the first, which counts inputs, is refused.

        Args:
            dim: as torch counts.
            num_axes: of the value, the first included.
        """
        if type(dim) is not int or not -num_axes <= dim < num_axes or dim % num_axes == 0:
            raise self.refuse("an axis behind the first, which counts inputs", repr(dim))
        return dim % num_axes - num_axes

    def refuse(self, expected: str, got: str) -> UncoveredError:
        """An error about this node."""
        return UncoveredError(f"{self.name}: expected {expected}, got {got}")

    def refuse_training(self, what: str) -> RunError:
        """An error about a network in training mode."""
        return RunError(
            f"{self.name}: expected a network in evaluation mode, got {what} in training mode; "
            "export it after model.eval()"
        )


Maker = Callable[[GraphBuilder, Arguments], Value]


def _make_linear(builder: GraphBuilder, arguments: Arguments) -> Value:
    weight = arguments.constant("weight")
    return _append_linear(builder, arguments, arguments.value("input"), weight, "bias")


def _make_addmm(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("beta", 1)
    arguments.require("alpha", 1)
    weight = arguments.constant("mat2").T
    return _append_linear(builder, arguments, arguments.value("mat1"), weight, "self")


def _make_mm(builder: GraphBuilder, arguments: Arguments) -> Value:
    weight = arguments.constant("mat2" if arguments.get("mat2") else "other").T
    return _append_linear(builder, arguments, arguments.value("self"), weight, "none")


def _append_linear(
    builder: GraphBuilder, arguments: Arguments, source: Reference, weight: NDArray[Any], bias: str
) -> Value:
    if weight.ndim != 2:
        raise arguments.refuse("a weight with two axes", f"shape {weight.shape}")
    zeros = np.zeros(len(weight), dtype=np.float32)
    operator = Linear(arguments.name, weight, arguments.constant(bias, zeros))
    return _append_product(builder, arguments, source, operator)


def _make_convolution(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("transposed", False)
    weight = arguments.constant("weight")
    if weight.ndim != 4 or 0 in weight.shape or max(weight.shape[2:]) > _MAX_KERNEL:
        raise arguments.refuse("a weight with four axes", f"shape {weight.shape}")
    padding = arguments.get("padding")
    if padding == "valid":
        padding = (0, 0)
    elif isinstance(padding, str):
        raise arguments.refuse("padding in numbers", repr(padding))
    else:
        padding = arguments.pair("padding", (0, 0), lowest=0)
    dilation = arguments.pair("dilation", (1, 1))
    extents = [step * (size - 1) + 1 for step, size in zip(dilation, weight.shape[2:], strict=True)]
    if any(width > extent for width, extent in zip(padding, extents, strict=True)):
        raise arguments.refuse(f"padding of at most the kernel's {extents}", str(padding))
    groups = arguments.get("groups", 1)
    if type(groups) is not int or groups < 1 or len(weight) % groups:
        raise arguments.refuse(f"groups that divide {len(weight)} channels", repr(groups))
    source = arguments.value("input")
    shape = builder.shapes[source.number]
    if len(shape) != 3 or shape[0] != groups * weight.shape[1]:
        raise arguments.refuse(f"{groups * weight.shape[1]} channels", f"shape {shape}")
    zeros = np.zeros(len(weight), dtype=np.float32)
    operator = Convolution(
        arguments.name,
        weight,
        arguments.constant("bias", zeros),
        arguments.pair("stride", (1, 1)),
        padding,
        dilation,
        groups,
    )
    return _append_product(builder, arguments, source, operator)


def _append_product(
    builder: GraphBuilder, arguments: Arguments, source: Reference, product: Linear | Convolution
) -> Value:
    if product.bias.shape != (len(product.weight),):
        raise arguments.refuse(f"a bias of shape ({len(product.weight)},)", str(product.bias.shape))
    return builder.append(arguments.name, Affine(product), source)


def _make_batch_norm(builder: GraphBuilder, arguments: Arguments) -> Value:
    if arguments.get("training", False) is not False:
        raise arguments.refuse_training("batch normalization")
    variance = arguments.constant("running_var")
    ones, zeros = np.ones_like(variance), np.zeros_like(variance)
    norm = BatchNorm(
        arguments.name,
        arguments.constant("weight", ones),
        arguments.constant("bias", zeros),
        arguments.constant("running_mean"),
        variance,
        float(arguments.get("eps")),
    )
    source = arguments.value("input")
    shape = builder.shapes[source.number]
    arrays = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    if not shape or any(array.shape != shape[:1] for array in arrays):
        raise arguments.refuse(f"tensors of {shape[:1]} channels", f"{variance.shape}")
    return builder.append(arguments.name, make_batch_norm(norm, len(shape) - 1), source)


def _refuse_batch_norm(_: GraphBuilder, arguments: Arguments) -> Value:
    raise arguments.refuse_training("batch normalization")


def _make_layer_norm(builder: GraphBuilder, arguments: Arguments) -> Value:
    return _append_input_norm(builder, arguments, 1e-5, is_centered=True)


def _make_rms_norm(builder: GraphBuilder, arguments: Arguments) -> Value:
    return _append_input_norm(builder, arguments, _RMS_NORM_EPS, is_centered=False)


def _append_input_norm(
    builder: GraphBuilder, arguments: Arguments, eps: float, is_centered: bool
) -> Value:
    source = arguments.value("input")
    shape = tuple(arguments.get("normalized_shape"))
    given = builder.shapes[source.number]
    if not shape or given[-len(shape) :] != shape:
        raise arguments.refuse(f"a normalized shape that ends {given}", str(shape))
    ones, zeros = np.ones(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    weight, bias = arguments.constant("weight", ones), arguments.constant("bias", zeros)
    if weight.shape != shape or bias.shape != shape:
        raise arguments.refuse(f"tensors of shape {shape}", f"{weight.shape} and {bias.shape}")
    given_eps = arguments.get("eps")
    chosen = eps if given_eps is None else float(given_eps)
    operator = InputNorm(arguments.name, weight, bias, chosen, is_centered)
    return builder.append(arguments.name, operator, source)


def _make_activation(kind: str) -> Maker:
    def make(builder: GraphBuilder, arguments: Arguments) -> Value:
        return builder.append(arguments.name, ACTIVATIONS[kind], arguments.value("self", "input"))

    return make


def _make_gelu(builder: GraphBuilder, arguments: Arguments) -> Value:
    form = arguments.get("approximate", "none")
    kind = {"none": "gelu", "tanh": "gelu_tanh"}.get(form)
    if kind is None:
        raise arguments.refuse("GELU with approximate 'none' or 'tanh'", repr(form))
    return builder.append(arguments.name, ACTIVATIONS[kind], arguments.value("self"))


def _make_softmax(is_logarithm: bool) -> Maker:
    def make(builder: GraphBuilder, arguments: Arguments) -> Value:
        arguments.require("dtype", "float32")
        arguments.require("half_to_float", False)
        source = arguments.value("self")
        axis = arguments.axis(arguments.get("dim"), len(builder.shapes[source.number]) + 1)
        return builder.append(arguments.name, Softmax(axis, is_logarithm), source)

    return make


def _make_max_pool(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("ceil_mode", False)
    source, kernel, stride, padding = _read_pool(builder, arguments)
    dilation = arguments.pair("dilation", (1, 1))
    return builder.append(arguments.name, MaxPool(kernel, stride, padding, dilation), source)


def _make_average_pool(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("ceil_mode", False)
    arguments.require("divisor_override", None)
    if arguments.get("divisor_override") is not None:
        raise arguments.refuse("no divisor_override", repr(arguments.get("divisor_override")))
    source, kernel, stride, padding = _read_pool(builder, arguments)
    counts = bool(arguments.get("count_include_pad", True))
    rows, columns = (
        average_windows(size, kernel[axis], stride[axis], padding[axis], counts)
        for axis, size in enumerate(builder.shapes[source.number][1:])
    )
    return builder.append(arguments.name, Average(rows, columns), source)


def _read_pool(
    builder: GraphBuilder, arguments: Arguments
) -> tuple[Reference, tuple[int, int], tuple[int, int], tuple[int, int]]:
    source = arguments.value("self")
    shape = builder.shapes[source.number]
    kernel = arguments.pair("kernel_size", ())
    stride = arguments.pair("stride", kernel)
    padding = arguments.pair("padding", (0, 0), lowest=0)
    if len(shape) != 3:
        raise arguments.refuse("images with channels", f"shape {shape}")
    if any(2 * width > size for width, size in zip(padding, kernel, strict=True)):
        raise arguments.refuse("padding of at most half the kernel", str(padding))
    return source, kernel, stride, padding


def _make_adaptive_average(builder: GraphBuilder, arguments: Arguments) -> Value:
    source = arguments.value("self")
    shape = builder.shapes[source.number]
    if len(shape) != 3:
        raise arguments.refuse("images with channels", f"shape {shape}")
    sizes = arguments.pair("output_size", ())
    rows, columns = (
        average_adaptively(size, number) for size, number in zip(shape[1:], sizes, strict=True)
    )
    return builder.append(arguments.name, Average(rows, columns), source)


def _make_mean(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("dtype", "float32")
    source = arguments.value("self")
    num_axes = len(builder.shapes[source.number]) + 1
    axes = tuple(arguments.axis(dim, num_axes) for dim in arguments.get("dim") or [0])
    keeps = bool(arguments.get("keepdim", False))
    return builder.append(arguments.name, Mean(axes, keeps), source)


def _make_reshape(builder: GraphBuilder, arguments: Arguments) -> Value:
    source = arguments.value("self", "input")
    return builder.append(arguments.name, Reshape(arguments.claim_shape()), source)


def _make_permute(builder: GraphBuilder, arguments: Arguments) -> Value:
    found = arguments.get("self")
    values = found.values if isinstance(found, Constant) else None
    num_axes = values.ndim if values is not None else len(builder.shapes[found.number]) + 1
    order = list(range(num_axes))
    if arguments.get("dims") is not None:
        order = [int(dim) % num_axes for dim in arguments.get("dims")]
    else:
        first, second = arguments.get("dim0", 0) % num_axes, arguments.get("dim1", 1) % num_axes
        order[first], order[second] = order[second], order[first]
    if isinstance(found, Constant):
        return Constant(found.name, found.values.transpose(order))
    if order[0] != 0 or sorted(order) != list(range(num_axes)):
        raise arguments.refuse("an order that leaves the first axis", f"{order}")
    return builder.append(arguments.name, Permute(tuple(order)), found)


def _make_sum(sign: int) -> Maker:
    def make(builder: GraphBuilder, arguments: Arguments) -> Value:
        arguments.require("alpha", 1)
        first, second = arguments.get("self"), arguments.get("other")
        if isinstance(first, Reference) and isinstance(second, Reference):
            _require_same_axes(builder, arguments, first, second)
            return builder.append(arguments.name, Sum(sign=sign), first, second)
        if isinstance(first, Reference):
            return _append_constants(
                builder, arguments, first, 1.0, sign * _read(arguments, second)
            )
        return _append_constants(builder, arguments, second, float(sign), _read(arguments, first))

    return make


def _make_product(builder: GraphBuilder, arguments: Arguments) -> Value:
    first, second = arguments.get("self"), arguments.get("other")
    if isinstance(first, Reference) and isinstance(second, Reference):
        _require_same_axes(builder, arguments, first, second)
        return builder.append(arguments.name, ProductOfValues(), first, second)
    if not isinstance(first, Reference):
        first, second = second, first
    return _append_constants(builder, arguments, first, _read(arguments, second), 0.0)


def _make_quotient(builder: GraphBuilder, arguments: Arguments) -> Value:
    divisor = _read(arguments, arguments.get("other"))
    if (divisor == 0).any():
        raise arguments.refuse("a divisor that is not 0", "0")
    return _append_constants(builder, arguments, arguments.value("self"), 1 / divisor, 0.0)


def _append_constants(
    builder: GraphBuilder,
    arguments: Arguments,
    source: object,
    factor: float | NDArray[Any],
    shift: float | NDArray[Any],
) -> Value:
    if not isinstance(source, Reference):
        raise arguments.refuse("a value that depends on the input", "constants alone")
    shape = builder.shapes[source.number]
    arrays = []
    for constant in (factor, shift):
        array = np.asarray(constant, dtype=np.float64)
        if array.ndim == len(shape) + 1 and array.shape[0] == 1:
            array = array[0]
        if array.ndim > len(shape):
            raise arguments.refuse(f"a constant that fits shape {shape}", f"shape {array.shape}")
        arrays.append(array)
    return builder.append(arguments.name, ConstantFactorAndShift(arguments.name, *arrays), source)


def _read(arguments: Arguments, value: object) -> NDArray[np.float64]:
    if isinstance(value, Constant):
        return value.values.astype(np.float64)
    if type(value) in (int, float):
        return np.asarray(value, dtype=np.float64)
    raise arguments.refuse("a number or a constant", "another value")


def _require_same_axes(
    builder: GraphBuilder, arguments: Arguments, first: Reference, second: Reference
) -> None:
    shapes = builder.shapes[first.number], builder.shapes[second.number]
    if len(shapes[0]) != len(shapes[1]):
        raise arguments.refuse("values with as many axes", f"shapes {shapes[0]} and {shapes[1]}")


def _make_power(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("exponent", 2)
    source = arguments.value("self")
    return builder.append(arguments.name, ProductOfValues(), source, source)


def _make_reciprocal_root(builder: GraphBuilder, arguments: Arguments) -> Value:
    return builder.append(arguments.name, ReciprocalRoot(arguments.name), arguments.value("self"))


def _make_concatenation(builder: GraphBuilder, arguments: Arguments) -> Value:
    tensors = arguments.get("tensors")
    if not all(isinstance(tensor, Reference) for tensor in tensors):
        raise arguments.refuse("values that depend on the input", "a constant")
    num_axes = len(builder.shapes[tensors[0].number]) + 1
    axis = arguments.axis(arguments.get("dim", 0), num_axes)
    return builder.append(arguments.name, Concatenate(axis), *tensors)


def _make_pad(builder: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("mode", "constant")
    if arguments.get("value") not in (None, 0):
        raise arguments.refuse("zeros to pad with", repr(arguments.get("value")))
    source, widths = arguments.value("self"), list(arguments.get("pad"))
    num_axes = len(builder.shapes[source.number])
    if len(widths) % 2 or len(widths) > 2 * num_axes:
        raise arguments.refuse(f"two widths for each of {num_axes} axes", str(widths))
    if not all(type(width) is int and abs(width) <= _MAX_KERNEL for width in widths):
        raise arguments.refuse(f"widths up to {_MAX_KERNEL}", str(widths))
    pairs = [(widths[at], widths[at + 1]) for at in range(0, len(widths), 2)]
    pairs += [(0, 0)] * (num_axes - len(pairs))
    return builder.append(arguments.name, Pad(tuple(reversed(pairs))), source)


def _make_dropout(_: GraphBuilder, arguments: Arguments) -> Value:
    if arguments.get("train") is not False:
        raise arguments.refuse_training("dropout")
    return arguments.value("input", "self")


def _pass_on(_: GraphBuilder, arguments: Arguments) -> Value:
    arguments.require("dtype", "float32")
    value: Value = arguments.get("self")
    if isinstance(value, Constant):
        return Constant(value.name, value.values.astype(np.float32))
    return value


IGNORED = frozenset({"_assert_tensor_metadata.default", "sym_size.int", "_assert_scalar.default"})
"""Checks, and the number of inputs; the graph's shapes say the same."""

VIEWS = frozenset(
    {
        "alias",
        "contiguous",
        "detach",
        "dropout",
        "feature_dropout",
        "flatten",
        "permute",
        "reshape",
        "squeeze",
        "t",
        "to",
        "transpose",
        "unsqueeze",
        "view",
    }
)
"""Operators whose output may share memory with their first input."""

OPERATORS: dict[str, Maker] = {
    "_log_softmax.default": _make_softmax(is_logarithm=True),
    "_native_batch_norm_legit.default": _refuse_batch_norm,
    "_native_batch_norm_legit.no_stats": _refuse_batch_norm,
    "_native_batch_norm_legit_functional.default": _refuse_batch_norm,
    "_native_batch_norm_legit_no_training.default": _make_batch_norm,
    "_fused_rms_norm.default": _make_rms_norm,
    "_softmax.default": _make_softmax(is_logarithm=False),
    "_to_copy.default": _pass_on,
    "_unsafe_view.default": _make_reshape,
    "adaptive_avg_pool2d.default": _make_adaptive_average,
    "_adaptive_avg_pool2d.default": _make_adaptive_average,
    "add.Scalar": _make_sum(1),
    "add.Tensor": _make_sum(1),
    "add_.Tensor": _make_sum(1),
    "addmm.default": _make_addmm,
    "alias.default": _pass_on,
    "avg_pool2d.default": _make_average_pool,
    "batch_norm.default": _make_batch_norm,
    "cat.default": _make_concatenation,
    "clone.default": _pass_on,
    "constant_pad_nd.default": _make_pad,
    "contiguous.default": _pass_on,
    "conv2d.default": _make_convolution,
    "conv2d.padding": _make_convolution,
    "convolution.default": _make_convolution,
    "detach.default": _pass_on,
    "div.Scalar": _make_quotient,
    "div.Tensor": _make_quotient,
    "div_.Tensor": _make_quotient,
    "dropout.default": _make_dropout,
    "dropout_.default": _make_dropout,
    "feature_dropout.default": _make_dropout,
    "flatten.using_ints": _make_reshape,
    "gelu.default": _make_gelu,
    "layer_norm.default": _make_layer_norm,
    "lift_fresh_copy.default": _pass_on,
    "linear.default": _make_linear,
    "log_softmax.int": _make_softmax(is_logarithm=True),
    "matmul.default": _make_mm,
    "max_pool2d.default": _make_max_pool,
    "max_pool2d_with_indices.default": _make_max_pool,
    "mean.dim": _make_mean,
    "mm.default": _make_mm,
    "mul.Scalar": _make_product,
    "mul.Tensor": _make_product,
    "mul_.Tensor": _make_product,
    "native_dropout.default": _make_dropout,
    "native_layer_norm.default": _make_layer_norm,
    "pad.default": _make_pad,
    "permute.default": _make_permute,
    "pow.Tensor_Scalar": _make_power,
    "relu.default": _make_activation("relu"),
    "relu_.default": _make_activation("relu"),
    "reshape.default": _make_reshape,
    "rms_norm.default": _make_rms_norm,
    "rsqrt.default": _make_reciprocal_root,
    "sigmoid.default": _make_activation("sigmoid"),
    "silu.default": _make_activation("silu"),
    "silu_.default": _make_activation("silu"),
    "softmax.int": _make_softmax(is_logarithm=False),
    "squeeze.dim": _make_reshape,
    "squeeze.dims": _make_reshape,
    "sub.Tensor": _make_sum(-1),
    "t.default": _make_permute,
    "tanh.default": _make_activation("tanh"),
    "to.dtype": _pass_on,
    "transpose.int": _make_permute,
    "unsqueeze.default": _make_reshape,
    "view.default": _make_reshape,
}
"""Each operator of torch that can be read, by its name below ``torch.ops.aten``."""
