"""A data set on its way through the object store, without a cluster."""

import dataclasses

import numpy as np
import pytest
import torch

from bnbench.data_arrays import Arrays, make_dataset
from bnbench.errors import RunError
from bnbench.training.executors.ray_worker import _read_dataset, store_dataset

X, Y = np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), np.array([0, 1, 2, 0, 1, 2])
DATA = make_dataset("d", "a test", Arrays(X, Y, X[:2], Y[:2], ("a", "b", "c")))


def test_a_worker_gets_the_arrays_shape_and_classes_of_any_data() -> None:
    stored = store_dataset(DATA)
    found = _read_dataset("node", stored.hash_arrays(), stored)
    assert (found.shape, found.class_names, found.name) == (DATA.shape, DATA.class_names, "d")
    assert torch.equal(found.train.inputs, DATA.train.inputs)
    assert found.describe() == DATA.describe()


def test_other_numbers_of_the_same_bytes_have_another_hash() -> None:
    stored = store_dataset(DATA)
    first, *others = stored.arrays
    as_bytes = dataclasses.replace(stored, arrays=(first.view(np.int32), *others))
    assert as_bytes.hash_arrays() != stored.hash_arrays()
    with pytest.raises(RunError, match="expected the data set with the hash"):
        _read_dataset("node", "0" * 64, stored)
