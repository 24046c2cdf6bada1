import hashlib
import io
import zipfile

import pytest
import torch

from bnbench.errors import RunError
from bnbench.models.archives import export_program, make_archive_files, serialize_archive
from bnbench.models.exported_model import read_model
from bnbench.networks import build_network
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape, VariantSpec
from tests.conftest import BATCHNORM
from tests.models.conftest import Exporter, make_state

RESIDUAL = VariantSpec(
    "residual", hidden_sizes=(16, 8), normalization="rms", residual=True, dropout=0.5
)


def load(content: bytes) -> torch.nn.Module:
    module: torch.nn.Module = torch.export.load(io.BytesIO(content)).module()
    return module


def test_an_archive_with_other_weights_is_the_bytes_of_a_fresh_export() -> None:
    serialize_archive(BATCHNORM, make_state(BATCHNORM, 1), FASHION_MNIST_SHAPE)
    state = make_state(BATCHNORM, 2)
    network = build_network(BATCHNORM).eval()
    network.load_state_dict(state)
    fresh = torch.export.export(
        network,
        (torch.zeros(2, 1, 28, 28),),
        dynamic_shapes=({0: torch.export.Dim("num_inputs")},),
    )
    for node in fresh.graph.nodes:
        node.meta.pop("stack_trace", None)
    buffer = io.BytesIO()
    torch.export.save(fresh, buffer)
    assert serialize_archive(BATCHNORM, state, FASHION_MNIST_SHAPE) == buffer.getvalue()


def test_an_archive_computes_what_the_network_computes_for_any_batch_size() -> None:
    state = make_state(RESIDUAL, 0)
    network = build_network(RESIDUAL).eval()
    network.load_state_dict(state)
    loaded = load(serialize_archive(RESIDUAL, state, FASHION_MNIST_SHAPE))
    for size in (1, 2, 7):
        images = torch.rand(size, 1, 28, 28)
        assert torch.equal(loaded(images), network(images))


def test_an_archive_takes_inputs_of_the_data_sets_shape() -> None:
    shape = DataShape((5,), 3)
    state = build_network(BATCHNORM, shape).state_dict()
    loaded = load(serialize_archive(BATCHNORM, state, shape))
    assert loaded(torch.rand(4, 5)).shape == (4, 3)


def test_no_folder_of_the_exporter_is_in_an_archive() -> None:
    content = serialize_archive(BATCHNORM, make_state(BATCHNORM, 0), FASHION_MNIST_SHAPE)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (graph,) = (archive.read(n) for n in archive.namelist() if n.endswith("model.json"))
    assert b"nn/modules" not in graph
    assert b"stack_trace" not in graph


def test_the_archives_manifest_expects_what_the_models_manifest_expects(export: Exporter) -> None:
    model = read_model(export(BATCHNORM, 3))
    files = make_archive_files(model)
    archive, manifest = files
    assert (archive, manifest) == ("batchnorm-seed3-cpu.pt2", "batchnorm-seed3-cpu.pt2.json")
    for name, content in files.items():
        (model.path.parent / name).write_bytes(content)
    made = read_model(model.path.parent / archive)
    assert made.manifest.model.sha256 == hashlib.sha256(files[archive]).hexdigest()
    assert made.manifest.model.format == "pt2"
    assert made.manifest.expected == model.manifest.expected
    assert made.manifest.data == model.manifest.data


def test_a_network_that_cannot_be_exported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peculiar(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images

    monkeypatch.setattr("bnbench.models.archives.build_network", lambda *_: Peculiar())
    with pytest.raises(RunError, match=r"peculiar: expected a network that torch\.export can"):
        export_program(VariantSpec("peculiar"), FASHION_MNIST_SHAPE)
