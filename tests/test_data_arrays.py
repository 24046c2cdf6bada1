from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bnbench.array_hash import hash_values
from bnbench.data_arrays import Arrays, make_dataset
from bnbench.errors import DataError
from bnbench.specs import DataShape

X, Y = np.arange(24, dtype=np.uint8).reshape(6, 2, 2), np.array([0, 1, 2, 0, 1, 2])


def make(**changes: Any) -> Arrays:
    return Arrays(**{"x_train": X, "y_train": Y, "x_test": X[:2], "y_test": Y[:2], **changes})


def test_four_arrays_become_a_data_set_with_shape_classes_and_hashes() -> None:
    data = make_dataset("d", "d.npz", make(class_names=("a", "b", "c")))
    assert (data.shape, data.class_names) == (DataShape((1, 2, 2), 3), ("a", "b", "c"))
    assert torch.equal(data.train.inputs, torch.from_numpy(X))
    assert (data.train.labels.dtype, data.train.labels.tolist()) == (torch.uint8, Y.tolist())
    assert data.train.inputs_sha256 == hash_values(X)
    # Labels are hashed as int64, whatever they are kept as.
    assert data.test.labels_sha256 == hash_values(Y[:2].astype(np.int64))


@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "int64", "bool", ">f4"], ids=lambda name: str(name)
)
def test_other_numbers_than_bytes_are_taken_as_they_are_in_float32(dtype: str) -> None:
    inputs = np.array([[0, 1], [1, 1], [0, 0]]).astype(dtype)
    data = make_dataset("d", "d", make(x_train=inputs, y_train=Y[:3], x_test=inputs[:2]))
    assert data.train.inputs.dtype == torch.float32
    assert data.train.inputs.tolist() == [[0, 1], [1, 1], [0, 0]]
    assert data.shape.input_shape == (2,)


def test_labels_of_more_classes_than_a_byte_has_are_kept_whole() -> None:
    labels = np.arange(300)
    inputs = np.zeros((300, 1), np.float32)
    data = make_dataset(
        "d", "d", make(x_train=inputs, y_train=labels, x_test=inputs[:2], y_test=labels[-2:])
    )
    assert (data.shape.num_classes, data.test.labels.tolist()) == (300, [298, 299])


def test_the_data_set_does_not_change_with_the_arrays_it_was_made_of() -> None:
    inputs = X.copy()
    data = make_dataset("d", "d", make(x_train=inputs))
    inputs[:] = 0
    assert torch.equal(data.train.inputs, torch.from_numpy(X))


def put(array: np.ndarray[Any, Any], place: tuple[int, ...], value: float) -> Any:
    changed = array.astype(np.float64)
    changed[place] = value
    return changed


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "too few labels": (
        {"y_train": Y[:5]},
        "y_train: expected a label for each of the 6 inputs, got 5 labels",
    ),
    "another shape": (
        {"x_test": np.zeros((2, 3, 2), np.uint8)},
        r"x_test: expected inputs of the shape of the training set \(2, 2\), got \(3, 2\)",
    ),
    "another type": (
        {"x_test": X[:2].astype(np.float32)},
        "x_test: expected uint8, as in the training set, got float32",
    ),
    "NaN": (
        {"x_train": put(X, (4, 1, 0), np.nan)},
        "x_train: expected finite numbers within float32, got nan in input 4",
    ),
    "infinite": (
        {"x_test": put(X[:2], (1, 0, 0), np.inf)},
        "x_test: expected finite numbers within float32, got inf in input 1",
    ),
    "beyond float32": (
        {"x_test": put(X[:2], (0, 0, 0), 1e300)},
        r"x_test: expected finite numbers within float32, got 1e\+300 in input 0",
    ),
    "texts": ({"x_train": np.array([["a"]] * 6)}, "x_train: expected numbers, got <U1"),
    "complex numbers": ({"x_train": X * 1j}, "x_train: expected numbers, got complex128"),
    "objects": (
        {"x_train": np.array([[None]] * 6)},
        "x_train: expected plain numbers, got Python objects",
    ),
    "one number per input": ({"x_train": X[:, 0, 0]}, r"x_train: expected shape \(n, ...\)"),
    "no input": (
        {"x_train": X[:0], "y_train": Y[:0]},
        "x_train: expected at least one value, got shape",
    ),
    "no test label": ({"y_test": Y[:0]}, "y_test: expected at least one value, got shape"),
    "labels in a matrix": ({"y_train": Y[:, None]}, "y_train: expected one label per input"),
    "labels that are not whole": ({"y_train": Y / 1.0}, "y_train: expected whole numbers, got f"),
    "negative labels": ({"y_train": Y - 1}, "y_train: expected classes from 0, got -1"),
    "huge labels": (
        {"y_test": np.array([0, 2**64 - 1], np.uint64)},
        "y_test: expected classes from 0, got 18446744073709551615",
    ),
    "a class without examples": (
        {"y_train": np.array([0, 2, 2, 0, 3, 3])},
        "y_train: expected an example of each of the 4 classes, got none of class 1",
    ),
    "a name without examples": (
        {"class_names": ("a", "b", "c", "d")},
        "y_train: expected an example of each of the 4 classes, got none of class 3",
    ),
    "a test label outside": (
        {"y_test": np.array([0, 3])},
        "y_test: expected classes from 0 to 2, got 3",
    ),
    "too few names": (
        {"class_names": ("a", "b")},
        "y_train: expected classes from 0 to 1, got 2",
    ),
    "a name twice": ({"class_names": ("a", "b", "a")}, "class_names: expected distinct names"),
    "one class": (
        {"y_train": Y * 0, "y_test": Y[:2] * 0},
        "y_train: expected two classes or more, got 1",
    ),
}


@pytest.mark.parametrize(("changes", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_arrays_that_cannot_be_trained_on_are_refused_in_one_line(
    changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(DataError, match=f"^my.npz: {text}") as caught:
        make_dataset("d", "my.npz", make(**changes))
    assert "\n" not in str(caught.value)
