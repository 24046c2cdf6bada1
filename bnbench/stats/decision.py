"""From the probability of improvement to a verdict: better, worse, not meaningfully, or wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy import stats

from bnbench.stats.estimates import Estimate

MEANINGFUL_PROBABILITY = 0.75
"""gamma: from this P(candidate > baseline) on, a difference matters."""

DEFAULT_ALPHA = 0.05
"""Error rate of saying *better* where there is no difference."""

DEFAULT_BETA = 0.05
"""Error rate of missing a difference of gamma."""


class Outcome(StrEnum):
    """What a comparison says of the candidate."""

    BETTER = "better"
    WORSE = "worse"
    NOT_MEANINGFULLY_BETTER = "not meaningfully better"
    NO_CONCLUSION = "no conclusion"


@dataclass(frozen=True)
class Decision:
    """The verdict on a candidate and what it rests on.

    Attributes:
        outcome: the verdict.
        probability: P(candidate > baseline) with the interval judged.
        gamma: the probability from which on a difference counts as meaningful.
        num_pairs: pairs of trials judged.
        num_required_pairs: pairs that the design asks for (29 by default).
        num_more_pairs: seeds to add where there is no conclusion; ``None`` otherwise.
        excludes_meaningfully_worse: whether the interval also rules out that the candidate
            is meaningfully worse (low >= 1 - gamma); ``None`` without an interval.
    """

    outcome: Outcome
    probability: Estimate
    gamma: float
    num_pairs: int
    num_required_pairs: int
    num_more_pairs: int | None
    excludes_meaningfully_worse: bool | None


def count_required_pairs(
    gamma: float = MEANINGFUL_PROBABILITY,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
) -> int:
    """Count the trials of each variant needed to detect P(candidate > baseline) = gamma.

    ``N = ((z(1 - alpha) + z(1 - beta)) / (sqrt(6) * (gamma - 1/2)))^2``, rounded up: one-sided
    Mann-Whitney test, as many trials of each variant.

    Args:
        gamma: the probability to be detected, in (0.5, 1].
        alpha: chance to find a difference that is not there, in (0, 0.5).
        beta: chance to miss one that is, in (0, 0.5).

    Returns:
        Number of trials of each variant; 29 for the defaults.

    Raises:
        ValueError: if an argument is outside its range.

    Source: Noether (1987), "Sample Size Determination for Some Common Nonparametric Tests",
    JASA 82(398), for the Wilcoxon two-sample test; Bouthillier et al. (2021), arXiv 2103.03098,
    appendix C.
    """
    if not 0.5 < gamma <= 1.0:
        raise ValueError(f"gamma must be in (0.5, 1], got {gamma}")
    for name, rate in (("alpha", alpha), ("beta", beta)):
        if not 0.0 < rate < 0.5:
            raise ValueError(f"{name} must be in (0, 0.5), got {rate}")
    quantiles = float(stats.norm.isf(alpha) + stats.norm.isf(beta))
    return math.ceil((quantiles / (math.sqrt(6.0) * (gamma - 0.5))) ** 2)


def decide_improvement(
    probability: Estimate,
    *,
    gamma: float = MEANINGFUL_PROBABILITY,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
) -> Decision:
    """Decide what P(candidate > baseline) in [low, high] says of the candidate.

    In this order:

    - *better* if low > 1/2 and high > gamma: there is an improvement (significant), and it may be
      as large as matters (meaningful is not ruled out);
    - *worse* if high < 1/2 and low < 1 - gamma: the same with the variants exchanged;
    - *not meaningfully better* if high <= gamma, wherever low is: an improvement that matters is
      ruled out. So it says too when the baseline is better by less than matters;
    - *no conclusion* otherwise, or without an interval.

    In the paper low <= 1/2 ("not significant") and high <= gamma ("not meaningful") overlap; here
    the overlap is *not meaningfully better*, the firmer of the two: no further seed is called for.

    ``alpha`` and ``beta`` set the number of pairs required; the chance of an error in the verdict
    is the interval's, so that fewer pairs than required may do where the difference is plain.
    Measured (5,000 to 8,000 studies, 95 % interval, simulation error 0.3 points or less): *better*
    is said of 1.9 % of studies of 30 pairs without a difference (1.2 % of 10 pairs, 1.5 % of 6),
    and of 93.6 % with a difference of one standard deviation of the trials (P = 0.76, seeds with
    nothing in common; 98.9 % where they correlate at 0.5). Without a difference 89 % say *not
    meaningfully better*; with the difference of P = 0.76 1.1 % do. Looking at 10 pairs and, without
    a conclusion, once more after the seeds asked for raises *better* without a difference to 2.6 %;
    who looks after every seed must expect more.

    Args:
        probability: P(candidate > baseline) with its interval.
        gamma: the probability from which on a difference matters, in (0.5, 1].
        alpha: see :func:`count_required_pairs`.
        beta: see :func:`count_required_pairs`.

    Returns:
        The verdict; without a conclusion also how many seeds to add: up to the number required,
        and beyond it as many as would settle the question if the estimate stayed where it is.

    Raises:
        ValueError: if an argument is outside its range, or ``probability`` has no value.

    Source: Bouthillier et al. (2021), arXiv 2103.03098, appendix C.
    """
    required = count_required_pairs(gamma, alpha, beta)
    if probability.value is None:
        raise ValueError("a decision requires at least one pair of trials, got none")
    low, high = probability.low, probability.high
    if low is None or high is None:
        outcome, excludes_worse = Outcome.NO_CONCLUSION, None
    else:
        excludes_worse = low >= 1.0 - gamma
        if low > 0.5 and high > gamma:
            outcome = Outcome.BETTER
        elif high < 0.5 and not excludes_worse:
            outcome = Outcome.WORSE
        elif high <= gamma:
            outcome = Outcome.NOT_MEANINGFULLY_BETTER
        else:
            outcome = Outcome.NO_CONCLUSION
    more = None
    if outcome is Outcome.NO_CONCLUSION:
        more = _count_more_pairs(probability, gamma, required)
    return Decision(
        outcome=outcome,
        probability=probability,
        gamma=gamma,
        num_pairs=probability.count,
        num_required_pairs=required,
        num_more_pairs=more,
        excludes_meaningfully_worse=excludes_worse,
    )


def _count_more_pairs(probability: Estimate, gamma: float, required: int) -> int:
    """Count the seeds to add, supposing an interval that shrinks like 1 / sqrt(n).

    A distance d between the value and an end of the interval becomes the gap g to a border once
    ``n' = n * (d / g)^2``; the nearest border that would settle the question counts.
    """
    value, low, high, count = (
        probability.value,
        probability.low,
        probability.high,
        probability.count,
    )
    if value is None or low is None or high is None or count < required:
        return max(required - count, 1)
    shrinkages = []
    if value > 0.5:
        shrinkages.append((value - low) / (value - 0.5))
    if value < gamma:
        shrinkages.append((high - value) / (gamma - value))
    return max(math.ceil(count * min(shrinkages) ** 2) - count, 1)
