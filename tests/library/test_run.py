"""A run as an object: what it reads, shows and verifies."""

import csv
import types
from pathlib import Path

import pytest

import bnbench
from bnbench.data import Dataset
from bnbench.errors import RunError
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.series import SeriesSpec, create_series
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.study import run_study
from tests.conftest import REFERENCE, SYNTHETIC, SilentObserver, fake_record, make_environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, synthetic_dataset: Dataset) -> Path:
    """Two variants and two seeds, trained; nobody changes it."""
    variants = (
        bnbench.Variant("baseline", hidden_sizes=(8,)),
        bnbench.Variant("batchnorm", hidden_sizes=(8,), normalization="batch"),
    )
    recipe = bnbench.Recipe(epochs=2, batch_size=32, learning_rate=0.1)
    study = StudySpec("small", variants, recipe, seeds=(0, 1))
    store = RunStore.create(
        tmp_path_factory.mktemp("runs") / "run", study, REFERENCE, SYNTHETIC, make_environment()
    )
    run_study(store, synthetic_dataset, SilentObserver(), InProcessExecutor(1))
    return store.folder


def test_epochs_are_a_table_of_the_scored_trials(folder: Path) -> None:
    epochs = bnbench.open_run(folder).epochs
    assert len(epochs) == 2 * 2 * 2
    assert list(epochs.columns[:5]) == ["variant", "learning_rate", "seed", "device", "engine"]
    assert epochs["test_accuracy"].between(0, 1).all()
    assert set(epochs.query("variant == 'batchnorm'")["epoch"]) == {1, 2}
    assert bnbench.open_run(folder).read_epochs("tune").empty


def test_a_run_says_what_it_is(folder: Path) -> None:
    run = bnbench.open_run(str(folder))
    assert repr(run) == f"Run('{folder}': small, 4 scored trials finished)"
    assert run.study.name == "small"


def test_models_are_those_of_the_scored_trials_with_their_accuracy(folder: Path) -> None:
    run = bnbench.open_run(folder)
    model = run.models[1]
    assert len(run.models) == 4
    assert model.path.exists()
    assert (model.variant, model.seed) == ("baseline", 1)
    last = run.epochs.query("variant == 'baseline' and seed == 1 and epoch == 2")
    assert model.accuracy == last["test_accuracy"].item()
    assert repr(model) == f"Model('baseline-seed1-cpu.pt': accuracy {model.accuracy:.2%})"


def test_a_model_is_verified_without_changing_the_run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, synthetic_dataset: Dataset
) -> None:
    monkeypatch.setattr("bnbench.data_readers.load_data", lambda *_: synthetic_dataset)
    before = sorted(path.name for path in folder.iterdir())
    (verdict,) = bnbench.open_run(folder).models[0].verify(["eager"])
    assert (verdict.status, verdict.total, verdict.runtime) == ("agreed", 100, "eager")
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.slow
def test_a_run_shows_its_answer_and_figures_until_it_changes(
    monkeypatch: pytest.MonkeyPatch, folder: Path, synthetic_dataset: Dataset
) -> None:
    monkeypatch.setattr("bnbench.data_readers.load_data", lambda *_: synthetic_dataset)
    run = bnbench.open_run(folder)
    headline = "Whether batch normalization is ahead is open"
    assert run.answer.startswith(headline)
    shown = run._repr_html_()
    assert headline in shown
    assert shown.count("<details open>") == 1
    assert shown.count('<img src="data:image/png;base64,') >= 2
    assert "<script" not in shown
    # Only what is in the folder is read: nothing was written yet.
    assert not (folder / "report.html").exists()
    with monkeypatch.context() as patch:
        patch.setattr("bnbench.library.run.make_report", None)  # it is not made again
        assert run._repr_html_() == shown
    text = run._repr_markdown_()
    assert text.startswith("# baseline and batchnorm on synthetic")
    assert "##" not in text
    verdicts = run.verify(["eager", "torchscript"])
    assert [verdict.status for verdict in verdicts] == ["agreed"] * 8
    assert "eager" in run.answer
    page = run.report()
    assert page == folder / "report.html"
    assert headline in page.read_text()
    with (folder / "verification.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 8


def test_the_answer_is_made_anew_when_the_run_gets_a_trial(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
) -> None:
    def make(_store: RunStore, records: list[TrialRecord]) -> types.SimpleNamespace:
        answer = (f"{len(records)} trials", "made once")
        return types.SimpleNamespace(content=types.SimpleNamespace(answer=answer))

    monkeypatch.setattr("bnbench.library.run.make_report", make)
    store = RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)
    run = bnbench.open_run(store.folder)
    assert run.answer == "0 trials\n\nmade once"
    with store.locked():
        store.append_trial(fake_record(small_study.list_scored_trials(REFERENCE)[0]))
    assert run.answer == "1 trials\n\nmade once"


def test_a_series_is_answered_with_the_runs_in_it(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    series = SeriesSpec("mine", (small_study,))
    create_series(tmp_path / "mine", series, [REFERENCE], SYNTHETIC, environment)
    with pytest.raises(RunError, match="expected a run, got a series; .*/mine/small"):
        bnbench.open_run(tmp_path / "mine")
    assert bnbench.open_run(tmp_path / "mine" / "small").epochs.empty
