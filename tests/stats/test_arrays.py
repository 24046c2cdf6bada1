import numpy as np
import pytest

from bnbench.stats.arrays import read_matrix, read_vector


@pytest.mark.parametrize("values", [[], [[0.5]], 0.5])
def test_what_is_not_a_vector_is_refused_with_its_shape(values: object) -> None:
    with pytest.raises(ValueError, match=r"accuracy must have shape \(n,\) with n >= 1, got"):
        read_vector("accuracy", values)  # type: ignore[arg-type]


def test_an_empty_study_is_refused() -> None:
    with pytest.raises(ValueError, match=r"accuracy must have shape \(n, m\).*got shape \(0, 5\)"):
        read_matrix("accuracy", np.empty((0, 5)))
