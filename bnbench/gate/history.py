"""Results over commits: an append log with one line per result.

Each line is a whole document as pytest-benchmark writes it (``--benchmark-json``), so any line
by itself is a file that ``pytest-benchmark compare`` reads. What the gate knows beyond that is in
``extra_info``.
"""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bnbench
from bnbench.errors import GateError
from bnbench.files import AppendLog
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.records import BenchmarkRecord
from bnbench.gate.verdict import GateSummary
from bnbench.machine import count_cores, describe_system, read_cpu_name

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
    outcomes = {quantity.name: quantity for quantity in summary.quantities}
    benchmarks = []
    for name in measurement.suite.common_names:
        records = [r for pair in measurement.pairs for r in pair.benchmarks if r.benchmark == name]
        if not records or name not in outcomes:
            continue
        found = outcomes[name]
        extra = {
            "kernel_seconds": statistics.median(each.kernel_seconds for each in records),
            "base_commit": summary.base_commit,
            "ratio": found.ratio,
            "ratio_low": found.low,
            "ratio_high": found.high,
            "outcome": str(found.outcome),
        }
        benchmarks.append(_make_benchmark(name, records, extra))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "machine_info": {
            "node": platform.node(),
            "processor": read_cpu_name(),
            "machine": platform.machine(),
            "python_version": platform.python_version(),
            "system": describe_system(),
            "cpu": {"brand_raw": read_cpu_name(), "count": count_cores()},
        },
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
    except (OSError, UnicodeDecodeError) as error:
        raise GateError(f"{path}: expected a history, got: {error}") from None
    try:
        documents = [json.loads(text)]  # one document, of however many lines
    except ValueError:
        lines = text.split("\n")[:-1]
        try:
            documents = [json.loads(line) for line in lines if line.strip()]
        except ValueError as error:
            raise GateError(
                f"{path}: expected one result in JSON per line, or a file of pytest-benchmark, "
                f"got: {error}"
            ) from None
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
            raise GateError(
                f"{path}: expected results in pytest-benchmark's format, got one without a list "
                "of benchmarks; 'bnbench gate check --history' and '--benchmark-json' write them"
            )
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
    return [_make_history(name, rows) for name, rows in found.items()]


def _make_history(name: str, rows: list[tuple[str, float, float | None]]) -> BenchmarkHistory:
    kernels = [kernel for _, _, kernel in rows if kernel]
    is_normalized = len(kernels) == len(rows)
    values = [median / (kernel if is_normalized and kernel else 1.0) for _, median, kernel in rows]
    return BenchmarkHistory(
        name, tuple(commit for commit, _, _ in rows), tuple(values), is_normalized
    )


def _make_benchmark(
    name: str, records: Sequence[BenchmarkRecord], extra: dict[str, Any]
) -> Document:
    # pytest-benchmark is installed: it ran the benchmarks.
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for record in records:
        for seconds in record.head_seconds:
            stats.update(seconds / record.iterations)
    test = name.rpartition("::")[2]
    return {
        "group": None,
        "name": test,
        "fullname": name,
        "params": None,
        "param": test.partition("[")[2].rstrip("]") or None,
        "extra_info": extra,
        "options": {},
        "stats": {
            **{field: getattr(stats, field) for field in stats.fields},
            "iterations": records[0].iterations,
        },
    }
