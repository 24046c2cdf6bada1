"""How likely a new trial of one variant is to beat a new trial of another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import (
    FloatArray,
    IntArray,
    check_accuracy,
    check_same_shape,
    read_vector,
)
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    check_confidence,
    count_least_for_interval,
    undefined_interval,
)
from bnbench.stats.resampling import draw_seeds, find_bca_limits, widen_confidence


@dataclass(frozen=True)
class Improvement:
    """How often the candidate wins.

    Attributes:
        probability: P(candidate > baseline) for two new trials, ties half, in [0, 1].
        num_pairs: seeds at which both variants were trained.
        num_wins: seeds at which the candidate scored more than the baseline.
        num_ties: seeds at which both scored the same.
        num_losses: seeds at which the candidate scored less.
    """

    probability: Estimate
    num_pairs: int
    num_wins: int
    num_ties: int
    num_losses: int


def estimate_improvement(
    baseline_accuracy: ArrayLike,
    candidate_accuracy: ArrayLike,
    generator: np.random.Generator,
    *,
    confidence: float = DEFAULT_CONFIDENCE,
    num_resamples: int = DEFAULT_NUM_RESAMPLES,
) -> Improvement:
    """Estimate the probability that a new candidate trial beats a new baseline trial.

    Every candidate trial is compared with every baseline trial (the Mann-Whitney statistic
    U / n^2), since two new trials need not share a seed::

        P = (1 / n^2) * sum over i, j of [candidate_i > baseline_j] + [candidate_i = baseline_j] / 2

    Bouthillier et al. compare only within pairs; using all n^2 comparisons asks the same
    question with less noise, and is what Noether's sample size is made for. The interval
    is their bootstrap over pairs (both trials of a seed are drawn together, which keeps what
    the seeds have in common), taken as BCa and widened for few pairs. No sample claims more
    than n wins out of n would: the lower end is at most ``(alpha / 2) ** (1 / n)``, the upper
    at least one minus that. Below 6 pairs there is no interval.

    Measured coverage of the 95 % interval (1,000 studies each of 999 resamples, simulation error
    0.7 points) with 30 pairs: 96.0 % without a difference, 95.8 % with a difference of one standard
    deviation of the trials, 98.9 % with two; seeds that correlate at 0.5 give 96.1 % and 96.7 %,
    a quarter of the trials diverging 96.2 %. With 10 pairs it is 97 % or more, with 6 96 % or more:
    cautious, and never bold.

    Args:
        baseline_accuracy: shape (num_seeds,), fractions in [0, 1]; NaN is a trial that
            diverged: it loses against every other, and ties with another such.
        candidate_accuracy: same shape, the same seeds in the same order.
        generator: where the resamples come from.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        The probability with its interval, and the wins, ties and losses by seed.

    Raises:
        ValueError: if a shape or a value is not as said.

    Source: Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks",
    arXiv 2103.03098, appendix C; Mann and Whitney (1947), Annals of Mathematical Statistics
    18(1); Clopper and Pearson (1934), Biometrika 26(4), for n wins out of n.
    """
    baseline = read_vector("baseline_accuracy", baseline_accuracy)
    candidate = read_vector("candidate_accuracy", candidate_accuracy)
    check_same_shape("baseline_accuracy", baseline, "candidate_accuracy", candidate)
    check_accuracy("baseline_accuracy", baseline)
    check_accuracy("candidate_accuracy", candidate)
    check_confidence(confidence)
    half_wins = _count_half_wins(baseline, candidate)
    same_seed = np.diagonal(half_wins)
    return Improvement(
        probability=_estimate_probability(half_wins, generator, confidence, num_resamples),
        num_pairs=int(baseline.size),
        num_wins=int(np.sum(same_seed == 2)),
        num_ties=int(np.sum(same_seed == 1)),
        num_losses=int(np.sum(same_seed == 0)),
    )


def _count_half_wins(baseline: FloatArray, candidate: FloatArray) -> IntArray:
    """Compare every candidate with every baseline: 2 for a win, 1 for a tie, 0 for a loss.

    Returns:
        Shape (num_seeds, num_seeds); the row is the candidate, the column the baseline.
    """
    rows = np.where(np.isnan(candidate), -np.inf, candidate)[:, None]
    columns = np.where(np.isnan(baseline), -np.inf, baseline)[None, :]
    half_wins: IntArray = 2 * (rows > columns).astype(np.int64) + (rows == columns)
    return half_wins


def _estimate_probability(
    half_wins: IntArray, generator: np.random.Generator, confidence: float, num_resamples: int
) -> Estimate:
    """Estimate the share of wins with its interval from all comparisons."""
    count = len(half_wins)
    total = int(half_wins.sum())
    greatest = 2 * count * count
    value = total / greatest
    if count < count_least_for_interval(confidence):
        return undefined_interval(value, count, confidence)
    most_claimed = ((1.0 - confidence) / 2.0) ** (1.0 / count)
    if total == greatest:
        return Estimate(value, most_claimed, 1.0, confidence, Method.COMPLETE_SEPARATION, count)
    if total == 0:
        least_claimed = 1.0 - most_claimed
        return Estimate(value, 0.0, least_claimed, confidence, Method.COMPLETE_SEPARATION, count)

    def share_wins(seeds: IntArray, axis: int) -> FloatArray:
        # How often each seed was drawn. All are whole numbers, so that the sums are exact
        # whatever order they are added in, and the same on every machine.
        rows = seeds.reshape(-1, seeds.shape[axis])
        places = rows + count * np.arange(len(rows))[:, None]
        drawn = np.bincount(places.ravel(), minlength=count * len(rows)).reshape(-1, count)
        weights = drawn.astype(np.float64)
        wins = ((weights @ half_wins.astype(np.float64)) * weights).sum(axis=1)
        share: FloatArray = wins / (2.0 * rows.shape[1] ** 2)
        return share.reshape(seeds.shape[:-1])

    numbers = np.arange(count, dtype=np.int64)
    bca_low, bca_high = find_bca_limits(numbers, share_wins, generator, confidence, num_resamples)
    low, high, method = float(bca_low), float(bca_high), Method.BCA
    if not (math.isfinite(low) and math.isfinite(high)):
        # Each seed left out gives the same share: BCa cannot be had, percentiles can.
        resampled = share_wins(draw_seeds(count, num_resamples, generator), -1)
        tail = (1.0 - widen_confidence(confidence, count)) / 2.0
        low, high = (float(end) for end in np.quantile(resampled, [tail, 1.0 - tail]))
        method = Method.PERCENTILE if np.ptp(resampled) > 0.0 else Method.ALL_EQUAL
    return Estimate(
        value,
        float(np.clip(low, 0.0, most_claimed)),
        float(np.clip(high, 1.0 - most_claimed, 1.0)),
        confidence,
        method,
        count,
    )
