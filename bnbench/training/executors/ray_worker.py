"""The work of a Ray worker: check software and data, train a batch, export its models."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import platform
import warnings
from dataclasses import dataclass

import numpy as np
import ray
import torch

from bnbench.data import Dataset, LabeledImages
from bnbench.environment import describe_environment
from bnbench.specs import TrialSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import TrainedTrial
from bnbench.training.executors.interface import CompletedTrial, complete
from bnbench.training.executors.software import SoftwareRecord, describe_mismatch, describe_software

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MAX_DATASETS = 2
"""A study has two data sets: the tuning split, and the whole one."""


@dataclass(frozen=True)
class StoredDataset:
    """A data set as it lies in the object store, where all workers of a node read its arrays."""

    name: str
    source: str
    train_images: Bytes
    """Shape (num_images, 28, 28), as the others' images."""
    train_labels: Bytes
    """Shape (num_images,)."""
    test_images: Bytes
    test_labels: Bytes
    sha256: tuple[str, str, str, str]
    """Of the files that the four were read from, as `LabeledImages` has them."""

    def hash_arrays(self) -> str:
        """SHA-256 of the four arrays."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Job:
    """A batch of trials for one worker."""

    trials: tuple[TrialSpec, ...]
    engine_threads: int
    """CPU threads the engine may use."""
    torch_threads: int
    """Torch's CPU threads: the study's, since bits depend on them."""
    software: SoftwareRecord
    """The software that the worker must have."""
    data_sha256: str
    """SHA-256 of the data set's arrays."""


@dataclass(frozen=True)
class JobResult:
    """The outcome of a job."""

    node: str
    completed: tuple[CompletedTrial, ...] = ()
    refusal: str | None = None
    """Why the worker ran nothing; None if it ran the batch."""


def store_dataset(dataset: Dataset) -> StoredDataset:
    """Lay a data set out for the object store."""
    train, test = dataset.train, dataset.test
    return StoredDataset(
        dataset.name,
        dataset.source,
        train.images.numpy(),
        train.labels.numpy(),
        test.images.numpy(),
        test.labels.numpy(),
        (train.images_sha256, train.labels_sha256, test.images_sha256, test.labels_sha256),
    )


def run_job(job: Job, data: StoredDataset) -> JobResult:
    """Train a batch and export its models; refuse if software or data differ."""
    node = name_node()
    refusal = describe_mismatch(node, job.software, describe_software())
    if refusal is None:
        refusal = _check_data(node, job, data)
    if refusal is not None:
        return JobResult(node, refusal=refusal)
    torch.set_num_threads(job.torch_threads)
    dataset = _take_over(job.data_sha256, data)
    engine = _make_engine(job.trials[0].engine, dataset, job.engine_threads)
    environment = _describe_node(tuple(sorted({trial.device for trial in job.trials})))
    completed: list[CompletedTrial] = []

    def keep(trained: TrainedTrial) -> None:
        there = complete(trained, dataset)
        record = dataclasses.replace(there.record, node=node)
        completed.append(dataclasses.replace(there, record=record, environment=environment))

    engine.train(job.trials, lambda *_: None, keep)
    return JobResult(node, tuple(completed))


def name_node() -> str:
    """This node's name: its host's, and what Ray calls it, since one host may have several."""
    return f"{platform.node()}-{ray.get_runtime_context().get_node_id()[:8]}"


_describe_node = functools.cache(describe_environment)
_make_engine = functools.lru_cache(maxsize=2 * MAX_DATASETS)(make_engine)
_datasets: dict[str, Dataset] = {}
"""By the hash of their arrays, checked once a process."""


def _check_data(node: str, job: Job, data: StoredDataset) -> str | None:
    if job.data_sha256 in _datasets:
        return None
    found = data.hash_arrays()
    if found == job.data_sha256:
        return None
    return (
        f"node {node}: expected the data set with the hash {job.data_sha256[:16]}, got "
        f"{found[:16]}; its object store changed the bytes: leave the node out"
    )


def _take_over(sha256: str, data: StoredDataset) -> Dataset:
    """Return the data set over the arrays in the object store, without a copy."""
    if sha256 not in _datasets:
        if len(_datasets) == MAX_DATASETS:
            del _datasets[next(iter(_datasets))]
        with warnings.catch_warnings():
            # Torch warns that the arrays are read-only; images are never written.
            warnings.filterwarnings("ignore", message=".*not writable")
            images = [
                torch.from_numpy(array)
                for array in (
                    data.train_images,
                    data.train_labels,
                    data.test_images,
                    data.test_labels,
                )
            ]
        _datasets[sha256] = Dataset(
            data.name,
            LabeledImages(images[0], images[1], *data.sha256[:2]),
            LabeledImages(images[2], images[3], *data.sha256[2:]),
            None,
            data.source,
        )
    return _datasets[sha256]
