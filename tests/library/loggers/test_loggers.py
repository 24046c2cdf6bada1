"""Each logger by a fake of its package, and by the package itself where it is installed."""

import sys
import types
import warnings
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bnbench.errors import RunError, SpecError
from bnbench.library.loggers import LOGGERS, LoggerEntry, check_loggers, open_loggers
from bnbench.library.loggers.observer import LoggingObserver
from bnbench.library.observer import CompletedRun
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.report import Report
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC, fake_record

DOT = bytes.fromhex(  # a PNG of one white pixel
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff"
    "3f0005fe02fe0def46b80000000049454e44ae426082"
)


@pytest.fixture
def store(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    store = RunStore.create(tmp_path / "mine", small_study, REFERENCE, SYNTHETIC, environment)
    for name in ("report.html", "accuracy.png"):
        store.write_bytes(name, DOT)
    return store


def make_report() -> Report:
    figure = types.SimpleNamespace(png=DOT, alt="accuracy by epoch")
    content = types.SimpleNamespace(answer=("It helps.", "Very much."))
    return Report(None, content, {"accuracy": figure})  # type: ignore[arg-type]


def list_records(store: RunStore) -> list[TrialRecord]:
    first, second, *_ = store.study.list_scored_trials(store.engines)
    return [fake_record(first), fake_record(second, failed=True)]


def follow(observer: LoggingObserver, store: RunStore) -> None:
    """A run with a trial that finishes and one that fails, side by side, and its report."""
    records = list_records(store)
    with observer:
        observer.start_run(store, None)
        observer.start_stage("training", 2, 4)
        for epochs in zip(*(record.epochs for record in records), strict=False):
            for record, epoch in zip(records, epochs, strict=True):
                observer.finish_epoch(record.trial, epoch)
        observer.finish_epoch(records[0].trial, records[0].epochs[1])
        for record in records:
            observer.finish_trial(record)
        observer.finish_run(CompletedRun(store, records, make_report(), None))


class FakeWriter:
    """Stands for ``torch.utils.tensorboard.SummaryWriter``."""

    made: ClassVar[dict[str, "FakeWriter"]] = {}

    def __init__(self, folder: str) -> None:
        self.scalars: list[tuple[str, float, int]] = []
        self.others: dict[str, Any] = {}
        self.is_open = True
        self.made[Path(folder).name] = self

    def __enter__(self) -> "FakeWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def add_text(self, name: str, text: str) -> None:
        self.others[name] = text

    def add_image(self, name: str, image: Any, dataformats: str) -> None:
        assert dataformats == "HWC"
        self.others[name] = image.shape

    def flush(self) -> None: ...

    def close(self) -> None:
        self.is_open = False


def test_tensorboard_gets_a_folder_per_trial_and_one_for_the_report(
    monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", types.ModuleType("tensorboard"))
    module = types.SimpleNamespace(SummaryWriter=FakeWriter)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.tensorboard", raising=False)
    monkeypatch.setattr(FakeWriter, "made", {})
    (observer,) = open_loggers(["tensorboard"])
    follow(observer, store)
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.tensorboard")
    assert list(FakeWriter.made) == ["baseline-seed0-cpu", "batchnorm-seed0-cpu", "report"]
    finished = FakeWriter.made["baseline-seed0-cpu"]
    assert [each for each in finished.scalars if each[0] == "accuracy/test"] == [
        ("accuracy/test", 0.5, 1),
        ("accuracy/test", 0.55, 2),
    ]
    assert {name for name, *_ in finished.scalars} == {
        *("loss/train", "loss/test", "accuracy/test", "seconds/train")
    }
    report = FakeWriter.made["report"].others
    assert report == {"answer": "It helps.\n\nVery much.", "accuracy": (1, 1, 3)}
    assert not any(writer.is_open for writer in FakeWriter.made.values())


class FakeMlflow:
    """Stands for ``MlflowClient``; runs are known by their names."""

    made: ClassVar[list["FakeMlflow"]] = []

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.metrics: list[tuple[str, str, float, int]] = []
        self.params: dict[tuple[str, str], Any] = {}
        self.ended: dict[str, str] = {}
        self.artifacts: list[tuple[str, str]] = []
        self.tags: dict[tuple[str, str], str] = {}
        self.made.append(self)

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = "7"
        return "7"

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> Any:
        assert experiment == "7"
        assert tags["bnbench.folder"].endswith("/mine")
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=run_name))

    def log_param(self, run: str, name: str, value: Any) -> None:
        self.params[run, name] = value

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        self.metrics.append((run, name, value, step))

    def set_tag(self, run: str, name: str, text: str) -> None:
        self.tags[run, name] = text

    def log_artifact(self, run: str, path: str) -> None:
        assert Path(path).exists()
        self.artifacts.append((run, Path(path).name))

    def set_terminated(self, run: str, status: str) -> None:
        self.ended[run] = status


def test_mlflow_gets_an_experiment_with_a_run_per_trial_and_one_for_the_report(
    monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    tracking = types.SimpleNamespace(MlflowClient=FakeMlflow)
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.mlflow", raising=False)
    monkeypatch.setattr(FakeMlflow, "made", [])
    (observer,) = open_loggers(["mlflow"])
    follow(observer, store)
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.mlflow")
    (client,) = FakeMlflow.made
    assert list(client.experiments) == ["bnbench/mine"]
    assert ("baseline-seed0-cpu", "accuracy/test", 0.55, 2) in client.metrics
    assert client.params["batchnorm-seed0-cpu", "variant"] == "batchnorm"
    assert client.ended == {
        "baseline-seed0-cpu": "FINISHED",
        "batchnorm-seed0-cpu": "FAILED",
        "report": "FINISHED",
    }
    assert client.artifacts == [("report", "report.html"), ("report", "accuracy.png")]
    assert client.tags == {("report", "mlflow.note.content"): "It helps.\n\nVery much."}


class FakeWandb:
    """Stands for the package ``wandb`` and for its runs."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.logged: dict[str, list[tuple[dict[str, Any], int | None]]] = {}
        self.ended: dict[str, int] = {}
        self.summary: dict[str, str] = {}

    def init(self, **options: Any) -> Any:
        self.started.append(options)
        name = options["name"]
        self.logged[name] = []
        return types.SimpleNamespace(
            log=lambda values, step=None: self.logged[name].append((values, step)),
            finish=lambda exit_code=0: self.ended.update({name: exit_code}),
            summary=self.summary,
        )

    def Image(self, path: str, caption: str) -> tuple[str, str]:  # noqa: N802 - wandb's name
        return Path(path).name, caption


def test_wandb_gets_a_group_with_a_run_per_trial_and_one_for_the_report(
    monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.wandb", raising=False)
    (observer,) = open_loggers(["wandb"])
    follow(observer, store)
    monkeypatch.delitem(sys.modules, "bnbench.library.loggers.wandb")
    names = ["report", "baseline-seed0-cpu", "batchnorm-seed0-cpu"]
    assert [each["name"] for each in fake.started] == names
    assert {(each["group"], each["project"]) for each in fake.started} == {("mine", "bnbench")}
    assert fake.started[1]["config"]["variant"] == "baseline"
    values, steps = zip(*fake.logged["baseline-seed0-cpu"], strict=True)
    assert (values[1]["accuracy/test"], steps) == (0.55, (1, 2))
    assert fake.logged["report"] == [({"accuracy": ("accuracy.png", "accuracy by epoch")}, None)]
    assert fake.summary == {"answer": "It helps.\n\nVery much."}
    assert fake.ended == {"baseline-seed0-cpu": 0, "batchnorm-seed0-cpu": 1, "report": 0}


@pytest.mark.slow
# The extra `dev` has tensorboard. Whoever installs another package has it tested too.
@pytest.mark.parametrize("name", [name for name in LOGGERS if LOGGERS[name].is_installed])
@pytest.mark.filterwarnings("ignore")
def test_the_package_itself_takes_a_run_without_a_network(
    monkeypatch: pytest.MonkeyPatch, store: RunStore, name: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.folder}/mlflow.db")
    monkeypatch.chdir(store.folder)
    (observer,) = open_loggers([name])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=f"{name} failed")
        follow(observer, store)


class BrokenLogger:
    """Fails at the first epoch; `opens` says whether it gets so far."""

    def __init__(self, opens: bool = True) -> None:
        self.opens = opens
        self.calls: list[str] = []

    def open(self, store: RunStore) -> None:
        self.calls.append("open")
        if not self.opens:
            raise ConnectionError("no server")

    def log_epoch(self, *_: object) -> None:
        self.calls.append("log_epoch")
        raise ConnectionError("the server\nis gone")

    def end_trial(self, _: object) -> None:
        self.calls.append("end_trial")

    def log_report(self, *_: object) -> None:
        self.calls.append("log_report")

    def close(self) -> None:
        self.calls.append("close")


def test_a_logger_that_fails_is_left_out_and_the_run_goes_on(store: RunStore) -> None:
    logger = BrokenLogger()
    with pytest.warns(UserWarning, match="without it: ConnectionError: the server is gone$"):
        follow(LoggingObserver("broken", logger), store)
    assert logger.calls == ["open", "log_epoch"]


def test_a_logger_that_cannot_be_opened_ends_the_run_before_its_first_trial(
    store: RunStore,
) -> None:
    logger = BrokenLogger(opens=False)
    expected = "broken: expected it to take the run .*, got ConnectionError: no server; set it up"
    with pytest.raises(RunError, match=expected):
        follow(LoggingObserver("broken", logger), store)
    assert logger.calls == ["open"]


def test_an_interruption_is_no_failure_of_a_logger(store: RunStore) -> None:
    logger = BrokenLogger()
    observer = LoggingObserver("broken", logger)

    def interrupt() -> None:
        with observer:
            observer.start_run(store, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert logger.calls == ["open", "close"]


def test_tuning_and_timing_are_not_logged(store: RunStore) -> None:
    logger = BrokenLogger()
    record = list_records(store)[0]
    trials = store.study.list_timed_trials({"cpu": "native"})
    with LoggingObserver("broken", logger) as observer:
        observer.start_run(store, None)
        observer.finish_epoch(trials[0], record.epochs[0])
    assert logger.calls == ["open", "close"]


def test_a_logger_that_is_not_installed_is_answered_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(LOGGERS, "other", LoggerEntry("nowhere", "Other", "no_such_package"))
    with pytest.raises(SpecError, match=r"run: pip install 'bnbench\[no_such_package\]'"):
        open_loggers(["other"])
    with pytest.raises(SpecError, match="log: expected some of tensorboard, .*, got 'tensorbord'"):
        check_loggers(["tensorbord"])
