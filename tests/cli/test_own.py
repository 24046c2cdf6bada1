"""Own networks on the command line: mistakes end before anything is trained or written."""

import sys
from pathlib import Path

import pytest

from bnbench.cli import main
from bnbench.data import Dataset
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC
from tests.own_nets import NETWORKS, make_own_variant


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bnbench", "run", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synthetic_dataset: Dataset) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bnbench.data_readers.load_data", lambda *_: synthetic_dataset)
    (tmp_path / "nets.py").write_text(NETWORKS)
    return tmp_path


@pytest.mark.parametrize(
    ("variants", "error"),
    [
        ("gone.py:Net", "variants[0].module: expected own code at"),
        (
            "nets.py:SmallNN",
            "nets.py:SmallNN: expected the name of a class or function in the file (",
        ),
        ("no_package.nets:Net", "variants[0].module: expected own code at no_package.nets, got"),
        ("nets.py:", "module: expected FILE.py:NAME or package.module:NAME, got 'nets.py:'"),
        ("a/b=nets.py:Same", "name: expected letters, digits"),
        ("bad.py:Net", "bad.py:Net, line 2: expected code that can be imported, got NameError"),
        ("nets.py:SmallCNN,nets.py:SmallCNN", "variants: expected distinct values, got 'smallcnn'"),
    ],
    ids=lambda text: text,
)
def test_a_mistake_is_one_line_with_exit_code_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variants: str,
    error: str,
) -> None:
    (folder / "bad.py").write_text("x = 1\ny = z\n")
    before = sorted(folder.iterdir())
    assert run(monkeypatch, "--variants", variants) == 2
    errors = capsys.readouterr().err
    assert error in errors
    assert len(errors.splitlines()) == 1
    assert sorted(folder.iterdir()) == before


def test_a_run_whose_file_was_changed_is_not_resumed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: EnvironmentRecord,
) -> None:
    study = StudySpec("mine", (make_own_variant(folder, "SmallCNN"),), seeds=(0,))
    RunStore.create(folder / "run", study, REFERENCE, SYNTHETIC, environment)
    monkeypatch.setattr(EnvironmentRecord, "list_differences", lambda *_: [])
    with (folder / "own.py").open("a") as file:
        file.write("# edited\n")
    assert run(monkeypatch, "--resume", "run") == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "own.py: expected the code that is on record, SHA-256" in errors[0]
    assert errors[0].endswith("it was changed; restore it, or start a new run")
    assert (folder / "run" / "trials.jsonl").read_bytes() == b""
