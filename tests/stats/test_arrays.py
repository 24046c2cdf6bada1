import numpy as np
import pytest

from bnbench.stats.arrays import read_accuracy, read_accuracy_pair, read_matrix, read_vector


@pytest.mark.parametrize("values", [[], [[0.5]], 0.5], ids=["empty", "matrix", "number"])
def test_an_array_that_is_no_vector_is_refused_with_its_shape(values: object) -> None:
    with pytest.raises(ValueError, match=r"accuracy: expected shape \(n,\) with n >= 1, got"):
        read_vector("accuracy", values)  # type: ignore[arg-type]


def test_an_empty_study_is_refused() -> None:
    with pytest.raises(ValueError, match=r"accuracy: expected shape \(n, m\).*got shape \(0, 5\)"):
        read_matrix("accuracy", np.empty((0, 5)))


def test_accuracy_in_percent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\] or NaN, got 87.5; divide percent by 100"):
        read_accuracy("accuracy", [[87.5]])


def test_studies_of_different_size_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"candidate_accuracy: expected shape \(1, 2\).*got shape \(2, 1\)"
    ):
        read_accuracy_pair([[0.5, 0.5]], [[0.5], [0.5]], num_axes=2)
