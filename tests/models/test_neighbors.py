from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bnbench.errors import RunError
from bnbench.models.neighbors import find_neighbor_fault, find_tolerance

Change = Callable[[np.ndarray, int], np.ndarray]
FLOAT32, BFLOAT16 = 2.0**-23, 2.0**-7
SCORES = np.stack([np.arange(100) + 1, -np.arange(100)], axis=1).astype(np.float32)
"""The largest score of the sample, inputs 0, 25, 50 and 75, is 76."""


def find(change: Change, epsilon: float = FLOAT32) -> str | None:
    def run(chosen: Sequence[int]) -> np.ndarray:
        return change(SCORES[list(chosen)], len(chosen)).astype(np.float32)

    return find_neighbor_fault(SCORES, False, epsilon, run)


def add_when_alone(amount: float) -> Change:
    return lambda scores, size: scores + (amount if size == 1 else 0)


@pytest.mark.parametrize(
    ("change", "epsilon", "fault"),
    [
        (add_when_alone(0), FLOAT32, None),
        (add_when_alone(0.0075), FLOAT32, None),
        (add_when_alone(0.0077), FLOAT32, "depends on the batch"),
        (add_when_alone(18), BFLOAT16, None),
        (add_when_alone(20), BFLOAT16, "depends on the batch"),
        (lambda scores, size: scores + (size == 8), FLOAT32, "depends on the batch"),
    ],
    ids=["the same", "rounding", "beyond it", "rounding in 16 bits", "beyond that", "in company"],
)
def test_only_what_rounding_cannot_explain_is_a_fault(
    change: Change, epsilon: float, fault: str | None
) -> None:
    found = find(change, epsilon)
    assert (found is None) if fault is None else str(found).startswith(fault)


def test_what_differs_from_run_to_run_is_not_deterministic() -> None:
    runs = iter(range(1000))
    assert str(find(lambda scores, _: scores + next(runs))).startswith("is not deterministic: ")


def test_a_fixed_batch_size_depends_on_the_batch() -> None:
    def change(scores: np.ndarray, size: int) -> np.ndarray:
        if size == 1:
            raise RunError("m.pt: expected 2 inputs, got 1")
        return scores

    assert "expected to run on one input alone, got m.pt: expected 2 inputs" in str(find(change))


def test_labels_have_no_tolerance_but_a_quarter() -> None:
    labels = np.ones((32, 1), dtype=np.float32)

    def find_among(differing: int) -> str | None:
        def run(chosen: Sequence[int]) -> np.ndarray:
            return np.array([[2 if number < differing else 1] for number in chosen], np.float32)

        return find_neighbor_fault(labels, True, BFLOAT16, run)

    assert find_among(8) is None
    assert "a difference of 0.281 of the labels" in str(find_among(9))


def test_the_tolerance_follows_the_coarsest_type() -> None:
    assert find_tolerance(FLOAT32) == 1e-4
    assert find_tolerance(2.0**-10) == 0.03125
    assert find_tolerance(BFLOAT16) == 0.25
