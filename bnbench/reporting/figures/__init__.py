"""The report's figures, drawn from a run's summary and the trials behind it.

==================  =====================================================================
``accuracy``        test accuracy by epoch
``learning_rate``   validation accuracy by learning rate
``time_to_target``  share of trials that have reached the target
``epoch_time``      seconds of training per epoch
``figure``          what a drawn figure is
``rate_panel``      accuracy by learning rate on one device
``rate_strip``      the learning rates that work, as bars
``timing_panel``    epochs of one engine on one device
``canvas``          panels of fixed size, and the labels beside them
``palette``         colors, markers and line styles
``output``          a canvas as SVG that follows the page's theme, and as PNG
``wording``         numbers as the figures write them
==================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bnbench.reporting.figures.accuracy import draw_accuracy
from bnbench.reporting.figures.epoch_time import draw_epoch_time
from bnbench.reporting.figures.figure import Figure
from bnbench.reporting.figures.learning_rate import draw_learning_rate
from bnbench.reporting.figures.output import use_settings
from bnbench.reporting.figures.time_to_target import draw_time_to_target

if TYPE_CHECKING:
    from bnbench.records import TrialRecord
    from bnbench.reporting.summary import RunSummary

__all__ = ["Figure", "draw_figures"]

DRAWERS = (draw_accuracy, draw_learning_rate, draw_time_to_target, draw_epoch_time)


def draw_figures(summary: RunSummary, records: Sequence[TrialRecord]) -> dict[str, Figure]:
    """Draw every figure the run has data for, by name and in the report's order.

    Args:
        summary: what was computed of the run.
        records: the run's trials, from which each single trial and epoch is drawn.

    Returns:
        Some of ``accuracy``, ``learning_rate``, ``time_to_target`` and ``epoch_time``; what
        cannot be drawn is absent. The same run gives the same bytes.
    """
    with use_settings():
        drawn = [draw(summary, records) for draw in DRAWERS]
    return {figure.name: figure for figure in drawn if figure is not None}
