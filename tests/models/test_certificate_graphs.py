"""The certificate beyond layers in a row: networks and runtimes that an adversary would choose."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.models import certificate as certificate_module
from bnbench.models.aten import GraphBuilder
from bnbench.models.aten import Reference as Value
from bnbench.models.certificate import Certificate, Refusal, certify
from bnbench.models.contract import CONTRACT
from bnbench.models.graph import Graph, join_stages, make_batch_norm
from bnbench.models.inputs import Inputs
from bnbench.models.operators.activations import ACTIVATIONS
from bnbench.models.operators.affine import Affine, BatchNorm
from bnbench.models.operators.elementwise import ProductOfValues, Sum
from bnbench.models.operators.interface import Computed
from bnbench.models.operators.normalizations import InputNorm
from bnbench.models.operators.pooling import (
    Average,
    MaxPool,
    average_adaptively,
    average_windows,
)
from bnbench.models.operators.products import Convolution, Linear
from bnbench.models.operators.shapes import Concatenate, Mean, Permute, Reshape
from bnbench.models.operators.softmax import Softmax
from tests.models.graph_evaluators import MOMENTS, GraphEvaluator, draw_graph_evaluator

Float32 = NDArray[np.float32]
NUM_ATTACKS = 60


class Drawing:
    """A graph that is drawn node by node, with weights of one scale."""

    def __init__(self, shape: tuple[int, ...], generator: np.random.Generator) -> None:
        self.builder = GraphBuilder(shape)
        self.generator = generator
        self.scale = 2.0 ** generator.uniform(-3, 3)

    def tensor(self, *shape: int) -> Float32:
        fan_in = max(1, int(np.prod(shape[1:])))
        spread = self.scale * 2.0 ** self.generator.uniform(-2, 2, shape) / np.sqrt(fan_in)
        return (self.generator.standard_normal(shape) * spread).astype(np.float32)

    def shape(self, value: Value) -> tuple[int, ...]:
        return self.builder.shapes[value.number]

    def conv(self, value: Value, num_outputs: int, stride: int = 1, groups: int = 1) -> Value:
        weight = self.tensor(num_outputs, self.shape(value)[0] // groups, 3, 3)
        bias = self.tensor(num_outputs)
        operator = Convolution("conv", weight, bias, (stride,) * 2, (1, 1), (1, 1), groups)
        return self.builder.append("conv", Affine(operator), value)

    def linear(self, value: Value, num_outputs: int) -> Value:
        weight = self.tensor(num_outputs, self.shape(value)[-1])
        operator = Affine(Linear("linear", weight, self.tensor(num_outputs)))
        return self.builder.append("linear", operator, value)

    def batch_norm(self, value: Value) -> Value:
        num_units, *others = self.shape(value)
        variance = (2.0 ** self.generator.uniform(-8, 4, num_units)).astype(np.float32)
        tensors = [self.tensor(num_units) for _ in range(3)]
        norm = BatchNorm("norm", *tensors, variance, 1e-5)
        return self.builder.append("norm", make_batch_norm(norm, len(others)), value)

    def input_norm(self, value: Value) -> Value:
        size, centered = self.shape(value)[-1], bool(self.generator.integers(2))
        bias = self.tensor(size) * np.float32(centered)
        operator = InputNorm("norm", self.tensor(size), bias, 1e-5, centered)
        return self.builder.append("norm", operator, value)

    def activation(self, value: Value) -> Value:
        kind = list(ACTIVATIONS)[self.generator.integers(len(ACTIVATIONS))]
        return self.builder.append(kind, ACTIVATIONS[kind], value)

    def pool(self, value: Value) -> Value:
        if self.generator.integers(2):
            return self.builder.append("pool", MaxPool((3, 2), (2, 2), (1, 0)), value)
        _, height, width = self.shape(value)
        rows, columns = average_windows(height, 2, 2, 0, True), average_adaptively(width, 2)
        return self.builder.append("pool", Average(rows, columns), value)

    def add(self, first: Value, second: Value) -> Value:
        return self.builder.append("add", Sum(), first, second)

    def flatten(self, value: Value) -> Value:
        size = int(np.prod(self.shape(value)))
        return self.builder.append("flatten", Reshape((size,)), value)

    def finish(self, value: Value) -> Graph:
        return Graph(tuple(self.builder.nodes), value.number, self.builder.shapes[0], {})


def draw_cnn(generator: np.random.Generator) -> Graph:
    drawing = Drawing((2, 6, 6), generator)
    value = drawing.batch_norm(drawing.conv(Value(0), 4))
    value = drawing.pool(drawing.activation(value))
    value = drawing.activation(drawing.conv(value, 4, groups=2))
    value = drawing.input_norm(drawing.linear(drawing.flatten(value), 6))
    return drawing.finish(drawing.linear(drawing.activation(value), 4))


def draw_residual(generator: np.random.Generator) -> Graph:
    drawing = Drawing((3, 5, 5), generator)
    start = drawing.activation(drawing.conv(Value(0), 3))
    inner = drawing.activation(drawing.batch_norm(drawing.conv(start, 3)))
    inner = drawing.batch_norm(drawing.conv(inner, 3))
    value = drawing.activation(drawing.add(inner, start))
    value = drawing.batch_norm(value)
    both = drawing.builder.append("cat", Concatenate(-3), value, start)
    mean = drawing.builder.append("mean", Mean((-1, -2), keeps_axes=False), both)
    value = drawing.linear(mean, 5)
    kind = Softmax(-1, is_logarithm=bool(generator.integers(2)))
    return drawing.finish(drawing.builder.append("softmax", kind, value))


def draw_gated_rows(generator: np.random.Generator) -> Graph:
    drawing = Drawing((4, 6), generator)
    rows = drawing.input_norm(Value(0))
    gate = drawing.builder.append("gate", ACTIVATIONS["sigmoid"], drawing.linear(rows, 6))
    value = drawing.builder.append("mul", ProductOfValues(), gate, drawing.linear(rows, 6))
    value = drawing.add(value, rows)
    turned = drawing.builder.append("turn", Permute((0, 2, 1)), value)
    shares = drawing.builder.append("softmax", Softmax(-2), turned)
    return drawing.finish(drawing.linear(drawing.flatten(shares), 4))


DRAWN: dict[str, Callable[[np.random.Generator], Graph]] = {
    "convolutions": draw_cnn,
    "residual": draw_residual,
    "gated rows": draw_gated_rows,
}


def require_within_bounds(certificate: Certificate, found: Float32) -> float:
    """Fail where an output leaves its bound; the largest share of a bound that is used."""
    wide = found.astype(np.float64)
    assert np.isfinite(wide).all()
    error = np.abs(wide - certificate.logits)
    assert (error <= certificate.logit_bounds).all()
    leads = wide[np.arange(len(wide)), certificate.predictions, None] - wide
    assert (np.abs(leads - certificate.leads) <= certificate.rival_bounds).all()
    assert (wide.argmax(axis=1) == certificate.predictions)[certificate.certified].all()
    return float((error / certificate.logit_bounds).max())


def draw_inputs(graph: Graph, generator: np.random.Generator) -> Float32:
    assert graph.input_shape is not None
    inputs = generator.standard_normal((3, *graph.input_shape)).astype(np.float32)
    inputs[generator.random(inputs.shape) < generator.random() / 2] = 0
    return inputs


@pytest.mark.parametrize("draw_graph", DRAWN.values(), ids=DRAWN)
def test_no_random_graph_leaves_its_bounds_in_a_random_runtime(
    draw_graph: Callable[[np.random.Generator], Graph],
) -> None:
    num_bounded = 0
    for seed in range(NUM_ATTACKS):
        generator = np.random.default_rng(seed)
        graph, evaluator = draw_graph(generator), draw_graph_evaluator(generator)
        inputs = draw_inputs(graph, generator)
        proof = certify(graph, Inputs(inputs, network_shape=graph.input_shape))
        if isinstance(proof, Certificate):
            num_bounded += 1
            for each in (graph, join_stages(graph)):  # as written, and folded
                require_within_bounds(proof, evaluator.evaluate(each, inputs))
        else:
            assert "the bound of" in proof.reason or proof.status == "out of range"
    assert num_bounded > 0.8 * NUM_ATTACKS


@pytest.mark.parametrize("moments", MOMENTS)
@pytest.mark.parametrize("offset", [0, 10, 50])
def test_layer_norm_is_covered_in_one_pass_in_two_and_by_updates(
    moments: str, offset: float
) -> None:
    drawing = Drawing((48,), np.random.default_rng(0))
    drawing.scale = 1.0
    graph = drawing.finish(drawing.input_norm(Value(0)))
    norm = graph.nodes[0].operator
    assert isinstance(norm, InputNorm)
    assert norm.is_centered
    inputs = draw_inputs(graph, np.random.default_rng(1)) + np.float32(offset)
    proof = certify(graph, Inputs(inputs, network_shape=(48,)))
    assert isinstance(proof, Certificate)
    share = require_within_bounds(proof, GraphEvaluator(moments=moments).evaluate(graph, inputs))
    assert share > 1e-4


def test_a_step_of_every_layer_in_the_worst_direction_comes_near_the_bound() -> None:
    # 1 + 2^-24 is rounded to 1: of 143 small terms of every window nothing is left, in two layers.
    weight = np.full((16, 16, 3, 3), 2.0**-24, dtype=np.float32)
    weight[:, 0, 1, 1] = 1
    first = Convolution("conv", weight, np.zeros(16, np.float32))
    builder = GraphBuilder((16, 5, 5))
    value = builder.append("conv1", Affine(first), Value(0))
    value = builder.append("relu", ACTIVATIONS["relu"], value)
    value = builder.append("conv2", Affine(first), value)
    value = builder.append("flatten", Reshape((16,)), value)
    graph = Graph(tuple(builder.nodes), value.number, (16, 5, 5), {})
    inputs = np.ones((1, 16, 5, 5), np.float32)
    proof = certify(graph, Inputs(inputs, network_shape=graph.input_shape))
    assert isinstance(proof, Certificate)
    order = np.roll(np.arange(144), -4)  # begins with the weight of 1

    def sum_from_the_largest(_, values: Float32, matrix: Float32, bias: Float32) -> Float32:  # type: ignore[no-untyped-def]
        total = np.zeros((len(values), len(matrix)), np.float32)
        for column in order:
            total = total + values[:, column, None] * matrix[:, column]
        return total + bias

    evaluator = GraphEvaluator()
    evaluator = GraphEvaluator(type(evaluator.layers)(sum=sum_from_the_largest))
    found = evaluator.evaluate(graph, inputs)
    assert 0.97 < require_within_bounds(proof, found) < 1


def test_where_going_back_is_too_dear_the_forward_bound_closes_the_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawing = Drawing((20,), np.random.default_rng(3))
    drawing.scale = 3.0
    value = Value(0)
    for _ in range(4):
        value = drawing.builder.append("relu", ACTIVATIONS["relu"], drawing.linear(value, 20))
    graph = drawing.finish(drawing.linear(value, 4))
    given = draw_inputs(graph, np.random.default_rng(4))
    inputs = Inputs(given, network_shape=graph.input_shape)
    bounds = []
    for budget in (1e9, 4000.0, 0.0):
        monkeypatch.setattr(certificate_module, "_MAX_PRODUCTS_BACK", budget)
        proof = certify(graph, inputs)
        assert isinstance(proof, Certificate)
        bounds.append(proof)
    for tight, loose in itertools.pairwise(bounds):
        assert (tight.logit_bounds <= loose.logit_bounds * (1 + 1e-3)).all()
        assert (tight.rival_bounds <= loose.rival_bounds * (1 + 1e-3)).all()
        assert tight.logit_bounds.mean() < 0.8 * loose.logit_bounds.mean()
        require_within_bounds(loose, GraphEvaluator().evaluate(graph, given))


def make_linear_graph(*, twice: bool) -> tuple[Graph, Inputs]:
    """One linear layer, whose output may be added to itself."""
    drawing = Drawing((8,), np.random.default_rng(6))
    value = drawing.linear(Value(0), 3)
    graph = drawing.finish(drawing.add(value, value) if twice else value)
    return graph, Inputs(draw_inputs(graph, np.random.default_rng(7)), network_shape=(8,))


def test_a_value_that_is_taken_twice_passes_its_error_on_twice() -> None:
    graph, inputs = make_linear_graph(twice=True)
    proof = certify(graph, inputs)
    layer, addition = (node.operator for node in join_stages(graph).nodes)
    first = layer.linearize([inputs.take(0, 3)])
    assert first.local is not None
    given = Computed(first.values, first.local)
    last = addition.linearize([given, given])
    assert last.local is not None
    assert isinstance(proof, Certificate)
    assert proof.logit_bounds == pytest.approx(2 * first.local + last.local, rel=5e-3)


def test_the_bound_allows_for_its_own_roundings_and_the_reference_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph, inputs = make_linear_graph(twice=False)
    proof = certify(graph, inputs)
    step = graph.nodes[0].operator.linearize([inputs.take(0, 3)])
    assert isinstance(proof, Certificate)
    assert step.local is not None
    assert (proof.logit_bounds > (1 + 2.0**-10) * step.local).all()
    monkeypatch.setattr(certificate_module, "_REFERENCE_SHARE", 0.0)
    alone = certify(graph, inputs)
    assert isinstance(alone, Certificate)
    assert (proof.logit_bounds - alone.logit_bounds >= 2.0**-20 * step.local).all()
    assert (proof.rival_bounds >= alone.rival_bounds).all()


def test_inputs_are_bounded_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    graph = draw_residual(generator)
    given = draw_inputs(graph, generator)
    together = certify(graph, Inputs(given, network_shape=graph.input_shape))
    monkeypatch.setattr(certificate_module, "_VALUES_AT_ONCE", 1)
    alone = certify(graph, Inputs(given, network_shape=graph.input_shape))
    assert isinstance(together, Certificate)
    assert isinstance(alone, Certificate)
    assert alone.rival_bounds == pytest.approx(together.rival_bounds, rel=1e-9)


def test_a_normalization_is_joined_to_the_layer_before_it_only_if_nothing_else_takes_that() -> None:
    drawing = Drawing((2, 6, 6), np.random.default_rng(0))
    conv = drawing.conv(Value(0), 4)
    joined = drawing.finish(drawing.batch_norm(conv))
    assert len(join_stages(joined).nodes) == 1
    drawing = Drawing((2, 6, 6), np.random.default_rng(0))
    conv = drawing.conv(Value(0), 4)
    shared = drawing.finish(drawing.add(drawing.batch_norm(conv), conv))
    nodes = join_stages(shared).nodes
    assert len(nodes) == 3
    addition = nodes[2].operator
    assert isinstance(addition, Sum)
    assert addition.num_terms == 1 + 2 * 9


def test_an_output_that_is_no_row_of_logits_is_refused() -> None:
    drawing = Drawing((2, 6, 6), np.random.default_rng(0))
    graph = drawing.finish(drawing.conv(Value(0), 4))
    proof = certify(graph, Inputs(np.ones((1, 2, 6, 6), np.float32), network_shape=(2, 6, 6)))
    assert isinstance(proof, Refusal)
    assert proof.reason.startswith("the output: expected one row of logits for each input")


def make_winograds_bane() -> tuple[nn.Conv2d, torch.Tensor]:
    """Weights and images whose large values Winograd's method adds to small ones, and takes off."""
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 16, 3, padding=1, bias=False)
    inputs = torch.rand(16, 4, 16, 16)
    with torch.no_grad():
        conv.weight.normal_()
        conv.weight[:, :, 0, 0] *= 2.0**12
    inputs[:, :, ::2, ::2] *= 2.0**12
    inputs[:, :, 1::2, :] *= 2.0**-6
    return conv, inputs


@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")
@pytest.mark.parametrize("uses_onednn", [True, False], ids=["oneDNN", "NNPACK"])
def test_winograds_method_is_outside_the_contract_and_exceeds_the_bound(uses_onednn: bool) -> None:
    if not torch.backends.nnpack.is_available():  # type: ignore[no-untyped-call]
        pytest.skip("this build of torch has no NNPACK")
    conv, inputs = make_winograds_bane()
    product = Convolution(
        "conv", conv.weight.detach().numpy(), np.zeros(16, np.float32), padding=(1, 1)
    )
    builder = GraphBuilder((4, 16, 16))
    value = builder.append("conv", Affine(product), Value(0))
    value = builder.append("flatten", Reshape((16 * 256,)), value)
    step = builder.nodes[0].operator
    assert isinstance(step, Affine)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.mkldnn.flags(enabled=uses_onednn), torch.inference_mode():
            found = conv(inputs).numpy()
    finally:
        torch.set_num_threads(threads)
    given = Inputs(inputs.numpy(), network_shape=(4, 16, 16)).take(0, 16)
    linear = step.linearize([given])
    assert linear.local is not None
    share = float((np.abs(found - linear.values) / linear.local).max())
    assert share < 1 if uses_onednn else share > 100
    assert "ordinary" in CONTRACT.summary
    assert "Winograd" in CONTRACT.summary
