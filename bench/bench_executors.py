"""The overhead of sending trials through Ray and the store. Nothing is trained.

The benchmark starts a Ray cluster on this machine.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset
from bnbench.environment import describe_environment
from bnbench.recipes import RecipeSpec
from bnbench.records import DataRecord, EpochRecord, TrialRecord
from bnbench.specs import StudySpec, TimingSpec, TrialSpec
from bnbench.store import RunStore
from bnbench.techniques import VARIANTS
from bnbench.training.executors.batching import MAX_EPOCHS_PER_BATCH
from bnbench.training.executors.interface import CompletedTrial
from bnbench.training.executors.ray_cluster import join_cluster
from bnbench.training.executors.ray_worker import Job, StoredDataset
from bnbench.training.study import run_study

MODEL_BYTES = 243_000
"""Size of a model and its manifest."""


class MemoryObserver:
    """Records the driver's resident memory after every thousandth trial."""

    def __init__(self) -> None:
        self.num_trials = 0
        self.megabytes: list[float] = []

    def start_stage(self, *_: object) -> None:
        """Do nothing."""

    def finish_epoch(self, *_: object) -> None:
        """Do nothing."""

    def finish_trial(self, _: TrialRecord) -> None:
        """Record the memory."""
        self.num_trials += 1
        if self.num_trials % 1_000 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.megabytes.append(pages * resource.getpagesize() / 1e6)


@pytest.fixture(scope="module")
def ray_on_this_machine(fashion_mnist: Dataset) -> Iterator[None]:
    pytest.importorskip("ray")
    with join_cluster(None):
        from bnbench.training.executors.ray_executor import RayExecutor

        # Workers are started and import torch before anything is timed.
        recipe = RecipeSpec(epochs=MAX_EPOCHS_PER_BATCH)
        trials = [TrialSpec(VARIANTS["baseline"], recipe, n, "cpu", "native") for n in range(8)]
        RayExecutor(1, do_nothing).run(
            trials, fashion_mnist, lambda *_: None, lambda _: None, one_at_a_time=False
        )
        yield


def do_nothing(job: Job, _: StoredDataset) -> list[CompletedTrial]:
    epochs = tuple(EpochRecord(n, 1.0, 1.0, 0.5, 1.0, 0.1) for n in range(1, 6))
    records = [TrialRecord(trial, "finished", epochs, node="nowhere") for trial in job.trials]
    return [CompletedTrial(record) for record in records]


def give_a_model(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    return [
        CompletedTrial(each.record, {f"{each.record.trial.key}.pt": bytes(MODEL_BYTES)})
        for each in do_nothing(job, data)
    ]


@pytest.mark.parametrize(
    ("do", "num_trials", "epochs"),
    [
        pytest.param(do_nothing, 1_000, 5, id="1,000 trials"),
        pytest.param(do_nothing, 10_000, 5, id="10,000 trials"),
        pytest.param(do_nothing, 1_000, MAX_EPOCHS_PER_BATCH, id="1,000 trials, each a task"),
        pytest.param(give_a_model, 1_000, 5, id="1,000 trials with models"),
    ],
)
@pytest.mark.usefixtures("ray_on_this_machine")
@pytest.mark.benchmark(group="trials that do nothing, through Ray and the store")
def test_pass_trials_through_ray(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    tmp_path: Path,
    do: object,
    num_trials: int,
    epochs: int,
) -> None:
    from bnbench.training.executors.ray_executor import RayExecutor

    study = StudySpec(
        "nothing",
        (VARIANTS["baseline"],),
        RecipeSpec(epochs=epochs),
        seeds=tuple(range(num_trials)),
        timing=TimingSpec(num_pairs=1),
    )
    executor = RayExecutor(threads=1, do=do)  # type: ignore[arg-type]
    folders = iter(range(1000))

    def run() -> int:
        store = RunStore.create(
            tmp_path / str(next(folders)),
            study,
            {"cpu": "native"},
            DataRecord("FashionMNIST", 60_000, 10_000),
            describe_environment(["cpu"]),
        )
        return len(run_study(store, fashion_mnist, observer, executor))

    observer = MemoryObserver()
    num_records = benchmark.pedantic(run, rounds=1)
    assert num_records == num_trials + len(study.list_timed_trials({"cpu": "native"}))
    benchmark.extra_info |= {
        "milliseconds_per_trial": 1e3 * benchmark.stats.stats.median / num_trials,
        "driver_megabytes": observer.megabytes,
    }
