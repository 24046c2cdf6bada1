import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench import data_readers
from bnbench.cli import main
from bnbench.data import Dataset
from bnbench.models.reference import compute_logits
from bnbench.models.stored_network import read_stored_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BATCHNORM, export_model

ROOT = Path(__file__).parents[2]


@pytest.fixture
def models(
    synthetic_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """Two seeds of a model; the data set is the synthetic one."""
    monkeypatch.setattr(data_readers, "load_data", lambda *_: synthetic_dataset)
    trials = [TrialSpec(BATCHNORM, RecipeSpec(1, 32, 0.3), seed, "cpu") for seed in (0, 1)]
    paths = []
    for trained in train_all(ReferenceEngine(synthetic_dataset), trials):
        assert trained.state is not None
        paths.append(export_model(trained.record, trained.state, synthetic_dataset.test, tmp_path))
    return paths[0], paths[1]


@pytest.fixture
def logits(models: tuple[Path, Path], synthetic_dataset: Dataset) -> NDArray[np.float32]:
    network = read_stored_network(models[0].read_bytes())
    return compute_logits(network, synthetic_dataset.test.inputs.numpy()).astype(np.float32)


def diagnose(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bnbench", "diagnose", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_model_as_it_was_exported_is_agreed_to(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diagnose(monkeypatch, models[0]) == 0
    output = capsys.readouterr().out
    assert "the file that was exported, by its hash and by each of its 16 tensors" in output
    assert "of 100 predictions are the same in any runtime that rounds each" in output


def test_honest_logits_agree_and_their_differences_are_told(
    models: tuple[Path, Path],
    logits: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "logits.npy", logits)
    assert diagnose(monkeypatch, models[0], "--logits", tmp_path / "logits.npy") == 0
    output = capsys.readouterr().out
    assert "predictions: 100 of 100 are the same; 0 differ" in output
    assert "agreed: rounding explains every difference" in output


def test_logits_that_are_wrong_are_named_with_exit_code_5(
    models: tuple[Path, Path],
    logits: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "logits.npy", np.roll(logits, 1, axis=0))
    assert diagnose(monkeypatch, models[0], "--logits", tmp_path / "logits.npy") == 5
    assert "fault: images_shifted: every image has the logits" in capsys.readouterr().out


def test_the_command_that_an_unknown_fault_names_works(
    models: tuple[Path, Path],
    logits: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, logits.shape)
    np.save(tmp_path / "logits.npy", logits + noise)
    assert diagnose(monkeypatch, models[0], "--logits", tmp_path / "logits.npy") == 5
    output = capsys.readouterr().out
    assert "fault: unknown: " in output
    command = re.findall(r"'(bnbench diagnose [^']+)'", output)[-1]
    pages = re.findall(r"docs/[\w-]+\.md", output)
    assert pages
    for page in pages:
        assert "--layers layers.npz" in (ROOT / page).read_text()
    monkeypatch.chdir(tmp_path)
    assert diagnose(monkeypatch, *shlex.split(command)[2:]) == 0
    with np.load(tmp_path / "layers.npz") as layers:
        assert layers[layers.files[-1]].shape == logits.shape


def test_a_count_of_shifted_labels_is_named_with_exit_code_5(
    models: tuple[Path, Path],
    logits: NDArray[np.float32],
    synthetic_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "logits.npy", logits)
    labels = synthetic_dataset.test.labels.numpy()
    correct = int((logits.argmax(axis=1) == labels + 1).sum())
    options = ["--logits", tmp_path / "logits.npy", "--correct", correct]
    assert diagnose(monkeypatch, models[0], *options) == 5
    assert "fault: labels_shifted: " in capsys.readouterr().out
    assert diagnose(monkeypatch, models[0], "--correct", correct) == 2


def test_another_models_manifest_is_named_with_exit_code_5(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = models
    assert diagnose(monkeypatch, first, "--manifest", second.with_suffix(".json")) == 5
    output = capsys.readouterr().out
    assert (
        f"fault: foreign_manifest: the file is another model's: it is the one that {first.stem}"
        in output
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((100, 9), np.float32), "expected logits of shape (100, 10)"),
        (np.zeros((100, 10), np.int64), "expected floating-point numbers, got int64"),
        (
            np.full((100, 10), np.nan, np.float32),
            "got 1000 that are not, the first nan at [0, 0]",
        ),
        (np.array([{}]), "expected logits in NumPy's .npy format"),
    ],
)
def test_logits_that_cannot_be_used_are_refused_with_exit_code_2(
    models: tuple[Path, Path],
    array: NDArray[np.generic],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "logits.npy", array, allow_pickle=True)
    assert diagnose(monkeypatch, models[0], "--logits", tmp_path / "logits.npy") == 2
    assert words in capsys.readouterr().err


def test_a_model_or_a_manifest_that_is_gone_is_refused_with_exit_code_2(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diagnose(monkeypatch, "gone.pt") == 2
    assert "gone.pt: expected a model's file" in capsys.readouterr().err
    models[0].with_suffix(".json").unlink()
    assert diagnose(monkeypatch, models[0]) == 2
    assert "expected a manifest, got none" in capsys.readouterr().err
