"""Results over commits: an append log with one line per result.

Each line is a whole document as pytest-benchmark writes it (``--benchmark-json``), so any line
by itself is a file that ``pytest-benchmark compare`` reads. What the gate knows beyond that is in
``extra_info``.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import bnbench
from bnbench.errors import GateError
from bnbench.files import AppendLog
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.records import BenchmarkRecord
from bnbench.gate.verdict import GateSummary, QuantitySummary

Document = dict[str, Any]
"""One result in pytest-benchmark's format."""


@dataclass(frozen=True)
class BenchmarkHistory:
    """One benchmark over the results that have it."""

    name: str
    commits: tuple[str, ...]
    """Short hashes."""
    values: tuple[float, ...]
    """Median seconds; if `is_normalized`, in multiples of the reference kernel's time."""
    is_normalized: bool


def make_document(summary: GateSummary, measurement: MeasurementRecord) -> Document:
    """What the gate measured of head, in pytest-benchmark's format."""
    # pytest-benchmark is installed: it ran the benchmarks.
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

    records: dict[str, list[BenchmarkRecord]] = {}
    for record in (each for pair in measurement.pairs for each in pair.benchmarks):
        records.setdefault(record.benchmark, []).append(record)
    benchmarks = [
        _make_benchmark(found, records[found.name], summary.base_commit)
        for found in summary.quantities
        if found.name in records
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "machine_info": pytest_benchmark_generate_machine_info(),
        "commit_info": {"id": summary.head_commit, "time": now, "dirty": False},
        "benchmarks": benchmarks,
        "datetime": now,
        "version": f"bnbench {bnbench.__version__}",
    }


def append_document(path: Path, document: Document) -> None:
    """Add a result to a history, on the disk when this returns; one process at a time.

    Raises:
        GateError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with AppendLog(path, wait=True) as log:
            log.append(document)
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def read_documents(path: Path) -> list[Document]:
    """Read a history, or a single file of pytest-benchmark.

    Raises:
        GateError: the file cannot be read, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
        try:
            documents = [json.loads(text)]  # one document, of however many lines
        except ValueError:
            lines = text.split("\n")[:-1]  # without a last line that a kill has torn
            documents = [json.loads(line) for line in lines if line.strip()]
        if not all(isinstance(document["benchmarks"], list) for document in documents):
            raise ValueError("benchmarks that are no list")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GateError(
            f"{path}: expected a history, or a file of pytest-benchmark, got: {error!r}; "
            "'bnbench gate check --history' and '--benchmark-json' write them"
        ) from None
    return documents


def list_histories(documents: Sequence[Document]) -> list[BenchmarkHistory]:
    """Collect the results of each benchmark, in their order.

    Times are divided by the reference kernel's if every result of the benchmark has it, so that
    a slower runner does not look like a slower program.

    Raises:
        GateError: an entry lacks what pytest-benchmark writes.
    """
    found: dict[str, list[tuple[str, float, float | None]]] = {}
    for document in documents:
        commit = str((document.get("commit_info") or {}).get("id") or "unknown")[:10]
        for benchmark in document["benchmarks"]:
            try:
                name, median = benchmark["fullname"], float(benchmark["stats"]["median"])
                kernel = (benchmark.get("extra_info") or {}).get("kernel_seconds")
            except (KeyError, TypeError, ValueError) as error:
                raise GateError(
                    f"{commit}: expected a benchmark's fullname and stats.median, got none: "
                    f"{error!r}"
                ) from None
            found.setdefault(name, []).append((commit, median, kernel))
    histories = []
    for name, rows in found.items():
        commits, medians, kernels = zip(*rows, strict=True)
        is_normalized = all(kernels)
        values = np.divide(medians, kernels) if is_normalized else np.array(medians)
        histories.append(BenchmarkHistory(name, commits, tuple(values.tolist()), is_normalized))
    return histories


def _make_benchmark(
    found: QuantitySummary, records: Sequence[BenchmarkRecord], base_commit: str
) -> Document:
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for record in records:
        for seconds in record.head_seconds:
            stats.update(seconds / record.iterations)
    test = found.name.rpartition("::")[2]
    return {
        "group": None,
        "name": test,
        "fullname": found.name,
        "params": None,
        "param": test.partition("[")[2].rstrip("]") or None,
        "extra_info": {
            "kernel_seconds": statistics.median(each.kernel_seconds for each in records),
            "base_commit": base_commit,
            "ratio": found.ratio,
            "ratio_low": found.low,
            "ratio_high": found.high,
            "outcome": str(found.outcome),
        },
        "options": {},
        "stats": {**stats.as_dict(), "iterations": records[0].iterations},
    }
