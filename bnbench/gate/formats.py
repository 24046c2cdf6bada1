"""A summary as files: Markdown for people, JSON for programs and for sites that draw benchmarks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnbench.errors import GateError
from bnbench.files import replace_file
from bnbench.gate.quantities import KINDS
from bnbench.gate.verdict import GateSummary
from bnbench.gate.wording import (
    ACCURACY_COLUMNS,
    COLUMNS,
    make_accuracy_rows,
    make_notes,
    make_rows,
    word_verdict,
)

JSON_VERSION = 3


def render_markdown(summary: GateSummary) -> str:
    """A comment for a pull request, or GitHub's step summary."""
    lines = ["### Performance and accuracy gate", "", f"**{_escape(word_verdict(summary))}**", ""]
    lines += _render_table(COLUMNS, make_rows(summary))
    if summary.accuracies:
        lines += _render_table(ACCURACY_COLUMNS, make_accuracy_rows(summary))
    lines += [f"- {_escape(note)}" for note in make_notes(summary)]
    return "\n".join(lines) + "\n"


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


def write_text(path: Path, text: str) -> None:
    """Write a file whole, and its folder if that is missing.

    Raises:
        GateError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def _render_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [" | ".join(columns), " | ".join(["---", "---", *["---:"] * (len(columns) - 2)])]
    lines += [" | ".join(map(_escape, row)) for row in rows]
    return [*(f"| {line} |" for line in lines), ""]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")
