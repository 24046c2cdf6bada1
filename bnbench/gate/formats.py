"""A summary as files: Markdown for people, JSON for programs and for sites that draw benchmarks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.files import replace_file
from bnbench.gate.quantities import KINDS
from bnbench.gate.verdict import GateSummary
from bnbench.gate.wording import make_notes, make_tables, word_verdict

JSON_VERSION = 4


def render_markdown(summary: GateSummary) -> str:
    """A comment for a pull request, or GitHub's step summary."""
    title = f"### Performance and accuracy gate\n\n**{_escape(word_verdict(summary))}**"
    tables = [render_table(columns, rows) for columns, rows in make_tables(summary)]
    notes = "\n".join(f"- {_escape(note)}" for note in make_notes(summary))
    return "\n\n".join([title, *tables, notes]) + "\n"


def make_json(summary: GateSummary) -> dict[str, Any]:
    """Everything, in plain JSON."""
    return {
        "format_version": JSON_VERSION,
        "verdict": summary.verdict,
        "exit_code": summary.exit_code,
        **dataclasses.asdict(summary),
    }


def make_action_benchmark(summary: GateSummary) -> list[dict[str, Any]]:
    """What github-action-benchmark reads as ``customSmallerIsBetter``: the head's figures."""
    return [
        {
            "name": quantity.name,
            "unit": KINDS[quantity.kind].unit,
            "value": quantity.head,
            "extra": f"head / base: {quantity.ratio:.4f}\n{quantity.outcome}",
        }
        for quantity in summary.quantities
    ] + [
        {
            "name": f"test error of {accuracy.variant}",
            "unit": "fraction",
            "value": 1.0 - accuracy.head_mean,
            "extra": str(accuracy.outcome),
        }
        for accuracy in summary.accuracies
    ]


def make_bencher(summary: GateSummary) -> dict[str, Any]:
    """Bencher Metric Format: benchmark, measure, then value with its bounds."""
    metrics: dict[str, Any] = {}
    for quantity in summary.quantities:
        kind = KINDS[quantity.kind]
        metric = {"value": quantity.head * kind.bencher_factor}
        if quantity.low is not None and quantity.high is not None:
            metric["lower_value"] = quantity.base * quantity.low * kind.bencher_factor
            metric["upper_value"] = quantity.base * quantity.high * kind.bencher_factor
        metrics[quantity.name] = {kind.bencher_measure: metric}
    for accuracy in summary.accuracies:
        metrics[f"accuracy of {accuracy.variant}"] = {"accuracy": {"value": accuracy.head_mean}}
    return metrics


def render_json(content: object) -> str:
    """A JSON file's text."""
    return json.dumps(content, indent=2) + "\n"


FORMATS: dict[str, Callable[[GateSummary], str]] = {
    "markdown": render_markdown,
    "json": lambda summary: render_json(make_json(summary)),
    "action_benchmark": lambda summary: render_json(make_action_benchmark(summary)),
    "bencher": lambda summary: render_json(make_bencher(summary)),
}
"""The files that can be asked for, each with what writes its text."""


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole, and its folder if that is missing.

    Raises:
        GateError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def render_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first two hold numbers."""
    rules = ["---", "---", *["---:"] * (len(columns) - 2)]
    lines = [columns, rules, *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")
