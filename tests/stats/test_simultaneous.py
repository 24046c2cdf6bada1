from collections.abc import Callable

import numpy as np
import pytest

from bnbench.stats import (
    Outcome,
    correct_confidence,
    count_contrasts,
    decide_improvement,
    estimate_improvement,
)

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed": lambda rng, shape: -rng.exponential(size=shape),
}


@pytest.mark.parametrize(
    ("variants", "devices", "contrasts"), [(2, 1, 1), (2, 2, 2), (3, 1, 3), (4, 1, 4), (4, 2, 8)]
)
def test_more_than_two_variants_have_one_contrast_more(
    variants: int, devices: int, contrasts: int
) -> None:
    # Of 4: three with the baseline, and the best with the second.
    assert count_contrasts(variants, devices) == contrasts


def test_a_study_of_one_variant_has_no_contrast() -> None:
    with pytest.raises(ValueError, match="expected at least 2 in at least 1 group, got 1 in 1"):
        count_contrasts(1)


def test_the_chance_of_a_miss_is_shared_among_the_contrasts() -> None:
    assert correct_confidence(1) == 0.95
    assert correct_confidence(4) == pytest.approx(0.9875)
    with pytest.raises(ValueError, match="num_contrasts: expected at least 1, got 0"):
        correct_confidence(0)


def test_a_corrected_interval_is_wider_and_asks_for_more_seeds() -> None:
    rng = np.random.default_rng(1)
    baseline, candidate = rng.uniform(0.80, 0.82, 10), rng.uniform(0.805, 0.825, 10)
    found = [
        estimate_improvement(
            baseline, candidate, np.random.default_rng(0), confidence=correct_confidence(count)
        ).probability
        for count in (1, 4)
    ]
    assert found[1].low < found[0].low < found[0].high < found[1].high  # type: ignore[operator]
    # Noether at alpha = 5 %: 29 trials; at a quarter of it, ((2.241 + 1.645) / 0.6124)^2 = 40.3.
    assert [decide_improvement(each).num_more_pairs for each in found] == [19, 31]


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("variants", [3, 5])
def test_a_study_without_a_difference_rarely_finds_one(noise: str, variants: int) -> None:
    """Of 400 studies of 30 seeds, 5 % may find any; without the correction of 5, 13 % do."""
    confidence = correct_confidence(count_contrasts(variants))
    num_alarms = 0
    for number in range(400):
        rng = np.random.default_rng([number, variants])
        accuracy = np.clip(0.8 + 0.01 * NOISES[noise](rng, (variants, 30)), 0, 1)
        second, best = np.argsort(accuracy.mean(axis=1))[-2:]
        pairs = [(0, candidate) for candidate in range(1, variants)] + [(second, best)]
        outcomes = [
            decide_improvement(
                estimate_improvement(
                    accuracy[baseline],
                    accuracy[candidate],
                    np.random.default_rng(0),
                    confidence=confidence,
                    num_resamples=999,
                ).probability
            ).outcome
            for baseline, candidate in pairs
        ]
        num_alarms += bool({Outcome.BETTER, Outcome.WORSE} & set(outcomes))
    assert num_alarms <= 20
