"""Every fault of a file is made for real and must be named."""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bnbench.models.diagnosis import diagnose_file
from bnbench.models.export import serialize_torchscript
from bnbench.models.exported_model import ExportedModel
from tests.conftest import BATCHNORM
from tests.models.diagnosis.conftest import Change, Exported


def test_files_as_they_were_exported_have_no_fault(models: dict[str, Exported]) -> None:
    for model in models.values():
        assert model.diagnose_content(model.path.read_bytes()) == ("", "")


def export_changed(model: Exported, change: Change, mode: bool = False) -> bytes:
    network = model.rebuild()
    with torch.no_grad():
        change(network)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network.train(mode)), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
def test_a_model_exported_in_training_mode_is_named(models: dict[str, Exported], name: str) -> None:
    content = export_changed(models[name], lambda network: None, mode=True)
    fault, text = models[name].diagnose_content(content)
    assert fault == "training_mode"
    assert "the whole network" in text
    assert "eval()" in text


@pytest.mark.parametrize(
    "tensor",
    ["linear1.weight", "linear2.bias", "norm1.running_mean", "norm2.running_var", "norm1.weight"],
)
def test_a_file_with_one_value_altered_is_told_by_the_tensors_name(
    batchnorm: Exported, tensor: str
) -> None:
    state = {name: value.clone() for name, value in batchnorm.state.items()}
    state[tensor].view(-1)[2] += 2**-10
    fault, text = batchnorm.diagnose_content(serialize_torchscript(BATCHNORM, state))
    assert fault == "parameter_altered"
    assert text.startswith(f"{tensor} is not as exported; every other tensor is")


def test_a_file_with_another_eps_is_told_by_the_layers_name(batchnorm: Exported) -> None:
    content = export_changed(batchnorm, lambda network: setattr(network.norm2, "eps", 1e-3))
    fault, text = batchnorm.diagnose_content(content)
    assert fault == "constant_altered"
    assert text.startswith("norm2.eps is 0.001 and was 1e-05 when exported")


def test_another_models_file_is_told_by_its_manifests_name(models: dict[str, Exported]) -> None:
    other = models["batchnorm-1"].path
    fault, text = models["batchnorm"].diagnose_content(other.read_bytes())
    assert fault == "foreign_manifest"
    assert f"the one that {other.with_suffix('.json').name} describes" in text


@pytest.mark.parametrize("other", ["baseline", "batchnorm-1"])
def test_another_models_file_is_told_without_its_manifest_too(
    models: dict[str, Exported], other: str, tmp_path: Path
) -> None:
    content, manifest = models[other].path.read_bytes(), models["batchnorm"].manifest
    fault = diagnose_file(ExportedModel(tmp_path / "a.pt", content, manifest))
    assert fault is not None
    assert fault.name == "foreign_manifest"


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-100], lambda b: b"", lambda b: b"x" * 5000],
    ids=["cut off", "empty", "another format"],
)
def test_a_file_that_is_cut_off_is_called_damaged(
    batchnorm: Exported, damage: Callable[[bytes], bytes]
) -> None:
    assert batchnorm.diagnose_content(damage(batchnorm.path.read_bytes()))[0] == "file_damaged"


def test_a_flipped_bit_in_a_weight_is_called_damage(batchnorm: Exported) -> None:
    content = bytearray(batchnorm.path.read_bytes())
    place = content.index(batchnorm.state["linear1.weight"].numpy().tobytes()[:64])
    content[place] ^= 1
    assert batchnorm.diagnose_content(bytes(content))[0] == "file_damaged"


def test_a_file_that_is_the_same_in_everything_but_its_code_is_not_to_be_loaded(
    batchnorm: Exported,
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(batchnorm.path) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, content + b"\n" if entry.filename.endswith(".py") else content)
    fault, text = batchnorm.diagnose_content(buffer.getvalue())
    assert fault == "file_altered"
    assert "don't load it" in text


def test_a_manifest_that_describes_no_tensors_says_so(batchnorm: Exported, tmp_path: Path) -> None:
    manifest = dataclasses.replace(batchnorm.manifest, network=None)
    state = {name: value + 1 for name, value in batchnorm.state.items()}
    content = serialize_torchscript(BATCHNORM, state)
    fault = diagnose_file(ExportedModel(tmp_path / "a.pt", content, manifest))
    assert fault is not None
    assert fault.name == "file_altered"
    assert "which of them differ is unknown" in fault.text
    content = batchnorm.path.read_bytes()
    assert diagnose_file(ExportedModel(batchnorm.path, content, manifest)) is None


def test_a_manifest_swapped_between_two_models_of_a_run_is_named(
    models: dict[str, Exported], tmp_path: Path
) -> None:
    content = models["batchnorm"].path.read_bytes()
    (tmp_path / "a.json").write_bytes(models["batchnorm"].path.with_suffix(".json").read_bytes())
    (tmp_path / "b.json").write_text(json.dumps({"some": "other file"}))
    fault = diagnose_file(ExportedModel(tmp_path / "b.pt", content, models["batchnorm-1"].manifest))
    assert fault is not None
    assert fault.name == "foreign_manifest"
    assert "a.json" in fault.text


def test_a_manifest_of_another_digest_is_noticed(batchnorm: Exported, tmp_path: Path) -> None:
    model = dataclasses.replace(batchnorm.manifest.model, sha256=hashlib.sha256(b"").hexdigest())
    manifest = dataclasses.replace(batchnorm.manifest, model=model)
    content = batchnorm.path.read_bytes()
    fault = diagnose_file(ExportedModel(tmp_path / "a.pt", content, manifest))
    assert fault is not None
    assert fault.name == "file_altered"
