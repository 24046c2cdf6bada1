"""The best of k tuning trials: both networks' validation accuracy, and their difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from bnbench.reporting.figures.canvas import (
    Panel,
    label_line_ends,
    make_panels,
    measure_labels,
    write_heading,
    write_x_label,
)
from bnbench.reporting.figures.output import Figure, Row, make_figure
from bnbench.reporting.figures.palette import INK, MUTED, SERIES, SeriesStyle
from bnbench.reporting.sections.budget import TITLE, SearchSummary
from bnbench.reporting.wording import shorten_name
from bnbench.stats import BudgetSummary, Estimate

DIFFERENCE = SeriesStyle(INK, "D", (0, ()))
MOST_MARKED = 20
"""Budgets up to which each has a marker."""

Get = Callable[[BudgetSummary], Estimate]


def draw_budget(search: SearchSummary | None) -> Figure | None:
    """Draw both networks and, below, their difference; None where too little was tuned."""
    if search is None:
        return None
    last = search.budgets[-1]
    sides: list[tuple[str, Get, SeriesStyle]] = [
        (search.baseline, lambda budget: budget.baseline, SERIES[0]),
        (search.candidate, lambda budget: budget.candidate, SERIES[1]),
    ]
    labels = {
        "validation accuracy": [
            f"{shorten_name(name)}\n{_format(get(last), '.1f')} %" for name, get, _ in sides
        ],
        "difference": [f"{_format(last.difference, '+.1f')} points"],
    }
    drawing, (top, bottom) = make_panels(TITLE, [Panel(2.1), Panel(1.7)], measure_labels(labels))
    for axes in (top, bottom):
        _set_budgets(axes, [budget.num_trials for budget in search.budgets])
    ends = [
        (*_draw_line(top, search.budgets, get, style), label, style.color)
        for (_, get, style), label in zip(sides, labels["validation accuracy"], strict=True)
    ]
    label_line_ends(top, ends)
    bottom.axhline(0, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    end = _draw_line(bottom, search.budgets, lambda budget: budget.difference, DIFFERENCE)
    label_line_ends(bottom, [(*end, labels["difference"][0], INK)])
    write_heading(top, "best of k trials: validation accuracy, %")
    write_heading(bottom, f"{shorten_name(search.candidate)} minus baseline, points")
    caption = (
        f"Expected best of k tuning trials, from {search.num_trials:,} trials of each network. "
        "Bands hold 95 % of the resamples of the trials. The dotted line is no difference."
    )
    return make_figure(drawing, "budget", caption, labels, _list_rows(search))


def _set_budgets(axes: Axes, budgets: Sequence[int]) -> None:
    """Set the axis of budgets, whose doublings are equally far apart."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(0.93, budgets[-1] * 1.07)
    axes.xaxis.set_major_locator(FixedLocator([2**n for n in range(budgets[-1].bit_length())]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    write_x_label(axes, "tuning trials, k (log scale)")


def _draw_line(
    axes: Axes, budgets: Sequence[BudgetSummary], get: Get, style: SeriesStyle
) -> tuple[float, float]:
    """Draw one estimate by budget as a line in its band; where the line ends."""
    numbers = [budget.num_trials for budget in budgets]
    estimates = [get(budget) for budget in budgets]
    values, lows, highs = (
        [100 * (getattr(each, name) or 0.0) for each in estimates]
        for name in ("value", "low", "high")
    )
    axes.fill_between(numbers, lows, highs, color=style.color, alpha=0.22, linewidth=0, zorder=3)
    axes.plot(
        numbers,
        values,
        color=style.color,
        linewidth=2,
        linestyle=style.dashes,
        marker=style.marker if len(numbers) <= MOST_MARKED else "",
        markersize=4.5,
        zorder=5,
    )
    return numbers[-1], values[-1]


def _format(estimate: Estimate, form: str) -> str:
    return f"{100 * (estimate.value or 0.0):{form}}"


def _list_rows(search: SearchSummary) -> list[Row]:
    return [
        {
            "num_trials": budget.num_trials,
            "series": series,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
        for budget in search.budgets
        for series, estimate in (
            (search.baseline, budget.baseline),
            (search.candidate, budget.candidate),
            ("difference", budget.difference),
        )
    ]
