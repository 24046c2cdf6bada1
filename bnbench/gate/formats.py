"""A summary as files: Markdown for people, JSON for machines and for what draws benchmarks."""

from __future__ import annotations

import dataclasses
from typing import Any

from bnbench.gate.records import PEAK_MEMORY
from bnbench.gate.verdict import GateSummary
from bnbench.gate.wording import (
    ACCURACY_COLUMNS,
    COLUMNS,
    make_accuracy_rows,
    make_notes,
    make_rows,
    word_verdict,
)


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
    return {"format_version": 1, "exit_code": summary.exit_code, **dataclasses.asdict(summary)}


def make_action_benchmark(summary: GateSummary) -> list[dict[str, Any]]:
    """What github-action-benchmark reads as ``customSmallerIsBetter``: the head's figures."""
    return [
        {
            "name": benchmark.name,
            "unit": "bytes" if benchmark.name == PEAK_MEMORY else "seconds",
            "value": benchmark.head,
            "extra": f"head / base: {benchmark.ratio:.4f}\n{benchmark.outcome}",
        }
        for benchmark in summary.benchmarks
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
    """Bencher Metric Format: benchmark, measure, then value with its bounds.

    Latency is in nanoseconds, as Bencher's own measure of that name is.
    """
    metrics: dict[str, Any] = {}
    for benchmark in summary.benchmarks:
        is_memory = benchmark.name == PEAK_MEMORY
        factor = 1.0 if is_memory else 1e9
        metric = {"value": benchmark.head * factor}
        if benchmark.low is not None and benchmark.high is not None:
            metric["lower_value"] = benchmark.base * benchmark.low * factor
            metric["upper_value"] = benchmark.base * benchmark.high * factor
        metrics[benchmark.name] = {"memory" if is_memory else "latency": metric}
    for accuracy in summary.accuracies:
        metrics[f"accuracy of {accuracy.variant}"] = {"accuracy": {"value": accuracy.head_mean}}
    return metrics


def _render_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [" | ".join(columns), " | ".join(["---", "---", *["---:"] * (len(columns) - 2)])]
    lines += [" | ".join(map(_escape, row)) for row in rows]
    return [*(f"| {line} |" for line in lines), ""]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")
