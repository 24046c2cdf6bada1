"""Each operator's split of an error into a linear part and a bounded rest, held against itself.

The operator is applied to inputs anywhere within their errors. What it then differs from its linear
part must be within `local`, and must come close to it: a bound with half of a constant fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.contract import CONTRACT
from bnbench.models.operators.activations import ACTIVATIONS
from bnbench.models.operators.affine import Affine, BatchNorm
from bnbench.models.operators.elementwise import (
    ConstantFactorAndShift,
    ProductOfValues,
    ReciprocalRoot,
    Sum,
)
from bnbench.models.operators.interface import (
    Computed,
    Linearization,
    Operator,
    OutOfRangeError,
    bound_roundings,
)
from bnbench.models.operators.normalizations import InputNorm
from bnbench.models.operators.pooling import (
    Average,
    MaxPool,
    average_adaptively,
    average_windows,
)
from bnbench.models.operators.products import Convolution, Linear, UnitFactor
from bnbench.models.operators.shapes import Concatenate, Mean, Pad, Permute, Reshape
from bnbench.models.operators.softmax import Softmax

Array = NDArray[np.float64]
NUM_DRAWS = 100


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return scale * np.random.default_rng(seed).standard_normal(shape)


def to_binary32(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return draw(*shape, seed=seed).astype(np.float32)


def make_batch_norm(num_units: int) -> BatchNorm:
    return BatchNorm(
        "norm",
        to_binary32(num_units, seed=1),
        to_binary32(num_units, seed=2),
        to_binary32(num_units, seed=3),
        np.exp(draw(num_units, seed=4)).astype(np.float32),
        1e-5,
    )


def make_input_norm(is_centered: bool, num_units: int = 6) -> InputNorm:
    shift = to_binary32(num_units, seed=6) * np.float32(is_centered)
    return InputNorm("norm", to_binary32(num_units, seed=5), shift, 1e-5, is_centered)


CONVOLUTION = Convolution("conv", to_binary32(4, 3, 3, 2), to_binary32(4), (2, 1), (1, 1))
GROUPED = Convolution(
    "conv", to_binary32(4, 1, 2, 2), to_binary32(4), (1, 1), (0, 1), (2, 1), groups=2
)
MEANS = Average(average_windows(6, 3, 2, 1, True), average_adaptively(5, 2))

OPERATORS: dict[str, tuple[Operator, tuple[tuple[int, ...], ...]]] = {
    **{kind: (operator, ((7,),)) for kind, operator in ACTIVATIONS.items()},
    "linear": (Affine(Linear("linear", to_binary32(3, 5), to_binary32(3))), ((5,),)),
    "linear of rows": (Affine(Linear("linear", to_binary32(3, 5), to_binary32(3))), ((2, 5),)),
    "linear and batch norm": (
        Affine(Linear("linear", to_binary32(3, 5), to_binary32(3)), make_batch_norm(3)),
        ((5,),),
    ),
    "convolution": (Affine(CONVOLUTION), ((3, 6, 5),)),
    "convolution and batch norm": (Affine(CONVOLUTION, make_batch_norm(4)), ((3, 6, 5),)),
    "convolution of groups": (Affine(GROUPED), ((2, 6, 5),)),
    "batch norm alone": (Affine(UnitFactor("norm", 3, 2), make_batch_norm(3)), ((3, 2, 2),)),
    "max pooling": (MaxPool((2, 3), (2, 1), (1, 1), (1, 2)), ((2, 6, 7),)),
    "average pooling": (MEANS, ((2, 6, 5),)),
    "layer norm": (make_input_norm(is_centered=True), ((6,),)),
    "layer norm of rows": (make_input_norm(is_centered=True), ((2, 6),)),
    "rms norm": (make_input_norm(is_centered=False), ((6,),)),
    "softmax": (Softmax(-1), ((5,),)),
    "log softmax of channels": (Softmax(-2, is_logarithm=True), ((5, 2),)),
    "sum": (Sum(), ((3, 2), (3, 1))),
    "difference": (Sum(sign=-1), ((3, 2), (3, 2))),
    "product": (ProductOfValues(), ((3, 1), (3, 2))),
    "constants": (
        ConstantFactorAndShift("c", np.array([2.0, -3.0]), np.array([1.0, 0.0])),
        ((3, 2),),
    ),
    "reshape": (Reshape((6,)), ((3, 2),)),
    "permutation": (Permute((0, 2, 3, 1)), ((2, 3, 4),)),
    "concatenation": (Concatenate(-2), ((2, 3), (1, 3))),
    "pad and cut": (Pad(((1, -1), (0, 2))), ((3, 2),)),
    "mean": (Mean((-1, -2), keeps_axes=False), ((2, 3, 4),)),
    "mean that keeps axes": (Mean((-1,), keeps_axes=True), ((2, 3),)),
}


def apply_jacobian(operator: Operator, step: Linearization, changes: Sequence[Array]) -> Array:
    """`J` times changes of the inputs, by way of the rows of the identity."""
    shape = step.values.shape[1:]
    num_rows = math.prod(shape)
    rows = np.eye(num_rows).reshape(1, num_rows, *shape)
    backs = step.carry_back(np.broadcast_to(rows, (len(step.values), *rows.shape[1:])))
    total = sum(
        np.einsum("nrk,nk->nr", back.reshape(*back.shape[:2], -1), change.reshape(len(change), -1))
        for back, change in zip(backs, changes, strict=True)
    )
    result: Array = np.asarray(total).reshape(step.values.shape)
    return result


def find_largest_share(
    operator: Operator, shapes: Sequence[tuple[int, ...]], error: float, seed: int
) -> float:
    """The largest share of `local` that inputs within their errors use; fails above 1."""
    generator = np.random.default_rng(seed)
    given = []
    for shape in shapes:
        values = generator.standard_normal((1, *shape))
        given.append(Computed(values, error * generator.uniform(0.2, 1, values.shape)))
    step = operator.linearize(given)
    local = np.zeros_like(step.values) if step.local is None else step.local
    assert np.allclose(step.values, operator.apply([each.values for each in given]), atol=1e-14)
    largest = 0.0
    for number in range(NUM_DRAWS):
        changes = []
        for each in given:
            signs = generator.choice([-1, 1], each.values.shape)
            share = 1.0 if number % 2 else generator.uniform(0, 1, each.values.shape)
            changes.append(each.errors * signs * share)
        moved = operator.apply([e.values + c for e, c in zip(given, changes, strict=True)])
        change = moved - step.values
        rest = np.abs(change - apply_jacobian(operator, step, changes))
        assert (np.abs(change) <= (step.carried + local) * (1 + 1e-9) + 1e-13).all()
        assert (rest <= local + 1e-13).all()
        largest = max(largest, float((rest / np.maximum(local, 1e-13)).max()))
    return largest


@pytest.mark.parametrize("error", [1e-7, 1e-3, 0.1, 10.0])
@pytest.mark.parametrize(("operator", "shapes"), OPERATORS.values(), ids=OPERATORS)
def test_no_input_within_its_error_leaves_the_linear_part_by_more_than_the_rest(
    operator: Operator, shapes: tuple[tuple[int, ...], ...], error: float
) -> None:
    try:
        for seed in range(3):
            find_largest_share(operator, shapes, error, seed)
    except OutOfRangeError:
        assert error >= 0.1  # a normalization whose variance may vanish


NEAR = {
    "relu": (ACTIVATIONS["relu"], 0.0, 0.99),
    "gelu": (ACTIVATIONS["gelu"], 0.0, 0.95),
    "gelu_tanh": (ACTIVATIONS["gelu_tanh"], 0.0, 0.95),
    "silu": (ACTIVATIONS["silu"], 0.0, 0.95),
    "sigmoid": (ACTIVATIONS["sigmoid"], 1.3, 0.95),
    "tanh": (ACTIVATIONS["tanh"], 0.66, 0.95),
    "reciprocal root": (ReciprocalRoot("rsqrt"), 1.0, 0.9),
}


@pytest.mark.parametrize(("operator", "value", "share"), NEAR.values(), ids=NEAR)
def test_where_a_function_is_most_curved_the_rest_is_nearly_used_up(
    operator: Operator, value: float, share: float
) -> None:
    error = 0.02
    step = operator.linearize([Computed(np.array([[value]]), np.array([[error]]))])
    assert step.local is not None
    rests = []
    for change in (-error, error):
        moved = operator.apply([np.array([[value + change]])])
        linear = apply_jacobian(operator, step, [np.array([[change]])])
        rests.append(abs(float((moved - step.values - linear)[0, 0])))
    assert share * step.local[0, 0] < max(rests) <= step.local[0, 0]


@pytest.mark.parametrize("kind", [kind for kind in ACTIVATIONS if kind != "relu"])
def test_no_slope_or_curvature_is_larger_than_the_constant_says(kind: str) -> None:
    operator = ACTIVATIONS[kind]
    assert not isinstance(operator, type(ACTIVATIONS["relu"]))
    grid = np.linspace(-12, 12, 240_001)
    slope = operator.slope(grid)
    curvature = np.abs(np.diff(slope)) / (grid[1] - grid[0])
    numerical = np.diff(operator.function(grid)) / (grid[1] - grid[0])
    assert 0.98 * operator.largest_slope < np.abs(slope).max() <= operator.largest_slope
    assert 0.98 * operator.largest_curvature < curvature.max() <= operator.largest_curvature
    assert np.abs(numerical - (slope[1:] + slope[:-1]) / 2).max() < 1e-6


def test_a_relu_that_may_be_off_or_on_gets_the_chords_slope() -> None:
    # In [-1, 3] the chord rises by 3 in 4; at 0 it is 0.75 above ReLU, half of which is its own.
    step = ACTIVATIONS["relu"].linearize([Computed(np.array([[1.0]]), np.array([[2.0]]))])
    assert step.local is not None
    assert (step.carried[0, 0], step.local[0, 0]) == (1.5, 0.5)
    assert step.num_undecided is not None
    assert step.num_undecided.tolist() == [1]


def test_a_rival_of_a_pooling_adds_what_its_error_allows_less_its_distance() -> None:
    values = np.array([[[[3.0, 2.9], [1.0, 0.0]]]])
    errors = np.array([[[[0.1, 0.3], [0.1, 0.1]]]])
    step = MaxPool((2, 2), (2, 2)).linearize([Computed(values, errors)])
    assert step.local is not None
    assert step.local.item() == pytest.approx(0.1 + 0.3 - 0.1)
    assert step.carried.item() == 0.1
    (back,) = step.carry_back(np.full((1, 1, 1, 1, 1), 5.0))
    assert back.tolist() == [[[[[5.0, 0.0], [0.0, 0.0]]]]]


def measure_rounding(operator: Operator, *values: Array) -> float:
    """`local` of inputs without errors, at its first place, in units of 2^-24."""
    given = [Computed(value[None], np.zeros_like(value[None])) for value in values]
    step = operator.linearize(given)
    assert step.local is not None
    return float(step.local.flat[0] / CONTRACT.unit_roundoff)


ONES = np.ones(4)
ROUNDINGS = {
    # Four terms of 1, a bias of 1: k + 2 roundings of 5.
    "linear": (Affine(Linear("l", np.ones((1, 4)), np.ones(1))), (ONES,), 6 * 5),
    # One of four inputs is 0: three terms.
    "zeros": (Affine(Linear("l", np.ones((1, 4)), np.ones(1))), (np.array([1, 1, 1, 0.0]),), 5 * 4),
    # g r = 1 with v = 0.75, eps = 0.25; |W a| + |b| + |mu| + |beta| = 7.
    "linear and batch norm": (
        Affine(
            Linear("l", np.ones((1, 4)), np.ones(1)),
            BatchNorm("n", np.ones(1), np.ones(1), np.ones(1), np.full(1, 0.75), 0.25),
        ),
        (ONES,),
        (4 + 16) * 7,
    ),
    "average": (Average(np.full((1, 2), 0.5), np.full((1, 2), 0.5)), (np.ones((1, 2, 2)),), 7),
    "mean": (Mean((-1,), keeps_axes=False), (ONES,), 7),
    "sum": (Sum(), (ONES, ONES), 2 * 2),
    "sum with a convolution of 9": (Sum(num_terms=10), (ONES, ONES), 11 * 2),
    "product": (ProductOfValues(), (ONES, 3 * ONES), 2 * 3),
    "constants": (ConstantFactorAndShift("c", np.array(2.0), np.array(1.0)), (ONES,), 5 * 3),
    "reciprocal root": (ReciprocalRoot("r"), (4 * ONES,), 6 / 2),
    "sigmoid": (ACTIVATIONS["sigmoid"], (ONES,), 8 + 4),
    "tanh": (ACTIVATIONS["tanh"], (ONES,), 8 + 4),
    "gelu": (ACTIVATIONS["gelu"], (3 * ONES,), (8 + 4) * 3),
    "silu": (ACTIVATIONS["silu"], (-3 * ONES,), (8 + 4) * 3),
    # Softmax of four equal inputs: relative errors 8 + (4 + 4), twice, twice, of 1/4.
    "softmax": (Softmax(-1), (ONES,), 16 * 2 * 2 / 4),
    # Shares of 0.88 and 0.12; the second's argument is rounded at a distance of 2, too.
    "softmax of distant inputs": (
        Softmax(-1),
        (np.array([0.0, -2.0]),),
        (14 + 14 + 2 / (1 + math.exp(2))) * 2 / (1 + math.exp(-2)),
    ),
    # The sum's relative error twice, the logarithm's 8 ln 4, 4 roundings of 1 + 1 + ln 4.
    "log softmax": (
        Softmax(-1, is_logarithm=True),
        (ONES,),
        16 * 2 + 8 * math.log(4) + 4 * (2 + math.log(4)),
    ),
    # Values 1 and -1: mean square 1, g r = 1 without eps. Mean: 4 + 2 roundings of 1; root: half of
    # 3 * 4 + 16 roundings; 12 of |a| + mean |a|.
    "layer norm": (
        InputNorm("n", np.ones(4), np.zeros(4), 0.0, is_centered=True),
        (np.array([1.0, -1, 1, -1]),),
        6 + 28 / 2 + 12 * 2,
    ),
    "rms norm": (
        InputNorm("n", np.ones(4), np.zeros(4), 0.0, is_centered=False),
        (np.array([1.0, -1, 1, -1]),),
        8 / 2 + 12,
    ),
}


@pytest.mark.parametrize(("operator", "values", "expected"), ROUNDINGS.values(), ids=ROUNDINGS)
def test_the_roundings_of_an_operator_are_those_counted_by_hand(
    operator: Operator, values: tuple[Array, ...], expected: float
) -> None:
    assert measure_rounding(operator, *values) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "name", ["linear", "linear and batch norm", "average", "mean", "constants"]
)
def test_what_an_input_may_be_off_is_rounded_too(name: str) -> None:
    # Nothing is known of the inputs but that they are at most 1: as much as if all of them were 1.
    operator, values, expected = ROUNDINGS[name]
    given = Computed(np.zeros_like(values[0][None]), np.ones_like(values[0][None]))
    step = operator.linearize([given])
    assert step.local is not None
    found = step.local.flat[0] / CONTRACT.unit_roundoff
    assert found == pytest.approx(expected, rel=1e-5)


CURVATURES = {
    # |c| = 1, r^2 = 1/2, D = 0.21: |c| (r^3 e^2 / 2 + T) + e (r^3 D / 2 + T).
    "rms norm": (False, [1.0], 1.0, 2**-1.5, 0.1, 3 / 8 * 1.79**-2.5 * 0.21**2),
    # The mean's error adds to each input's: e + 0.1.
    "layer norm": (True, [1.0, -1.0], 0.0, 1.0, 0.2, 3 / 8 * 0.79**-2.5 * 0.21**2),
}


@pytest.mark.parametrize(
    ("is_centered", "values", "eps", "cube", "error", "rest"), CURVATURES.values(), ids=CURVATURES
)
def test_the_curvature_of_a_normalization_is_that_worked_out_by_hand(
    is_centered: bool, values: list[float], eps: float, cube: float, error: float, rest: float
) -> None:
    ones = np.ones(len(values))
    operator = InputNorm("norm", ones, 0 * ones, eps, is_centered)
    step = operator.linearize([Computed(np.array([values]), 0.1 * ones[None])])
    assert step.local is not None
    expected = (cube * 0.01 / 2 + rest) + error * (cube * 0.21 / 2 + rest)
    assert step.local.flat[0] == pytest.approx(expected, rel=1e-3)


UNDERFLOWS = {
    "linear": (Affine(Linear("l", np.full((1, 4), 3.0), np.zeros(1))), (np.zeros(4),), 16 * 13),
    "sum": (Sum(), (np.zeros(1), np.zeros(1)), 4),
    "product": (ProductOfValues(), (np.zeros(1), np.zeros(1)), 16),
    "constants": (ConstantFactorAndShift("c", np.array(2.0), np.array(0.0)), (np.zeros(1),), 32),
    "average": (Average(np.full((1, 2), 0.5), np.full((1, 2), 0.5)), (np.zeros((1, 2, 2)),), 8),
    "mean": (Mean((-1,), keeps_axes=False), (np.zeros(4),), 8),
    "gelu": (ACTIVATIONS["gelu"], (np.zeros(1),), 16),
    "rms norm": (
        InputNorm("n", np.ones(4), np.zeros(4), 2.0**-4, is_centered=False),
        (np.zeros(4),),
        16 * 4,
    ),
}


@pytest.mark.parametrize(("operator", "values", "expected"), UNDERFLOWS.values(), ids=UNDERFLOWS)
def test_what_an_underflow_may_lose_is_in_the_rest(
    operator: Operator, values: tuple[Array, ...], expected: float
) -> None:
    given = [Computed(value[None], np.zeros_like(value[None])) for value in values]
    step = operator.linearize(given)
    assert step.local is not None
    assert step.local.flat[0] / CONTRACT.underflow == pytest.approx(expected)


def test_a_value_after_many_roundings_is_off_by_higham_s_gamma() -> None:
    exact = Fraction(1000, 2**24) / (1 - Fraction(1000, 2**24))
    assert bound_roundings(1000) == pytest.approx(float(exact), rel=1e-14)
    with pytest.raises(OutOfRangeError, match="a sum: expected fewer than 8.4e\\+06 terms"):
        bound_roundings(2**24)


REFUSED = {
    "variance": (
        InputNorm("norm1", np.ones(4), np.zeros(4), 0.0, is_centered=True),
        ONES,
        "the variance of norm1: expected it plus eps to be 2.3e-10 or more, got 0",
    ),
    "lost variance": (
        InputNorm("norm1", np.ones(4), np.zeros(4), 1e-5, is_centered=True),
        1e6 + ONES,
        "the variance of norm1: expected one that rounding leaves three quarters of",
    ),
    "large inputs": (
        InputNorm("norm1", np.ones(4), np.zeros(4), 1.0, is_centered=True),
        2.0**49 * ONES,
        "the inputs of norm1: expected values up to 2.8e+14, got 5.6e+14",
    ),
    "root": (ReciprocalRoot("rsqrt"), 0 * ONES, "rsqrt: expected values of 2.3e-10 or more"),
    "product": (
        Affine(Linear("linear1", np.full((1, 4), 2.0**32), np.zeros(1))),
        2.0**70 * ONES,
        "the outputs of linear1: expected values up to 1.3e+30",
    ),
}


@pytest.mark.parametrize(("operator", "values", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_out_of_range_is_named(operator: Operator, values: Array, reason: str) -> None:
    with pytest.raises(OutOfRangeError) as caught:
        operator.linearize([Computed(values[None], np.zeros((1, 4)))])
    assert str(caught.value).startswith(reason)


def test_errors_of_softmax_s_inputs_must_leave_something_to_bound() -> None:
    with pytest.raises(OutOfRangeError, match="the errors of a softmax's inputs: expected values"):
        Softmax(-1).linearize([Computed(np.zeros((1, 3)), np.full((1, 3), 41.0))])
