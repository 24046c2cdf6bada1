"""Judging a change: lay out both revisions, measure, decide, write what was asked for."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from bnbench.gate.accuracy import AccuracySummary, compare_accuracies, measure_accuracies
from bnbench.gate.formats import FORMATS, render_markdown, write_file
from bnbench.gate.history import append_document, make_document
from bnbench.gate.measure import measure_until_decided
from bnbench.gate.pairs import PairRunner
from bnbench.gate.revisions import find_repository, lay_out_revision, prune_cache
from bnbench.gate.specs import CheckSpec
from bnbench.gate.verdict import GateSummary, summarize_gate


def check_change(spec: CheckSpec, show: Callable[[str], None]) -> GateSummary:
    """Judge head against base in the repository of the current folder.

    Raises:
        GateError: a revision, its setup, the suite or an output file cannot be used.
    """
    repository = find_repository(Path.cwd())
    base = lay_out_revision(repository, spec.base, spec.suite)
    head = lay_out_revision(repository, spec.head, spec.suite)
    prune_cache(spec.suite.cache_folder)
    with tempfile.TemporaryDirectory(prefix="bnbench-gate-") as name:
        folder = Path(name)
        accuracies: tuple[AccuracySummary, ...] = ()
        decision = spec.decision
        if spec.accuracy_command is not None:
            # Times and accuracies share the false-alarm rate.
            decision = dataclasses.replace(decision, false_alarms=decision.false_alarms / 2.0)
            base_accuracies = measure_accuracies(base, spec.accuracy_command, folder / "base")
            head_accuracies = measure_accuracies(head, spec.accuracy_command, folder / "head")
            accuracies = compare_accuracies(base_accuracies, head_accuracies, decision)
        runner = PairRunner(base, head, spec.suite, folder)
        measured = measure_until_decided(runner, decision, show)
    summary = summarize_gate(base, head, spec.decision, measured, accuracies)
    for format_name, path in spec.outputs.items():
        write_file(path, FORMATS[format_name](summary).encode())
    if step_summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(step_summary).open("a", encoding="utf-8") as file:
            file.write(render_markdown(summary))
    if spec.history_file is not None:
        append_document(spec.history_file, make_document(summary, measured))
    return summary
