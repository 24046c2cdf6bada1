"""``bnbench seal`` and ``bnbench verify MODEL``, as they are typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from bnbench.cli.exit_codes import run_to_exit_code
from bnbench.cli.main import cli
from bnbench.errors import BnbenchError
from tests.models.foreign import FunctionalDropout, Scene, Wrapped, make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("scene"))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def call_with_data(scene: Scene, command: str, *arguments: object) -> Result:
    return call(command, *arguments, "--inputs", scene.inputs, "--targets", scene.targets)


def test_one_screen_says_what_was_sealed_and_verify_takes_it(scene: Scene) -> None:
    model = scene.trace(scene.network, "cnn.pt")
    result = call_with_data(scene, "seal", model, "--preprocess", "divide=255")
    assert result.exit_code == 0, result.output
    for line in (
        f"sealed {model} in {model.with_suffix('.json')}",
        "  inputs    96 of uint8, 3x8x8 each; divide=255",
        "  output    logits (detected), 47 classes",
        "  accuracy  1.0000 (96 of 96 correct)",
        "  checked   finite; evaluation mode; the same alone, in other company and twice",
    ):
        assert line in result.output
    assert len(result.output.splitlines()) < 12

    result = call_with_data(scene, "verify", model, "--runtimes", "torchscript")
    assert result.exit_code == 0, result.output
    assert "bound: none (not covered)" in result.output
    assert "Verified: cnn.pt in torchscript: 96 predictions as in its manifest" in result.output


def test_a_model_that_no_longer_gives_its_predictions_ends_with_5(scene: Scene) -> None:
    from tests.cpp.program import rewrite_manifest

    model = scene.trace(scene.network, "other.pt")
    call_with_data(scene, "seal", model, "--preprocess", "divide=255")

    def change(content: dict) -> None:  # type: ignore[type-arg]
        content["expected"]["predictions"][0] = 5

    rewrite_manifest(model.with_suffix(".json"), change)
    result = call_with_data(scene, "verify", model, "--runtimes", "torchscript")
    assert result.exit_code == 5
    assert "1 of 96 that differ (input 0)" in result.output


def test_what_is_refused_is_refused_before_the_model_runs(scene: Scene, tmp_path: Path) -> None:
    model = scene.trace(scene.network, "refused.pt")
    for arguments in (
        ("seal", model, "--preprocess", "crop=3"),
        ("seal", tmp_path / "none.pt"),
        ("verify", model, "--manifest", tmp_path / "none.json"),
    ):
        result = call_with_data(scene, *arguments)  # type: ignore[arg-type]
        assert isinstance(result.exception, BnbenchError)
        assert result.exception.exit_code == 2
    assert call("verify", model, "--inputs", scene.inputs).exit_code == 2
    assert call("verify", tmp_path, "--inputs", scene.inputs).exit_code == 2
    assert call("seal", model).exit_code == 2


def test_a_file_that_was_altered_is_not_loaded(scene: Scene) -> None:
    model = scene.trace(scene.network, "altered.pt")
    call_with_data(scene, "seal", model, "--preprocess", "divide=255")
    content = model.read_bytes()
    model.write_bytes(content + b"x")
    result = call_with_data(scene, "verify", model)
    assert "expected the model of its manifest" in str(result.exception)


def test_a_faulty_model_ends_with_5(scene: Scene) -> None:
    network = Wrapped(scene.network, scene.network.net[2], FunctionalDropout()).eval()  # type: ignore[union-attr, index]
    model = scene.trace(network, "dropout.pt")

    def seal() -> None:
        result = call_with_data(scene, "seal", model, "--preprocess", "divide=255")
        assert result.exception is not None
        raise result.exception

    assert run_to_exit_code(seal) == 5


def test_inputs_of_one_number_each_are_sealed(tmp_path: Path) -> None:
    import torch
    from torch import nn

    np.save(tmp_path / "x.npy", np.arange(20, dtype=np.float32) - 10)
    np.save(tmp_path / "y.npy", (np.arange(20) > 10).astype(np.uint8))
    network = nn.Linear(1, 2)
    network.weight.data, network.bias.data = torch.tensor([[0.0], [1.0]]), torch.zeros(2)
    torch.jit.script(network.eval()).save(str(tmp_path / "m.pt"))
    scene = Scene(tmp_path, network)
    result = call_with_data(scene, "seal", tmp_path / "m.pt", "--preprocess", "reshape=1")
    assert result.exit_code == 0, result.output
    assert "20 of float32, one number each; reshape=1" in result.output
    assert "1.0000 (20 of 20 correct)" in result.output
