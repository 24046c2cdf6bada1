"""Statistics of bnbench: arrays in, numbers out.

Pure functions over NumPy arrays. The random generator is an argument. Nothing here imports torch,
reads files or knows the rest of bnbench. Accuracy is a fraction, with one row per seed and the
seeds of both variants in the same order; NaN is a missing value. Results are frozen dataclasses in
which ``None`` means undefined. The same input and generator seed give the same bits.

===================  ====================================================================
``curves``           accuracy by epoch, summarized over seeds
``pairing``          difference by epoch, seed by seed; whether pairing helped
``improvement``      probability that a new trial of one variant beats one of the other
``decision``         better, worse, not meaningfully better, or how many seeds are missing
``change``           whether something became worse, with an error rate for either mistake
``arrival``          when a trial first reaches a target, and which target to use
``survival``         median of right-censored times
``convergence``      epochs, steps and seconds to a target
``speed_up``         the speed-up, split into fewer steps and costlier steps
``epoch_time``       seconds per epoch, outliers, and the ratio of two variants
``learning_rate``    the best rate of a grid
``budget``           the best of a number of tuning trials
``nested``           the difference of tuned variants, with the choice of their rates
``spread``           the deviation over seeds, and the share of one source in the variance
``simultaneous``     the level of each of several intervals that hold together
``sensitivity``      which rates work, and where trials diverge
``means``            means and their intervals
``medians``          medians of many rows at once
``resampling``       the bootstrap behind the intervals
``estimates``        a value with its interval
``arrays``           checks of the input
===================  ====================================================================
"""

from bnbench.stats.arrival import choose_target, find_arrivals
from bnbench.stats.budget import BudgetSummary, estimate_budgets, weigh_best
from bnbench.stats.change import (
    Change,
    ChangeOutcome,
    ErrorRates,
    classify_change,
    decide_change,
)
from bnbench.stats.convergence import Convergence, summarize_convergence
from bnbench.stats.curves import EpochSummary, summarize_curve
from bnbench.stats.decision import (
    MEANINGFUL_PROBABILITY,
    Decision,
    Outcome,
    count_required_pairs,
    decide_improvement,
)
from bnbench.stats.epoch_time import (
    EpochTime,
    EpochTimeComparison,
    SlowEpoch,
    compare_epoch_time,
    summarize_epoch_time,
)
from bnbench.stats.estimates import DEFAULT_CONFIDENCE, DEFAULT_NUM_RESAMPLES, Estimate, Method
from bnbench.stats.improvement import Improvement, estimate_improvement
from bnbench.stats.learning_rate import CHANCE_ACCURACY, choose_learning_rate, list_finalists
from bnbench.stats.means import estimate_means
from bnbench.stats.nested import (
    NestedDifference,
    TunedAccuracy,
    estimate_nested_difference,
    list_alternates,
)
from bnbench.stats.pairing import Pairing, compare_pairs, summarize_pairing
from bnbench.stats.sensitivity import (
    WORKING_TOLERANCE,
    RateBand,
    RateSensitivity,
    RateSummary,
    summarize_sensitivity,
)
from bnbench.stats.simultaneous import correct_confidence, count_contrasts
from bnbench.stats.speed_up import SpeedUp, estimate_speed_up
from bnbench.stats.spread import (
    MIN_SEEDS,
    estimate_deviation,
    estimate_variance_ratio,
    find_sampling_deviation,
)
from bnbench.stats.survival import estimate_median_time

__all__ = [
    "CHANCE_ACCURACY",
    "DEFAULT_CONFIDENCE",
    "DEFAULT_NUM_RESAMPLES",
    "MEANINGFUL_PROBABILITY",
    "MIN_SEEDS",
    "WORKING_TOLERANCE",
    "BudgetSummary",
    "Change",
    "ChangeOutcome",
    "Convergence",
    "Decision",
    "EpochSummary",
    "EpochTime",
    "EpochTimeComparison",
    "ErrorRates",
    "Estimate",
    "Improvement",
    "Method",
    "NestedDifference",
    "Outcome",
    "Pairing",
    "RateBand",
    "RateSensitivity",
    "RateSummary",
    "SlowEpoch",
    "SpeedUp",
    "TunedAccuracy",
    "choose_learning_rate",
    "choose_target",
    "classify_change",
    "compare_epoch_time",
    "compare_pairs",
    "correct_confidence",
    "count_contrasts",
    "count_required_pairs",
    "decide_change",
    "decide_improvement",
    "estimate_budgets",
    "estimate_deviation",
    "estimate_improvement",
    "estimate_means",
    "estimate_median_time",
    "estimate_nested_difference",
    "estimate_speed_up",
    "estimate_variance_ratio",
    "find_arrivals",
    "find_sampling_deviation",
    "list_alternates",
    "list_finalists",
    "summarize_convergence",
    "summarize_curve",
    "summarize_epoch_time",
    "summarize_pairing",
    "summarize_sensitivity",
    "weigh_best",
]
