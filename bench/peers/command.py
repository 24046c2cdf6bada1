"""The command ``python -m bench.peers``: options in, a table out."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import sys
import tempfile
from pathlib import Path

import click

from bench.peers.catalog import LIMIT, PEERS, REFERENCE, PeerSpec
from bnbench.errors import BnbenchError
from bnbench.files import replace_file

PACKAGES = ("scikit-learn", "lightning", "keras", "tensorflow-cpu", "jax")
"""What is measured beside the packages that bnbench itself depends on."""
TUNING_PREFIXES = ("GOMP_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "TF_NUM_", "TF_XLA_", "XLA_")
"""Environment variables that change the speed of numeric libraries."""


class PeerNames(click.ParamType):
    """Names of peers, separated by commas."""

    name = "names"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[PeerSpec]:
        """Look the peers up, in the catalog's order, and add the reference engine and the limit."""
        names = {name.strip() for name in value.split(",")}
        for name in sorted(names - set(PEERS)):
            self.fail(f"expected some of {', '.join(PEERS)}; got {name!r}", param, ctx)
        return [peer for name, peer in PEERS.items() if name in names | {REFERENCE, LIMIT}]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Rounds of one epoch per peer, after a first epoch that is not counted.",
)
@click.option(
    "--peers",
    "chosen",
    type=PeerNames(),
    default=",".join(PEERS),
    help="Peers to measure, such as jax-1,native-32. The reference engine and the limit are always "
    "measured.  [default: all]",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of FashionMNIST, raw or .gz.  [default: $BNBENCH_DATA, or found or fetched]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("docs/peers.md"),
    show_default=True,
    help="Markdown file to write. A JSON file with every round is written beside it.",
)
def peers(rounds: int, chosen: list[PeerSpec], data_dir: Path | None, out: Path) -> None:
    """Time the training of other libraries and of bnbench's engines side by side.

    Peers take turns, each in a process of its own, on the real FashionMNIST. The default takes
    about 15 minutes on two cores with no other load.

    Exit codes: 0 all is well; 1 a peer failed or did not learn, or interrupted; 2 wrong usage or
    input.
    """
    # Imported late: torch and pandas take seconds, and mistakes in options should show at once.
    from bench.peers.measure import measure_peers
    from bench.peers.process import PeerProcess
    from bench.peers.table import PeersReport, encode_json, render_markdown
    from bnbench.data_sources import locate_fashion_mnist

    if out.suffix == ".json":
        raise click.UsageError(f"--out: expected a Markdown file, got {out}")
    conditions = describe_conditions(rounds)
    try:
        folder, _ = locate_fashion_mnist(data_dir)
    except BnbenchError as error:
        raise click.UsageError(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="bnbench-peers-") as logs:
        records = measure_peers(
            chosen,
            rounds,
            lambda peer: PeerProcess(peer, folder, Path(logs) / f"{peer.name}.log"),
            lambda step: click.echo(step, err=True),
        )
    report = PeersReport(conditions, records)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, render_markdown(report).encode())
    replace_file(out.with_suffix(".json"), encode_json(report).encode())
    click.echo(render_markdown(report))
    sys.exit(1 if report.has_failures() else 0)


def describe_conditions(rounds: int) -> dict[str, str]:
    """Describe with what and how it is measured."""
    from bnbench.environment import describe_environment

    environment = describe_environment([])
    versions = dict(environment.versions)
    installed = {each.name: each.version for each in importlib.metadata.distributions()}
    versions |= {name: installed[name] for name in PACKAGES if name in installed}
    tuning = [f"{n}={value}" for n, value in os.environ.items() if n.startswith(TUNING_PREFIXES)]
    return {
        "Machine": f"{environment.cpu}, {environment.cores} cores, {environment.system}; "
        f"load average before the start {os.getloadavg()[0]:.2f}",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"; commit {environment.commit or 'unknown'}",
        "Environment variables": " ".join(sorted(tuning)) or "none that tune libraries",
        "Date": environment.started_at,
        "Command": shlex.join(["python", "-m", "bench.peers", *sys.argv[1:]]),
        "Measured": f"{rounds} rounds of one epoch per peer, in turn, after a first epoch that is "
        "not counted; training alone, on all cores",
    }
