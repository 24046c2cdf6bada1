"""What ``bnbench history`` does and shows."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.errors import GateError
from bnbench.files import replace_file
from bnbench.gate.drift import LEAST_RESULTS, AlarmSummary, count_recent, find_alarms
from bnbench.gate.history import BenchmarkHistory, list_histories, read_documents
from bnbench.gate.history_figure import draw_histories

WORSE_EXIT_CODE = 1


def show_history(files: tuple[Path, ...], figure: Path | None, num_recent: int) -> int:
    """Print every benchmark's alarms and draw them; return the exit code."""
    documents = [document for file in files for document in read_documents(file)]
    histories = list_histories(documents)
    if not histories:
        raise GateError(f"{', '.join(map(str, files))}: expected results with benchmarks, got none")
    alarms = []
    num_worse = 0
    for history in histories:
        found = find_alarms(history)
        alarms += found
        num_worse += count_recent(found, len(history.values), num_recent)
        _print_history(history, found)
    if figure is not None:
        kind = figure.suffix.lstrip(".")
        if kind not in ("png", "svg"):
            raise GateError(f"{figure}: expected a name that ends in .png or .svg")
        replace_file(figure, draw_histories(histories, alarms, kind))
        click.echo(f"Figure: {figure}")
    return WORSE_EXIT_CODE if num_worse else 0


def _print_history(history: BenchmarkHistory, alarms: list[AlarmSummary]) -> None:
    unit = "kernels" if history.is_normalized else "s"
    text = f"{history.name}: {len(history.values)} results, last {history.values[-1]:.4g} {unit}"
    if len(history.values) < LEAST_RESULTS:
        text += f"; change points need {LEAST_RESULTS}"
    click.echo(text)
    for alarm in alarms:
        word = "slower" if alarm.is_worse else "faster"
        where = f"at {alarm.first_commit}"
        if alarm.last != alarm.first:
            steps = alarm.last - alarm.first + 1
            where = f"by and by from {alarm.first_commit} to {alarm.last_commit}, {steps} results"
        click.echo(f"  {word} by {abs(alarm.change):.1%} {where}")
