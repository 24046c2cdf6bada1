import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.models.exported_model import read_model
from bnbench.models.reference import compute_logits, scale_pixels
from bnbench.models.stored_network import read_stored_network
from bnbench.networks import ACTIVATIONS, NORMALIZATIONS, build_network
from bnbench.specs import Activation, Normalization, VariantSpec
from tests.conftest import BASELINE
from tests.models.conftest import Exporter, evaluate, make_state


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_logits_are_those_of_torch_in_float64(
    activation: Activation,
    normalization: Normalization,
    export: Exporter,
    images: NDArray[np.uint8],
) -> None:
    check_logits(VariantSpec("v", (8, 6), normalization, activation), export, images)


@pytest.mark.parametrize("sizes", [(6, 8), (8, 6), (6, 6)], ids=["filled", "cut", "equal"])
def test_a_shortcuts_logits_are_those_of_torch_in_float64(
    sizes: tuple[int, ...], export: Exporter, images: NDArray[np.uint8]
) -> None:
    variant = VariantSpec("v", sizes, "batch", placement="after", dropout=0.5, residual=True)
    check_logits(variant, export, images)


def check_logits(variant: VariantSpec, export: Exporter, images: NDArray[np.uint8]) -> None:
    network = build_network(variant).double()
    network.load_state_dict(make_state(variant, 2))
    pixels = torch.tensor(images).float().div(255).double()
    with torch.inference_mode():
        expected = network.eval()(pixels).numpy()
    model = export(variant, 2)
    logits = compute_logits(read_model(model).network, images)
    assert logits.dtype == np.float64
    assert np.allclose(logits, expected, rtol=1e-13, atol=1e-13)


def test_pixels_are_the_binary32_numbers_that_torch_makes_of_bytes() -> None:
    values = np.resize(np.arange(256, dtype=np.uint8), (1, 28, 28))
    expected = torch.tensor(values).float().div(255).flatten().tolist()
    assert scale_pixels(values)[0].tolist() == expected


def test_a_sigmoid_far_out_does_not_overflow(export: Exporter, images: NDArray[np.uint8]) -> None:
    network = read_stored_network(export(VariantSpec("v", (8,), activation="sigmoid")).read_bytes())
    network.layers[0].weight[:] = -1e6
    assert np.isfinite(compute_logits(network, images)).all()


def test_more_exact_than_float32(export: Exporter, images: NDArray[np.uint8]) -> None:
    model = export(BASELINE)
    exact = compute_logits(read_model(model).network, images)
    assert 0 < np.abs(exact - evaluate("eager", model, images)).max() < 1e-5
