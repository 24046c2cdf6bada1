"""What tests share: a tiny data set under a name that says so, and the real one."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset, LabeledInputs, load_fashion_mnist
from bnbench.models.export import make_model_files, write_model_files
from bnbench.recipes import RecipeSpec
from bnbench.records import DataRecord, EnvironmentRecord, EpochRecord, TrialRecord
from bnbench.specs import EngineName, StudySpec, TrialSpec, VariantSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver

# A shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Several threads that wait for each other over tiny arrays take minutes on a busy machine.
torch.set_num_threads(1)


def make_synthetic_images(num_images: int, seed: int) -> LabeledInputs:
    """Noise with a bright row that tells the class: learnable, and nothing like FashionMNIST."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (num_images,), generator=generator).to(torch.uint8)
    images = torch.randint(0, 64, (num_images, 28, 28), generator=generator).to(torch.uint8)
    images[torch.arange(num_images), labels.long() * 2 + 4] += 150
    # Hashes of the IDX files that `write_idx_files` makes of them.
    return LabeledInputs(
        images,
        labels,
        hashlib.sha256(encode_idx_images(images)).hexdigest(),
        hashlib.sha256(encode_idx_labels(labels)).hexdigest(),
    )


def encode_idx_images(images: torch.Tensor) -> bytes:
    header = b"\x00\x00\x08\x03" + b"".join(size.to_bytes(4, "big") for size in images.shape)
    return header + images.numpy().tobytes()


def encode_idx_labels(labels: torch.Tensor) -> bytes:
    return b"\x00\x00\x08\x01" + len(labels).to_bytes(4, "big") + labels.numpy().tobytes()


def write_idx_files(test: LabeledInputs, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t10k-images-idx3-ubyte").write_bytes(encode_idx_images(test.inputs))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(encode_idx_labels(test.labels))


@pytest.fixture(scope="session")
def synthetic_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    test = make_synthetic_images(100, seed=1)
    folder = tmp_path_factory.mktemp("synthetic-data")
    write_idx_files(test, folder)
    train = make_synthetic_images(330, seed=0)
    return Dataset("synthetic", train, test, folder, "made by the tests")


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    return load_fashion_mnist(download=False)


BASELINE = VariantSpec("baseline", hidden_sizes=(8, 6))
BATCHNORM = VariantSpec("batchnorm", hidden_sizes=(8, 6), normalization="batch")


@pytest.fixture
def small_study() -> StudySpec:
    recipe = RecipeSpec(epochs=2, batch_size=32, learning_rate=0.1)
    return StudySpec("small", (BASELINE, BATCHNORM), recipe, seeds=(0, 1, 2))


@pytest.fixture
def environment() -> EnvironmentRecord:
    return make_environment()


def make_environment() -> EnvironmentRecord:
    return EnvironmentRecord(
        cpu="a test's imagination",
        cores=2,
        threads=2,
        memory_bytes=2**34,
        devices={"cpu": "a test's imagination"},
        system="Linux",
        versions={"bnbench": "0", "torch": "0"},
        commit="abc123",
        started_at="2026-01-01T00:00:00+00:00",
    )


def make_epochs(accuracies: Sequence[float], train_seconds: float = 2.0) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(epoch, 1.0 / epoch, 1.1 / epoch, accuracy, train_seconds, 0.1)
        for epoch, accuracy in enumerate(accuracies, start=1)
    )


class FakeEngine:
    """Takes no time: its trials reach accuracies that depend on variant and seed alone."""

    def __init__(self, failing: Sequence[str] = (), interrupt_before: str | None = None) -> None:
        self.failing = failing
        self.interrupt_before = interrupt_before
        self.trained: list[TrialSpec] = []

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        for trial in trials:
            if trial.key == self.interrupt_before:
                raise KeyboardInterrupt
            self.trained.append(trial)
            on_trial(TrainedTrial(fake_record(trial, failed=trial.key in self.failing), None))


def fake_record(trial: TrialSpec, failed: bool = False) -> TrialRecord:
    start = 0.5 + 0.1 * (trial.variant.normalization == "batch") + 0.01 * trial.seed
    epochs = make_epochs([start + 0.05 * epoch for epoch in range(trial.recipe.epochs)])
    if failed:
        return TrialRecord(trial, "failed", epochs[:1], "diverged: a test said so")
    return TrialRecord(trial, "finished", epochs)


def export_model(
    record: TrialRecord, state: dict[str, torch.Tensor], test: LabeledInputs, folder: Path
) -> Path:
    """Write a trial's model and manifest; the path of the ``.pt`` file."""
    return write_model_files(make_model_files(record, state, "synthetic", test), folder)


REFERENCE: dict[str, EngineName] = {"cpu": "reference"}
SYNTHETIC = DataRecord("synthetic", num_train_images=330, num_test_images=100)


class SilentObserver:
    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None: ...
    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None: ...
    def finish_trial(self, record: TrialRecord) -> None: ...
