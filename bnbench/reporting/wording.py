"""Numbers as texts, the same way everywhere; what is undefined is said in words."""

from __future__ import annotations

from collections.abc import Sequence

from bnbench.stats import Estimate


def format_percent(fraction: float | None, digits: int = 2) -> str:
    """0.8712 as ``87.12 %``."""
    return "not known" if fraction is None else f"{fraction * 100:.{digits}f} %"


def format_points(estimate: Estimate) -> str:
    """A difference of accuracies in percentage points, signed, with its interval."""
    if estimate.value is None:
        return "not known"
    text = f"{estimate.value * 100:+.2f} points"
    if estimate.low is not None and estimate.high is not None:
        text += f" [{estimate.low * 100:+.2f}, {estimate.high * 100:+.2f}]"
    return text


def format_accuracy(estimate: Estimate) -> str:
    """A mean accuracy in percent with its interval."""
    if estimate.value is None:
        return "not known"
    text = format_percent(estimate.value)
    if estimate.low is not None and estimate.high is not None:
        text += f" [{estimate.low * 100:.2f}, {estimate.high * 100:.2f}]"
    return text


def format_number(estimate: Estimate, digits: int = 2) -> str:
    """A plain number with its interval; an open end is said."""
    if estimate.value is None:
        return "not known"
    text = f"{estimate.value:,.{digits}f}"
    if estimate.low is None and estimate.high is None:
        return text
    low = "open" if estimate.low is None else f"{estimate.low:,.{digits}f}"
    high = "open" if estimate.high is None else f"{estimate.high:,.{digits}f}"
    return f"{text} [{low}, {high}]"


def format_seconds(seconds: float | None) -> str:
    """A time with three digits that count."""
    return "not known" if seconds is None else f"{seconds:.3g} s"


def format_count(number: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
