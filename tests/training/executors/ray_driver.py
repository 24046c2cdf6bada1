"""A driver to be killed: goes on with the small study of a run folder, on a cluster.

Arguments: the run folder and the cluster's address.
"""

import sys
import tempfile
import time
from pathlib import Path

from bnbench.data import Dataset
from bnbench.store import RunStore
from bnbench.training.executors.interface import CompletedTrial
from bnbench.training.executors.ray_cluster import join_cluster
from bnbench.training.executors.ray_executor import RayExecutor
from bnbench.training.executors.ray_worker import Job, StoredDataset, run_job
from bnbench.training.study import run_study
from tests.conftest import SilentObserver, make_synthetic_images


def run_slowly(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    time.sleep(0.1)
    return run_job(job, data)


if __name__ == "__main__":
    folder = Path(tempfile.gettempdir())
    train, test = make_synthetic_images(330, seed=0), make_synthetic_images(100, seed=1)
    dataset = Dataset("synthetic", train, test, folder, "made by the tests")
    store = RunStore.open(Path(sys.argv[1]))
    with join_cluster(sys.argv[2]):
        run_study(store, dataset, SilentObserver(), RayExecutor(threads=1, do=run_slowly))
