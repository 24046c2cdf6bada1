import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.data import Dataset
from bnbench.errors import RunError
from bnbench.models.manifest import read_manifest
from bnbench.recipes import RecipeSpec
from bnbench.records import LOCAL_NODE, EnvironmentRecord, TrialRecord
from bnbench.specs import StudySpec, TimingSpec, TrialSpec, TuningSpec
from bnbench.store import RunStore
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.executors.interface import CompletedTrial
from bnbench.training.executors.ray_cluster import join_cluster
from bnbench.training.executors.ray_executor import RayExecutor
from bnbench.training.executors.ray_worker import Job, StoredDataset, run_job
from bnbench.training.study import run_study
from tests.conftest import (
    BASELINE,
    BATCHNORM,
    REFERENCE,
    SYNTHETIC,
    SilentObserver,
    make_environment,
)
from tests.own_nets import make_own_variant
from tests.training.executors.conftest import NODE, drop_times, make_store, run_small_study

# One process starts Ray, when tests run in several side by side.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
DRIVER = Path(__file__).with_name("ray_driver.py")


@pytest.fixture
def joined(cluster: Any) -> Iterator[None]:
    with join_cluster(cluster.address):
        yield


@pytest.fixture(scope="module")
def study() -> StudySpec:
    """32 seeds of both networks, learning rates chosen and times measured, all very small."""
    return StudySpec(
        "small",
        (BASELINE, BATCHNORM),
        RecipeSpec(epochs=2, batch_size=32, learning_rate=0.1),
        seeds=tuple(range(32)),
        tuning=TuningSpec((0.01, 0.1), seeds=(100, 101), num_validation_images=50),
        timing=TimingSpec(num_pairs=2),
    )


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, study: StudySpec, synthetic_dataset: Dataset
) -> RunStore:
    """The study run in this process."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    store = make_store(folder, study, make_environment())
    run_small_study(store, synthetic_dataset, InProcessExecutor(threads=1))
    return store


def read_models(store: RunStore) -> dict[str, object]:
    """Weights and predictions by model; how torch numbers its modules in a file may differ."""
    manifests = {path.stem: read_manifest(path) for path in store.models_folder.glob("*.json")}
    assert {path.stem for path in store.models_folder.glob("*.pt")} == set(manifests)
    return {name: (manifest.network, manifest.expected) for name, manifest in manifests.items()}


def assert_same_results(store: RunStore, undisturbed: RunStore) -> list[TrialRecord]:
    """Every trial is there once, with the bits it has without a cluster."""
    records = store.read_trials()
    assert drop_times(records) == drop_times(undisturbed.read_trials())
    assert len((store.folder / "trials.jsonl").read_bytes().splitlines()) == len(records)
    assert read_models(store) == read_models(undisturbed)
    nodes = {record.node for record in records}
    assert set(store.read_nodes()) == nodes
    assert LOCAL_NODE not in nodes
    return records


def test_a_study_on_several_nodes_gives_the_same_bits_as_in_one_process(
    joined: None, undisturbed: RunStore, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    store = make_store(tmp_path / "ray", undisturbed.study, undisturbed.environment)
    run_small_study(store, synthetic_dataset, RayExecutor(threads=1))
    records = assert_same_results(store, undisturbed)
    assert len({record.node for record in records}) == 2
    assert len({record.node for record in records if record.trial.purpose == "time"}) == 1


class NodeKiller(SilentObserver):
    """Kills a node of a cluster when so many trials are on disk."""

    def __init__(self, cluster: Any, node: Any, num_trials: int) -> None:
        self.cluster = cluster
        self.node = node
        self.num_trials = num_trials

    def finish_trial(self, record: TrialRecord) -> None:
        self.num_trials -= 1
        if self.num_trials == 0:
            self.cluster.remove_node(self.node, allow_graceful=False)


def run_slowly(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    import time

    time.sleep(0.1)
    return run_job(job, data)


def test_a_node_that_is_killed_costs_no_trial_and_changes_none(
    cluster: Any, joined: None, undisturbed: RunStore, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    store = make_store(tmp_path / "ray", undisturbed.study, undisturbed.environment)
    killer = NodeKiller(cluster, cluster.add_node(**NODE), num_trials=12)
    run_study(store, synthetic_dataset, killer, RayExecutor(threads=1, do=run_slowly))
    assert killer.num_trials < 0
    records = assert_same_results(store, undisturbed)
    assert len({record.node for record in records}) == 3


def test_a_driver_that_is_killed_goes_on_where_it_was(
    cluster: Any, undisturbed: RunStore, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    store = make_store(tmp_path / "ray", undisturbed.study, undisturbed.environment)
    trials = store.folder / "trials.jsonl"
    command = [sys.executable, str(DRIVER), str(store.folder), cluster.address]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as driver:
        while driver.poll() is None and trials.read_bytes().count(b"\n") < 12:
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
        _, errors = driver.communicate()
    assert driver.returncode == -signal.SIGKILL, errors
    assert trials.read_bytes().count(b"\n") < len(undisturbed.read_trials())
    resumed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert_same_results(store, undisturbed)


def pretend_another_torch(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    import dataclasses

    software = {**job.software, "torch": "0.1"}
    return run_job(dataclasses.replace(job, software=software), data)


def pretend_other_data(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    import dataclasses

    return run_job(dataclasses.replace(job, data_sha256="0" * 64), data)


def fail(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    raise ModuleNotFoundError("No module named 'bnbench'")


@pytest.mark.parametrize(
    ("do", "text"),
    [
        (pretend_another_torch, r"node .*: expected torch 0.1, got .*install the same packages"),
        (pretend_other_data, r"node .*: expected the data set with the hash 0000000000000000"),
        (fail, r"No module named 'bnbench'; every node needs the same bnbench installed"),
    ],
    ids=["torch", "data", "no bnbench"],
)
def test_a_node_with_other_software_or_data_is_refused(
    do: Any,
    text: str,
    joined: None,
    study: StudySpec,
    environment: EnvironmentRecord,
    tmp_path: Path,
    synthetic_dataset: Dataset,
) -> None:
    store = make_store(tmp_path / "ray", study, environment)
    with pytest.raises(RunError, match=text):
        run_small_study(store, synthetic_dataset, RayExecutor(threads=1, do=do))
    assert store.read_trials() == []


def test_workers_have_the_text_of_own_code_though_its_file_is_gone(
    joined: None, environment: EnvironmentRecord, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    variant = make_own_variant(tmp_path, "SmallCNN")
    recipe = RecipeSpec(epochs=1, batch_size=32, learning_rate=0.1)
    study = StudySpec("own", (variant,), recipe, seeds=(0, 1))
    stores = [
        RunStore.create(tmp_path / name, study, REFERENCE, SYNTHETIC, environment)
        for name in ("here", "there")
    ]
    (tmp_path / "own.py").unlink()
    run_small_study(stores[0], synthetic_dataset, InProcessExecutor(threads=1))
    run_small_study(stores[1], synthetic_dataset, RayExecutor(threads=1))
    assert_same_results(stores[1], stores[0])


def leave_out_the_sources(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    import dataclasses

    return run_job(dataclasses.replace(job, sources=()), data)


def test_a_worker_that_has_other_own_code_is_refused(
    joined: None, environment: EnvironmentRecord, tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    variant = make_own_variant(tmp_path, "SmallCNN")
    study = StudySpec("own", (variant,), RecipeSpec(epochs=1), seeds=(0,))
    store = RunStore.create(tmp_path / "run", study, REFERENCE, SYNTHETIC, environment)
    (tmp_path / "own.py").write_text("# edited since\n")
    executor = RayExecutor(threads=1, do=leave_out_the_sources)
    with pytest.raises(RunError, match="node .*: expected the own code of the study, got: "):
        run_small_study(store, synthetic_dataset, executor)
    assert store.read_trials() == []


@pytest.mark.parametrize("one_at_a_time", [False, True], ids=["together", "timed"])
@pytest.mark.parametrize(
    ("device", "text"),
    [("cpu", "64 processors"), ("cuda", "1 processors and 1 GPU")],
    ids=["cpu", "cuda"],
)
def test_a_trial_that_no_node_can_run_is_told_and_not_waited_for(
    device: str, text: str, one_at_a_time: bool, joined: None, synthetic_dataset: Dataset
) -> None:
    trial = TrialSpec(BASELINE, RecipeSpec(epochs=1), 0, device, "reference")
    executor = RayExecutor(threads=64, node_timeout_seconds=0.0)
    with pytest.raises(RunError, match=f"expected a node with {text} for a trial, got "):
        executor.run(
            [trial],
            synthetic_dataset,
            lambda *_: None,
            lambda _: None,
            one_at_a_time=one_at_a_time,
        )


def test_what_a_receiver_raises_ends_the_work(joined: None, synthetic_dataset: Dataset) -> None:
    trial = TrialSpec(BASELINE, RecipeSpec(epochs=1), 0, "cpu", "native")
    trials = [dataclasses.replace(trial, seed=seed) for seed in range(20)]

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RayExecutor(threads=1).run(
            trials, synthetic_dataset, lambda *_: None, interrupt, one_at_a_time=False
        )
