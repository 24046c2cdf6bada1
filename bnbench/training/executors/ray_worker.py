"""The work of a Ray worker: check software and data, train a batch, export its models."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch

from bnbench.data import Dataset, LabeledInputs
from bnbench.environment import describe_environment
from bnbench.errors import RunError
from bnbench.own_source import Source, find_source, remember_source
from bnbench.specs import DataShape, TrialSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import TrainedTrial
from bnbench.training.executors.interface import CompletedTrial, complete
from bnbench.training.executors.software import describe_mismatch, describe_software

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

MAX_DATASETS = 2
"""A study has two data sets: the tuning split, and the whole one."""


@dataclass(frozen=True)
class StoredDataset:
    """A data set as it lies in the object store, where all workers of a node read its arrays."""

    name: str
    arrays: tuple[Array, Array, Array, Array]
    """Training inputs and labels, test inputs and labels, as in `LabeledInputs`."""
    array_sha256: tuple[str, str, str, str]
    """Hashes of the four, as in `LabeledInputs`."""
    shape: DataShape
    class_names: tuple[str, ...] | None

    def hash_arrays(self) -> str:
        """SHA-256 of the four arrays."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(f"{array.dtype.str} {array.shape}".encode())
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
    software: Mapping[str, str]
    """The software that the worker must have, from `describe_software`."""
    data_sha256: str
    """SHA-256 of the data set's arrays."""
    sources: tuple[Source, ...] = ()
    """The texts of the trials' own code; the worker hashes them anew."""


def store_dataset(dataset: Dataset) -> StoredDataset:
    """Lay a data set out for the object store."""
    train, test = dataset.train, dataset.test
    return StoredDataset(
        dataset.name,
        (train.inputs.numpy(), train.labels.numpy(), test.inputs.numpy(), test.labels.numpy()),
        (train.inputs_sha256, train.labels_sha256, test.inputs_sha256, test.labels_sha256),
        dataset.shape,
        dataset.class_names,
    )


def run_job(job: Job, data: StoredDataset) -> list[CompletedTrial]:
    """Train a batch and export its models.

    Raises:
        RunError: the node's software or data are not the study's; nothing was trained.
    """
    # One host may have several nodes, so its name is not enough.
    node = f"{platform.node()}-{ray.get_runtime_context().get_node_id()[:8]}"
    mismatch = describe_mismatch(node, job.software, describe_software())
    if mismatch is not None:
        raise RunError(mismatch)
    _check_own_code(node, job)
    dataset = _read_dataset(node, job.data_sha256, data)
    torch.set_num_threads(job.torch_threads)
    engine = _make_engine(job.trials[0].engine, dataset, job.engine_threads)
    environment = _describe_node(tuple(sorted({trial.device for trial in job.trials})))
    ended: list[CompletedTrial] = []

    def keep(trained: TrainedTrial) -> None:
        completed = complete(trained, dataset)
        record = dataclasses.replace(completed.record, node=node)
        ended.append(CompletedTrial(record, completed.files, environment))

    engine.train(job.trials, lambda *_: None, keep)
    return ended


_describe_node = functools.cache(describe_environment)
_make_engine = functools.lru_cache(maxsize=2 * MAX_DATASETS)(make_engine)
_datasets: dict[str, Dataset] = {}
"""Data sets by the hash of their arrays, which each process checks once."""


def _check_own_code(node: str, job: Job) -> None:
    """Check that the node has the own code that is on record with the trials."""
    for source in job.sources:
        remember_source(Source(source.name, source.content))
    for code in {code for trial in job.trials for code in trial.own_codes}:
        try:
            find_source(code)
        except RunError as error:
            raise RunError(
                f"node {node}: expected the own code of the study, got: {error}; install the same "
                "package there, or leave the node out"
            ) from None


def _read_dataset(node: str, sha256: str, data: StoredDataset) -> Dataset:
    """Return the data set over the arrays in the object store, without a copy."""
    if sha256 not in _datasets:
        found = data.hash_arrays()
        if found != sha256:
            raise RunError(
                f"node {node}: expected the data set with the hash {sha256[:16]}, got "
                f"{found[:16]}; its object store changed the bytes: leave the node out"
            )
        if len(_datasets) == MAX_DATASETS:
            del _datasets[next(iter(_datasets))]
        with warnings.catch_warnings():
            # Torch warns that the arrays are read-only; they are never written.
            warnings.filterwarnings("ignore", message=".*not writable")
            tensors = [torch.from_numpy(array) for array in data.arrays]
        train = LabeledInputs(tensors[0], tensors[1], *data.array_sha256[:2])
        test = LabeledInputs(tensors[2], tensors[3], *data.array_sha256[2:])
        _datasets[sha256] = Dataset(
            data.name,
            train,
            test,
            None,
            "the cluster's object store",
            data.shape,
            data.class_names,
        )
    return _datasets[sha256]
