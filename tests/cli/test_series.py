"""A series by the real command on tiny data, with an engine that takes no time."""

import contextlib
import dataclasses
import json
import shlex
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from bnbench.cli import main
from bnbench.data import Dataset
from bnbench.library.loggers import LOGGERS, LoggerEntry
from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.series import SeriesSpec
from bnbench.specs import StudySpec, TrialSpec, TuningSpec
from bnbench.store import RunStore
from bnbench.training.catalog import SERIES
from bnbench.training.engines.interface import EpochObserver, TrialReceiver
from bnbench.training.executors import EXECUTORS
from bnbench.training.executors.in_process import InProcessExecutor
from tests.conftest import FakeEngine


class CountingEngine(FakeEngine):
    """Interrupts itself before one trial, counted from 0 over all studies."""

    interrupt_at: int | None = None

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        for trial in trials:
            if len(self.trained) == self.interrupt_at:
                raise KeyboardInterrupt
            super().train([trial], on_epoch, on_trial)


@dataclasses.dataclass
class Bench:
    """Where a test runs the program, and what its fakes were asked for."""

    folder: Path
    engine: CountingEngine
    monkeypatch: pytest.MonkeyPatch
    num_loads: int = 0
    verified: list[str] = dataclasses.field(default_factory=list)

    def run(self, *arguments: object) -> int:
        self.monkeypatch.setattr(sys, "argv", ["bnbench", *map(str, arguments)])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0


@pytest.fixture
def bench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_study: StudySpec,
    synthetic_dataset: Dataset,
) -> Iterator[Bench]:
    """The series ``tiny``: a study at one rate (6 trials) and a tuned one (20 + 6)."""
    study = dataclasses.replace(small_study, engine="reference")
    tuning = TuningSpec(
        (0.1, 1.0), (7, 8, 9, 10), 50, num_first_seeds=2, refine=True, num_finalists=1
    )
    tuned = dataclasses.replace(
        study,
        name="tuned",
        recipe=RecipeSpec(epochs=3, batch_size=32, schedule="linear"),
        tuning=tuning,
    )
    monkeypatch.setitem(SERIES, "tiny", SeriesSpec("tiny", (study, tuned), verified=("small",)))
    found = Bench(tmp_path / "series", CountingEngine(), monkeypatch)

    def load(_data: str, _data_dir: Path | None) -> Dataset:
        found.num_loads += 1
        return synthetic_dataset

    def open_executor(_address: str | None, _threads: int | None) -> object:
        make = lambda _name, _dataset, _threads: found.engine  # noqa: E731
        return contextlib.nullcontext(InProcessExecutor(1, make))

    def verify(store: RunStore, *_: object) -> list[object]:
        found.verified.append(store.folder.name)
        store.write_bytes("verification.csv", b"")
        return []

    monkeypatch.setattr("bnbench.data_readers.load_data", load)
    monkeypatch.setattr("bnbench.models.runtimes.libtorch.find_binary", lambda: None)
    monkeypatch.setattr("bnbench.library.verification.verify_models", verify)
    monkeypatch.setattr("bnbench.reporting.report.write_report", FakeReport())
    monkeypatch.setattr(
        "bnbench.reporting.series.write_series_report", lambda folder: f"the answer of {folder}"
    )
    executor = dataclasses.replace(EXECUTORS["in-process"], open=open_executor)
    monkeypatch.setitem(EXECUTORS, "in-process", executor)
    threads = torch.get_num_threads()
    yield found
    torch.set_num_threads(threads)


class FakeReport:
    """Stands for a report and its content, and makes it."""

    answer = ("a headline.",)

    @property
    def content(self) -> "FakeReport":
        return self

    def __call__(self, store: RunStore, _records: object) -> "FakeReport":
        store.write_bytes("summary.json", b"{}")
        return self


def test_each_study_of_a_series_becomes_a_run_in_a_folder_of_its_own(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 0
    content = json.loads((bench.folder / "series.json").read_text())
    assert content == {
        "name": "tiny",
        "runs": ["small", "tuned"],
        "verified": ["small"],
        "format_version": 1,
    }
    for name, num_trials in (("small", 6), ("tuned", 26)):
        store = RunStore.open(bench.folder / name)
        assert store.study == next(s for s in SERIES["tiny"].studies if s.name == name)
        assert len(store.read_trials()) == num_trials
    assert bench.num_loads == 1
    assert bench.verified == ["small"]
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert "[1/2] small: a headline." in lines
    assert "[2/2] tuned: a headline." in lines
    assert lines[-3:] == [
        f"the answer of {bench.folder}",
        f"Report: {bench.folder / 'report.html'}",
        f"Report: {bench.folder / 'report.md'}",
    ]
    assert "[2/2] tuned; engine: reference on cpu" in printed.err
    assert "[1/2 small, training 6/6] batchnorm-seed2-cpu" in printed.err
    assert "[2/2 tuned, finalists 4/4] " in printed.err


@pytest.mark.parametrize("interrupt_at", [3, 6, 17, 30])
def test_an_interrupted_series_goes_on_where_it_stopped(
    bench: Bench, capsys: pytest.CaptureFixture[str], interrupt_at: int
) -> None:
    bench.engine.interrupt_at = interrupt_at
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 130
    errors = capsys.readouterr().err
    assert "Interrupted; finished trials are kept." in errors
    assert f"Go on with: bnbench run --resume {bench.folder}" in errors
    begun = bench.engine.trained
    bench.engine = CountingEngine()
    assert bench.run("run", "--resume", bench.folder) == 0
    assert len(begun) == interrupt_at
    assert len({*begun, *bench.engine.trained}) == len(begun) + len(bench.engine.trained) == 32
    assert bench.verified == ["small"]


def test_members_that_are_finished_are_not_run_verified_or_reported_again(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 0
    assert len(bench.engine.trained) == 32
    capsys.readouterr()
    assert bench.run("run", "--resume", bench.folder) == 0
    assert len(bench.engine.trained) == 32
    assert bench.verified == ["small"]
    output = capsys.readouterr().out
    assert "[1/2] small: finished before" in output
    assert "[2/2] tuned: finished before" in output
    assert f"the answer of {bench.folder}" in output


def test_a_member_whose_report_is_missing_gets_it_on_resume(bench: Bench) -> None:
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 0
    (bench.folder / "tuned" / "summary.json").unlink()
    assert bench.run("run", "--resume", bench.folder) == 0
    assert (bench.folder / "tuned" / "summary.json").exists()


def test_options_apply_to_all_studies(bench: Bench) -> None:
    arguments = ("--seeds", "4-5", "--batch-size", 16, "--no-timing", "--variants", "batchnorm")
    assert bench.run("run", "--study", "tiny", "--out", bench.folder, *arguments) == 0
    for name in ("small", "tuned"):
        study = RunStore.open(bench.folder / name).study
        assert (study.seeds, study.recipe.batch_size) == ((4, 5), 16)
        assert (study.timing.num_pairs, len(study.variants)) == (0, 1)


@pytest.mark.parametrize(
    ("option", "value"), [("--epochs", "2"), ("--learning-rate", "0.5")], ids=["epochs", "rate"]
)
def test_an_option_in_which_the_studies_differ_is_refused(
    bench: Bench, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert bench.run("run", "--study", "tiny", "--out", bench.folder, option, value) == 2
    errors = capsys.readouterr().err
    assert (
        f"expected none, since the studies of the tiny series differ in it, got {value}" in errors
    )
    assert "run one study, such as tiny/tuned" in errors
    assert not bench.folder.exists()


def test_one_study_of_a_series_runs_alone(bench: Bench) -> None:
    bench.monkeypatch.setattr("bnbench.cli.run_printer.show_report", lambda *_: None)
    assert bench.run("run", "--study", "tiny/small", "--epochs", 1, "--out", bench.folder) == 0
    assert RunStore.open(bench.folder).study.recipe.epochs == 1
    assert not (bench.folder / "series.json").exists()


def test_a_finished_run_alone_is_verified_and_reported_again_on_resume(bench: Bench) -> None:
    bench.monkeypatch.setattr("bnbench.cli.run_printer.show_report", lambda *_: None)
    assert bench.run("run", "--study", "tiny/small", "--out", bench.folder) == 0
    (bench.folder / "summary.json").unlink()
    assert bench.run("run", "--resume", bench.folder) == 0
    assert bench.verified == ["series", "series"]
    assert (bench.folder / "summary.json").exists()
    assert len(bench.engine.trained) == 6


class FakeLogger:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def open(self, store: RunStore) -> None:
        self.noted.append(f"open {store.folder.name}")

    def log_epoch(self, trial: TrialSpec, _epoch: object) -> None:
        self.noted.append(f"epoch of {trial.key}")

    def end_trial(self, record: TrialRecord) -> None:
        self.noted.append(f"end {record.trial.key}")

    def log_report(self, store: RunStore, report: FakeReport) -> None:
        self.noted.append(f"{store.folder.name}: {report.content.answer[0]}")

    def close(self) -> None:
        self.noted.append("close")


def test_a_logger_follows_each_run_of_a_series(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = FakeLogger()
    module = types.SimpleNamespace(FakeLogger=lambda: logger)
    bench.monkeypatch.setitem(sys.modules, "a_fake_logger", module)  # type: ignore[arg-type]
    entry = LoggerEntry("a_fake_logger", "FakeLogger", "a_fake_logger")
    bench.monkeypatch.setitem(LOGGERS, "tensorboard", entry)
    bench.engine.interrupt_at = 2
    arguments = ("--study", "tiny", "--log", "tensorboard", "--out", bench.folder)
    assert bench.run("run", *arguments) == 130
    assert logger.noted == [
        *("open small", "end baseline-seed0-cpu", "end batchnorm-seed0-cpu", "close")
    ]
    resume = f"bnbench run --resume {bench.folder} --log tensorboard"
    assert resume in capsys.readouterr().err
    logger.noted.clear()
    bench.engine = CountingEngine()
    assert bench.run(*shlex.split(resume)[1:]) == 0
    assert [text for text in logger.noted if not text.startswith("end")] == [
        *("open small", "small: a headline.", "open tuned", "tuned: a headline.", "close")
    ]
    assert logger.noted.count("end batchnorm-seed1-cpu") == 2


def test_report_and_verify_take_a_series(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 0
    for name in ("small", "tuned"):
        (bench.folder / name / "summary.json").unlink()
    capsys.readouterr()
    assert bench.run("report", bench.folder) == 0
    output = capsys.readouterr().out
    assert output.startswith("small: a headline.\ntuned: a headline.\nthe answer of ")
    assert (bench.folder / "tuned" / "summary.json").exists()
    bench.monkeypatch.setattr("bnbench.reporting.terminal.print_agreement", lambda *_: None)
    bench.verified.clear()
    assert bench.run("verify", bench.folder) == 0
    assert bench.verified == ["small", "tuned"]
    assert "tuned: Verified: " in capsys.readouterr().out


def test_a_folder_in_use_takes_no_series(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.folder.mkdir()
    (bench.folder / "mine").touch()
    assert bench.run("run", "--study", "tiny", "--out", bench.folder) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in bench.folder.parent.iterdir()] == ["series"]
