"""A long recording of one revision against itself, with and without injected slowdowns.

The file is an append log: one line for the machine and the suite, then one per process pair. An
interrupted recording is continued.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bnbench
from bnbench.errors import GateError
from bnbench.files import AppendLog
from bnbench.gate.pairs import PairRunner, make_no_time_error
from bnbench.gate.records import BenchmarkRecord, PairRecord
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Slowdowns that are recorded, as fractions; 0 is A/A."""
FORMAT_VERSION = 4


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where; the defaults describe a recording that starts now, here."""

    commit: str
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    format_version: int = FORMAT_VERSION
    levels: tuple[float, ...] = LEVELS
    cpu: str = field(default_factory=read_cpu_name)
    cores: int = field(default_factory=count_cores)
    memory_bytes: int | None = field(default_factory=read_memory_bytes)
    system: str = field(default_factory=describe_system)
    version: str = bnbench.__version__
    """Version of bnbench."""
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class Recording:
    """A recording as read back."""

    header: RecordingHeader
    pairs: tuple[PairRecord, ...]

    @property
    def seconds(self) -> float:
        """How long was recorded."""
        return sum(pair.wall_seconds for pair in self.pairs)

    @property
    def names(self) -> list[str]:
        """Benchmarks that were measured in every pair, at every level."""
        names = dict.fromkeys(each.benchmark for pair in self.pairs for each in pair.benchmarks)
        levels = self.header.levels
        return [
            name
            for name in names
            if all((name, level) in pair.table for pair in self.pairs for level in levels)
        ]


def extend_recording(
    path: Path,
    header: RecordingHeader,
    runner: PairRunner,
    seconds: float,
    show: Callable[[str], None] = lambda _: None,
) -> Recording:
    """Record process pairs until the file holds `seconds` of them.

    A file that exists is continued; it must have the same header, but for its start. `show` takes
    a line of progress after each pair.

    Raises:
        GateError: the file is another recording, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with AppendLog(path) as log:
            if path.stat().st_size:
                recording = read_recording(path)
                if dataclasses.replace(recording.header, started_at=header.started_at) != header:
                    raise GateError(
                        f"{path}: expected a recording of this commit, suite and machine to "
                        "continue, got another; name a new file with --recording"
                    )
            else:
                recording = Recording(header, ())
                log.append(dataclasses.asdict(header))
            while recording.seconds < seconds:
                # The slowdown that is measured first rotates, so that none is always next to the
                # warm-up.
                turn = len(recording.pairs) % len(LEVELS)
                pair = runner.measure(levels=LEVELS[turn:] + LEVELS[:turn])
                if not pair.benchmarks:
                    raise make_no_time_error(pair.failures)
                log.append(dataclasses.asdict(pair))
                recording = Recording(recording.header, (*recording.pairs, pair))
                show(
                    f"[{recording.seconds / 60:.1f} of {seconds / 60:g} min] "
                    f"process pair {len(recording.pairs)}"
                )
            return recording
    except BlockingIOError:
        raise GateError(
            f"{path}: expected a recording that no other process writes, got one that does; "
            "wait for it to end"
        ) from None
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def read_recording(path: Path) -> Recording:
    """Read a recording; a torn last line is left out.

    Raises:
        GateError: there is none, or a line of it is damaged.
    """
    try:
        lines = [json.loads(line) for _, line in AppendLog(path).read()]
        if not lines:
            raise ValueError("an empty file")
        return Recording(_read_header(lines[0]), tuple(map(_read_pair, lines[1:])))
    except OSError as error:
        raise GateError(f"{path}: expected a recording, got: {error}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise GateError(
            f"{path}: expected a recording of 'bnbench gate certify', got: {error!r}"
        ) from None


def _read_header(content: dict[str, Any]) -> RecordingHeader:
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"format version {version}, not {FORMAT_VERSION}; record anew")
    return RecordingHeader(**_make_tuples(content))


def _read_pair(content: dict[str, Any]) -> PairRecord:
    benchmarks = (BenchmarkRecord(**_make_tuples(each)) for each in content["benchmarks"])
    return PairRecord(**_make_tuples(content) | {"benchmarks": tuple(benchmarks)})


def _make_tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
