"""The learning rate of every step, the same for all engines."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bnbench.recipes import RecipeSpec, Schedule

Shares = NDArray[np.float64]
"""Shape (num_steps,): shares of the recipe's learning rate."""

# The one-cycle schedule as torch's OneCycleLR has it by default.
RISING_SHARE = 0.3
FIRST_SHARE = 1 / 25
LAST_SHARE = FIRST_SHARE / 10_000


def compute_learning_rates(recipe: RecipeSpec, num_steps: int) -> NDArray[np.float64]:
    """Compute the learning rate of each of a training's steps.

    The warm-up rises in a line from one step above 0; the schedule covers the steps after it.

    Args:
        recipe: names the schedule, its highest rate and the warm-up.
        num_steps: steps of all epochs together.

    Returns:
        Shape (num_steps,).
    """
    num_warm = min(recipe.warmup_steps, num_steps)
    warm = np.arange(1, num_warm + 1) / max(recipe.warmup_steps, 1)
    rates: NDArray[np.float64] = recipe.learning_rate * np.concatenate(
        [warm, SCHEDULES[recipe.schedule](num_steps - num_warm)]
    )
    return rates


def _stay(num_steps: int) -> Shares:
    return np.ones(num_steps)


def _fall_in_a_line(num_steps: int) -> Shares:
    return 1 - np.arange(num_steps) / max(num_steps, 1)


def _fall_as_cosine(num_steps: int) -> Shares:
    return _anneal(1.0, 0.0, np.arange(num_steps) / max(num_steps, 1))


def _rise_and_fall(num_steps: int) -> Shares:
    """Smith and Topin 2019, Super-Convergence, as torch's OneCycleLR computes it."""
    step = np.arange(num_steps, dtype=np.float64)
    peak, last = RISING_SHARE * num_steps - 1, num_steps - 1.0
    if num_steps < 2 or not 0 < peak < last:
        return np.ones(num_steps)
    rising = _anneal(FIRST_SHARE, 1.0, step / peak)
    falling = _anneal(1.0, LAST_SHARE, (step - peak) / (last - peak))
    return np.where(step <= peak, rising, falling)


def _anneal(start: float, end: float, share: Shares) -> Shares:
    """Go from `start` to `end` along half a cosine."""
    shares: Shares = end + (start - end) / 2 * (1 + np.cos(math.pi * share))
    return shares


SCHEDULES: dict[Schedule, Callable[[int], Shares]] = {
    "constant": _stay,
    "linear": _fall_in_a_line,
    "cosine": _fall_as_cosine,
    "one-cycle": _rise_and_fall,
}
"""Each schedule by its name: the shares of the highest rate over a number of steps."""
