"""The lines that ``bnbench run`` prints, and the exit code they stand for."""

from __future__ import annotations

from pathlib import Path

import click

from bnbench.cli.report import show_report, show_series_report
from bnbench.cli.verify import show_verdict
from bnbench.library.observer import CompletedRun, Place, RunObserver
from bnbench.store import RunStore

TRIAL_FAILED_EXIT_CODE = 1


class RunPrinter(RunObserver):
    """Prints where each run lies, its answer, the verdict on its models, and what failed."""

    def __init__(self) -> None:
        self.exit_code = 0
        """The worst so far."""

    def start_run(self, store: RunStore, place: Place | None) -> None:
        """Name the run's folder and its engines."""
        from bnbench.training.engines import explain_engines  # needs torch

        engines = ", ".join(f"{engine} on {device}" for device, engine in store.engines.items())
        if reason := explain_engines(store.study):
            engines += f" ({reason})"
        if place is None:
            click.echo(f"Run folder: {store.folder}; engine: {engines}", err=True)
            return
        if place.number == 1:
            click.echo(f"Series folder: {store.folder.parent}", err=True)
        click.echo(f"[{place}] {store.folder.name}; engine: {engines}", err=True)

    def finish_run(self, run: CompletedRun) -> None:
        """Print the report's tables and answer, or in a series its headline, and the verdict."""
        verdict = 0
        if run.place is None:
            if run.report is not None:
                show_report(run.store, run.report)
            verdict = show_verdict(run.verifications or ())
        else:
            if run.verifications is not None:
                verdict = show_verdict(run.verifications)
            headline = "finished before" if run.report is None else run.report.content.answer[0]
            click.echo(f"[{run.place}] {run.store.folder.name}: {headline}")
        for record in run.failed:
            click.echo(f"failed: {record.trial.key}: {record.reason}", err=True)
        failures = TRIAL_FAILED_EXIT_CODE if run.failed else 0
        self.exit_code = max(self.exit_code, verdict, failures)

    def finish_series(self, folder: Path, answer: str) -> None:
        """Print the answer of the series."""
        show_series_report(folder, answer)
