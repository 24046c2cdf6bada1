from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from bnbench.array_files import StoredArray, read_array
from bnbench.errors import DataError, RuntimeUnavailableError, SpecError
from bnbench.models.certificate import Refusal
from bnbench.models.exported_model import ExportedModel, name_manifest, read_model
from bnbench.models.manifest import Manifest, OutputDescription
from bnbench.models.preprocessing import parse_preprocessing
from bnbench.models.sealed_verification import (
    SEALED_RUNTIMES,
    SealedData,
    choose_sealed_runtimes,
    compare_expectation,
    require_sealed_data,
    verify_sealed,
)
from bnbench.models.sealing import SealSpec, read_targets, seal_model
from tests.models.conftest import MANIFEST
from tests.models.foreign import Scene, make_scene

SCORES = np.array([[0.5, *[0.0] * 9]], dtype=np.float32)


def expect(scores: list[float], prediction: int) -> Manifest:
    """A manifest of one input with these scores."""
    assert MANIFEST.expected.probes is not None
    probes = dataclasses.replace(MANIFEST.expected.probes, logits=(tuple(scores),))
    expected = dataclasses.replace(MANIFEST.expected, predictions=(prediction,), probes=probes)
    return dataclasses.replace(MANIFEST, expected=expected)


def test_equal_scores_agree() -> None:
    found = compare_expectation(expect(SCORES[0].tolist(), 0), SCORES, 2.0**-23)
    assert (found.differing, found.max_abs_diff, found.reason) == (0, 0, None)
    assert found.allowed_diff == 1e-4


def test_a_prediction_and_a_probe_that_differ_are_named() -> None:
    found = compare_expectation(expect([0.25, 0.3, *[0.0] * 8], 1), SCORES, 2.0**-23)
    assert found.differing == 1
    assert found.max_abs_diff == pytest.approx(0.3)
    assert found.reason == (
        "predictions: expected those of the manifest, got 1 of 1 that differ (input 0); probe "
        "scores: expected a difference of at most 0.0001, got 0.3"
    )


def test_rounding_in_16_bits_explains_a_small_lead() -> None:
    # 32 units of 2^-7 are 0.25; a lead of 0.5 is twice that.
    manifest = expect([0.25, 0.3, *[0.0] * 8], 1)
    scores = np.array([[0.5, 0.125, *[0.0] * 8]], dtype=np.float32)
    found = compare_expectation(manifest, scores, 2.0**-7)
    assert (found.differing, found.explained, found.reason) == (1, 1, None)
    scores[0, 0] = 0.75
    found = compare_expectation(manifest, scores, 2.0**-7)
    assert (found.explained, found.reason is None) == (0, False)


def test_a_label_is_compared_as_it_is() -> None:
    expected = dataclasses.replace(MANIFEST.expected, predictions=(3,), probes=None)
    output = OutputDescription("labels", 10)
    manifest = dataclasses.replace(MANIFEST, output=output, expected=expected)
    assert compare_expectation(manifest, np.array([[3.0]], np.float32), 2.0**-7).reason is None
    assert compare_expectation(manifest, np.array([[4.0]], np.float32), 2.0**-7).differing == 1


def test_only_runtimes_of_the_models_format_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_sealed_runtimes(MANIFEST, "torchscript") == ("torchscript",)
    assert "torchscript" in choose_sealed_runtimes(MANIFEST, None)
    with pytest.raises(SpecError, match="expected some of torchscript, libtorch for torchscript"):
        choose_sealed_runtimes(MANIFEST, "portable")
    monkeypatch.setenv("BNBENCH_EVAL", "/nowhere")
    assert choose_sealed_runtimes(MANIFEST, "all") == ("torchscript",)
    with pytest.raises(
        RuntimeUnavailableError, match="expected libtorch to be installed, got none"
    ):
        choose_sealed_runtimes(MANIFEST, "libtorch")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportedModel, SealedData]:
    scene = make_scene(tmp_path_factory.mktemp("scene"))
    return seal(scene, scene.trace(scene.network))


def seal(scene: Scene, path: Path) -> tuple[ExportedModel, SealedData]:
    seal_model(
        SealSpec(
            model=path,
            inputs=scene.inputs,
            targets=scene.targets,
            preprocessing=parse_preprocessing("divide=255"),
        )
    )
    inputs = read_array(scene.inputs, ())
    options = ("--inputs", scene.inputs, "--targets", scene.targets)
    return read_model(path), SealedData(inputs, read_targets(scene.targets, inputs), options)


def test_a_sealed_model_agrees_in_every_runtime(sealed: tuple[ExportedModel, SealedData]) -> None:
    model, data = sealed
    names = ("torchscript", "libtorch")
    proof, records = verify_sealed(model, name_manifest(model.path), data, names)
    assert isinstance(proof, Refusal)
    assert "seal a .pt2 of the same network" in proof.reason
    for record in records:
        assert (record.status, record.correct, record.differing) == ("agreed", 96, 0)
        assert record.max_abs_diff is not None
        assert record.max_abs_diff < 1e-4
        assert record.max_bound_share is None


def test_a_runtime_that_fails_costs_no_other_its_result(
    sealed: tuple[ExportedModel, SealedData], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = sealed
    monkeypatch.setitem(
        SEALED_RUNTIMES,
        "libtorch",
        dataclasses.replace(SEALED_RUNTIMES["libtorch"], program="no-such-program"),
    )
    _, (here, there) = verify_sealed(
        model, name_manifest(model.path), data, ("torchscript", "libtorch")
    )
    assert here.status == "agreed"
    assert there.status == "unusable"
    assert "expected the C++ program no-such-program" in str(there.reason)


def test_other_data_than_the_manifests_are_refused(
    sealed: tuple[ExportedModel, SealedData],
) -> None:
    model, data = sealed
    require_sealed_data(model.manifest, data)
    for change, message in (
        ({"inputs": StoredArray(data.inputs.values ^ 1, "uint8")}, "inputs: expected those of"),
        ({"inputs": StoredArray(data.inputs.values[:, 0], "uint8")}, r"inputs: expected uint8 of"),
        ({"targets": data.targets[::-1].copy()}, "targets: expected those of the manifest"),
    ):
        with pytest.raises(DataError, match=message):
            require_sealed_data(model.manifest, dataclasses.replace(data, **change))  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_archive_is_held_against_the_bound(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    path = tmp_path / "model.pt2"
    program = torch.export.export(
        scene.network,
        (torch.zeros(2, 3, 8, 8),),
        dynamic_shapes=({0: torch.export.Dim("n")},),
    )
    torch.export.save(program, path)
    model, data = seal(scene, path)
    proof, (record,) = verify_sealed(model, name_manifest(path), data, ("eager",))
    assert not isinstance(proof, Refusal), proof
    assert record.status == "agreed"
    assert record.max_bound_share is not None
    assert 0 < record.max_bound_share < 1
