"""The accuracy of one exported model on the 10,000 test images, in every runtime."""

import io
import subprocess
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench import _native
from bnbench.data import Dataset
from bnbench.engines.interface import TrainedTrial
from bnbench.exporting import export_model
from bnbench.manifests import read_manifest
from bnbench.networks import build_network
from bnbench.runtimes.eager import compute_logits
from bnbench.runtimes.libtorch import find_binary


def count_correct(logits: torch.Tensor, dataset: Dataset) -> int:
    return int((logits.argmax(dim=1) == dataset.test.labels).sum())


def record(
    benchmark: BenchmarkFixture, environment: dict[str, object], model: Path, correct: int
) -> None:
    expected = read_manifest(model.with_suffix(".json"))["expected"]["correct"]
    benchmark.extra_info |= {"environment": environment, "test_accuracy": correct / 10_000}
    assert correct == expected


@pytest.mark.benchmark(group="evaluation")
def test_evaluate_eager(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    trained: TrainedTrial,
    model: Path,
) -> None:
    network = build_network(trained.record.trial.variant)
    assert trained.state is not None
    network.load_state_dict(trained.state)
    network.eval()
    logits = benchmark.pedantic(
        compute_logits, (network, fashion_mnist.test.images), rounds=20, warmup_rounds=3
    )
    record(benchmark, environment, model, count_correct(logits, fashion_mnist))


@pytest.mark.benchmark(group="evaluation")
def test_evaluate_torchscript(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    network = torch.jit.load(io.BytesIO(model.read_bytes()))
    logits = benchmark.pedantic(
        compute_logits, (network, fashion_mnist.test.images), rounds=20, warmup_rounds=3
    )
    record(benchmark, environment, model, count_correct(logits, fashion_mnist))


@pytest.mark.benchmark(group="evaluation")
def test_evaluate_cpp_in_process(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    images, labels = fashion_mnist.test.images.numpy(), fashion_mnist.test.labels.numpy()
    evaluation = benchmark.pedantic(
        _native.evaluate_model, (model, images, labels), rounds=20, warmup_rounds=3
    )
    record(benchmark, environment, model, evaluation["correct"])


@pytest.mark.benchmark(group="evaluation, start to finish")
def test_evaluate_cpp_binary(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    command = [find_binary(), model, "--data", str(fashion_mnist.folder)]
    result = benchmark.pedantic(
        subprocess.run,
        (command,),
        {"capture_output": True, "text": True},
        rounds=10,
        warmup_rounds=1,
    )
    assert result.returncode == 0, result.stderr
    expected = read_manifest(model.with_suffix(".json"))["expected"]["correct"]
    record(benchmark, environment, model, expected)


@pytest.mark.benchmark(group="export")
def test_export_model(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    trained: TrainedTrial,
    tmp_path: Path,
) -> None:
    benchmark.extra_info |= {"environment": environment}
    assert trained.state is not None
    path = benchmark.pedantic(
        export_model,
        (trained.record, trained.state, fashion_mnist.name, fashion_mnist.test, tmp_path),
        rounds=10,
        warmup_rounds=1,
    )
    assert path.exists()
