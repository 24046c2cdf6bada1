"""Four arrays of a user's own, checked and made into a data set.

What can't be trained on is refused here, with one line for each reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bnbench.array_hash import hash_values
from bnbench.data import Dataset, LabeledInputs, find_input_shape
from bnbench.errors import DataError
from bnbench.specs import DataShape

Array = NDArray[Any]
KEYS = ("x_train", "y_train", "x_test", "y_test")
"""Names of the four arrays: inputs and labels of the training set and of the test set."""
MAX_BYTE_CLASSES = 256
"""Labels of more classes are kept as int64."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a source of data gives; nothing is checked yet."""

    x_train: Array
    """uint8 (divided by 255) or other numbers (taken as they are), shape (n, ...)."""
    y_train: Array
    """Whole numbers from 0, shape (n,)."""
    x_test: Array
    y_test: Array
    class_names: tuple[str, ...] | None = None
    """One per class; None if the classes have no names."""


def make_dataset(name: str, source: str, arrays: Arrays, folder: Path | None = None) -> Dataset:
    """Check four arrays and make a data set of them.

    Args:
        name: the data set's name.
        source: where the arrays came from; errors begin with it.
        arrays: what it gave.
        folder: folder of IDX files that hold the same, if there is one.

    Raises:
        DataError: they can't be trained on; the text names the array and the reason.
    """
    inputs = {key: _take_inputs(f"{source}: {key}", getattr(arrays, key)) for key in KEYS[::2]}
    labels = {key: _take_labels(f"{source}: {key}", getattr(arrays, key)) for key in KEYS[1::2]}
    for part in ("train", "test"):
        if len(inputs[f"x_{part}"]) != len(labels[f"y_{part}"]):
            raise DataError(
                f"{source}: y_{part}: expected a label for each of the "
                f"{len(inputs[f'x_{part}']):,} inputs, got {len(labels[f'y_{part}']):,} labels; "
                "give each input its label"
            )
    train, test = inputs["x_train"], inputs["x_test"]
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{source}: x_test: expected inputs of the shape of the training set "
            f"{train.shape[1:]}, got {test.shape[1:]}; give both one shape"
        )
    if train.dtype != test.dtype:
        raise DataError(
            f"{source}: x_test: expected {train.dtype}, as in the training set, got "
            f"{test.dtype}; uint8 is divided by 255 and other types are not"
        )
    num_classes = _count_classes(source, labels, arrays.class_names)

    def combine(part: str) -> LabeledInputs:
        stored, classes = inputs[f"x_{part}"], labels[f"y_{part}"]
        dtype = np.uint8 if num_classes <= MAX_BYTE_CLASSES else np.int64
        return LabeledInputs(
            torch.from_numpy(stored),
            torch.from_numpy(classes.astype(dtype)),
            hash_values(stored),
            hash_values(classes),
        )

    return Dataset(
        name,
        combine("train"),
        combine("test"),
        folder,
        source,
        DataShape(find_input_shape(train.shape), num_classes),
        arrays.class_names,
    )


def _take_inputs(key: str, array: Array) -> Array:
    """Inputs as they are stored: uint8, or finite float32."""
    _check_sizes(key, array)
    if array.ndim < 2:
        raise DataError(f"{key}: expected shape (n, ...), got {array.shape}; add a dimension")
    if array.dtype == np.uint8:
        return np.array(array, order="C")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{key}: expected numbers, got {array.dtype}; save an array of numbers")
    with np.errstate(over="ignore"):
        values = np.array(array, np.float32, order="C")
    wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if wrong.any():
        number = int(wrong.argmax())
        row = np.asarray(array[number], np.float64).ravel()
        value = row[~np.isfinite(values[number].ravel())][0]
        raise DataError(
            f"{key}: expected finite numbers within float32, got {value} in input {number}; "
            "replace or leave out what is missing"
        )
    return values


def _take_labels(key: str, array: Array) -> NDArray[np.int64]:
    _check_sizes(key, array)
    if array.ndim != 1:
        raise DataError(
            f"{key}: expected one label per input, shape (n,), got {array.shape}; flatten them"
        )
    if array.dtype.kind not in "biu":
        raise DataError(
            f"{key}: expected whole numbers, got {array.dtype}; number the classes from 0"
        )
    if array.min() < 0 or array.max() > np.iinfo(np.int64).max:
        outside = array.min() if array.min() < 0 else array.max()
        raise DataError(f"{key}: expected classes from 0, got {outside}; number them from 0")
    return array.astype(np.int64)


def _check_sizes(key: str, array: Array) -> None:
    if array.dtype.hasobject:
        raise DataError(f"{key}: expected plain numbers, got Python objects; save numbers")
    if array.size == 0:
        raise DataError(f"{key}: expected at least one value, got shape {array.shape}; add some")


def _count_classes(
    source: str, labels: dict[str, NDArray[np.int64]], names: tuple[str, ...] | None
) -> int:
    """Count the classes: as many as there are names, or as the training labels tell."""
    y_train = labels["y_train"]
    num_classes = int(y_train.max()) + 1 if names is None else len(names)
    if num_classes < 2:
        raise DataError(
            f"{source}: y_train: expected two classes or more, got {num_classes}; add one"
        )
    if names is not None and len(set(names)) < len(names):
        raise DataError(f"{source}: class_names: expected distinct names, got one twice; rename it")
    for key, values in labels.items():
        if values.max() >= num_classes:
            raise DataError(
                f"{source}: {key}: expected classes from 0 to {num_classes - 1}, got "
                f"{values.max()}; number the classes from 0"
            )
    present = np.unique(y_train)
    if len(present) < num_classes:
        gaps = np.flatnonzero(present != np.arange(len(present)))
        missing = gaps[0] if gaps.size else len(present)
        raise DataError(
            f"{source}: y_train: expected an example of each of the {num_classes} classes, got "
            f"none of class {missing}; number the classes from 0 without gaps"
        )
    return num_classes
