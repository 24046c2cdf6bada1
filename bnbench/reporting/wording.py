"""Numbers and names as texts, the same way everywhere; undefined numbers are "not known"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bnbench.stats import Estimate
from bnbench.techniques import BASELINE, TECHNIQUES

LONGEST_NAME = 18
"""Characters of a name that a figure shows in full."""
VARIANT_NAMES = {
    BASELINE.name: "the baseline",
    **{name: technique.title for name, technique in TECHNIQUES.items()},
}
"""What the built-in variants are called within a sentence."""


def name_variant(variant: str) -> str:
    """A variant's name within a sentence."""
    return VARIANT_NAMES.get(variant, variant)


def start_sentence(text: str) -> str:
    """Begin with a capital, unless the text begins with a variant's own name."""
    starts = tuple(VARIANT_NAMES.values())
    return text[0].upper() + text[1:] if text.startswith(starts) else text


def format_interval(estimate: Estimate, factor: float = 1.0, form: str = ".2f") -> str:
    """The interval in brackets, after a space; nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f" [{estimate.low * factor:{form}}, {estimate.high * factor:{form}}]"


def shorten_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a name too long for a figure in its middle, since names differ at their ends."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def format_percent(fraction: float | None, digits: int = 2) -> str:
    """0.8712 as ``87.12 %``."""
    return "not known" if fraction is None else f"{fraction * 100:.{digits}f} %"


def format_points(estimate: Estimate) -> str:
    """A difference of accuracies in percentage points, signed, with its interval."""
    if estimate.value is None:
        return "not known"
    return f"{estimate.value * 100:+.2f} points{format_interval(estimate, 100, '+.2f')}"


def format_accuracy(estimate: Estimate) -> str:
    """A mean accuracy in percent with its interval."""
    if estimate.value is None:
        return "not known"
    return format_percent(estimate.value) + format_interval(estimate, 100)


def format_number(estimate: Estimate, digits: int = 2) -> str:
    """A plain number with its interval; an end without a bound is "open"."""
    if estimate.value is None:
        return "not known"
    text = f"{estimate.value:,.{digits}f}"
    if estimate.low is None and estimate.high is None:
        return text
    low = "open" if estimate.low is None else f"{estimate.low:,.{digits}f}"
    high = "open" if estimate.high is None else f"{estimate.high:,.{digits}f}"
    return f"{text} [{low}, {high}]"


def format_seconds(seconds: float | None) -> str:
    """A time with three digits: ``2.40 s``."""
    if seconds is None:
        return "not known"
    return f"{seconds:.0f} s" if seconds >= 1000 else f"{seconds:#.3g}".rstrip(".") + " s"


def format_together(numbers: Sequence[float | None]) -> list[str]:
    """Write positive numbers that are read together with the same decimals.

    The smallest has three digits, or two where the largest is ten times as large.
    """
    known = [number for number in numbers if number]
    decimals = 0
    if known:
        digits = 3 if max(known) < 10 * min(known) else 2
        decimals = max(digits - 1 - math.floor(math.log10(min(known))), 0)
    return ["not known" if each is None else f"{each:,.{decimals}f}" for each in numbers]


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def join_words(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
