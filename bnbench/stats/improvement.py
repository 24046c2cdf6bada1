"""How likely a new trial of one variant is to beat a new trial of another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bnbench.stats.arrays import FloatArray, IntArray, read_accuracy_pair
from bnbench.stats.estimates import (
    DEFAULT_CONFIDENCE,
    DEFAULT_NUM_RESAMPLES,
    Estimate,
    Method,
    find_min_count,
    omit_interval,
)
from bnbench.stats.resampling import draw_seeds, find_bca_limits, widen_confidence


@dataclass(frozen=True)
class Improvement:
    """How often the candidate wins."""

    probability: Estimate
    """P(candidate > baseline) of two new trials, in [0, 1]; a tie counts half."""
    num_wins: int
    """Seeds at which the candidate's accuracy is higher."""
    num_ties: int
    """Seeds at which both accuracies are equal."""
    num_losses: int
    """Seeds at which the candidate's accuracy is lower."""


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

    Bouthillier et al. compare only within pairs. All n^2 comparisons answer the same question with
    less noise, and Noether's sample size is made for them. The interval is the paper's bootstrap
    over pairs: both trials of a seed are drawn together. It is taken as BCa and widened for few
    pairs. No interval claims more than n wins out of n would: the lower end is at most
    ``(alpha / 2) ** (1 / n)``, and the upper end at least one minus that. Fewer than 6 pairs have
    no 95 % interval.

    Measured coverage of the 95 % interval with 30 pairs (1,000 studies each of 999 resamples,
    simulation error 0.7 points):

    - 96.0 % without a difference, 95.8 % with a difference of one standard deviation of the
      trials, 98.9 % with two;
    - 96.1 % and 96.7 % for seeds that correlate at 0.5 (without a difference, and with one
      standard deviation);
    - 96.2 % if a quarter of the trials diverge.

    With 10 pairs it is 97 % or more, with 6 pairs 96 % or more: never below its level.

    Args:
        baseline_accuracy: shape (num_seeds,), fractions in [0, 1]. NaN is a trial that diverged:
            it loses to every other trial and ties with another diverged one.
        candidate_accuracy: same shape, the same seeds in the same order.
        generator: source of the resamples.
        confidence: confidence level, in (0, 1).
        num_resamples: bootstrap resamples, at least 1.

    Returns:
        The probability with its interval, and wins, ties and losses by seed.

    Raises:
        ValueError: if the shapes differ or a value is outside its range.

    Source: Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks",
    arXiv 2103.03098; Mann and Whitney (1947), Annals of Mathematical Statistics
    18(1); Clopper and Pearson (1934), Biometrika 26(4), for n wins out of n.
    """
    baseline, candidate = read_accuracy_pair(baseline_accuracy, candidate_accuracy, num_axes=1)
    half_wins = _count_half_wins(baseline, candidate)
    same_seed = np.diagonal(half_wins)
    return Improvement(
        probability=_estimate_probability(half_wins, generator, confidence, num_resamples),
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
    if count < find_min_count(confidence):
        return omit_interval(value, count, confidence)
    most_claimed = ((1.0 - confidence) / 2.0) ** (1.0 / count)
    if total == greatest:
        return Estimate(value, most_claimed, 1.0, confidence, Method.COMPLETE_SEPARATION, count)
    if total == 0:
        least_claimed = 1.0 - most_claimed
        return Estimate(value, 0.0, least_claimed, confidence, Method.COMPLETE_SEPARATION, count)

    def share_wins(seeds: IntArray, axis: int) -> FloatArray:
        # Weights are how often each seed was drawn. Whole numbers add up exactly in any order, so
        # that every machine gives the same bits.
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
        # BCa is undefined if leaving out any seed gives the same share; percentiles are not.
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
