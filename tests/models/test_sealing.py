from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.array_hash import hash_values
from bnbench.errors import DataError, DisagreementError, RunError
from bnbench.models.manifest import OutputDescription, read_manifest
from bnbench.models.preprocessing import format_preprocessing, parse_preprocessing
from bnbench.models.sealing import SealRecord, SealSpec, seal_model
from tests.models.foreign import (
    IMAGE_SHAPE,
    CenteredByBatch,
    FromBytes,
    FunctionalDropout,
    Labels,
    Noise,
    Scene,
    SmallCnn,
    TwoOutputs,
    Wrapped,
    make_scene,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(made: Scene, tmp_path: Path) -> Scene:
    for name in ("x.npy", "y.npy"):
        shutil.copy(made.folder / name, tmp_path)
    return Scene(tmp_path, copy.deepcopy(made.network))


def seal(scene: Scene, model: Path, steps: str = "divide=255", **options: object) -> SealRecord:
    spec = SealSpec(
        model=model,
        inputs=scene.inputs,
        targets=scene.targets,
        preprocessing=parse_preprocessing(steps),
    )
    return seal_model(dataclasses.replace(spec, **options))  # type: ignore[arg-type]


def test_a_traced_network_is_sealed_with_what_it_gives(scene: Scene) -> None:
    model = scene.trace(scene.network)
    record = seal(scene, model)
    assert record.warnings == ()
    manifest = read_manifest(model.with_suffix(".json"))
    assert manifest == record.manifest
    assert manifest.model.format == "torchscript"
    assert (manifest.input.shape, manifest.input.dtype) == (IMAGE_SHAPE, "uint8")
    assert format_preprocessing(manifest.input.preprocessing) == "divide=255"
    assert manifest.output == OutputDescription("logits", 47)
    assert manifest.data.inputs_sha256 == hash_values(np.load(scene.inputs))
    assert manifest.expected.correct == manifest.expected.total == 96
    assert manifest.variant is manifest.network is None
    pixels = torch.tensor(np.load(scene.inputs)).float() / 255
    expected = scene.network(pixels)
    assert manifest.expected.predictions == tuple(expected.argmax(1).tolist())
    probes = manifest.expected.probes
    assert probes is not None
    found = torch.tensor(probes.logits)
    assert torch.allclose(found, expected[list(probes.indices)], atol=1e-5)


def test_a_manifest_is_replaced_only_if_asked_for(scene: Scene) -> None:
    model = scene.trace(scene.network)
    seal(scene, model)
    with pytest.raises(RunError, match="expected no manifest yet, got one; --force replaces it"):
        seal(scene, model)
    seal(scene, model, replaces=True)


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (nn.Identity(), "logits"),
        (nn.Softmax(1), "probabilities"),
        (nn.LogSoftmax(1), "log-probabilities"),
        (Labels(), "labels"),
    ],
)
def test_the_kind_of_output_is_detected(scene: Scene, after: nn.Module, kind: str) -> None:
    model = scene.trace(Wrapped(scene.network, nn.Identity(), after).eval())
    manifest = seal(scene, model).manifest
    assert manifest.output == OutputDescription(kind, 47)  # type: ignore[arg-type]
    assert manifest.expected.correct == 96
    assert (manifest.expected.probes is None) == (kind == "labels")


def test_another_kind_than_the_one_asked_for_is_refused(scene: Scene) -> None:
    model = scene.trace(scene.network)
    with pytest.raises(RunError, match="output: expected probabilities from model.pt, got values"):
        seal(scene, model, kind="probabilities")
    with pytest.raises(RunError, match="classes: expected 10, got 47 scores per input"):
        seal(scene, model, num_classes=10)


def test_probabilities_that_are_sealed_as_logits_get_a_warning(scene: Scene) -> None:
    model = scene.trace(Wrapped(scene.network, nn.Identity(), nn.Softmax(1)).eval())
    (warning,) = seal(scene, model, kind="logits").warnings
    assert warning == "sealed as logits, but each row looks like probabilities"


def test_a_model_that_wants_bytes_gets_bytes(scene: Scene) -> None:
    network = Wrapped(scene.network, FromBytes(), nn.Identity()).eval()
    model = scene.trace(network, dtype=torch.uint8)
    assert seal(scene, model, "").manifest.expected.correct == 96
    other = scene.trace(scene.network, "other.pt")
    with pytest.raises(RunError, match=r"to run on inputs of shape \(96, 3, 8, 8\) and type uint8"):
        seal(scene, other, "")


def test_one_of_several_outputs_is_named(scene: Scene) -> None:
    path = scene.folder / "two.pt"
    torch.jit.script(TwoOutputs(scene.network).eval()).save(str(path))
    with pytest.raises(RunError, match="got outputs named mean, probabilities; name one by --elem"):
        seal(scene, path)
    output = seal(scene, path, element="probabilities").manifest.output
    assert output == OutputDescription("probabilities", 47, "probabilities")
    assert seal(scene, path, element=1, replaces=True).manifest.output.element == 1


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (FunctionalDropout(), "`dropout`: expected evaluation mode, got training mode"),
        (CenteredByBatch(), "depends on the batch: expected the same scores in any batch"),
        (Noise(), "is not deterministic: expected the same scores twice for the same batch"),
    ],
    ids=["functional dropout", "centered by its batch", "noise"],
)
def test_a_model_whose_results_mean_nothing_is_named_and_not_sealed(
    scene: Scene, after: nn.Module, message: str
) -> None:
    model = scene.trace(Wrapped(scene.network, nn.Identity(), after).eval())
    with pytest.raises(DisagreementError, match=message):
        seal(scene, model)
    assert not model.with_suffix(".json").exists()


def test_batch_normalization_in_training_mode_is_named(scene: Scene) -> None:
    traced = scene.trace(scene.network.train())
    with pytest.raises(DisagreementError, match="`batch_norm`: expected evaluation mode"):
        seal(scene, traced)
    scripted = scene.folder / "scripted.pt"
    torch.jit.script(scene.network.train()).save(str(scripted))
    with pytest.raises(DisagreementError, match="expected evaluation mode, got training mode"):
        seal(scene, scripted)
    torch.jit.script(scene.network.eval()).save(str(scripted))
    assert seal(scene, scripted).manifest.expected.correct == 96


def test_an_accuracy_near_guessing_gets_the_scaling_that_works(scene: Scene) -> None:
    record = seal(scene, scene.trace(scene.network), "divide=100000000")
    (hint,) = [text for text in record.warnings if "guessing" in text]
    assert hint.startswith("the accuracy is near that of guessing among 47 classes; --preprocess ")
    assert hint.endswith("divide=255 gives 100% on the first 96 inputs")


def test_a_network_that_no_scaling_helps_is_told_apart(scene: Scene) -> None:
    torch.manual_seed(1)
    record = seal(scene, scene.trace(SmallCnn().eval()))
    assert any("no usual scaling of the inputs helps" in text for text in record.warnings)


def test_targets_must_be_classes_of_the_inputs(scene: Scene) -> None:
    model = scene.trace(scene.network)
    for values, message in (
        (np.arange(95), "one label for each of the 96 inputs, got 95"),
        (np.arange(96) - 1, "expected classes from 0 on, got -1"),
        (np.arange(96), "expected classes from 0 to 46, as the model has them, got 95"),
        (np.zeros(96), "expected one whole number per input"),
        (np.zeros((96, 2), int), "expected one whole number per input"),
    ):
        np.save(scene.targets, values)
        with pytest.raises(DataError, match=message):
            seal(scene, model)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no model", b"\x08garbage"], ids=repr)
def test_what_is_no_model_is_refused(scene: Scene, content: bytes) -> None:
    path = scene.folder / "model.pt"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"model\.pt: expected"):
        seal(scene, path)


def test_a_state_dict_is_called_one(scene: Scene) -> None:
    path = scene.folder / "model.pt"
    torch.save(scene.network.state_dict(), path)
    with pytest.raises(RunError, match="got a state dict or another object that torch.save wrote"):
        seal(scene, path)


def test_a_network_in_bfloat16_is_sealed(scene: Scene) -> None:
    network = copy.deepcopy(scene.network).to(torch.bfloat16)
    model = scene.trace(network, dtype=torch.bfloat16)
    record = seal(scene, model, "divide=255,cast=bfloat16")
    assert record.manifest.expected.correct >= 90


@pytest.mark.slow
def test_an_exported_program_is_sealed_and_its_training_mode_named(scene: Scene) -> None:
    path = scene.folder / "model.pt2"
    example, dynamic = (torch.zeros(2, *IMAGE_SHAPE),), ({0: torch.export.Dim("n")},)
    torch.export.save(torch.export.export(scene.network, example, dynamic_shapes=dynamic), path)
    record = seal(scene, path)
    assert record.path.name == "model.pt2.json"
    assert (record.manifest.model.format, record.manifest.expected.correct) == ("pt2", 96)
    training = torch.export.export(scene.network.train(), example, dynamic_shapes=dynamic)
    torch.export.save(training, path)
    with pytest.raises(DisagreementError, match="`batch_norm`: expected evaluation mode"):
        seal(scene, path, replaces=True)
    torch.export.save(torch.export.export(scene.network.eval(), example), path)
    with pytest.raises(RunError, match=r"model\.pt2: expected to run on inputs of shape"):
        seal(scene, path, replaces=True)  # for two inputs at a time only


@pytest.mark.slow
def test_an_onnx_graph_is_sealed(scene: Scene) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = scene.folder / "model.onnx"
    torch.onnx.export(
        scene.network,
        (torch.zeros(2, *IMAGE_SHAPE),),
        str(path),
        dynamic_shapes=({0: torch.export.Dim("n")},),
        dynamo=True,
        verbose=False,
        external_data=False,
    )
    record = seal(scene, path)
    assert record.path.name == "model.onnx.json"
    assert (record.manifest.model.format, record.manifest.expected.correct) == ("onnx", 96)
    assert "onnxruntime" in record.manifest.versions
