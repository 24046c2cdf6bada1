"""The report's figures, drawn from a run's summary and its trials.

One module per figure draws it, with its data and caption; the others hold what figures share.
"""

from __future__ import annotations

from collections.abc import Callable

from bnbench.reporting.figures.accuracy import draw_accuracy
from bnbench.reporting.figures.disagreements import draw_disagreements
from bnbench.reporting.figures.effects import draw_effects
from bnbench.reporting.figures.epoch_time import draw_epoch_time
from bnbench.reporting.figures.inside import draw_activations, draw_gradients
from bnbench.reporting.figures.learning_rate import draw_learning_rate
from bnbench.reporting.figures.losses import draw_losses
from bnbench.reporting.figures.mistakes import draw_mistakes
from bnbench.reporting.figures.output import Figure, use_settings
from bnbench.reporting.figures.spread import draw_spread
from bnbench.reporting.figures.time_to_target import draw_time_to_target
from bnbench.reporting.focus import focus
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials

__all__ = ["Figure", "draw_figures"]

FIGURES: dict[str, Callable[[RunSummary, RunTrials], Figure | None]] = {
    "effects": draw_effects,
    "accuracy": draw_accuracy,
    "spread": draw_spread,
    "learning_rate": draw_learning_rate,
    "time_to_target": draw_time_to_target,
    "epoch_time": draw_epoch_time,
    "losses": draw_losses,
    "mistakes": draw_mistakes,
    "disagreements": draw_disagreements,
    "activations": draw_activations,
    "gradients": draw_gradients,
}
"""What draws each figure, by the name of its files and in the report's order."""
OF_ALL_VARIANTS = ("effects", "spread", "epoch_time")
"""Figures that show every variant, however many there are."""


def draw_figures(summary: RunSummary, trials: RunTrials) -> dict[str, Figure]:
    """Draw every figure the run has data for, by name and in the report's order.

    Args:
        summary: what the report says.
        trials: the run's trials, each of which is drawn.

    Returns:
        The figures in `FIGURES` that the run has data for. The same run gives the same bytes.
    """
    everything, shown = (summary, trials), focus(summary, trials)
    with use_settings():
        drawn = {
            name: draw(*(everything if name in OF_ALL_VARIANTS else shown))
            for name, draw in FIGURES.items()
        }
    return {name: figure for name, figure in drawn.items() if figure is not None}
