from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.models.diagnosis import diagnose_score


@pytest.fixture
def scored() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 1000).astype(np.uint8)
    wrong = generator.random(1000) < 0.15
    return np.where(wrong, (labels + 3) % 10, labels).astype(np.int64), labels


def test_a_right_count_has_no_fault(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> None:
    predictions, labels = scored
    assert diagnose_score(predictions, labels, int((predictions == labels).sum())) is None


@pytest.mark.parametrize(
    ("words", "shift"),
    [
        ("numbered from 1", lambda labels: labels + 1),
        ("forward by one image", lambda labels: np.append(labels[1:], 255)),
        ("back by one image", lambda labels: np.append(255, labels[:-1])),
        (
            "from the file's start",
            lambda labels: np.frombuffer(
                b"\0\0\x08\x01\0\0\x03\xe8" + labels.tobytes()[:-8], dtype=np.uint8
            ),
        ),
    ],
)
def test_shifted_labels_are_named(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
    words: str,
    shift: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    predictions, labels = scored
    fault = diagnose_score(predictions, labels, int((predictions == shift(labels)).sum()))
    assert fault is not None
    assert fault.name == "labels_shifted"
    assert words in fault.text


def test_a_count_that_no_shift_explains_is_called_unknown(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> None:
    fault = diagnose_score(*scored, 999)
    assert fault is not None
    assert fault.name == "unknown"
