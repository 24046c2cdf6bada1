import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.errors import RunError
from bnbench.models.runtimes import open_runtime
from bnbench.models.runtimes.eager import BATCH_SIZE
from bnbench.networks import build_network
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter, make_state


def evaluate(model: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(open_runtime("eager", [model], Path()).load(model).logits(images))


def test_the_logits_are_those_of_the_network_with_the_weights_that_were_exported(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    network = build_network(BATCHNORM)
    network.load_state_dict(make_state(BATCHNORM, 5))
    with torch.inference_mode():
        expected = network.eval()(torch.tensor(images).float().div(255)).numpy()
    logits = evaluate(export(BATCHNORM, 5), images)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, expected)


def test_more_images_than_a_batch_are_all_evaluated_in_their_order(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    many = np.resize(images, (BATCH_SIZE + 7, 28, 28))
    model = export(BASELINE)
    logits = evaluate(model, many)
    assert logits.shape == (BATCH_SIZE + 7, 10)
    assert np.allclose(logits[BATCH_SIZE:], evaluate(model, many[BATCH_SIZE:]), atol=1e-5)


def test_weights_of_another_variant_than_the_manifests_are_refused(export: Exporter) -> None:
    model, other = export(BASELINE), export(BATCHNORM)
    shutil.copy(other, model)
    with pytest.raises(RunError, match="expected the weights of its manifest's variant 'baseline'"):
        open_runtime("eager", [model], Path()).load(model)


def test_a_model_without_its_manifest_is_refused(export: Exporter) -> None:
    model = export(BASELINE)
    model.with_suffix(".json").unlink()
    with pytest.raises(RunError, match="expected a manifest, got none"):
        open_runtime("eager", [model], Path()).load(model)
