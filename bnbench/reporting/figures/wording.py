"""Numbers as the figures write them, and the parts of their sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnbench.stats import Estimate

NO_BREAK = "\N{NO-BREAK SPACE}"
LONGEST_NAME = 18
"""Characters of a name that a figure shows in full."""


def write_percent(fraction: float) -> str:
    """Write a fraction as percent with one decimal: ``80.5 %``."""
    return f"{100 * fraction:.1f}{NO_BREAK}%"


def write_estimate(estimate: Estimate) -> str:
    """Write a mean accuracy with its interval, as far as either is defined."""
    if estimate.value is None:
        return "not measured"
    text = write_percent(estimate.value)
    if estimate.low is None or estimate.high is None:
        return text
    return (
        f"{text} (95{NO_BREAK}% interval {100 * estimate.low:.1f} to "
        f"{write_percent(estimate.high)})"
    ).replace(f"95{NO_BREAK}%", f"{100 * estimate.confidence:g}{NO_BREAK}%")


def write_rate(learning_rate: float) -> str:
    """Write a learning rate with at most three digits: ``0.001``, ``0.272``."""
    return f"{learning_rate:.3g}"


def write_seconds(seconds: float) -> str:
    """Write seconds with three digits: ``2.41 s``."""
    digits = f"{seconds:#.3g}".rstrip(".") if seconds < 1000 else f"{seconds:.0f}"
    return f"{digits}{NO_BREAK}s"


def write_count(count: int, singular: str) -> str:
    """Write how many there are: ``1 trial``, ``30 trials``."""
    return f"{count}{NO_BREAK}{singular}" + ("" if count == 1 else "s")


def shorten_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a name that is too long for a figure, in its middle: ends are what tells names apart."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def join_parts(parts: Sequence[str]) -> str:
    """Join parts of a sentence, none of which has a comma that separates it: ``a; b; c``."""
    return "; ".join(parts)
