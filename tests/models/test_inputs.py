import numpy as np
import pytest

from bnbench.array_files import StoredArray
from bnbench.errors import RunError
from bnbench.models.graph import UncoveredError
from bnbench.models.inputs import Inputs
from bnbench.models.prepared_inputs import prepare_inputs
from bnbench.models.preprocessing import parse_preprocessing

UNIT = 2.0**-24


def test_steps_are_applied_in_binary32_one_after_the_other() -> None:
    given = np.array([[0, 51], [102, 255]], np.uint8)
    steps = parse_preprocessing("divide=255,scale=3,normalize=0.5/0.25,reshape=1x2,cast=float32")
    taken = Inputs(given, steps, (1, 2)).take(0, 2)
    pixels = given.astype(np.float32) / np.float32(255) * np.float32(3)
    expected = (pixels - np.float32(0.5)) / np.float32(0.25)
    assert taken.values.shape == (2, 1, 2)
    assert (taken.values[:, 0] == expected).all()


def test_numbers_that_are_taken_as_they_are_have_no_error() -> None:
    taken = Inputs(np.ones((2, 3), np.float32)).take(0, 2)
    assert (taken.errors == 0).all()


def test_a_byte_over_255_may_be_off_by_three_roundings() -> None:
    taken = Inputs(np.full((1, 1), 255, np.uint8), parse_preprocessing("divide=255")).take(0, 1)
    assert taken.errors.item() == pytest.approx(3 * UNIT, rel=1e-6)


def test_what_a_normalization_takes_off_does_not_take_off_its_error() -> None:
    steps = parse_preprocessing("divide=2,normalize=1/0.5")
    taken = Inputs(np.full((1, 1), 2, np.uint8), steps).take(0, 1)
    assert taken.values.item() == 0
    # 3 roundings of 1 through the division by 0.5, and 5 of (1 + 1) / 0.5.
    assert taken.errors.item() == pytest.approx((3 / 0.5 + 5 * 4) * UNIT, rel=1e-6)


@pytest.mark.parametrize("mean", [0.1, 0.4914, 0.9])
def test_a_runtime_that_multiplies_and_fuses_stays_within_the_errors(mean: float) -> None:
    given = np.arange(256, dtype=np.uint8).reshape(256, 1)
    steps = parse_preprocessing(f"divide=255,normalize={mean}/0.2471")
    taken = Inputs(given, steps).take(0, 256)
    one = np.float32(1)
    pixels = given.astype(np.float32) * (one / np.float32(255))
    inverse = one / np.float32(0.2471)
    separate = (pixels - np.float32(mean)) * inverse
    fused = pixels * inverse - np.float32(mean) * inverse
    for found in (separate, fused):
        assert (np.abs(found - taken.values) <= taken.errors).all()


def test_one_normalization_per_channel_meets_its_channel() -> None:
    given = np.ones((2, 3, 2, 2), np.float32)
    steps = parse_preprocessing("normalize=1:0:3/1:2:1")
    taken = Inputs(given, steps, (3, 2, 2)).take(0, 2)
    assert taken.values[0, :, 0, 0].tolist() == [0, 0.5, -2]


def test_inputs_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(RunError, match="inputs: expected shape \\(4,\\) each"):
        Inputs(np.ones((2, 3), np.float32), network_shape=(4,)).take(0, 2)
    with pytest.raises(UncoveredError, match="got float64"):
        Inputs(np.ones((2, 3)))
    with pytest.raises(
        UncoveredError, match="cast: expected float32 or whole numbers, got float16"
    ):
        Inputs(np.ones((2, 3), np.float32), parse_preprocessing("cast=float16")).take(0, 2)


def test_the_steps_are_those_that_torch_computes() -> None:
    given = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 4)).astype(np.uint8)
    steps = parse_preprocessing("divide=255,scale=1.1,normalize=0.1:0.4:0.5/0.2:0.3:0.7")
    taken = Inputs(given, steps, (3, 4, 4)).take(0, 20)
    expected = prepare_inputs(StoredArray(given, "uint8"), slice(0, 20), steps)
    assert (taken.values == expected.double().numpy()).all()
