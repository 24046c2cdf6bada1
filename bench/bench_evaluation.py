"""Time to compute one exported model's accuracy on the 10,000 test images, per runtime."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench import _native
from bnbench.data import Dataset
from bnbench.models.export import make_model_files, write_model_files
from bnbench.models.manifest import read_manifest
from bnbench.models.runtimes.libtorch import find_binary
from bnbench.models.torch_network import compute_logits
from bnbench.networks import build_network
from bnbench.training.engines.interface import TrainedTrial


def count_correct(logits: torch.Tensor, dataset: Dataset) -> int:
    return int((logits.argmax(dim=1) == dataset.test.labels).sum())


def record(
    benchmark: BenchmarkFixture, environment: dict[str, object], model: Path, correct: int
) -> None:
    expected = read_manifest(model.with_suffix(".json")).expected.correct
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
        compute_logits, (network, fashion_mnist.test.inputs), rounds=20, warmup_rounds=3
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
        compute_logits, (network, fashion_mnist.test.inputs), rounds=20, warmup_rounds=3
    )
    record(benchmark, environment, model, count_correct(logits, fashion_mnist))


@pytest.mark.benchmark(group="evaluation")
def test_evaluate_cpp_in_process(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    images, labels = fashion_mnist.test.inputs.numpy(), fashion_mnist.test.labels.numpy()
    evaluation = benchmark.pedantic(
        _native.evaluate_model, (model, images, labels), rounds=20, warmup_rounds=3
    )
    record(benchmark, environment, model, evaluation["correct"])


LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure_peak_memory(command: list[str]) -> int:
    """Measure the peak resident memory of `command`, in bytes.

    A small process starts it, because a child's peak begins with the memory of its parent.
    """
    kilobytes = subprocess.check_output([sys.executable, "-S", "-c", LAUNCHER, *command])
    return int(kilobytes) * 1024


def run_and_record(
    benchmark: BenchmarkFixture, environment: dict[str, object], command: list[str]
) -> subprocess.CompletedProcess[str]:
    result: subprocess.CompletedProcess[str] = benchmark.pedantic(
        subprocess.run,
        (command,),
        {"capture_output": True, "text": True},
        rounds=5,
        warmup_rounds=1,
    )
    assert result.returncode == 0, result.stderr
    memory = measure_peak_memory(command)
    benchmark.extra_info |= {"environment": environment, "peak_memory_bytes": memory}
    return result


@pytest.mark.benchmark(group="evaluation, start to finish")
def test_evaluate_cpp_binary(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    command = [str(find_binary()), str(model), "--data", str(fashion_mnist.folder)]
    run_and_record(benchmark, environment, command)
    expected = read_manifest(model.with_suffix(".json")).expected.correct
    record(benchmark, environment, model, expected)


@pytest.mark.benchmark(group="evaluation, start to finish")
def test_evaluate_python_script(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    script = Path(__file__).with_name("first_accuracy.py")
    command = [sys.executable, str(script), str(model), str(fashion_mnist.folder)]
    result = run_and_record(benchmark, environment, command)
    record(benchmark, environment, model, int(result.stdout))


@pytest.mark.benchmark(group="evaluation of 100 models, start to finish")
def test_evaluate_cpp_binary_on_many_models(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    model: Path,
) -> None:
    command = [str(find_binary()), *[str(model)] * 100, "--data", str(fashion_mnist.folder)]
    run_and_record(benchmark, environment, command)


@pytest.mark.benchmark(group="export")
def test_export_model(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    trained: TrainedTrial,
    tmp_path: Path,
) -> None:
    benchmark.extra_info |= {"environment": environment}
    state = trained.state
    assert state is not None

    def export() -> Path:
        files = make_model_files(trained.record, state, fashion_mnist.name, fashion_mnist.test)
        return write_model_files(files, tmp_path)

    assert benchmark.pedantic(export, rounds=10, warmup_rounds=1).exists()
