"""``bnbench-eval-portable`` on networks that bnbench did not make, beside PyTorch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from bnbench.models.preprocessing import parse_preprocessing
from bnbench.models.runtimes.program import find_program
from bnbench.models.sealing import SealSpec, seal_model

Networks = Callable[[], nn.Module]


class Bytes(nn.Module):
    """Takes bytes, and scales and normalizes them itself."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 5)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = (images.float() / 255 - self.mean) / 0.3
        logits: torch.Tensor = self.linear(values.view(values.size(0), -1))
        return logits


class Labels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(20, 9)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.argmax(self.linear(values), dim=1)


class Joined(nn.Module):
    """Branches that are joined, cut, filled and returned under names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 4), nn.Linear(8, 3)

    def forward(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        joined = torch.cat([self.first(values), values[:, 2:] * 2 + 1], dim=1)
        logits = self.second(functional.hardswish(joined))
        return {"probabilities": logits.softmax(-1), "logits": logits}


def make_cnn(num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding="same"),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 16, (3, 5), stride=(2, 1), dilation=(1, 2), groups=4, padding=(1, 4)),
        nn.GELU("tanh"),
        nn.AvgPool2d(2, padding=1, count_include_pad=False),
        nn.LayerNorm([16, 3, 6]),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(96, num_classes),
    )


def make_bfloat16() -> nn.Sequential:
    return nn.Sequential(nn.Linear(30, 20), nn.SiLU(), nn.Linear(20, 4)).to(torch.bfloat16)


def randomize(network: nn.Module) -> nn.Module:
    """Statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def export(network: nn.Module, inputs: torch.Tensor, path: Path, decompose: bool = False) -> Path:
    program = torch.export.export(
        network, (inputs[:2],), dynamic_shapes=({0: torch.export.Dim("n")},)
    )
    if decompose:
        program = program.run_decompositions()
    torch.export.save(program, path)
    return path


def run_program(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(find_program("bnbench-eval-portable")), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode >= 0, f"ended by signal {-result.returncode}"
    return result


def evaluate(
    model: Path, inputs: torch.Tensor, folder: Path, *options: object
) -> tuple[dict[str, Any], NDArray[Any]]:
    """What the program says of a model, and its output for `inputs`."""
    np.save(folder / "inputs.npy", inputs.numpy())
    outputs = folder / "outputs.npy"
    files = ("--inputs", folder / "inputs.npy", "--logits", outputs)
    result = run_program(model, "--no-manifest", *files, "--json", *options)
    answer = json.loads(result.stdout)
    assert result.returncode == 0, answer
    (record,) = answer["models"]
    return record, np.load(outputs)


@pytest.mark.parametrize("decompose", [False, True], ids=["as exported", "decomposed"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        pytest.param(lambda: make_cnn(47), (1, 20, 22), id="47 classes"),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10)),
            (784,),
            id="flat inputs",
        ),
    ],
)
def test_networks_give_the_logits_that_pytorch_gives(
    make: Networks, shape: tuple[int, ...], decompose: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network, inputs = randomize(make()), torch.rand(50, *shape)
    model = export(network, inputs, tmp_path / "m.pt2", decompose)
    record, found = evaluate(model, inputs, tmp_path)
    with torch.inference_mode():
        expected = network.double()(inputs.double()).numpy()
    assert record["output"] == "logits"
    assert np.abs(found - expected).max() < 1e-5


def test_a_network_that_wants_bytes_gets_bytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Bytes().eval()
    inputs = torch.randint(256, (20, 3, 2, 2), dtype=torch.uint8)
    _, found = evaluate(export(network, inputs, tmp_path / "m.pt2"), inputs, tmp_path)
    with torch.inference_mode():
        assert np.abs(found - network(inputs).numpy()).max() < 1e-5


def test_a_network_that_returns_labels_gives_labels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, inputs = Labels().eval(), torch.randn(40, 20)
    model = export(network, inputs, tmp_path / "m.pt2")
    predictions = tmp_path / "predictions.npy"
    np.save(tmp_path / "inputs.npy", inputs.numpy())
    np.save(tmp_path / "targets.npy", network(inputs).numpy())
    files = ("--inputs", tmp_path / "inputs.npy", "--targets", tmp_path / "targets.npy")
    options = ("--no-manifest", "--predictions", predictions, "--json")
    (record,) = json.loads(run_program(model, *files, *options).stdout)["models"]
    assert (record["output"], record["correct"]) == ("labels", 40)
    assert np.array_equal(np.load(predictions).ravel(), network(inputs).numpy())


def test_a_network_in_bfloat16_is_within_its_rounding(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, inputs = make_bfloat16().eval(), torch.randn(40, 30)
    model = export(network, inputs.to(torch.bfloat16), tmp_path / "m.pt2")
    _, found = evaluate(model, inputs, tmp_path, "--preprocess", "cast=bfloat16")
    with torch.inference_mode():
        expected = network(inputs.to(torch.bfloat16)).float().numpy()
    assert np.abs(found - expected).max() <= 2**-7 * np.abs(expected).max()
    assert np.array_equal(found, torch.tensor(found).to(torch.bfloat16).float().numpy())


@pytest.mark.parametrize("element", ["logits", "1"])
def test_one_of_several_outputs_is_chosen_by_key_or_position(element: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, inputs = Joined().eval(), torch.randn(10, 6)
    model = export(network, inputs, tmp_path / "m.pt2")
    _, found = evaluate(model, inputs, tmp_path, "--element", element)
    with torch.inference_mode():
        assert np.abs(found - network(inputs)["logits"].numpy()).max() < 1e-5


def test_results_depend_neither_on_batch_size_nor_on_threads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, inputs = randomize(make_cnn(10)), torch.rand(70, 1, 20, 22)
    model = export(network, inputs, tmp_path / "m.pt2")
    _, expected = evaluate(model, inputs, tmp_path)
    for options in (("--batch-size", 1), ("--batch-size", 33), ("--threads-per-model", 3)):
        _, found = evaluate(model, inputs, tmp_path, *options)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(
            lambda: nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)).train(),
            "that changes nothing of its own as it runs, as in evaluation mode",
            id="batch normalization",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)).train(),
            "dropout in evaluation mode, got one exported in training mode",
            id="dropout",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(6, 6), nn.Softmax(0)).eval(),
            "operators that treat each input alone, got one across the batch dimension",
            id="across the batch",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(6, 6), nn.Softsign()).eval(),
            "an operator that this program knows, got an unknown one",
            id="an unknown operator",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(
    make: Networks, text: str, tmp_path: Path
) -> None:
    inputs = torch.rand(4, 6)
    model = export(make(), inputs, tmp_path / "m.pt2")
    np.save(tmp_path / "inputs.npy", inputs.numpy())
    result = run_program(model, "--no-manifest", "--inputs", tmp_path / "inputs.npy")
    assert result.returncode == 4
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


def make_resnet18() -> nn.Module:
    from torchvision import models

    network: nn.Module = models.resnet18(weights=None)
    return network


@pytest.mark.parametrize(
    ("make", "inputs", "preprocessing"),
    [
        pytest.param(lambda: make_cnn(47), torch.rand(40, 1, 20, 22), "", id="47 classes"),
        pytest.param(lambda: nn.Linear(784, 10), torch.rand(40, 784), "", id="flat inputs"),
        pytest.param(Bytes, torch.arange(480).view(40, 3, 2, 2).to(torch.uint8), "", id="bytes"),
        pytest.param(Labels, torch.rand(40, 20), "", id="labels"),
        pytest.param(make_bfloat16, torch.rand(40, 30), "cast=bfloat16", id="bfloat16"),
        pytest.param(
            make_resnet18, torch.rand(2, 3, 224, 224), "", id="resnet18", marks=pytest.mark.slow
        ),
    ],
)
def test_a_network_that_was_sealed_in_python_agrees_without_libtorch(
    make: Networks, inputs: torch.Tensor, preprocessing: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = randomize(make())
    given = inputs.to(torch.bfloat16) if preprocessing else inputs
    model = export(network, given, tmp_path / "m.pt2")
    with torch.inference_mode():
        found = network(given)
    targets = found if found.dtype == torch.int64 else found.float().argmax(1)
    np.save(tmp_path / "x.npy", inputs.numpy())
    np.save(tmp_path / "y.npy", targets.numpy())
    seal_model(
        SealSpec(
            model=model,
            inputs=str(tmp_path / "x.npy"),
            targets=str(tmp_path / "y.npy"),
            preprocessing=parse_preprocessing(preprocessing),
        )
    )
    files = ("--inputs", tmp_path / "x.npy", "--targets", tmp_path / "y.npy")
    result = run_program(model, *files)
    assert result.returncode == 0, result.stderr
    assert "agrees: same file, same correct count, same predictions" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_a_network_of_torchvision_gives_the_logits_that_pytorch_gives(
    name: str, tmp_path: Path
) -> None:
    from torchvision import models

    torch.manual_seed(0)
    network, inputs = randomize(getattr(models, name)(weights=None)), torch.rand(4, 3, 224, 224)
    model = export(network, inputs, tmp_path / "m.pt2")
    _, found = evaluate(model, inputs, tmp_path)
    with torch.inference_mode():
        expected = network.double()(inputs.double()).numpy()
    assert found.shape == (4, 1000)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
