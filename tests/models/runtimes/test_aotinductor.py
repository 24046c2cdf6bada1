import copy
import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch._inductor import config as inductor_config

from bnbench.errors import RuntimeUnavailableError
from bnbench.models import reference, torch_network
from bnbench.models.exported_model import read_model
from bnbench.models.runtimes.aotinductor import AOTInductorRuntime, load_package
from bnbench.models.torch_network import (
    BATCH_SIZE,
    collect_weights,
    rebuild_network,
)
from tests.conftest import BATCHNORM
from tests.models.conftest import Exporter, evaluate


def run(
    network: Callable[[torch.Tensor], torch.Tensor], images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = torch_network.compute_logits(
        network, torch.tensor(images)
    ).numpy()
    return logits


@pytest.mark.slow
def test_two_models_of_a_variant_each_have_their_own_networks_logits(
    compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    models = [export(BATCHNORM, seed) for seed in (1, 2)]
    package = compiled.get_package(BATCHNORM)
    # Both are loaded before either is evaluated: they must not share their weights.
    loaded = [
        load_package(package, collect_weights(rebuild_network(read_model(model))))
        for model in models
    ]
    found = [run(network, images) for network in loaded]
    for model, logits in zip(models, found, strict=True):
        assert logits.dtype == np.float32
        assert np.allclose(logits, evaluate("eager", model, images), rtol=0, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.1


@pytest.mark.slow
def test_every_weight_that_is_given_counts(
    compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    model = export(BATCHNORM, 1)
    network, package = rebuild_network(read_model(model)), compiled.get_package(BATCHNORM)
    for name in collect_weights(network):
        other = copy.deepcopy(network)
        with torch.no_grad():
            other.get_parameter(name).add_(0.5) if "running" not in name else (
                other.get_buffer(name).add_(0.5)
            )
        loaded = load_package(package, collect_weights(other))
        with torch.inference_mode():
            expected = other(torch.tensor(images).float().div(255)).numpy()
        assert np.allclose(run(loaded, images), expected, rtol=1e-5, atol=1e-4), name


@pytest.mark.slow
def test_a_loaded_model_keeps_its_weights_when_those_it_was_given_change(
    compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    weights = collect_weights(rebuild_network(read_model(export(BATCHNORM))))
    package = compiled.get_package(BATCHNORM)
    loaded = load_package(package, weights)
    before = run(loaded, images)
    for tensor in weights.values():
        tensor.zero_()
    del weights
    gc.collect()
    assert np.array_equal(run(loaded, images), before)


@pytest.mark.slow
@pytest.mark.parametrize("num_images", [1, BATCH_SIZE + 1])
def test_any_number_of_images_is_evaluated_in_its_order(
    num_images: int, compiled: AOTInductorRuntime, export: Exporter, images: NDArray[np.uint8]
) -> None:
    many, model = np.resize(images, (num_images, 28, 28)), read_model(export(BATCHNORM))
    logits = compiled.evaluate_model(model, many)
    assert np.allclose(logits, reference.compute_logits(model.network, many), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["/nowhere/g++", "/bin/false"])
def test_without_a_compiler_that_works_the_runtime_is_unavailable_and_leaves_nothing(
    compiler: str,
    export: Exporter,
    images: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, temporary = export(BATCHNORM), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with (
        inductor_config.patch({"cpp.cxx": (None, compiler)}),
        pytest.raises(RuntimeUnavailableError, match=rf"expected a C\+\+ compiler.*{compiler}"),
    ):
        evaluate("aotinductor", model, images)
    gc.collect()
    assert list(temporary.iterdir()) == []
