"""``--data`` of ``bnbench data`` and ``bnbench run``, without training."""

from pathlib import Path

import numpy as np
import pytest
from click import Command
from click.testing import CliRunner

from bnbench.cli.data import data
from bnbench.cli.run import run
from bnbench.errors import SpecError
from bnbench.training.catalog import read_study_file


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    x, y = np.arange(32, dtype=np.uint8).reshape(8, 2, 2), np.arange(8) % 2
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    return tmp_path / "digits.npz"


def test_data_are_described_with_shape_scale_and_classes(digits: Path) -> None:
    result = CliRunner().invoke(data, ["--data", str(digits)])
    assert result.exit_code == 0
    first, training, test, classes = result.output.splitlines()
    assert first == f"digits.npz from {digits}"
    assert training.startswith("training: 8 inputs of 2 x 2, from 0 to 0.1216 with mean 0.0608 and")
    assert training.endswith(", 4 per class")
    assert test.startswith("test: 2 inputs of 2 x 2")
    assert classes == "2 classes: 0 to 1"


@pytest.mark.parametrize(
    ("command", "arguments", "text"),
    [
        (data, ["--data", "mnits"], "data: expected fashion-mnist, mnist"),
        (run, ["--data", "missing.npz"], "got no file or folder"),
        (run, ["--data", "digits.npz", "--data-dir", "."], "data-dir: expected none"),
    ],
    ids=["no such name", "no such file", "two places"],
)
def test_a_mistake_in_the_name_is_refused(
    command: Command,
    arguments: list[str],
    text: str,
    digits: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(digits.parent)
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, SpecError)
    assert text in str(result.exception)
    assert [path.name for path in digits.parent.iterdir()] == ["digits.npz"]


def test_a_path_in_a_study_file_begins_where_the_file_lies(digits: Path) -> None:
    (digits.parent / "study.toml").write_text('data = "digits.npz"\n')
    assert read_study_file(digits.parent / "study.toml").data == str(digits)


def test_a_wrong_path_in_a_study_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text('seeds = "0-1"\ndata = "digits.npz"\n')
    with pytest.raises(SpecError, match=r"study.toml, line 2: data: expected fashion-mnist"):
        read_study_file(tmp_path / "study.toml")
