"""A Ray cluster of several nodes on this machine, and a study for it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bnbench.data import Dataset
from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from bnbench.training.executors.interface import Executor
from bnbench.training.study import run_study
from tests.conftest import SYNTHETIC, SilentObserver

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
os.environ.pop("RAY_ADDRESS", None)
# Ray notes the newest cluster in its folder: test processes side by side need one folder each. Its
# path is short, since Ray puts sockets there.
ray_folder = tempfile.mkdtemp(prefix="ray-")
os.environ["RAY_TMPDIR"] = ray_folder
atexit.register(shutil.rmtree, ray_folder, ignore_errors=True)

NODE = {"num_cpus": 1, "object_store_memory": 200 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes, a processor each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        cluster.add_node(**NODE)
        yield cluster
    finally:
        cluster.shutdown()


def make_store(folder: Path, study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    return RunStore.create(folder, study, {"cpu": "native"}, SYNTHETIC, environment)


def run_small_study(store: RunStore, dataset: Dataset, executor: Executor) -> list[TrialRecord]:
    return run_study(store, dataset, SilentObserver(), executor)


def drop_times(records: list[TrialRecord]) -> list[tuple[object, ...]]:
    """What trials gave, without their times and nodes."""
    return [
        (
            record.trial,
            record.status,
            record.reason,
            *((e.train_loss, e.test_loss, e.test_accuracy) for e in record.epochs),
        )
        for record in records
    ]
