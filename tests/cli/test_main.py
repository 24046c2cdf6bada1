import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from bnbench.cli import main
from bnbench.library.loggers import LOGGERS
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bnbench", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--variants", "basline"], ["expected some of baseline, batchnorm", "'basline'"]),
        (["--devices", "tpu"], ["devices: expected devices of this machine (cpu", "'tpu'"]),
        (["--seeds", "a-b"], ["seeds: expected", "0-4 or 0,3,7", "'a-b'"]),
        (["--epochs", "0"], ["epochs: expected a whole number of at least 1, got 0"]),
        (["--batch-size", "-3"], ["batch_size: expected", "got -3"]),
        (["--learning-rate", "0"], ["learning_rate: expected a number above 0"]),
        (["--batch-size", "59999"], ["batches of two images or more for batchnorm", "59999"]),
        (["--batch-size", "1"], ["batches of two images or more for batchnorm"]),
        (["--study", "gone.toml"], ["gone.toml: expected a study file"]),
        (["--threads", "0"], ["threads: expected"]),
        (["--study", "fair", "--learning-rate", "1"], ["learning_rate: expected none", "fair"]),
        (["--epochs", "three"], ["'three' is not a valid integer"]),
        (["--resume", "nowhere"], ["nowhere: expected a run folder"]),
        (["--resume", "nowhere", "--epochs", "3"], ["takes no --epochs"]),
        (["--log", "tensorbord"], ["'tensorbord' is not one of", "tensorboard"]),
        (["--frobnicate"], ["No such option"]),
    ],
)
def test_a_mistake_is_answered_in_a_line_or_two_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "run", *arguments) == 2
    errors = capsys.readouterr().err
    for word in words:
        assert word in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["history", "x.jsonl"], "No such command 'history'. Did you mean 'bnbench gate history'?"),
        (["rnu"], "Did you mean 'bnbench run'?"),
        (["gate", "certifi"], "Did you mean 'bnbench gate certify'?"),
        (["gate", "--base", "x"], "Did you mean 'bnbench gate check'?"),
        (["--seeds", "0-4"], "No such option '--seeds'. Did you mean 'bnbench run'?"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["--frobnicate"], "No such option"),
    ],
)
def test_an_old_or_mistyped_command_is_answered_with_the_one_there_is(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert words in capsys.readouterr().err


CHECK = ["gate", "check", "--base", "x"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gate", "--base", "x"], ["No such option '--base'", "Try 'bnbench gate --help'"]),
        (["gate", "check"], ["Missing option '--base'"]),
        (
            ["gate", "check", "--base", "x", "--max-slowdown", "-5"],
            ["max-slowdown: expected", "got -5"],
        ),
        (
            ["gate", "check", "--base", "x", "--false-alarms", "60"],
            ["false-alarms: expected", "below 50"],
        ),
        (
            ["gate", "check", "--base", "x", "--minutes", "0"],
            ["minutes: expected a number above 0"],
        ),
        (
            ["gate", "check", "--base", "x", "--measure-seconds", "0"],
            ["measure-seconds: expected a number above 0, got 0"],
        ),
        (CHECK, ["expected a folder inside a git repository"]),
        (["gate", "replay", "gone.jsonl"], ["gone.jsonl: expected a recording"]),
        (["gate", "history"], ["Missing argument"]),
        (["gate", "history", "gone.jsonl"], ["gone.jsonl: expected a history"]),
    ],
)
def test_a_mistake_at_the_gate_is_answered_in_a_line_or_two_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *arguments) == 2
    errors = capsys.readouterr().err
    for word in words:
        assert word in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", ["report", "verify"])
def test_a_folder_that_is_no_run_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
) -> None:
    assert run(monkeypatch, command, str(tmp_path)) == 2
    assert "expected a run folder, got no run.json" in capsys.readouterr().err


def test_a_runtime_nobody_knows_is_answered_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
) -> None:
    RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)
    assert run(monkeypatch, "verify", str(tmp_path / "run"), "--runtimes", "eagre") == 2
    errors = capsys.readouterr().err
    assert "runtimes: expected 'all' or some of eager, torchscript" in errors
    assert "got 'eagre'" in errors


def test_a_logger_that_is_not_installed_is_answered_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = dataclasses.replace(LOGGERS["mlflow"], package="no_such_package")
    monkeypatch.setitem(LOGGERS, "mlflow", missing)
    assert run(monkeypatch, "run", "--log", "mlflow") == 2
    errors = capsys.readouterr().err
    assert errors.startswith("bnbench: error: log: expected the package no_such_package for mlflow")
    assert "pip install 'bnbench[no_such_package]'" in errors
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_what_it_must_be_ends_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"short")
    assert run(monkeypatch, "data", "--data-dir", str(tmp_path)) == 2
    assert "expected all four files of FashionMNIST" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        *("run", "report", "open", "verify", "data", "compare", "diagnose"),
        *("gate", "gate check", "gate certify", "gate replay", "gate history"),
    ],
)
def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(monkeypatch, *command.split(), "--help") == 0
    assert f"Usage: bnbench {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["run", "--seeds", "x"],
        ["compare", "a", "b", "--map", "x"],
        ["gate", "--help"],
        ["gate", "check", "--help"],
        ["gate", "--base", "main"],
        ["--seeds", "0-4"],
        ["gate", "check", "--base", "main", "--max-slowdown", "-5"],
        ["gate", "certify", "--minutes", "0"],
        ["gate", "history", "--figure", "history.pdf", "history.jsonl"],
    ],
)
def test_help_and_mistakes_never_wait_for_torch(arguments: list[str]) -> None:
    program = (
        "import sys; from bnbench.cli import main\n"
        f"sys.argv = ['bnbench', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'scipy', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
