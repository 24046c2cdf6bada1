from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import RunError
from bnbench.models.diagnosis.layers import compute_layers, write_layers
from bnbench.models.exported_model import read_model
from bnbench.models.reference import compute_logits
from tests.models.diagnosis.conftest import Exported


def test_each_layer_is_what_the_torch_network_gives(batchnorm: Exported) -> None:
    network = read_model(batchnorm.path).network
    layers = compute_layers(network, batchnorm.images.numpy())
    names = list(layers)
    assert names[:3] == ["00_pixels", "01_linear1", "02_norm1"]
    values = batchnorm.images.float().div(255).flatten(1)
    theirs = batchnorm.rebuild()
    (modules,) = [[m for m in theirs.modules() if not list(m.children())]]
    linear = next(module for module in modules if hasattr(module, "in_features"))
    np.testing.assert_allclose(layers["01_linear1"], linear(values).detach().numpy(), atol=1e-5)
    logits = compute_logits(network, batchnorm.images.numpy())
    assert np.array_equal(layers[names[-1]], logits)


def test_the_archive_holds_every_layer(batchnorm: Exported, tmp_path: Path) -> None:
    network = read_model(batchnorm.path).network
    images = batchnorm.images.numpy()
    write_layers(tmp_path / "layers.npz", network, images)
    with np.load(tmp_path / "layers.npz") as written:
        for name, values in compute_layers(network, images).items():
            assert np.array_equal(written[name], values)
    with pytest.raises(RunError, match="expected a file that can be written"):
        write_layers(tmp_path / "gone" / "layers.npz", network, images)
