"""Models that were sealed in Python, evaluated again by ``bnbench-eval``."""

from __future__ import annotations

import copy
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.array_files import read_array
from bnbench.models.prepared_inputs import prepare_inputs
from bnbench.models.preprocessing import parse_preprocessing
from bnbench.models.sealing import SealSpec, seal_model
from tests.cpp.program import evaluate, seal_again
from tests.models.foreign import (
    FromBytes,
    FunctionalDropout,
    Labels,
    Scene,
    Wrapped,
    make_scene,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene"))


def seal(scene: Scene, model: Path, steps: str = "divide=255", **options: Any) -> Path:
    seal_model(
        SealSpec(
            model=model,
            inputs=scene.inputs,
            targets=scene.targets,
            preprocessing=parse_preprocessing(steps),
            replaces=True,
            **options,
        )
    )
    return model


def run(scene: Scene, *arguments: object) -> subprocess.CompletedProcess[str]:
    return evaluate(*arguments, "--inputs", scene.inputs, "--targets", scene.targets)


def run_one(scene: Scene, *arguments: object) -> dict[str, Any]:
    result = run(scene, *arguments, "--json")
    (found,) = json.loads(result.stdout)["models"]
    assert result.returncode == found["exit_code"]
    return dict(found)


def test_a_sealed_cnn_of_47_classes_agrees_in_cpp(scene: Scene) -> None:
    model = seal(scene, scene.trace(scene.network, "cnn.pt"))
    found = run_one(scene, model)
    assert (found["status"], found["correct"], found["num_classes"]) == ("agreed", 96, 47)
    assert found["accuracy_top5"] == 1
    assert found["max_abs_logit_diff"] < 1e-5
    assert (found["depends_on_batch"], found["deterministic"]) == (False, True)


def test_models_that_want_bytes_or_return_labels_agree_in_cpp(scene: Scene) -> None:
    network = Wrapped(scene.network, FromBytes(), Labels()).eval()
    model = seal(scene, scene.trace(network, "labels.pt", torch.uint8), "")
    found = run_one(scene, model)
    assert (found["status"], found["correct"], found["output"]) == ("agreed", 96, "labels")
    predictions = scene.folder / "predictions.npy"
    assert run(scene, model, "--predictions", predictions).returncode == 0
    values = np.load(predictions)
    assert (values.dtype, values.shape) == (np.int32, (96,))
    assert (values == np.load(scene.targets)).all()
    result = run(scene, model, "--logits", scene.folder / "logits.npy")
    assert result.returncode == 2
    assert "expected models that return scores, got one that returns labels" in result.stderr


def test_a_model_in_bfloat16_agrees_in_cpp(scene: Scene) -> None:
    network = copy.deepcopy(scene.network).to(torch.bfloat16)
    model = seal(scene, scene.trace(network, "bf16.pt", torch.bfloat16), "divide=255,cast=bfloat16")
    found = run_one(scene, model)
    assert found["status"] == "agreed"
    assert found["depends_on_batch"] is False
    # Another batch size rounds otherwise, which explains what differs.
    assert run_one(scene, model, "--batch-size", 7)["status"] == "agreed"


@pytest.mark.parametrize(
    "steps",
    [
        "divide=255,normalize=0.1307/0.3081",
        "normalize=12.5:100:33.3/3:77:0.7,scale=0.01",
        "cast=float64,divide=3,normalize=0.1/0.7,cast=float32",
        "divide=255,cast=float16,scale=0.3",
        "cast=int64,reshape=192,divide=7,reshape=3x8x8",
    ],
)
def test_steps_give_the_same_bits_in_python_and_cpp(scene: Scene, steps: str) -> None:
    # A network that returns its inputs shows what the steps made of them.
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

    model, logits = scene.trace(Flat(), "flat.pt"), scene.folder / "flat.npy"
    result = run(scene, model, "--no-manifest", "--preprocess", steps, "--logits", logits)
    assert result.returncode == 0, result.stderr
    stored = read_array(scene.inputs, ())
    expected = prepare_inputs(stored, slice(0, 96), parse_preprocessing(steps)).flatten(1)
    assert np.array_equal(np.load(logits), expected.numpy())


def write_npz(path: Path, x: Any, y: Any) -> tuple[str, str]:
    np.savez(path, x_test=x, y_test=y, x_train=x[:1])
    return str(path), str(path)


def write_compressed(path: Path, x: Any, y: Any) -> tuple[str, str]:
    np.savez_compressed(path, images=x, classes=y, other=y)
    return f"{path}:images", f"{path}:classes"


def write_safetensors(path: Path, x: Any, y: Any) -> tuple[str, str]:
    header = json.dumps(
        {
            "inputs": {"dtype": "U8", "shape": x.shape, "data_offsets": [0, x.nbytes]},
            "targets": {
                "dtype": "I64",
                "shape": y.shape,
                "data_offsets": [x.nbytes, x.nbytes + y.nbytes],
            },
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + x.tobytes() + y.tobytes())
    return str(path), str(path)


@pytest.mark.parametrize("write", [write_npz, write_compressed, write_safetensors])
def test_the_same_data_in_another_format_have_the_same_hash(
    scene: Scene, write: Callable[[Path, Any, Any], tuple[str, str]], tmp_path: Path
) -> None:
    model = seal(scene, scene.trace(scene.network, "formats.pt"))
    name = "data.safetensors" if write is write_safetensors else "data.npz"
    inputs, targets = write(tmp_path / name, np.load(scene.inputs), np.load(scene.targets))
    result = evaluate(model, "--inputs", inputs, "--targets", targets)
    assert result.returncode == 0, result.stderr
    data = json.loads(model.with_suffix(".json").read_text())["data"]
    again = SealSpec(
        model=model,
        inputs=inputs,
        targets=targets,
        preprocessing=parse_preprocessing("divide=255"),
        replaces=True,
    )
    assert seal_model(again).manifest.data.inputs_sha256 == data["inputs_sha256"]
    altered = np.load(scene.inputs)
    altered[5, 1, 2, 3] ^= 1
    inputs, targets = write(tmp_path / name, altered, np.load(scene.targets))
    result = evaluate(model, "--inputs", inputs, "--targets", targets)
    assert result.returncode == 3
    assert "test inputs: expected those of the model's manifest" in result.stderr


def test_damaged_data_are_refused_in_one_line(scene: Scene, tmp_path: Path) -> None:
    model = scene.trace(scene.network, "damage.pt")
    archive = tmp_path / "data.npz"
    write_npz(archive, np.load(scene.inputs), np.load(scene.targets))
    content = archive.read_bytes()
    for altered in (content[:-1], content[:1000], content.replace(b"'|u1'", b"'|O1'", 1)):
        archive.write_bytes(altered)
        result = evaluate(model, "--no-manifest", "--inputs", archive, "--targets", archive)
        assert result.returncode == 3
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("manifest", [True, False], ids=["with manifest", "without"])
def test_networks_traced_in_training_mode_are_named(scene: Scene, manifest: bool) -> None:
    good = scene.trace(scene.network, "good.pt")
    networks = {
        "batchnorm": copy.deepcopy(scene.network).train(),
        "dropout": Wrapped(scene.network, nn.Identity(), FunctionalDropout()).eval(),
    }
    for name, network in networks.items():
        model = scene.trace(network, f"{name}.pt")
        options: tuple[str, ...] = ("--no-manifest", "--preprocess", "divide=255")
        if manifest:
            # Nobody can seal it, so the seal of another file is made to fit.
            seal(scene, good)
            model.with_suffix(".json").write_bytes(good.with_suffix(".json").read_bytes())
            seal_again(model)
            options = ()
        found = run_one(scene, model, *options)
        assert found["exit_code"] == 5
        assert found["training"] is True
        assert "training mode fixed in its graph" in found["reason"]
        assert found["depends_on_batch"] is (name == "batchnorm")
        assert found["deterministic"] is (name != "dropout")


def test_the_accuracy_of_guessing_gets_a_hint(scene: Scene) -> None:
    model = scene.trace(scene.network, "hint.pt")
    found = run_one(scene, model, "--no-manifest", "--preprocess", "divide=100000000")
    assert "the accuracy is near that of guessing" in found["hint"]
    assert run_one(scene, model, "--no-manifest", "--preprocess", "divide=255")["hint"] is None


def test_a_benchmark_prints_an_interval(scene: Scene) -> None:
    model = scene.trace(scene.network, "fast.pt")
    found = run_one(
        scene,
        model,
        *("--no-manifest", "--preprocess", "divide=255"),
        *("--benchmark", "--benchmark-seconds", 1, "--threads-per-model", 2),
    )
    benchmark = found["benchmark"]
    assert benchmark["low_seconds"] <= benchmark["median_seconds"] <= benchmark["high_seconds"]
    assert benchmark["repeats"] >= 10
    assert benchmark["inputs_per_second"] == pytest.approx(96 / benchmark["median_seconds"])


@pytest.mark.slow
def test_a_flat_mlp_agrees_in_cpp(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", generator.random((500, 784), dtype=np.float32))
    np.save(tmp_path / "y.npy", generator.integers(0, 10, 500))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    scene = Scene(tmp_path, network.eval())
    torch.jit.script(scene.network).save(str(tmp_path / "mlp.pt"))
    model = seal(scene, tmp_path / "mlp.pt", "")
    assert run_one(scene, model)["status"] == "agreed"


@pytest.mark.slow
def test_resnet18_agrees_in_cpp(tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 3, 224, 224), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", generator.integers(0, 1000, 6))
    torch.manual_seed(0)
    scene = Scene(tmp_path, torchvision.models.resnet18(weights=None).eval())
    torch.jit.script(scene.network).save(str(tmp_path / "resnet18.pt"))
    steps = "divide=255,normalize=0.485:0.456:0.406/0.229:0.224:0.225"
    model = seal(scene, tmp_path / "resnet18.pt", steps)
    found = run_one(scene, model)
    assert (found["status"], found["num_classes"]) == ("agreed", 1000)
    # Two threads, and one input at a time, add in another order.
    assert run_one(scene, model, "--threads-per-model", 2, "--batch-size", 1)["status"] == "agreed"
