"""Products with fewer bits, as graphics cards and matrix units compute them, must be named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.models.diagnosis.arithmetic import Arithmetic
from bnbench.models.exported_model import read_model
from bnbench.models.stored_network import BatchNormLayer, LinearLayer
from bnbench.models.torch_network import compute_logits
from tests.models.diagnosis.conftest import Exported, feed, scale

Float32 = NDArray[np.float32]


def keep_bits(values: Float32, num_bits: int, mode: str) -> Float32:
    """Drop the lower bits, after adding half a unit if `mode` is not ``cut off``."""
    dropped = 23 - num_bits
    mantissa, exponent = np.frexp(values.astype(np.float64))
    scaled = mantissa * 2.0 ** (24 - dropped)
    integer = {
        "cut off": np.trunc,
        "ties to even": np.rint,
        "ties away": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    }[mode](scaled)
    result: Float32 = np.ldexp(integer, exponent - 24 + dropped).astype(np.float32)
    return result


def run_with_rounded_operands(
    model: Exported,
    num_bits: int,
    mode: str,
    block_size: int = 784,
    smallest_rounded: int = 0,
) -> torch.Tensor:
    """A runtime that rounds what it multiplies and sums up in binary32, block by block.

    Weights of fewer than `smallest_rounded` values are multiplied as they are.
    """
    values = model.images.numpy().reshape(len(model.images), -1).astype(np.float32)
    values = values / np.float32(255)
    for layer in read_model(model.path).network.layers:
        if isinstance(layer, LinearLayer):
            weight = layer.weight
            if weight.size >= smallest_rounded:
                values = keep_bits(values, num_bits, mode)
                weight = keep_bits(weight, num_bits, mode)
            total = np.zeros((len(values), len(weight)), dtype=np.float32)
            for first in range(0, values.shape[1], block_size):
                last = first + block_size
                total = total + values[:, first:last] @ weight[:, first:last].T
            values = total + layer.bias
        elif isinstance(layer, BatchNormLayer):
            inverse = np.float32(1) / np.sqrt(layer.running_var + np.float32(layer.eps))
            values = (values - layer.running_mean) * inverse * layer.weight + layer.bias
        else:
            values = np.maximum(values, np.float32(0))
    assert values.dtype == np.float32
    return torch.from_numpy(values)


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
@pytest.mark.parametrize("block_size", [784, 8])
@pytest.mark.parametrize("mode", ["ties to even", "ties away", "cut off"])
def test_tf32_is_named(models: dict[str, Exported], name: str, block_size: int, mode: str) -> None:
    logits = run_with_rounded_operands(models[name], 10, mode, block_size)
    fault, text = models[name].diagnose(logits)
    assert fault == "computed_in_tf32"
    assert text.startswith("computed in TF32: the operands of matrix products are ")
    assert ("cut off" in text) == (mode == "cut off")


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
@pytest.mark.parametrize("mode", ["ties to even", "cut off"])
def test_products_of_bfloat16_are_named(models: dict[str, Exported], name: str, mode: str) -> None:
    fault, text = models[name].diagnose(run_with_rounded_operands(models[name], 7, mode))
    assert fault == "computed_in_bfloat16"
    assert "computed in bfloat16: the operands of matrix products" in text


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
def test_layers_are_named_where_small_products_are_exact(
    models: dict[str, Exported], name: str
) -> None:
    logits = run_with_rounded_operands(models[name], 7, "ties to even", smallest_rounded=100)
    fault, text = models[name].diagnose(logits)
    assert fault == "computed_in_bfloat16"
    assert "are rounded to 7 bits in linear1; " in text


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
def test_torchs_bfloat16_is_named(models: dict[str, Exported], name: str) -> None:
    model = models[name]
    network, pixels = model.rebuild(), scale(model.images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        autocast = feed(network, pixels).float()
    whole = feed(network.bfloat16(), pixels.bfloat16()).float()
    for logits in (autocast, whole):
        fault, text = model.diagnose(logits)
        assert fault == "computed_in_bfloat16"
        assert "all outputs are rounded to 7 bits" in text


@contextmanager
def let_products_be_less_precise() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
def test_torchs_less_precise_products_are_named_where_the_processor_has_them(
    models: dict[str, Exported], name: str
) -> None:
    model = models[name]
    exact = compute_logits(model.rebuild(), model.images)
    with let_products_be_less_precise():
        logits = compute_logits(model.rebuild(), model.images)
    if torch.equal(logits, exact):
        pytest.skip("needs a processor whose matrix products torch computes in bfloat16")
    assert model.diagnose(logits)[0] == "computed_in_bfloat16"


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
@pytest.mark.parametrize("block_size", [784, 100, 8, 1])
def test_other_orders_of_summation_are_never_named(
    models: dict[str, Exported], name: str, block_size: int
) -> None:
    logits = run_with_rounded_operands(models[name], 23, "ties to even", block_size)
    assert models[name].diagnose(logits) == ("", "")


@pytest.mark.slow
def test_half_precision_is_not_taken_for_bfloat16(models: dict[str, Exported]) -> None:
    model = models["batchnorm"]
    logits = feed(model.rebuild().half(), scale(model.images).half()).float()
    assert not model.diagnose(logits)[0].startswith("computed_in")


@pytest.mark.parametrize(
    ("value", "rounded", "cut_off"),
    [
        (1 + 2.0**-11, 1.0, 1.0),  # a tie goes to the even neighbor
        (1 + 3 * 2.0**-11, 1 + 2.0**-9, 1 + 2.0**-10),
        (-(1 + 2.0**-11 + 2.0**-20), -(1 + 2.0**-10), -1.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_values_keep_ten_bits(value: float, rounded: float, cut_off: float) -> None:
    for cuts_off, expected in ((False, rounded), (True, cut_off)):
        arithmetic = Arithmetic(10, "operands", cuts_off=cuts_off, folds=False, layers=())
        assert arithmetic.round(np.array([value])).tolist() == [expected]
