"""The figure of a history: one panel per benchmark, with its alarms marked."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bnbench.gate.drift import AlarmSummary
from bnbench.gate.history import BenchmarkHistory

PANEL_WIDTH, PANEL_HEIGHT = 8.0, 1.9  # inches
MAX_TICKS = 8
SLOWER, FASTER, LINE = "#b3261e", "#1b7f4d", "#30508f"


def draw_histories(
    histories: Sequence[BenchmarkHistory], alarms: Sequence[AlarmSummary], file_format: str = "png"
) -> bytes:
    """Draw every benchmark over the results, in their order, as png or svg."""
    size = (PANEL_WIDTH, PANEL_HEIGHT * len(histories) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(histories), 1, squeeze=False)[:, 0]
    for panel, history in zip(panels, histories, strict=True):
        panel.plot(history.values, color=LINE, marker=".", linewidth=1.0)
        panel.set_title(history.name, loc="left", fontsize=9)
        panel.set_ylabel("kernels" if history.is_normalized else "seconds", fontsize=8)
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
        last = len(history.commits) - 1
        ticks = sorted({round(tick) for tick in np.linspace(0, last, MAX_TICKS)})
        panel.set_xticks(ticks, [history.commits[tick][:7] for tick in ticks])
        for alarm in alarms:
            if alarm.name == history.name:
                color = SLOWER if alarm.is_worse else FASTER
                panel.axvspan(alarm.first - 0.5, alarm.last + 0.5, color=color, alpha=0.2)
                panel.annotate(
                    f"{alarm.change:+.1%}",
                    (alarm.first, 0.92),
                    xycoords=("data", "axes fraction"),
                    color=color,
                    fontsize=8,
                )
    file = io.BytesIO()
    figure.savefig(file, format=file_format, dpi=120)
    return file.getvalue()
