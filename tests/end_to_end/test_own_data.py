"""Digits of 8 x 8 pixels from an ``.npz`` file: trained, tuned, exported, verified and reported."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.end_to_end.conftest import FinishedRun, run_bnbench

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own-data")]

STUDY = """
data = "{data}"
seeds = "0-2"
engine = "{engine}"
timing = {{ num_pairs = 1 }}
[recipe]
epochs = 4
batch_size = 32
[tuning]
learning_rates = [0.05, 0.2]
seeds = [100]
"""


def make_digits(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Noisy copies of ten patterns of 8 x 8 gray values in [0, 1], as scikit-learn's digits are."""
    patterns = np.random.default_rng(0).integers(0, 17, (10, 8, 8))
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    noisy = patterns[labels] + random.normal(0, 4, (count, 8, 8))
    return (np.clip(noisy, 0, 16) / 16).astype(np.float32), labels


def save_digits(path: Path, seed: int = 1) -> None:
    (x_train, y_train), (x_test, y_test) = make_digits(600, seed), make_digits(200, seed + 1)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


@pytest.fixture(scope="module", params=["native", "reference"])
def digits_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    folder = tmp_path_factory.mktemp("digits")
    save_digits(folder / "digits.npz")
    (folder / "study.toml").write_text(STUDY.format(data="digits.npz", engine=request.param))
    # From another folder: the path in a study file begins where the file lies.
    process = run_bnbench("run", "--study", folder / "study.toml", "--out", folder / "run")
    assert process.returncode == 0, process.stderr
    return FinishedRun(folder / "run", process)


def read_accuracies(run: FinishedRun, name: str = "epochs.csv") -> list[float]:
    with (run.folder / name).open(newline="") as file:
        return [float(row["test_accuracy"]) for row in csv.DictReader(file)]


def test_the_networks_learn_and_all_models_are_verified(digits_run: FinishedRun) -> None:
    assert len(read_accuracies(digits_run)) == 2 * 3 * 4
    assert np.mean(read_accuracies(digits_run)[3::4]) > 0.9
    assert len(read_accuracies(digits_run, "tuning.csv")) == 2 * 2 * 2 * 4
    last = digits_run.process.stdout.strip().splitlines()[-1]
    assert last.startswith(
        "Verified: 6 models in eager, torchscript, libtorch: all 3,600 predictions agree"
    )


def test_the_record_says_what_the_data_are(digits_run: FinishedRun) -> None:
    run = json.loads((digits_run.folder / "run.json").read_text())
    assert run["study"]["data"] == str(digits_run.folder.parent / "digits.npz")
    data = run["data"]
    assert (data["input_shape"], data["num_classes"], data["input_dtype"]) == (
        [1, 8, 8],
        10,
        "float32",
    )
    assert {len(sha256) for sha256 in data["sha256"].values()} == {64}


def test_the_report_describes_these_data(digits_run: FinishedRun) -> None:
    text = (digits_run.folder / "report.md").read_text()
    assert "on digits.npz" in text
    assert "64 → 64 → 32 → 10" in text
    assert "The 600 training images are 1 × 8 × 8 numbers as they are" in text
    assert "100 training images were held back for validation" in text
    assert "Xiao, Rasul" not in text
    assert (digits_run.folder / "mistakes.png").exists()
    inspection = json.loads((digits_run.folder / "inspection.json").read_text())
    assert inspection["image_size"] == [8, 8]


def test_other_data_are_refused_and_moved_ones_found(
    digits_run: FinishedRun, tmp_path: Path
) -> None:
    folder, data = digits_run.folder, digits_run.folder.parent / "digits.npz"
    moved = tmp_path / "moved.npz"
    shutil.move(data, moved)
    try:
        gone = run_bnbench("verify", folder)
        assert gone.returncode == 2
        assert "got no file or folder" in gone.stderr
        found = run_bnbench("verify", folder, "--data", moved)
        assert found.returncode == 0, found.stderr
        save_digits(data, seed=5)
        for command in (["verify", folder], ["run", "--resume", folder]):
            other = run_bnbench(*command)
            assert other.returncode == 2
            assert len(other.stderr.strip().splitlines()) == 1
            assert "got that the values of train inputs and test inputs changed" in other.stderr
    finally:
        shutil.move(moved, data)


@pytest.mark.slow
def test_features_of_a_function_with_three_classes(tmp_path: Path) -> None:
    (tmp_path / "flowers.py").write_text(
        "import numpy as np\n"
        "def load():\n"
        "    def make(count, seed):\n"
        "        labels = np.arange(count) % 3\n"
        "        noise = np.random.default_rng(seed).normal(0, 0.3, (count, 4))\n"
        "        return np.eye(3, 4)[labels] + noise, labels\n"
        "    return *make(120, 1), *make(60, 2), ['setosa', 'versicolor', 'virginica']\n"
    )
    process = run_bnbench(
        *("run", "--data", "flowers.py:load", "--seeds", "0-1", "--epochs", 3),
        *("--batch-size", 8, "--learning-rate", 0.1, "--no-timing", "--out", "run"),
        cwd=tmp_path,
    )
    assert process.returncode == 0, process.stderr
    text = (tmp_path / "run" / "report.md").read_text()
    assert "4 → 64 → 32 → 3" in text
    assert "of test inputs right" in text
    assert "setosa" in text
    assert not (tmp_path / "run" / "disagreements.png").exists()
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["data"]["class_names"] == ["setosa", "versicolor", "virginica"]
    assert len(run["data"]["source_sha256"]) == 64


def test_what_cannot_be_trained_on_is_one_line_and_leaves_no_run(tmp_path: Path) -> None:
    x_train, y_train = make_digits(60, 1)
    x_train[7, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", x_train=x_train, y_train=y_train, x_test=x_train, y_test=y_train)
    process = run_bnbench("run", "--data", tmp_path / "nan.npz", "--out", tmp_path / "run")
    assert process.returncode == 2
    assert process.stderr.startswith("bnbench: error: ")
    assert "x_train: expected finite numbers within float32, got nan in input 7" in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_bnbench_data_describes_them(tmp_path: Path) -> None:
    save_digits(tmp_path / "digits.npz")
    process = run_bnbench("data", "--data", "digits.npz", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "training: 600 inputs of 8 x 8, from 0 to 1 with mean" in process.stdout
    assert "60 per class" in process.stdout
    assert "10 classes: 0 to 9" in process.stdout
