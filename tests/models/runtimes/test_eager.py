import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.models.exported_model import read_model
from bnbench.models.runtimes import open_runtime
from bnbench.models.torch_network import BATCH_SIZE
from bnbench.networks import build_network
from tests.conftest import BASELINE, BATCHNORM
from tests.models.conftest import Exporter, evaluate, make_state


def test_the_logits_are_those_of_the_network_with_the_weights_that_were_exported(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    network = build_network(BATCHNORM)
    network.load_state_dict(make_state(BATCHNORM, 5))
    with torch.inference_mode():
        expected = network.eval()(torch.tensor(images).float().div(255)).numpy()
    logits = evaluate("eager", export(BATCHNORM, 5), images)
    assert logits.dtype == np.float32
    assert np.array_equal(logits, expected)


def test_more_images_than_a_batch_are_all_evaluated_in_their_order(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    many = np.resize(images, (BATCH_SIZE + 7, 28, 28))
    model = export(BASELINE)
    logits = evaluate("eager", model, many)
    assert logits.shape == (BATCH_SIZE + 7, 10)
    assert np.allclose(logits[BATCH_SIZE:], evaluate("eager", model, many[BATCH_SIZE:]), atol=1e-5)


def test_weights_of_another_variant_than_the_manifests_are_refused(
    export: Exporter, images: NDArray[np.uint8]
) -> None:
    model, other = read_model(export(BASELINE)), read_model(export(BATCHNORM))
    swapped = dataclasses.replace(model, content=other.content)
    (evaluation,) = open_runtime("eager", Path()).evaluate([swapped], images)
    assert (evaluation.logits, evaluation.status) == (None, "unusable")
    text = "expected the weights of its manifest's variant 'baseline', got others"
    assert text in str(evaluation.reason)
