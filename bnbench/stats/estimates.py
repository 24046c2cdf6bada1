"""The one shape every answer of this package has: a value, how sure it is, and how we know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_CONFIDENCE = 0.95
"""Probability, before the data are seen, that an interval will hold the true value."""

DEFAULT_NUM_RESAMPLES = 9999
"""Bootstrap resamples; with 9,999 the ends of a 95 % interval move by about 1 % of its width."""


class Method(StrEnum):
    """How the interval of an :class:`Estimate` was found."""

    BCA = "BCa bootstrap"
    PERCENTILE = "percentile bootstrap"
    STUDENT_T = "Student t"
    KAPLAN_MEIER = "Kaplan-Meier, log-log"
    COMPLETE_SEPARATION = "Clopper-Pearson"
    FISHER_Z = "Fisher z"
    ALL_EQUAL = "all values equal"


@dataclass(frozen=True)
class Estimate:
    """A number computed from trials, with its confidence interval.

    What is undefined is ``None``: the value of no trials, the interval of one trial, the end of
    an interval that lies beyond what was observed. ``dataclasses.asdict`` gives plain JSON.

    Attributes:
        value: the estimate, in the unit its field's name says; ``None`` if undefined.
        low: lower end of the interval, same unit; ``None`` if there is no lower end.
        high: upper end of the interval, same unit; ``None`` if there is no upper end.
        confidence: confidence level of the interval, in (0, 1).
        method: how the interval was found; ``None`` if there is no interval.
        count: trials (or pairs of trials) that went into the value.
    """

    value: float | None
    low: float | None
    high: float | None
    confidence: float
    method: Method | None
    count: int

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} must be a finite number or None, got {number}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self.low} > {self.high}")
        check_confidence(self.confidence)
        if self.method is None and (self.low is not None or self.high is not None):
            raise ValueError("an interval must say its method, got method None")

    @property
    def has_interval(self) -> bool:
        """Whether at least one end of the interval is known."""
        return self.low is not None or self.high is not None


def check_confidence(confidence: float) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1.

    Raises:
        ValueError: if ``confidence`` is outside (0, 1), as 95 instead of 0.95 is.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0, 1), such as 0.95; got {confidence}")


def count_least_for_interval(confidence: float = DEFAULT_CONFIDENCE) -> int:
    """Count the values below which no distribution-free interval can keep its promise.

    The interval from the least to the greatest of n values misses the median with probability
    ``2 * 0.5 ** n``. An interval that stays inside the values seen, as a bootstrap one does,
    can therefore reach the confidence level only if ``2 * 0.5 ** n <= 1 - confidence``.

    Args:
        confidence: confidence level, in (0, 1).

    Returns:
        The smallest such n: 6 for 95 %.

    Source: Thompson (1936), "On confidence ranges for the median and other expectation
    distributions", Annals of Mathematical Statistics 7(3).
    """
    check_confidence(confidence)
    count = 1
    while 2.0 * 0.5**count > 1.0 - confidence:
        count += 1
    return count


def undefined_interval(value: float | None, count: int, confidence: float) -> Estimate:
    """Make an estimate without an interval, for too few trials or none."""
    return Estimate(value, None, None, confidence, None, count)
