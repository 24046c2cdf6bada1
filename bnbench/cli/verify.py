"""``bnbench verify``: the models of a run or series in every runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bnbench.cli.report import show_series_report
from bnbench.errors import DisagreementError
from bnbench.models.runtimes import DEFAULT_RUNTIMES, RUNTIMES, choose_runtimes
from bnbench.records import VerificationRecord


@click.command()
@click.argument("path", metavar="RUN|MODEL", type=click.Path(path_type=Path))
@click.option(
    "--runtimes",
    metavar="all|NAME,...",
    help=f"Runtimes to compare with the reference.  [default: {','.join(DEFAULT_RUNTIMES)}]",
)
@click.option(
    "--data", metavar="PATH", help="The run's data, if they lie elsewhere now; see bnbench run."
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
@click.option("--inputs", metavar="FILE", help="Of a MODEL: its inputs; see bnbench seal.")
@click.option("--targets", metavar="FILE", help="Of a MODEL: their classes.")
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="Of a MODEL: its manifest, if elsewhere."
)
def verify(
    path: Path,
    runtimes: str | None,
    data: str | None,
    data_dir: Path | None,
    inputs: str | None,
    targets: str | None,
    manifest: Path | None,
) -> None:
    """Evaluate every model of RUN in several runtimes and compare each logit with binary64.

    RUN is a run or a series. Writes verification.csv, certificates.csv and inspection.json in the
    folder of each run and updates its report. 'all' takes every installed runtime and lists the
    others.

    MODEL is one sealed file. It is compared with its manifest in every installed runtime that can
    run it, and with the bound on rounding where that covers it. Without --inputs it is evaluated
    on FashionMNIST. MODEL is code: it runs.

    Exit codes: 0 all agree; 5 a model disagrees in a runtime; 2 the input can't be used.
    """
    if path.is_file():
        from bnbench.cli.verify_model import verify_model

        sys.exit(verify_model(path, manifest, runtimes, inputs, targets, data_dir))
    if inputs is not None or targets is not None or manifest is not None:
        raise click.UsageError("--inputs, --targets and --manifest are for a MODEL, not for a RUN")
    run_folder = path
    from bnbench.machine import stop_spinning
    from bnbench.series import is_series, open_runs

    stop_spinning()
    stores = open_runs(run_folder)
    names = choose_runtimes(runtimes)
    if runtimes == "all":
        for name in names:
            if not RUNTIMES[name].is_installed:
                click.echo(f"{name}: not installed; {RUNTIMES[name].install} installs it", err=True)
        names = tuple(name for name in names if RUNTIMES[name].is_installed)

    from rich.console import Console

    from bnbench.data_names import resolve_data
    from bnbench.data_readers import load_data
    from bnbench.library.job import require_same_data
    from bnbench.library.progress import show_progress
    from bnbench.library.verification import verify_models
    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_agreement

    place = stores[0].study.data if data is None else resolve_data(data, Path())
    dataset, codes = load_data(place, data_dir), []
    for store in stores:
        require_same_data(store, dataset.describe())
        trials = store.read_trials()
        with show_progress() as progress:
            verifications = verify_models(store, trials, dataset, progress, names)
        print_agreement(write_report(store, trials).content, Console())
        if is_series(run_folder):
            click.echo(f"{store.folder.name}: ", nl=False)
        codes.append(show_verdict(verifications))
    if is_series(run_folder):
        from bnbench.reporting.series import write_series_report

        show_series_report(run_folder, write_series_report(run_folder))
    sys.exit(max(codes))


def show_verdict(records: Sequence[VerificationRecord]) -> int:
    """Print one verdict on all models, and each disagreement; return the exit code."""
    if not records:
        click.echo("Verified: no model, since no trial finished")
        return 0
    wrong = [record for record in records if record.status != "agreed"]
    where: dict[tuple[str, str, str | None], list[str]] = {}
    for record in wrong:
        where.setdefault((record.model, record.status, record.reason), []).append(record.runtime)
    for (model, status, reason), runtimes in where.items():
        click.echo(f"{model} in {', '.join(runtimes)}: {status}: {reason}", err=True)
    num_models = len({record.model for record in records})
    names = ", ".join(dict.fromkeys(record.runtime for record in records))
    verdict = f"Verified: {num_models} model{'s' if num_models > 1 else ''} in {names}: "
    if wrong:
        verdict += f"{len(wrong)} of {len(records)} evaluations disagree or failed (see above)"
        click.echo(verdict)
        return DisagreementError.exit_code
    verdict += (
        f"all {sum(record.total or 0 for record in records):,} predictions agree with the "
        "binary64 reference within rounding"
    )
    if any(record.max_bound_share is None for record in records):
        verdict += " (within a fixed tolerance where no bound covers the network)"
    click.echo(verdict)
    return 0
