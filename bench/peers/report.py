"""A measurement as files: Markdown for people, JSON with every round for machines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.measure import MeasurementSpec
from bench.peers.summary import PeerSummary
from bench.peers.table import LEGEND, list_sentences, render_markdown_table
from bench.peers.work import count_epoch_flops
from bnbench.files import replace_file
from bnbench.networks import find_variant
from bnbench.records import EnvironmentRecord

FORMAT_VERSION = 1
TUNING_PREFIXES = ("GOMP_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "TF_NUM_", "TF_XLA_", "XLA_")


def find_tuning_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick from an environment what sets numeric libraries' threads, kernels and compilers."""
    return {n: value for n, value in sorted(environment.items()) if n.startswith(TUNING_PREFIXES)}


@dataclass(frozen=True)
class PeersReport:
    """All there is to say of one measurement."""

    command: str
    """What was typed."""
    spec: MeasurementSpec
    variants: tuple[str, ...]
    environment: EnvironmentRecord
    load_average: float | None
    """Processes that wanted the CPU in the minute before the start; None if not known."""
    variables: dict[str, str]
    """Environment variables by which numeric libraries let themselves be slowed or hastened."""
    summaries: Sequence[PeerSummary]


def describe_conditions(report: PeersReport) -> list[str]:
    """Say with what and how it was measured, one fact a line."""
    environment, spec = report.environment, report.spec
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    load = report.load_average
    work = ", ".join(
        f"{name} {count_epoch_flops(find_variant(name)) / 1e9:.2f} GFLOP"
        for name in report.variants
    )
    variables = " ".join(f"{name}={value}" for name, value in report.variables.items())
    return [
        f"Machine: {environment.cpu}, {environment.cores} cores, {environment.system}"
        + ("" if load is None else f"; load average before the start {load:.2f}"),
        f"Versions: {versions}" + (f"; commit {environment.commit}" if environment.commit else ""),
        *([f"Environment variables: {variables}"] if variables else []),
        f"Date: {environment.started_at}",
        f"Command: {report.command}",
        f"Measured: {spec.rounds} rounds of {spec.epochs_per_round} epoch(s) a peer, in turn, "
        "after a first epoch that is not counted; training alone, on all cores",
        f"Accuracy: on the 10,000 test images after {spec.num_epochs} epochs, mean over trials",
        f"Limit: the matrix products of an epoch ({work}) at the rate of one large sgemm",
    ]


def write_report(report: PeersReport, markdown_file: Path) -> Path:
    """Write the Markdown file and, beside it, the JSON file.

    Returns:
        Where the JSON file is.
    """
    json_file = markdown_file.with_suffix(".json")
    markdown_file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(markdown_file, render_markdown(report).encode())
    replace_file(json_file, (json.dumps(encode_report(report), indent=1) + "\n").encode())
    return json_file


def render_markdown(report: PeersReport) -> str:
    """The whole Markdown file."""
    parts = [
        "# Peers: seconds per epoch per trial",
        f"Written by `python -m bench.peers`; every figure is measured. Columns: {LEGEND}. Speed "
        "and share of the limit are medians of ratios taken within a round.",
        "\n".join(f"- {condition}" for condition in describe_conditions(report)),
    ]
    for variant in report.variants:
        parts += [f"## {variant}", render_markdown_table(variant, report.summaries)]
    sentences = list_sentences(report.variants, report.summaries)
    if sentences:
        parts += ["## In words", "\n".join(f"- {sentence}." for sentence in sentences)]
    return "\n\n".join(parts) + "\n"


def encode_report(report: PeersReport) -> dict[str, object]:
    """The report as JSON holds it: plain values, every round of every peer."""
    return {
        "format_version": FORMAT_VERSION,
        "command": report.command,
        "measurement": {**dataclasses.asdict(report.spec), "num_epochs": report.spec.num_epochs},
        "load_average": report.load_average,
        "environment": dataclasses.asdict(report.environment),
        "variables": report.variables,
        "flops_per_epoch": {
            name: count_epoch_flops(find_variant(name)) for name in report.variants
        },
        "peers": [_encode_row(row) for row in report.summaries],
        "sentences": list_sentences(report.variants, report.summaries),
    }


def _encode_row(row: PeerSummary) -> dict[str, object]:
    record = row.record
    return {
        "peer": record.peer.name,
        "title": record.peer.title,
        "variant": record.variant,
        "num_trials": record.peer.num_trials,
        "status": record.status,
        "problem": row.problem,
        "median_seconds": row.median_seconds,
        "quartiles": row.quartiles,
        "speed_up": row.speed_up,
        "share_of_limit": row.share_of_limit,
        "compile_seconds": row.compile_seconds,
        "accuracy": row.accuracy,
        "round_seconds": record.seconds,
        "first_epoch_seconds": record.first_epoch_seconds,
        "accuracies": record.accuracies,
    }
