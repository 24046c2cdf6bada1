"""The bound of an exported model: from its archive, its layers, or an archive beside it."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.errors import RunError
from bnbench.models.agreement import compare_logits, make_reference
from bnbench.models.certificate import Certificate, Refusal, bound_model
from bnbench.models.exported_model import ExportedModel
from bnbench.models.graph import UncoveredError
from bnbench.models.manifest import (
    InputDescription,
    Manifest,
    NetworkDescription,
    OutputDescription,
    describe_tensor,
)
from bnbench.models.preprocessing import parse_preprocessing
from bnbench.models.stored_network import StoredNetwork
from tests.models.conftest import MANIFEST

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
STEPS = "divide=255,normalize=0.5/0.25,reshape=1x6x6"


def make_cnn() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    ).eval()


def export(module: nn.Module) -> bytes:
    sizes = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(module, (torch.ones(2, 1, 6, 6),), dynamic_shapes=sizes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archive() -> bytes:
    return export(make_cnn())


def make_manifest(module: nn.Module) -> Manifest:
    tensors = {name: describe_tensor(value.numpy()) for name, value in module.state_dict().items()}
    return dataclasses.replace(
        MANIFEST,
        input=InputDescription((6, 6), "uint8", parse_preprocessing(STEPS)),
        output=OutputDescription("logits", 3),
        network=NetworkDescription(tensors, {}, ()),
        expected=dataclasses.replace(MANIFEST.expected, probes=None),
    )


def make_images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (20, 6, 6)).astype(np.uint8)


def evaluate(module: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    pixels = torch.tensor(images).float().div(255).sub(0.5).div(0.25)
    with torch.inference_mode():
        result: NDArray[np.float64] = module(pixels[:, None]).double().numpy()
    return result


def make_own_model(folder: Path, module: nn.Module) -> ExportedModel:
    """A TorchScript file whose layers are not known."""
    model = ExportedModel(folder / "a.pt", b"", make_manifest(module))
    vars(model)["network"] = StoredNetwork((), {}, ())
    return model


def test_an_archive_is_bounded_for_inputs_as_its_manifest_prepares_them(archive: bytes) -> None:
    module, images = make_cnn(), make_images()
    model = ExportedModel(Path("a.pt2"), archive, make_manifest(module))
    proof = bound_model(model, images)
    assert isinstance(proof, Certificate)
    assert proof.certified.all()
    error = np.abs(evaluate(module, images) - proof.logits)
    assert (error <= proof.logit_bounds).all()
    assert proof.logit_bounds.max() < 1e-3


def test_an_archive_beside_a_file_of_code_bounds_it(tmp_path: Path, archive: bytes) -> None:
    module, images = make_cnn(), make_images()
    model = make_own_model(tmp_path, module)
    (tmp_path / "a.pt2").write_bytes(archive)
    reference = make_reference(model, images, np.zeros(20, np.uint8))
    assert reference.record.status == "bounded"
    found = compare_logits(reference, "eager", "torch", evaluate(module, images))
    assert (found.status, found.differing) == ("agreed", 0)
    assert found.max_bound_share is not None
    assert 0 < found.max_bound_share < 1
    wrong = compare_logits(reference, "eager", "torch", evaluate(module, images) + 1e-2)
    assert wrong.status == "disagreed"


def test_an_archive_of_other_weights_beside_it_does_not_count(tmp_path: Path) -> None:
    module = make_cnn()
    model = make_own_model(tmp_path, module)
    with torch.no_grad():
        module[0].weight[0, 0, 0, 0] += 1
    (tmp_path / "a.pt2").write_bytes(export(module))
    proof = bound_model(model, make_images())
    assert isinstance(proof, Refusal)
    assert proof.status == "not covered"
    assert proof.reason.endswith(
        "a.pt2: expected the tensors of a.pt, got another 0.weight; export both again"
    )


def test_an_archive_beside_a_manifest_without_tensors_does_not_count(
    tmp_path: Path, archive: bytes
) -> None:
    model = make_own_model(tmp_path, make_cnn())
    unknown = dataclasses.replace(model, manifest=dataclasses.replace(model.manifest, network=None))
    vars(unknown)["network"] = model.network
    (tmp_path / "a.pt2").write_bytes(archive)
    proof = bound_model(unknown, make_images())
    assert isinstance(proof, Refusal)
    assert proof.reason.endswith("got one without; verify the archive itself")


def test_code_alone_is_not_covered_and_the_reason_says_what_to_do(tmp_path: Path) -> None:
    model = make_own_model(tmp_path, make_cnn())
    proof = bound_model(model, make_images())
    assert isinstance(proof, Refusal)
    assert proof.status == "not covered"
    assert proof.reason.endswith("got code alone; export a .pt2 too with --formats pt,pt2")
    with pytest.raises(UncoveredError):
        make_reference(model, make_images(), np.zeros(20, np.uint8))


def test_an_operator_that_is_not_covered_is_the_reason() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Softplus())
    model = ExportedModel(Path("a.pt2"), export(module), make_manifest(module))
    proof = bound_model(model, make_images())
    assert isinstance(proof, Refusal)
    assert proof.reason == (
        "a.pt2: softplus: expected a known operator, got torch.ops.aten.softplus.default"
    )


def test_inputs_that_do_not_fit_are_refused(archive: bytes) -> None:
    model = ExportedModel(Path("a.pt2"), archive, make_manifest(make_cnn()))
    with pytest.raises(RunError, match="inputs: expected shape \\(1, 6, 6\\) each"):
        bound_model(model, np.zeros((2, 5, 5), np.uint8))
    proof = bound_model(model, np.zeros((2, 6, 6)))
    assert isinstance(proof, Refusal)
    assert proof.reason.startswith("inputs: expected a type whose numbers are float32")


def test_a_damaged_archive_is_an_error_and_no_refusal(archive: bytes) -> None:
    model = ExportedModel(Path("a.pt2"), archive[:-200] + bytes(200), make_manifest(make_cnn()))
    with pytest.raises(RunError):
        bound_model(model, make_images())


def test_a_bound_that_says_nothing_is_refused() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    with torch.no_grad():
        module[1].weight[:] = 2.0**25
        module[1].weight[:, ::2] *= -1
        module[1].bias.zero_()
    model = ExportedModel(Path("a.pt2"), export(module), make_manifest(module))
    proof = bound_model(model, np.full((4, 6, 6), 255, np.uint8))
    assert isinstance(proof, Refusal)
    assert proof.status == "not covered"
    assert proof.reason.startswith("the bound of 4 inputs: expected one below their largest logit")
