"""Results over commits: a file that grows by a line a result, and what it says of drift.

Each line is a whole document as pytest-benchmark writes it (``--benchmark-json``), on one line:
any line by itself is a file that ``pytest-benchmark compare`` reads. What the gate knows beyond
that stands in ``extra_info``. A line is on the disk before the next is begun; a torn last one,
from a kill, is passed over by readers and cut off by the next writer.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bnbench
from bnbench.errors import GateError
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.records import VisitRecord
from bnbench.gate.verdict import GateSummary
from bnbench.machine import count_cores, describe_system, read_cpu_name

Document = dict[str, Any]
"""One result in pytest-benchmark's format."""


@dataclass(frozen=True)
class BenchmarkHistory:
    """One benchmark over the results that have it."""

    name: str
    commits: tuple[str, ...]
    """A short hash each."""
    values: tuple[float, ...]
    """Median time; in multiples of the reference kernel's time where `is_normalized`."""
    is_normalized: bool


def make_document(summary: GateSummary, measurement: MeasurementRecord) -> Document:
    """Write what a gate measured of its head in pytest-benchmark's format."""
    outcomes = {benchmark.name: benchmark for benchmark in summary.benchmarks}
    benchmarks = []
    for name in measurement.suite.common_names:
        visits = [v for pair in measurement.pairs for v in pair.visits if v.benchmark == name]
        if not visits or name not in outcomes:
            continue
        found = outcomes[name]
        extra = {
            "kernel_seconds": statistics.median(visit.kernel_seconds for visit in visits),
            "base_commit": summary.base_commit,
            "ratio": found.ratio,
            "ratio_low": found.low,
            "ratio_high": found.high,
            "outcome": str(found.outcome),
        }
        benchmarks.append(_make_benchmark(name, visits, extra))
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
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(json.dumps(document, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def read_documents(path: Path) -> list[Document]:
    """Read a history, or a single file of pytest-benchmark.

    Raises:
        GateError: it cannot be read, or is neither.
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
                f"{path}: expected a line of JSON a result, or a file of pytest-benchmark, "
                f"got: {error}"
            ) from None
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
            raise GateError(
                f"{path}: expected results in pytest-benchmark's format, got one without a list "
                "of benchmarks; 'bnbench gate --history' and '--benchmark-json' write them"
            )
    return documents


def list_histories(documents: Sequence[Document]) -> list[BenchmarkHistory]:
    """Follow each benchmark through the results, in the order in which they stand.

    Times are divided by the reference kernel's where every result of the benchmark has it, so
    that a slower runner is not taken for a slower program.

    Raises:
        GateError: an entry has not what pytest-benchmark writes.
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


def _make_benchmark(name: str, visits: Sequence[VisitRecord], extra: dict[str, Any]) -> Document:
    # pytest-benchmark is there: the benchmarks were its own.
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for visit in visits:
        for seconds in visit.head_seconds:
            stats.update(seconds / visit.iterations)
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
            "iterations": visits[0].iterations,
        },
    }
