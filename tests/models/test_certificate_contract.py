"""Evaluators and networks that an adversary would choose against the certificate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, Refusal
from bnbench.models.contract import CONTRACT
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Images,
    Layer,
    LinearLayer,
    StoredNetwork,
)
from tests.models.evaluators import (
    NORM_FORMS,
    SUMS,
    Evaluator,
    Float32,
    Sum,
    certify_images,
    draw_evaluator,
)

NUM_PIXELS = 36
NUM_ATTACKS = 300
SCALES = ((-149, 31), (-12, 12), (8, 31))
"""Exponents of 2 that a random network's tensors lie between."""


def make_network(*layers: Layer) -> StoredNetwork:
    return StoredNetwork(layers, {}, ())


def make_relu(number: int) -> ActivationLayer:
    return ActivationLayer(f"activation{number}", "relu")


def make_linear(name: str, weight: NDArray[np.floating]) -> LinearLayer:
    return LinearLayer(name, weight.astype(np.float32), np.zeros(len(weight), np.float32))


def make_norm(gain: float, num_units: int, **tensors: Float32) -> BatchNormLayer:
    zeros = np.zeros(num_units, np.float32)
    norm = BatchNormLayer(
        "norm1", np.full(num_units, gain, np.float32), zeros, zeros, zeros + np.float32(1), 1e-5
    )
    return dataclasses.replace(norm, **tensors)


def make_images(num_images: int = 4) -> Images:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (num_images, 6, 6)).astype(np.uint8)


def draw(*shape: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(shape)


def make_gains_of_2_to_minus_142() -> StoredNetwork:
    return make_network(
        make_linear("linear1", draw(8, NUM_PIXELS) * 2.0**112),
        make_norm(1.37 * 2.0**-142, 8, running_var=np.full(8, 3, np.float32)),
        make_relu(1),
        make_linear("output", draw(10, 8, seed=2) * 2.0**14),
    )


def make_weights_of_2_to_125() -> StoredNetwork:
    return make_network(
        make_linear("linear1", np.abs(draw(8, NUM_PIXELS)) * 2.0**125),
        make_norm(2.0**-120, 8),
        make_relu(1),
        make_linear("output", draw(10, 8, seed=2)),
    )


def make_eight_layers_of_2_to_14() -> StoredNetwork:
    layers: list[Layer] = []
    for number in range(1, 9):
        num_inputs = NUM_PIXELS if number == 1 else 8
        weight = (1 + np.abs(draw(8, num_inputs, seed=number))) * 2.0**13
        layers += [make_linear(f"linear{number}", weight), make_relu(number)]
    return make_network(*layers, make_linear("output", draw(10, 8) * 2.0**-70))


EXTREME = {
    "gains of 2^-142": (make_gains_of_2_to_minus_142(), "linear1.weight"),
    "weights of 2^125": (make_weights_of_2_to_125(), "linear1.weight"),
    "eight layers of 2^14": (make_eight_layers_of_2_to_14(), "the outputs of linear6"),
}


@pytest.mark.parametrize(("network", "name"), EXTREME.values(), ids=EXTREME)
def test_a_network_that_can_overflow_or_underflow_is_out_of_range_by_name(
    network: StoredNetwork, name: str
) -> None:
    refusal = certify_images(network, make_images())
    assert isinstance(refusal, Refusal)
    assert refusal.status == "out of range"
    assert refusal.reason.startswith(f"{name}: expected values up to ")


LARGE = np.full(8, 2.0**33, np.float32)
OUT_OF_RANGE = {
    "norm1.weight": {"weight": LARGE},
    "norm1.bias": {"bias": -LARGE},
    "norm1.running_mean": {"running_mean": LARGE * np.float32(np.nan)},
    "norm1.running_var": {"running_var": LARGE},
    "norm1.running_var: expected variances": {"running_var": -LARGE},
}


@pytest.mark.parametrize(("name", "tensors"), OUT_OF_RANGE.items(), ids=OUT_OF_RANGE)
def test_each_tensor_of_a_normalization_must_be_in_range(
    name: str, tensors: dict[str, Float32]
) -> None:
    network = make_network(
        make_linear("linear1", draw(8, NUM_PIXELS)),
        make_norm(1, 8, **tensors),
        make_relu(1),
        make_linear("output", draw(10, 8)),
    )
    refusal = certify_images(network, make_images())
    assert isinstance(refusal, Refusal)
    assert refusal.status == "out of range"
    assert refusal.reason.startswith(name)


def test_a_variance_too_small_for_its_root_is_out_of_range() -> None:
    norm = dataclasses.replace(make_norm(1, 8, running_var=np.zeros(8, np.float32)), eps=1e-12)
    network = make_network(
        make_linear("linear1", draw(8, NUM_PIXELS)),
        norm,
        make_relu(1),
        make_linear("output", draw(10, 8)),
    )
    refusal = certify_images(network, make_images())
    assert isinstance(refusal, Refusal)
    assert "norm1.running_var: expected variances and eps" in refusal.reason


def test_no_gain_of_the_layers_makes_a_bound_that_binary64_cannot_hold() -> None:
    layers: list[Layer] = [make_linear("linear0", np.zeros((8, NUM_PIXELS))), make_relu(0)]
    for number in range(1, 20):
        layers += [make_linear(f"linear{number}", np.full((8, 8), 2.0**31)), make_relu(number)]
    refusal = certify_images(
        make_network(*layers, make_linear("output", draw(10, 8))), make_images()
    )
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("the outputs of linear7: ")


def draw_network(generator: np.random.Generator) -> StoredNetwork:
    """Random scales of every tensor within the contract's ranges, down to subnormals."""
    layers: list[Layer] = []
    num_inputs, depth = NUM_PIXELS, int(generator.integers(0, 5))
    low, high = SCALES[generator.integers(len(SCALES))]

    def make_tensor(*shape: int) -> Float32:
        exponent = generator.uniform(low, high) + generator.uniform(-8, 8, shape)
        values = generator.standard_normal(shape) * 2.0 ** np.minimum(exponent, 29)
        return values.astype(np.float32)

    for number in range(1, depth + 1):
        num_units = int(generator.integers(1, 9))
        layers.append(
            LinearLayer(
                f"linear{number}", make_tensor(num_units, num_inputs), make_tensor(num_units)
            )
        )
        if generator.integers(2):
            variance = 2.0 ** generator.uniform(-31, 31, num_units)
            layers.append(
                BatchNormLayer(
                    f"norm{number}",
                    *(make_tensor(num_units) for _ in range(3)),
                    variance.astype(np.float32),
                    float(generator.choice([0.0, 1e-5, 1e-12])),
                )
            )
        layers.append(make_relu(number))
        num_inputs = num_units
    layers.append(LinearLayer("output", make_tensor(10, num_inputs), make_tensor(10)))
    return make_network(*layers)


def attack(seed: int) -> bool:
    """Hold one network against one evaluator; false if the network is refused."""
    generator = np.random.default_rng(seed)
    network, evaluator = draw_network(generator), draw_evaluator(generator)
    images = generator.integers(0, 256, (3, 6, 6)).astype(np.uint8)
    images[generator.random(images.shape) < generator.random()] = 0
    certificate = certify_images(network, images)
    if isinstance(certificate, Refusal):
        assert certificate.status == "out of range"
        return False
    require_within_bounds(certificate, evaluator.evaluate(network, images))
    return True


def require_within_bounds(certificate: Certificate, found: Float32) -> None:
    wide, rows = found.astype(np.float64), np.arange(len(found))
    assert np.isfinite(wide).all()
    assert (np.abs(wide - certificate.logits) <= certificate.logit_bounds).all()
    leads = wide[rows, certificate.predictions, None] - wide
    assert (np.abs(leads - certificate.leads) <= certificate.rival_bounds).all()
    same = wide.argmax(axis=1) == certificate.predictions
    assert same[certificate.certified].all()


def test_no_random_network_in_range_leaves_its_bounds_in_a_random_evaluator() -> None:
    num_accepted = sum(attack(seed) for seed in range(NUM_ATTACKS))
    assert num_accepted > NUM_ATTACKS / 2


def make_ordinary_network() -> StoredNetwork:
    tensors = {
        "running_mean": draw(8, seed=3).astype(np.float32),
        "running_var": np.exp(draw(8, seed=4)).astype(np.float32),
        "bias": draw(8, seed=5).astype(np.float32),
    }
    return make_network(
        make_linear("linear1", draw(8, NUM_PIXELS)),
        make_norm(0.7, 8, **tensors),
        make_relu(1),
        make_linear("output", draw(10, 8, seed=2)),
    )


@pytest.mark.parametrize("scales_by_reciprocal", [False, True])
@pytest.mark.parametrize("flushes_subnormals", [False, True])
@pytest.mark.parametrize("norm_form", NORM_FORMS)
@pytest.mark.parametrize("order", SUMS.values(), ids=SUMS)
def test_evaluators_within_the_contract_stay_within_the_bounds(
    order: Sum, norm_form: str, flushes_subnormals: bool, scales_by_reciprocal: bool
) -> None:
    network, images = make_ordinary_network(), make_images()
    certificate = certify_images(network, images)
    assert isinstance(certificate, Certificate)
    evaluator = Evaluator(order, norm_form, scales_by_reciprocal, flushes_subnormals, root_units=1)
    require_within_bounds(certificate, evaluator.evaluate(network, images))


@pytest.mark.parametrize("norm_form", NORM_FORMS)
def test_flushed_subnormals_are_within_the_bound_and_need_its_underflow_term(
    norm_form: str,
) -> None:
    # The hidden units are subnormal, and all that the logits depend on.
    network = make_network(
        make_linear("linear1", np.abs(draw(8, NUM_PIXELS)) * 2.0**-120),
        make_norm(2.0**-12, 8),
        make_relu(1),
        make_linear("output", draw(10, 8, seed=2) * 2.0**30),
    )
    images = make_images()
    certificate = certify_images(network, images)
    assert isinstance(certificate, Certificate)
    found = Evaluator(norm_form=norm_form, flushes_subnormals=True).evaluate(network, images)
    require_within_bounds(certificate, found)
    assert (found == 0).all()
    relative = np.abs(certificate.logits) * 1000 * CONTRACT.unit_roundoff
    assert (np.abs(found - certificate.logits) > relative).all()


def sum_rounding_up(values: Float32, weight: Float32) -> float:
    """A dot product whose sums are rounded towards plus infinity; its products are exact."""
    total = np.float32(0)
    for term in values.astype(np.float64) * weight:
        exact = float(total) + term
        rounded = np.float32(exact)
        total = rounded if rounded >= exact else np.nextafter(rounded, np.float32(np.inf))
    return float(total)


def test_directed_rounding_is_outside_the_contract_and_exceeds_the_bound() -> None:
    # Each of 783 terms of 2^-40 lifts the sum by 2^-23, one unit in the last place of 1.
    weight = np.full((10, 784), 2.0**-40)
    weight[:, 0] = 1
    images = np.full((1, 28, 28), 255, np.uint8)
    certificate = certify_images(make_network(make_linear("output", weight)), images)
    assert isinstance(certificate, Certificate)
    found = sum_rounding_up(np.ones(784, np.float32), weight[0].astype(np.float32))
    error = abs(found - certificate.logits[0, 0])
    assert error > 1.9 * certificate.logit_bounds[0, 0]
    assert "rounds each operation to nearest" in CONTRACT.summary


def multiply_by_strassen(a: Float32, b: Float32) -> Float32:
    """One level of Strassen's method in binary32, for matrices with even numbers of rows."""
    rows, inner, columns = a.shape[0] // 2, a.shape[1] // 2, b.shape[1] // 2
    a11, a12, a21, a22 = a[:rows, :inner], a[:rows, inner:], a[rows:, :inner], a[rows:, inner:]
    b11, b12 = b[:inner, :columns], b[:inner, columns:]
    b21, b22 = b[inner:, :columns], b[inner:, columns:]
    m1, m2, m3 = (a11 + a22) @ (b11 + b22), (a21 + a22) @ b11, a11 @ (b12 - b22)
    m4, m5 = a22 @ (b21 - b11), (a11 + a12) @ b22
    m6, m7 = (a21 - a11) @ (b11 + b12), (a12 - a22) @ (b21 + b22)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])


def test_strassens_method_is_outside_the_contract_and_exceeds_the_bound() -> None:
    # The method adds large weights of some classes to small ones of others, and takes them off.
    weight = draw(10, NUM_PIXELS)
    weight[:5] *= 2.0**-12
    network, images = make_network(make_linear("output", weight)), make_images()
    certificate = certify_images(network, images)
    assert isinstance(certificate, Certificate)
    pixels = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    found = multiply_by_strassen(pixels, weight.astype(np.float32).T)
    error = np.abs(found - certificate.logits)
    assert (error > 1.5 * certificate.logit_bounds).any()
    assert "ordinary matrix products and convolutions" in CONTRACT.summary
