"""Made-up machines: noise between processes and within them, as shared runners have it."""

from __future__ import annotations

import numpy as np

BETWEEN_PROCESSES = 0.009
"""Two processes doing the same differ by so much (standard deviation of the log-ratio)."""
ROUND_DEVIATION = 0.11
"""The log-ratio of two adjacent rounds."""
NUM_ROUNDS = 10
CORRELATION = 0.3
"""Of the log-ratios of one pair of rounds and the next."""


def draw_log_ratios(generator: np.random.Generator, change: float = 0.0) -> np.ndarray:
    """The rounds of one measured: correlated in time, with heavy tails, offset by their process."""
    noise = generator.standard_t(4, NUM_ROUNDS) / np.sqrt(2.0) * ROUND_DEVIATION
    for index in range(1, NUM_ROUNDS):
        noise[index] = CORRELATION * noise[index - 1] + np.sqrt(1.0 - CORRELATION**2) * noise[index]
    return noise + generator.normal(0.0, BETWEEN_PROCESSES) + np.log1p(change)
