"""The command ``python -m bench.peers``: options in, table and files out."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from bench.peers.catalog import LIMIT, PEERS, REFERENCE, PeerSpec
from bench.peers.measure import MeasurementSpec, measure_peers
from bench.peers.process import WorkerProcess
from bench.peers.report import PeersReport, describe_conditions, find_tuning_variables, write_report
from bench.peers.summary import summarize_peers
from bench.peers.table import LEGEND, build_table, list_problems, list_sentences
from bnbench.errors import BnbenchError
from bnbench.networks import VARIANTS
from bnbench.records import EnvironmentRecord

DEFAULT_OUT = Path("docs/peers.md")
DEFAULT_VARIANTS = "baseline,batchnorm"
FAILURE_EXIT_CODE = 1
INTERRUPTED_EXIT_CODE = 130
TERMINATED_EXIT_CODE = 143
MEASURED_PACKAGES = ("scikit-learn", "lightning", "keras", "tensorflow-cpu", "tensorflow", "jax")


def main() -> None:
    """Run the program; every expected error is a line or two and an exit code."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        sys.exit(peers.main(standalone_mode=False))
    except click.exceptions.Abort:
        click.echo("peers: interrupted; nothing was written", err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BnbenchError as error:
        click.echo(f"peers: error: {error}", err=True)
        sys.exit(error.exit_code)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(TERMINATED_EXIT_CODE)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    help="Turns of every peer.  [default: 10; with --quick 1]",
)
@click.option(
    "--epochs-per-round",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Epochs a peer trains in a turn.",
)
@click.option(
    "--peers",
    "peer_names",
    help="Peers to measure, such as jax-1,native-32; the reference engine and the limit are "
    "always measured.  [default: all]",
)
@click.option(
    "--variants",
    "variant_names",
    default=DEFAULT_VARIANTS,
    show_default=True,
    help="Networks to train.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="See whether all peers work: one round, and no file is written unless --out names one.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of FashionMNIST, raw or .gz.  [default: $BNBENCH_DATA, or found or fetched]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Markdown file to write, with a JSON file beside it.  [default: {DEFAULT_OUT}]",
)
def peers(
    rounds: int | None,
    epochs_per_round: int,
    peer_names: str | None,
    variant_names: str,
    quick: bool,
    data_dir: Path | None,
    out: Path | None,
) -> int:
    """Measure seconds per epoch per trial of bnbench's engines and of other libraries.

    Peers take turns, each in a process of its own, on the real FashionMNIST. The default takes
    some 15 minutes on two cores that do nothing else.

    Exit codes: 0 all is well; 1 a peer failed or did not learn; 2 wrong usage or input;
    130 interrupted.
    """
    spec = MeasurementSpec(rounds or (1 if quick else MeasurementSpec.rounds), epochs_per_round)
    chosen = _choose_peers(peer_names)
    variants = _choose_variants(variant_names)
    if out is None and not quick:
        out = DEFAULT_OUT
    if out is not None and out.suffix == ".json":
        raise click.BadParameter("expected a Markdown file; the JSON file stands beside it")
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory(prefix="bnbench-peers-") as scratch, _show_steps() as show:
        show("unpacking the data")
        environment = _describe_environment()
        _unpack_data(data_dir, Path(scratch))
        records = measure_peers(
            chosen,
            variants,
            spec,
            lambda peer: WorkerProcess(peer, Path(scratch), Path(scratch) / f"{peer.name}.log"),
            show,
        )
    report = PeersReport(
        shlex.join(["python", "-m", "bench.peers", *sys.argv[1:]]),
        spec,
        variants,
        environment,
        load_average,
        find_tuning_variables(os.environ),
        summarize_peers(records, spec.num_epochs),
    )
    _print_report(report)
    if out is not None:
        click.echo(f"written: {out} and {write_report(report, out)}")
    return FAILURE_EXIT_CODE if any(row.is_failure for row in report.summaries) else 0


def _choose_peers(names: str | None) -> list[PeerSpec]:
    """The peers of those names, in the catalog's order, with what they are compared with."""
    asked = set(PEERS) if names is None else _split(names)
    unknown = sorted(asked - set(PEERS))
    if unknown:
        raise click.BadParameter(
            f"expected some of {', '.join(PEERS)}; got {', '.join(map(repr, unknown))}",
            param_hint="--peers",
        )
    return [peer for name, peer in PEERS.items() if name in asked | {REFERENCE, LIMIT}]


def _choose_variants(names: str) -> tuple[str, ...]:
    """The variants of those names, in `VARIANTS`' order."""
    known = [name for name, spec in VARIANTS.items() if spec.normalization != "layer"]
    asked = _split(names)
    unknown = sorted(asked - set(known))
    if unknown or not asked:
        raise click.BadParameter(
            f"expected some of {', '.join(known)}; got {', '.join(map(repr, unknown or ['']))}",
            param_hint="--variants",
        )
    return tuple(name for name in known if name in asked)


def _split(names: str) -> set[str]:
    return {name.strip() for name in names.split(",") if name.strip()}


@contextmanager
def _show_steps() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done: a live line, or plain lines in a log."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: console.print(step, highlight=False)
        return
    with console.status("") as status:
        yield status.update


def _describe_environment() -> EnvironmentRecord:
    # Imported here: torch costs seconds, which a mistyped option need not wait for.
    from bnbench.environment import describe_environment

    environment = describe_environment([])
    versions = dict(environment.versions)
    for package in MEASURED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dataclasses.replace(environment, versions=versions)


def _unpack_data(data_dir: Path | None, root: Path) -> None:
    """Put the four files, decompressed and checked, where torchvision looks for them."""
    from bnbench.data import CONTENT_SHA256, TORCHVISION_LAYOUT, locate_fashion_mnist, read_checked

    folder, _ = locate_fashion_mnist(data_dir)
    (root / TORCHVISION_LAYOUT).mkdir(parents=True)
    for name in CONTENT_SHA256:
        (root / TORCHVISION_LAYOUT / name).write_bytes(read_checked(folder, name))


def _print_report(report: PeersReport) -> None:
    console = Console(highlight=False)
    for variant in report.variants:
        console.print(build_table(variant, report.summaries))
        for problem in list_problems(variant, report.summaries):
            console.print(problem, markup=False)
        console.print()
    sentences = list_sentences(report.variants, report.summaries)
    for line in (f"Columns: {LEGEND}", *sentences, *describe_conditions(report)):
        console.print(line, markup=False)
