import dataclasses
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.certificate import Certificate, Refusal, certify
from bnbench.models.contract import CONTRACT
from bnbench.models.inputs import Inputs
from bnbench.models.stored_network import (
    ActivationLayer,
    BatchNormLayer,
    Layer,
    LinearLayer,
    StoredNetwork,
)
from tests.models.evaluators import certify_images

Float32 = NDArray[np.float32]
Order = Callable[[Float32], NDArray[np.intp]]

ORDERS: dict[str, Order] = {
    "first to last": lambda terms: np.arange(len(terms)),
    "last to first": lambda terms: np.arange(len(terms))[::-1],
    "small to large": lambda terms: np.argsort(np.abs(terms)),
    "large to small": lambda terms: np.argsort(-np.abs(terms)),
    "negative to positive": lambda terms: np.argsort(terms),
    "large ones in alternation": lambda terms: (
        np.argsort(np.abs(terms)).reshape(2, -1).T.ravel()
        if len(terms) % 2 == 0
        else np.arange(len(terms))
    ),
}


def make_network(*layers: Layer) -> StoredNetwork:
    return StoredNetwork(layers, {}, ())


def make_linear(name: str, num_outputs: int, num_inputs: int, seed: int) -> LinearLayer:
    generator = np.random.default_rng(seed)
    # Magnitudes that differ by thousands, and signs that cancel.
    spread = 10.0 ** generator.uniform(-2, 1, (num_outputs, num_inputs))
    weight = generator.standard_normal((num_outputs, num_inputs)) * spread
    return LinearLayer(
        name, weight.astype(np.float32), generator.standard_normal(num_outputs).astype(np.float32)
    )


def make_norm(name: str, num_units: int, seed: int) -> BatchNormLayer:
    generator = np.random.default_rng(seed)
    return BatchNormLayer(
        name,
        generator.standard_normal(num_units).astype(np.float32),
        generator.standard_normal(num_units).astype(np.float32),
        (10 * generator.standard_normal(num_units)).astype(np.float32),
        (10.0 ** generator.uniform(-4, 2, num_units)).astype(np.float32),
        1e-5,
    )


def make_mixed_network(with_norm: bool, seed: int) -> StoredNetwork:
    layers: list[Layer] = []
    for number, (num_inputs, num_outputs) in enumerate([(36, 12), (12, 8)], start=1):
        layers.append(make_linear(f"linear{number}", num_outputs, num_inputs, seed + number))
        if with_norm:
            layers.append(make_norm(f"norm{number}", num_outputs, seed + 10 + number))
        layers.append(ActivationLayer(f"activation{number}", "relu"))
    return make_network(*layers, make_linear("output", 10, 8, seed + 3))


def make_images(num_images: int, seed: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (num_images, 6, 6))
    images[generator.random(images.shape) < 0.4] = 0
    return images.astype(np.uint8)


def sum_in_binary32(terms: Float32, order: Order) -> np.float32:
    total = np.float32(0)
    for term in terms[order(terms)]:
        total = np.float32(total + term)
    return total


def apply_linear_in_binary32(
    weight: Float32, bias: Float32, inputs: Float32, order: Order
) -> Float32:
    rows = [np.append(row * inputs, b) for row, b in zip(weight, bias, strict=True)]
    return np.array([sum_in_binary32(row.astype(np.float32), order) for row in rows])


def run_in_binary32(
    network: StoredNetwork, image: NDArray[np.uint8], order: Order, norm_form: str
) -> Float32:
    """The network, every operation rounded to binary32, sums in `order`."""
    one = np.float32(1)
    values = image.ravel().astype(np.float32) / np.float32(255)
    layers = list(network.layers)
    while layers:
        layer = layers.pop(0)
        if isinstance(layer, ActivationLayer):
            values = np.maximum(values, np.float32(0))
            continue
        assert isinstance(layer, LinearLayer)
        norm = layers.pop(0) if layers and isinstance(layers[0], BatchNormLayer) else None
        if norm is None:
            values = apply_linear_in_binary32(layer.weight, layer.bias, values, order)
            continue
        assert isinstance(norm, BatchNormLayer)
        inverse = one / np.sqrt(norm.running_var + np.float32(norm.eps))
        scale = inverse * norm.weight
        if norm_form == "folded":
            bias = (layer.bias - norm.running_mean) * scale + norm.bias
            values = apply_linear_in_binary32(layer.weight * scale[:, None], bias, values, order)
            continue
        values = apply_linear_in_binary32(layer.weight, layer.bias, values, order)
        if norm_form == "centered":
            values = (values - norm.running_mean) * inverse * norm.weight + norm.bias
        else:
            values = values * scale + (norm.bias - norm.running_mean * scale)
    assert values.dtype == np.float32
    return values


def run_in_extended_precision(
    network: StoredNetwork, image: NDArray[np.uint8]
) -> NDArray[np.longdouble]:
    values = (image.ravel().astype(np.float32) / np.float32(255)).astype(np.longdouble)
    for layer in network.layers:
        if isinstance(layer, LinearLayer):
            values = layer.weight.astype(np.longdouble) @ values + layer.bias
        elif isinstance(layer, BatchNormLayer):
            variance = layer.running_var.astype(np.longdouble) + np.longdouble(layer.eps)
            values = (values - layer.running_mean) / np.sqrt(variance) * layer.weight + layer.bias
        else:
            values = np.maximum(values, 0)
    return values


def certify_surely(network: StoredNetwork, images: NDArray[np.uint8]) -> Certificate:
    certificate = certify_images(network, images)
    assert isinstance(certificate, Certificate), certificate
    return certificate


def require_within_bounds(
    certificate: Certificate, found: NDArray[np.floating], index: int
) -> None:
    reference = certificate.logits[index]
    predicted = certificate.predictions[index]
    error = np.abs(found - reference)
    assert (error <= certificate.logit_bounds[index]).all()
    lead_error = np.abs((found[predicted] - found) - (reference[predicted] - reference))
    assert (lead_error <= certificate.rival_bounds[index]).all()


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("norm_form", ["none", "centered", "scaled and shifted", "folded"])
def test_no_order_of_binary32_operations_leaves_the_bounds(order: Order, norm_form: str) -> None:
    images = make_images(3, seed=5)
    for seed in range(5):
        network = make_mixed_network(norm_form != "none", seed=100 * seed)
        certificate = certify_surely(network, images)
        for index, image in enumerate(images):
            found = run_in_binary32(network, image, order, norm_form)
            require_within_bounds(certificate, found.astype(np.float64), index)


@pytest.mark.parametrize("with_norm", [False, True])
def test_the_exact_logits_are_within_the_bounds_of_the_reference(with_norm: bool) -> None:
    images = make_images(5, seed=6)
    for seed in range(10):
        network = make_mixed_network(with_norm, seed=100 * seed)
        certificate = certify_surely(network, images)
        for index, image in enumerate(images):
            exact = run_in_extended_precision(network, image)
            require_within_bounds(certificate, exact.astype(np.float64), index)
            # The reference itself is far nearer than any binary32 runtime need be.
            error = np.abs(exact - certificate.logits[index])
            assert (error <= 1e-6 * certificate.logit_bounds[index]).all()


def test_rounding_can_come_close_to_the_bound() -> None:
    # 1 + 2^-24 is rounded to 1, so of all 783 small terms nothing is left.
    weight = np.full((10, 784), 2.0**-24, dtype=np.float32)
    weight[:, 0] = 1
    network = make_network(LinearLayer("output", weight, np.zeros(10, dtype=np.float32)))
    images = np.full((1, 28, 28), 255, dtype=np.uint8)
    certificate = certify_surely(network, images)
    found = run_in_binary32(network, images[0], ORDERS["first to last"], "none")
    exact = 1 + 783 * Fraction(1, 2**24)
    assert certificate.logits[0, 0] == float(exact)
    error = float(exact - Fraction(float(found[0])))
    assert error == 783 * CONTRACT.unit_roundoff
    assert 0.98 * certificate.logit_bounds[0, 0] < error < certificate.logit_bounds[0, 0]


def test_pixels_that_are_zero_round_nothing() -> None:
    network = make_network(make_linear("output", 10, 36, seed=1))
    dense = np.full((1, 6, 6), 7, dtype=np.uint8)
    sparse = np.zeros((1, 6, 6), dtype=np.uint8)
    sparse[0, 0, 0] = 7
    few, many = (certify_surely(network, images).logit_bounds for images in (sparse, dense))
    assert (few < many / 5).all()


def test_pixels_scaled_by_a_rounded_reciprocal_are_covered() -> None:
    network = make_network(make_linear("output", 10, 36, seed=2))
    images = make_images(20, seed=3)
    certificate = certify_surely(network, images)
    pixels = images.reshape(20, -1).astype(np.float32) * (np.float32(1) / np.float32(255))
    (layer,) = network.layers
    assert isinstance(layer, LinearLayer)
    exact = pixels.astype(np.longdouble) @ layer.weight.T.astype(np.longdouble) + layer.bias
    assert (np.abs(exact - certificate.logits) <= certificate.logit_bounds).all()


def make_teetering_network(offset: float) -> StoredNetwork:
    """One hidden unit, 1/3 of a pixel less 1/3 of another, that every logit 0 depends on."""
    hidden = np.zeros((1, 36), dtype=np.float32)
    hidden[0, :2] = 1 / 3, -1 / 3
    output = np.zeros((10, 1), dtype=np.float32)
    output[0] = 1
    return make_network(
        LinearLayer("linear1", hidden, np.array([offset], dtype=np.float32)),
        ActivationLayer("activation1", "relu"),
        LinearLayer("output", output, np.zeros(10, dtype=np.float32)),
    )


@pytest.mark.parametrize(("offset", "num_undecided"), [(0.0, 1), (1e-9, 1), (0.1, 0), (-0.1, 0)])
def test_units_whose_sign_can_not_be_told_are_counted(offset: float, num_undecided: int) -> None:
    images = np.full((1, 6, 6), 200, dtype=np.uint8)
    certificate = certify_surely(make_teetering_network(offset), images)
    assert certificate.num_undecided.tolist() == [num_undecided]
    error = certificate.logit_bounds[0, 0]
    assert error > 1e-9 if offset >= 0 else error < 1e-12


def test_an_undecided_unit_passes_as_much_error_on_as_an_active_one() -> None:
    images = np.full((1, 6, 6), 200, dtype=np.uint8)
    active = certify_surely(make_teetering_network(1e-3), images)
    undecided = certify_surely(make_teetering_network(0.0), images)
    assert undecided.logit_bounds[0, 0] == pytest.approx(active.logit_bounds[0, 0], rel=1e-2)


def test_errors_that_cancel_only_if_undecided_units_are_both_active_do_not_cancel() -> None:
    # Both hidden units see the same sum; they are positive, but by less than its error.
    first = LinearLayer("linear1", np.ones((1, 36), dtype=np.float32), np.zeros(1, np.float32))
    images = np.full((1, 6, 6), 200, dtype=np.uint8)
    total = float(36 * (np.float32(200) / np.float32(255)))

    def bound_with_lead_of(lead: float) -> float:
        network = make_network(
            first,
            ActivationLayer("activation1", "relu"),
            LinearLayer(
                "linear2",
                np.ones((2, 1), dtype=np.float32),
                np.full(2, -total + lead, dtype=np.float32),
            ),
            ActivationLayer("activation2", "relu"),
            LinearLayer("output", np.tile([1, -1], (10, 1)).astype(np.float32), np.zeros(10)),
        )
        return float(certify_surely(network, images).logit_bounds[0, 0])

    of_the_sum = certify_surely(
        make_network(LinearLayer("output", np.ones((10, 36), np.float32), np.zeros(10))), images
    ).logit_bounds[0, 0]
    assert bound_with_lead_of(1.0) < 0.5 * of_the_sum
    assert bound_with_lead_of(1e-5) > of_the_sum


def test_a_unit_that_is_negative_in_every_runtime_passes_no_error_on() -> None:
    images = np.full((1, 6, 6), 200, dtype=np.uint8)
    positive = certify_surely(make_teetering_network(0.1), images).logit_bounds[0, 0]
    negative = certify_surely(make_teetering_network(-0.1), images).logit_bounds[0, 0]
    assert negative < positive / 1000


def test_a_prediction_is_certified_where_its_lead_is_larger_than_the_bound() -> None:
    weight = np.zeros((10, 36), dtype=np.float32)
    weight[3] = 0.1
    images = np.full((1, 6, 6), 255, dtype=np.uint8)

    def certify_lead(lead: float) -> Certificate:
        rival = weight.copy()
        rival[4] = weight[3]
        bias = np.zeros(10, dtype=np.float32)
        bias[3] = lead
        return certify_surely(make_network(LinearLayer("output", rival, bias)), images)

    bound = certify_lead(1e-3).rival_bounds[0, 4]
    assert certify_lead(float(bound) * 1.1).certified.tolist() == [True]
    assert certify_lead(float(bound) * 0.9).certified.tolist() == [False]
    assert certify_lead(0.0).certified.tolist() == [False]


def test_the_bound_of_a_lead_is_no_larger_than_those_of_its_two_logits_together() -> None:
    certificate = certify_surely(make_mixed_network(True, seed=4), make_images(50, seed=8))
    own = certificate.logit_bounds[np.arange(50), certificate.predictions, None]
    assert (certificate.rival_bounds <= (certificate.logit_bounds + own) * (1 + 1e-5)).all()


def test_images_are_judged_each_for_itself() -> None:
    network, images = make_mixed_network(True, seed=9), make_images(7, seed=9)
    together = certify_surely(network, images)
    alone = certify_surely(network, images[4:5])
    assert alone.rival_bounds[0] == pytest.approx(together.rival_bounds[4], rel=1e-12)


def test_a_graph_with_something_uncovered_gets_no_certificate_and_its_name() -> None:
    graph = make_network(make_linear("output", 10, 36, seed=1)).graph
    uncovered = dataclasses.replace(graph, uncovered=("output.weight: expected float32",))
    refusal = certify(uncovered, Inputs(make_images(2, seed=1)))
    assert refusal == Refusal("not covered", "output.weight: expected float32")
