import dataclasses
import json
import sys
from pathlib import Path

import pytest

from bnbench.cli import main
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC, fake_record


@pytest.fixture
def runs(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of two runs, a and b, of the same trials; the second of b's variants is 'bn'."""
    baseline, batchnorm = small_study.variants
    renamed = (baseline, dataclasses.replace(batchnorm, name="bn"))
    for name, variants in (("a", small_study.variants), ("b", renamed)):
        study = dataclasses.replace(small_study, variants=variants)
        store = RunStore.create(tmp_path / name, study, REFERENCE, SYNTHETIC, environment)
        with store.locked():
            for trial in study.list_scored_trials(REFERENCE, None):
                store.append_trial(fake_record(trial))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compare(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bnbench", "compare", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_identical_runs_are_said_to_be_identical(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(monkeypatch, "a", "b", "--map", "batchnorm=bn") == 0
    output = capsys.readouterr().out
    assert "verdict on the second: identical" in output
    assert "Identical: all 6 trials of both runs have the same losses and accuracies" in output
    assert compare(monkeypatch, "a", "b") == 0
    output = capsys.readouterr().out
    assert "not compared: bn on cpu: only the second run has trials of it" in output
    assert "Identical:" not in output


def test_the_figures_are_printed_or_written_as_json(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(monkeypatch, "a", "b", "--json", "-") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["format_version"] == 1
    assert compare(monkeypatch, "a", "b", "--json", "figures.json") == 0
    assert "verdict on the second" in capsys.readouterr().out
    assert (runs / "figures.json").read_text() == printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--map", "batchnorm"], "expected NAME_IN_A=NAME_IN_B, got 'batchnorm'"),
        (["--map", "batchnorm="], "expected NAME_IN_A=NAME_IN_B, got 'batchnorm='"),
        (["--map", "a=b", "--map", "a=c"], "expected a once, got it twice"),
        (["--map", "batchnrom=bn"], "first run (baseline, batchnorm), got 'batchnrom'"),
        (["--map", "batchnorm=nb"], "second run (baseline, bn), got 'nb'"),
        (["--json", "gone/figures.json"], "gone/figures.json: expected"),
    ],
    ids=["no pair", "empty", "twice", "not in the first", "not in the second", "no folder"],
)
def test_a_mistake_is_answered_with_exit_code_2(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert compare(monkeypatch, "a", "b", *arguments) == 2
    assert words in capsys.readouterr().err
