"""The C++ program from outside: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.array_hash import hash_values
from bnbench.data import Dataset
from bnbench.data_files import TORCHVISION_LAYOUT
from bnbench.data_sources import DEBIAN_FOLDER
from bnbench.models.torch_network import compute_logits
from tests.conftest import write_idx_files
from tests.cpp.program import BARE, evaluate, rewrite_manifest, save, seal_again


def test_a_model_that_agrees_is_reported_with_accuracy_and_speed(
    model: Path, data: Path, synthetic_dataset: Dataset
) -> None:
    result = evaluate(model, "--data", data, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    (found,) = answer["models"]
    expected = json.loads(model.with_suffix(".json").read_text())["expected"]
    assert found["status"] == "agreed"
    assert found["correct"] == found["expected_correct"] == expected["correct"]
    assert found["accuracy"] == expected["correct"] / 100
    assert (found["total"], found["disagreements"], found["reason"]) == (100, 0, None)
    assert found["max_abs_logit_diff"] <= 1e-6
    assert found["images_per_second"] > 0
    human = evaluate(model, "--data", data).stdout
    assert f"{expected['correct']}" in human
    assert "agree" in human


def test_many_models_are_evaluated_in_one_call_and_the_highest_code_wins(
    model: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    result = evaluate(model, tmp_path / "gone" / "missing.pt", model, "--data", data, "--json")
    assert result.returncode == 4
    statuses = [found["status"] for found in json.loads(result.stdout)["models"]]
    assert statuses == ["agreed", "unusable", "agreed"]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_batch_size_changes_no_prediction(model: Path, data: Path, batch_size: int) -> None:
    assert evaluate(model, "--data", data, "--batch-size", batch_size).returncode == 0


@pytest.mark.skipif(DEBIAN_FOLDER.exists(), reason="the data of Debian's package come first")
@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_the_data_are_found_where_bnbench_data_puts_them(
    model: Path, synthetic_dataset: Dataset, tmp_path: Path, variable: str
) -> None:
    cache = tmp_path if variable == "XDG_CACHE_HOME" else tmp_path / ".cache"
    folder = cache / "bnbench" / TORCHVISION_LAYOUT
    environment = {variable: str(tmp_path)}
    missing = evaluate(model, env=environment)
    assert missing.returncode == 3
    assert missing.stderr.startswith("bnbench-eval: error: test set: expected t10k-images")
    assert f"{DEBIAN_FOLDER}, {cache / 'bnbench'}; run 'bnbench data'" in missing.stderr

    write_idx_files(synthetic_dataset.test, folder)
    for path in list(folder.iterdir()):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert evaluate(model, env=environment).returncode == 0
    elsewhere = environment | {"BNBENCH_DATA": str(tmp_path / "none")}
    assert evaluate(model, env=elsewhere).returncode == 0
    # A folder that was named is the only one searched.
    assert evaluate(model, "--data", tmp_path / "none", env=environment).returncode == 3


IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def spoil(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(change((folder / name).read_bytes()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param(IMAGES, lambda raw: raw[:-1], id="truncated images"),
        pytest.param(
            LABELS, lambda raw: raw[:8] + bytes([(raw[8] + 1) % 10]) + raw[9:], id="another label"
        ),
        pytest.param(LABELS, lambda raw: gzip.compress(raw)[:-6], id="truncated gzip"),
    ],
)
def test_data_that_is_not_what_it_must_be_exits_with_3_and_prints_no_number(
    model: Path, data: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    spoil(data, name, change)
    result = evaluate(model, "--data", data)
    assert result.returncode == 3
    assert result.stdout == ""
    assert "bnbench-eval: error: " in result.stderr
    answer = json.loads(evaluate(model, "--data", data, "--json").stdout)
    assert answer["exit_code"] == 3
    assert all(found["correct"] is None for found in answer["models"])


NUM_CORRUPTIONS = int(os.environ.get("BNBENCH_TEST_CORRUPTIONS", "60"))
"""Single bytes that are corrupted, shared out between model, manifest and data. 1,000 take a
few minutes: set the environment variable to have them."""


def corrupt_one_byte(generator: random.Random, content: bytes) -> tuple[bytes, str]:
    position, change = generator.randrange(len(content)), generator.randrange(1, 256)
    corrupted = bytearray(content)
    corrupted[position] ^= change
    return bytes(corrupted), f"byte {position} xor {change}"


@pytest.mark.parametrize("suffix", [".pt", ".json"])
def test_no_corrupted_byte_of_model_or_manifest_gets_through_to_a_number(
    model: Path, data: Path, tmp_path: Path, suffix: str
) -> None:
    generator = random.Random(f"corruptions of {suffix}")
    intact = {part: model.with_suffix(part).read_bytes() for part in (".pt", ".json")}
    corruptions = {}
    for number in range(NUM_CORRUPTIONS * 2 // 5):
        corrupted, what = corrupt_one_byte(generator, intact[suffix])
        copy = tmp_path / f"corrupted-{number}.pt"
        for part, content in (intact | {suffix: corrupted}).items():
            copy.with_suffix(part).write_bytes(content)
        corruptions[str(copy)] = what

    # The intact one among them shows that what is refused is refused for its byte.
    result = evaluate(model, *corruptions, "--data", data, "--json")
    assert result.returncode == 4
    first, *others = json.loads(result.stdout)["models"]
    assert first["status"] == "agreed"
    for found in others:
        what = corruptions.pop(found["model"])
        assert (found["status"], found["exit_code"]) == ("unusable", 4), what
        numbers = ("correct", "accuracy", "expected_correct", "max_abs_logit_diff", "seconds")
        assert [found[name] for name in numbers] == [None] * len(numbers), what
    assert not corruptions


def test_no_corrupted_byte_of_the_data_gets_through_to_a_number(model: Path, data: Path) -> None:
    generator = random.Random("corruptions of the data")
    intact = {name: (data / name).read_bytes() for name in (IMAGES, LABELS)}
    for _ in range(NUM_CORRUPTIONS // 5):
        name = generator.choice((IMAGES, LABELS))
        corrupted, what = corrupt_one_byte(generator, intact[name])
        (data / name).write_bytes(corrupted)
        result = evaluate(model, "--data", data)
        assert (result.returncode, result.stdout) == (3, ""), f"{name}: {what}"
        (data / name).write_bytes(intact[name])
    assert evaluate(model, "--data", data).returncode == 0


def test_a_manifest_may_lie_elsewhere_if_it_is_named(
    model: Path, data: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "renamed.json"
    model.with_suffix(".json").rename(elsewhere)
    assert evaluate(model, "--data", data).returncode == 4
    assert evaluate(model, "--data", data, "--expect", elsewhere).returncode == 0
    # It wins over the one beside the model, and is checked like that one.
    model.with_suffix(".json").write_bytes(elsewhere.read_bytes())
    rewrite_manifest(elsewhere, lambda content: content["model"].update(sha256="0" * 64))
    assert evaluate(model, "--data", data, "--expect", elsewhere).returncode == 4
    assert evaluate(model, "--data", data, "--expect", tmp_path / "gone.json").returncode == 4


def test_results_that_disagree_exit_with_5_and_are_counted(model: Path, data: Path) -> None:
    def claim_otherwise(content: dict) -> None:  # type: ignore[type-arg]
        classes = content["expected"]["predictions"]
        other = np.array([(label + 1) % 10 for label in classes[:3]] + classes[3:])
        content["expected"].update(
            predictions=other.tolist(), predictions_sha256=hash_values(other)
        )

    rewrite_manifest(model.with_suffix(".json"), claim_otherwise)
    result = evaluate(model, "--data", data, "--json")
    assert result.returncode == 5
    (found,) = json.loads(result.stdout)["models"]
    assert (found["status"], found["disagreements"]) == ("disagreed", 3)


def test_probe_logits_beyond_the_tolerance_exit_with_5_and_all_logits_are_written(
    model: Path, data: Path, tmp_path: Path
) -> None:
    def move_a_logit(content: dict) -> None:  # type: ignore[type-arg]
        content["expected"]["probes"]["logits"][2][4] += 0.01

    rewrite_manifest(model.with_suffix(".json"), move_a_logit)
    path = tmp_path / "logits.npy"
    result = evaluate(model, "--data", data, "--logits", path, "--json")
    assert result.returncode == 5
    assert json.loads(result.stdout)["models"][0]["status"] == "disagreed"
    assert np.isfinite(np.load(path)).all()
    assert evaluate(model, "--data", data, "--logit-tolerance", "0.1").returncode == 0


def test_a_model_exported_in_training_mode_disagrees_and_is_named(model: Path, data: Path) -> None:
    network = torch.jit.load(str(model))
    network.train()
    network.save(str(model))
    seal_again(model)
    result = evaluate(model, "--data", data, "--json")
    assert result.returncode == 5
    (found,) = json.loads(result.stdout)["models"]
    # The network's only fault is its mode: in evaluation mode it does what it should.
    assert (found["status"], found["training"], found["disagreements"]) == ("disagreed", True, 0)
    assert found["reason"] == (
        "`norm1`: expected evaluation mode, got training mode, which uses the batch's statistics; "
        "call eval() before exporting"
    )
    result = evaluate(model, *BARE, "--data", data)
    assert result.returncode == 0
    assert "bnbench-eval: warning: " in result.stderr
    assert "`norm1`: expected evaluation mode" in result.stderr


def test_one_layer_left_in_training_mode_is_enough(data: Path, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout()).eval()
    network[2].train()
    result = evaluate(save(network, tmp_path / "odd.pt"), *BARE, "--data", data)
    assert "`2`: expected evaluation mode, got training mode; call eval()" in result.stderr


def test_logits_and_predictions_are_written_as_numpy_arrays(
    model: Path, data: Path, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    logits, predictions = tmp_path / "logits.npy", tmp_path / "predictions.npy"
    arguments = ("--data", data, "--logits", logits, "--predictions", predictions)
    assert evaluate(model, *arguments).returncode == 0
    eager = compute_logits(torch.jit.load(str(model)), synthetic_dataset.test.inputs).numpy()
    assert np.load(logits).dtype == np.float32
    assert np.array_equal(np.load(logits), eager)
    assert np.load(predictions).dtype == np.uint8
    assert np.array_equal(np.load(predictions), eager.argmax(1))

    assert evaluate(model, tmp_path / "missing.pt", model, *arguments).returncode == 4
    both = np.load(logits)
    assert both.shape == (3, 100, 10)
    assert np.array_equal(both[0], eager)
    assert np.isnan(both[1]).all()
    assert np.array_equal(both[2], eager)
    assert (np.load(predictions)[1] == 255).all()


def test_arrays_that_cannot_be_written_exit_with_2_and_leave_nothing(
    model: Path, data: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    for option in ("--logits", "--predictions"):
        for name in (tmp_path / "nowhere" / "a.npy", tmp_path / "a.pt"):
            result = evaluate(model, "--data", data, option, name)
            assert result.returncode == 2, result.stderr
            assert result.stdout == ""
    same = tmp_path / "same.npy"
    assert evaluate(model, "--data", data, "--logits", same, "--predictions", same).returncode == 2
    missing = tmp_path / "none"
    assert evaluate(model, "--data", missing, "--logits", same).returncode == 3
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bare_model_is_evaluated_only_on_the_real_data_unless_told_otherwise(
    data: Path, tmp_path: Path
) -> None:
    path = save(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval(), tmp_path / "bare.pt")
    assert evaluate(path, "--data", data).returncode == 4
    assert evaluate(path, "--no-manifest", "--data", data).returncode == 3
    result = evaluate(path, "--no-manifest", "--unchecked-data", "--data", data, "--json")
    assert result.returncode == 0
    (found,) = json.loads(result.stdout)["models"]
    assert (found["status"], found["expected_correct"]) == ("unchecked", None)


@pytest.mark.parametrize("named", ["", "nowhere", "file"])
def test_where_no_data_are_found_the_exit_code_is_3(
    model: Path, tmp_path: Path, named: str
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    folder = str(tmp_path / named) if named else ""
    assert evaluate(model, "--data", folder).returncode == 3
    assert evaluate(tmp_path / "none.pt", "--data", folder).returncode == 3


def make_normalized(*, training: bool) -> tuple[nn.Module, torch.Tensor]:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10))
    return network.train(training), torch.rand(4, 1, 28, 28)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_model_traced_in_training_mode_is_at_fault_without_a_manifest_too(
    data: Path, tmp_path: Path
) -> None:
    network, images = make_normalized(training=True)
    path = tmp_path / "traced.pt"
    torch.jit.trace(network, images, check_trace=False).save(str(path))
    result = evaluate(path, *BARE, "--data", data, "--json")
    assert result.returncode == 5
    (found,) = json.loads(result.stdout)["models"]
    assert (found["status"], found["training"]) == ("unchecked", True)
    assert found["reason"] == (
        "`2`: expected evaluation mode, got training mode fixed in its graph, which uses the "
        "batch's statistics; call eval() before exporting"
    )


@pytest.mark.filterwarnings("ignore")  # quantized tensors are announced to go
@pytest.mark.parametrize("export", [torch.jit.script, torch.jit.freeze])
def test_a_model_in_evaluation_mode_is_not_at_fault_whatever_its_flags(
    data: Path, tmp_path: Path, export: Callable[..., torch.jit.ScriptModule]
) -> None:
    network, _ = make_normalized(training=False)
    if export is torch.jit.script:
        # The modules that quantization puts in have never been told to evaluate.
        network = torch.ao.quantization.quantize_dynamic(network, {nn.Linear})
        assert network[1].training
    scripted = torch.jit.script(network)
    path = tmp_path / "model.pt"
    (scripted if export is torch.jit.script else torch.jit.freeze(scripted)).save(str(path))
    result = evaluate(path, *BARE, "--data", data, "--json")
    assert result.returncode == 0
    (found,) = json.loads(result.stdout)["models"]
    assert (found["training"], found["reason"]) == (False, None)


def test_what_torch_saves_besides_torchscript_is_called_what_it_is(
    data: Path, tmp_path: Path
) -> None:
    network, images = make_normalized(training=False)
    torch.save(network.state_dict(), tmp_path / "state.pt")
    torch.export.save(torch.export.export(network, (images,)), tmp_path / "exported.pt2")
    for name, what in (("state.pt", "a state dict"), ("exported.pt2", "a torch.export archive")):
        result = evaluate(tmp_path / name, *BARE, "--data", data)
        assert result.returncode == 4
        assert f"{name}: expected a TorchScript model that LibTorch can load, got {what}" in (
            result.stderr
        )


class Raising(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.size(0) > 0:
            raise ValueError("so it\nis")
        return x


def test_what_a_model_raises_is_quoted(data: Path, tmp_path: Path) -> None:
    path = save(Raising().eval(), tmp_path / "raising.pt")
    assert ", got ValueError: so it is" in evaluate(path, *BARE, "--data", data).stderr


def test_a_name_with_a_newline_stays_on_its_line(data: Path, tmp_path: Path) -> None:
    path = save(nn.Identity().eval(), tmp_path / "two\nlines\x1b[31m.pt")
    result = evaluate(path, *BARE, "--data", data)
    assert result.returncode == 4
    assert len(result.stderr.splitlines()) == 1
    assert r"two\x0alines\x1b[31m.pt: expected float logits" in result.stderr
