"""``bnbench verify``: a run's models in every runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnbench.errors import DisagreementError
from bnbench.records import AgreementRecord, VerificationRecord

if TYPE_CHECKING:
    from bnbench.store import RunStore

Verdicts = tuple[list[VerificationRecord], list[AgreementRecord]]


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--runtimes",
    metavar="all|NAME,...",
    help="Runtimes to compare.  [default: eager,torchscript,libtorch,float64]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of FashionMNIST.")
def verify(run_folder: Path, runtimes: str | None, data_dir: Path | None) -> None:
    """Hold every model of RUN against its manifest in C++, and across runtimes against binary64.

    Writes RUN/verification.csv, certificates.csv and agreement.csv and brings the report up to
    date; exit code 5 if any model disagrees in any runtime. 'all' takes every runtime that is
    installed and names those that are not.
    """
    from bnbench.store import RunStore

    sys.exit(verify_and_show(RunStore.open(run_folder), data_dir, runtimes))


def verify_and_show(store: RunStore, data_dir: Path | None, runtimes: str | None) -> int:
    """Verify a run's models, bring its report up to date and print the verdict."""
    from rich.console import Console

    from bnbench.models.runtimes import RUNTIMES, choose_runtimes

    names = choose_runtimes(runtimes)
    if runtimes == "all":
        for name in names:
            if not RUNTIMES[name].is_installed:
                click.echo(f"{name}: not installed; {RUNTIMES[name].install} installs it", err=True)
        names = tuple(name for name in names if RUNTIMES[name].is_installed)

    from bnbench.data import load_fashion_mnist
    from bnbench.reporting.report import write_report
    from bnbench.reporting.terminal import print_agreement

    records, agreements = verify_run(store, load_fashion_mnist(data_dir), names)
    print_agreement(write_report(store, store.read_trials()), Console())
    return show_verdict(records, agreements)


def verify_run(store: RunStore, dataset: Any, runtimes: Sequence[str]) -> Verdicts:
    """Hold all models against their manifests in C++, and every runtime against binary64."""
    from rich.console import Console

    from bnbench.cli.progress import show_models
    from bnbench.models.verification import list_models, verify_manifests, verify_runtimes

    records = verify_manifests(store, dataset.folder)
    test = dataset.test
    with show_models(Console(stderr=True), len(list_models(store))) as on_model:
        agreements = verify_runtimes(
            store, test.images.numpy(), test.labels.numpy(), dataset.folder, runtimes, on_model
        )
    return records, agreements


def show_verdict(records: list[VerificationRecord], agreements: list[AgreementRecord]) -> int:
    """Print what C++ and the other runtimes say of the models; return the exit code."""
    for record in records:
        if record.status != "agreed":
            click.echo(f"{record.model}: {record.status}: {record.reason}", err=True)
    for agreement in agreements:
        if agreement.status != "agreed":
            click.echo(
                f"{agreement.model} in {agreement.runtime}: {agreement.status}: {agreement.reason}",
                err=True,
            )
    if not records:
        click.echo("C++ verdict: none, since no trial finished")
        return 0
    num_off = sum(agreement.status != "agreed" for agreement in agreements)
    names = ", ".join(dict.fromkeys(agreement.runtime for agreement in agreements))
    click.echo(
        f"Runtimes ({names}): "
        + (f"{num_off} of {len(agreements)} evaluations disagree" if num_off else "all agree")
        + " with the models in binary64"
    )
    num_wrong = sum(record.status != "agreed" for record in records)
    if num_wrong:
        click.echo(f"C++ verdict: {num_wrong} of {len(records)} models disagree or are unusable")
    else:
        predictions = sum(record.total or 0 for record in records)
        click.echo(
            f"C++ verdict: all {len(records)} models agree; each of {predictions:,} predictions is "
            "the same in Python and in C++"
        )
    return DisagreementError.exit_code if num_wrong or num_off else 0
