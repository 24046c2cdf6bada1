"""From the probability of improvement to a verdict: better, worse, not meaningfully, or wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy import stats

from bnbench.stats.estimates import DEFAULT_CONFIDENCE, Estimate

MEANINGFUL_PROBABILITY = 0.75
"""gamma: the least P(candidate > baseline) that counts as a meaningful improvement."""

FALSE_ALARM_RATE = 0.05
"""alpha: chance of finding an improvement that is not there."""

MISS_RATE = 0.05
"""beta: chance of missing an improvement of gamma."""


class Outcome(StrEnum):
    """What a comparison says of the candidate."""

    BETTER = "better"
    WORSE = "worse"
    NOT_MEANINGFULLY_BETTER = "not meaningfully better"
    NO_CONCLUSION = "no conclusion"


@dataclass(frozen=True)
class Decision:
    """The verdict on a candidate and its basis."""

    outcome: Outcome
    """The verdict."""
    probability: Estimate
    """P(candidate > baseline) with the interval judged."""
    num_more_pairs: int | None
    """Seeds to add if there is no conclusion; ``None`` otherwise."""


def count_required_pairs(
    gamma: float = MEANINGFUL_PROBABILITY,
    alpha: float = FALSE_ALARM_RATE,
    beta: float = MISS_RATE,
) -> int:
    """Count the trials per variant needed to detect P(candidate > baseline) = gamma.

    ``N = ((z(1 - alpha) + z(1 - beta)) / (sqrt(6) * (gamma - 1/2)))^2``, rounded up: a one-sided
    Mann-Whitney test with equally many trials of each variant.

    Args:
        gamma: the probability to detect, in (0.5, 1].
        alpha: chance of finding an improvement that is not there, in (0, 0.5).
        beta: chance of missing an improvement of gamma, in (0, 0.5).

    Returns:
        Number of trials per variant; 29 for the defaults.

    Raises:
        ValueError: if an argument is outside its range.

    Source: Noether (1987), "Sample Size Determination for Some Common Nonparametric Tests",
    JASA 82(398), for the Wilcoxon two-sample test; Bouthillier et al. (2021), "Accounting for
    Variance in Machine Learning Benchmarks", arXiv 2103.03098.
    """
    if not 0.5 < gamma <= 1.0:
        raise ValueError(f"gamma: expected a probability in (0.5, 1], got {gamma}")
    for name, rate in (("alpha", alpha), ("beta", beta)):
        if not 0.0 < rate < 0.5:
            raise ValueError(
                f"{name}: expected a rate in (0, 0.5), got {rate}; divide percent by 100"
            )
    quantiles = float(stats.norm.isf(alpha) + stats.norm.isf(beta))
    return math.ceil((quantiles / (math.sqrt(6.0) * (gamma - 0.5))) ** 2)


def decide_improvement(probability: Estimate) -> Decision:
    """Decide what P(candidate > baseline) in [low, high] says of the candidate.

    With ``gamma`` = 0.75, the first that holds:

    - *better* if low > 1/2 and high > gamma: there is an improvement (significant), and it may
      be large enough to matter (meaningful is not ruled out);
    - *worse* if high < 1/2 and low < 1 - gamma: the same with the variants exchanged;
    - *not meaningfully better* if high <= gamma: an improvement that matters is ruled out. This
      includes a baseline that is better by less than matters;
    - *no conclusion* otherwise, or without an interval.

    In the paper, low <= 1/2 ("not significant") and high <= gamma ("not meaningful") overlap.
    Here the overlap is *not meaningfully better*, the firmer of the two: it asks for no more seeds.

    The error rates of the verdict are those of the interval. Fewer pairs than
    :func:`count_required_pairs` asks for are therefore enough for a plain difference. Measured
    (5,000 to 20,000 studies, 95 % interval, simulation error 0.3 points or less):

    - Without a difference, *better* is said in 2.0 % of studies of 30 pairs (1.3 % of 10 pairs,
      1.5 % of 6), and *not meaningfully better* in 89 % of those of 30.
    - With a difference of one standard deviation of the trials (P = 0.76), *better* is said in
      93.6 % (98.9 % if seeds correlate at 0.5), and *not meaningfully better* in 1.1 %.
    - Looking at 10 pairs and, without a conclusion, once more after the seeds asked for raises
      *better* without a difference to 2.6 %. Looking after every seed raises it further.

    Args:
        probability: P(candidate > baseline) with its interval.

    Returns:
        The verdict. Without a conclusion, also the seeds to add: up to the number required, and
        beyond it as many as would settle the question if the estimate stayed as it is.

    Raises:
        ValueError: if ``probability`` has no value.

    Source: Bouthillier et al. (2021), arXiv 2103.03098.
    """
    if probability.value is None:
        raise ValueError("probability: expected at least one pair of trials, got none")
    low, high = probability.low, probability.high
    if low is None or high is None:
        outcome = Outcome.NO_CONCLUSION
    elif low > 0.5 and high > MEANINGFUL_PROBABILITY:
        outcome = Outcome.BETTER
    elif high < 0.5 and low < 1.0 - MEANINGFUL_PROBABILITY:
        outcome = Outcome.WORSE
    elif high <= MEANINGFUL_PROBABILITY:
        outcome = Outcome.NOT_MEANINGFULLY_BETTER
    else:
        outcome = Outcome.NO_CONCLUSION
    more = _count_more_pairs(probability) if outcome is Outcome.NO_CONCLUSION else None
    return Decision(outcome, probability, more)


def _count_more_pairs(probability: Estimate) -> int:
    """Count the seeds to add, for an interval that shrinks like 1 / sqrt(n).

    The distance d between the value and an end of the interval shrinks to the gap g between the
    value and a border at ``n' = n * (d / g)^2`` seeds. The nearest border counts.
    """
    value, low, high = probability.value, probability.low, probability.high
    # An interval that is one of several has a smaller error rate; see `correct_confidence`.
    share = (1.0 - probability.confidence) / (1.0 - DEFAULT_CONFIDENCE)
    count, required = probability.count, count_required_pairs(alpha=FALSE_ALARM_RATE * share)
    if value is None or low is None or high is None or count < required:
        return max(required - count, 1)
    shrinkages = []
    if value > 0.5:
        shrinkages.append((value - low) / (value - 0.5))
    if value < MEANINGFUL_PROBABILITY:
        shrinkages.append((high - value) / (MEANINGFUL_PROBABILITY - value))
    return max(math.ceil(count * min(shrinkages) ** 2) - count, 1)
