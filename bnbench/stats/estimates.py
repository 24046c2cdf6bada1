"""What every statistic here returns: a value, its interval, and how the interval was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_CONFIDENCE = 0.95
"""Share of studies whose interval holds the true value."""

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
    JACKKNIFE = "jackknife of the log variance"
    ALL_EQUAL = "all values equal"


@dataclass(frozen=True)
class Estimate:
    """A number computed from trials, with its confidence interval.

    ``None`` stands for what is undefined: the value of no trials, the interval of one trial, an
    end of an interval beyond what was observed. ``dataclasses.asdict`` gives plain JSON.

    Raises:
        ValueError: if a number is not finite, the interval is reversed, or it has no method.
    """

    value: float | None
    """The estimate, in the unit that the field holding it names; ``None`` if undefined."""
    low: float | None
    """Lower end of the interval, same unit; ``None`` if there is no lower end."""
    high: float | None
    """Upper end of the interval, same unit; ``None`` if there is no upper end."""
    confidence: float
    """Confidence level of the interval, in (0, 1)."""
    method: Method | None
    """How the interval was found; ``None`` if there is no interval."""
    count: int
    """Trials (or pairs of trials) behind the value."""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name}: expected a finite number or None, got {number}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low: expected at most high ({self.high}), got {self.low}")
        check_confidence(self.confidence)
        if self.method is None and self.has_interval:
            raise ValueError("method: expected how the interval was found, got None")

    @property
    def has_interval(self) -> bool:
        """Whether at least one end of the interval is known."""
        return self.low is not None or self.high is not None


def check_confidence(confidence: float) -> None:
    """Refuse a confidence level outside (0, 1).

    Raises:
        ValueError: if it is outside, as 95 instead of 0.95 is.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(
            f"confidence: expected a fraction in (0, 1), got {confidence}; divide percent by 100"
        )


def find_min_count(confidence: float = DEFAULT_CONFIDENCE) -> int:
    """Find the fewest values for an interval that assumes no distribution: 6 at 95 %.

    The interval from the least to the greatest of n values misses the median with probability
    ``2 * 0.5 ** n``: 6.25 % for 5 values, 3.1 % for 6. A bootstrap interval is no wider.

    Args:
        confidence: confidence level, in (0, 1).

    Source: Thompson (1936), "On confidence ranges for the median and other expectation
    distributions", Annals of Mathematical Statistics 7(3).
    """
    check_confidence(confidence)
    return math.ceil(1.0 - math.log2(1.0 - confidence))


def omit_interval(
    value: float | None, count: int, confidence: float = DEFAULT_CONFIDENCE
) -> Estimate:
    """Make an estimate without an interval, for too few trials or none."""
    return Estimate(value, None, None, confidence, None, count)
