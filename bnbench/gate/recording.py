"""A long recording of one revision against itself, with and without injected slowdowns.

The file is an append log: one line for the machine and the suite, then one per process pair. An
interrupted recording is continued.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import bnbench
from bnbench.errors import GateError
from bnbench.files import AppendLog
from bnbench.gate.pairs import PairRunner, describe_failures
from bnbench.gate.records import BenchmarkRecord, PairRecord
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes

Number = TypeVar("Number", int, float)

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Slowdowns that are recorded, as fractions; 0 is A/A."""
FORMAT_VERSION = 3


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where."""

    format_version: int
    commit: str
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    levels: tuple[float, ...]
    cpu: str
    cores: int
    memory_bytes: int | None
    system: str
    version: str
    """Version of bnbench."""
    started_at: str
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
        return [
            name
            for name in dict.fromkeys(v.benchmark for pair in self.pairs for v in pair.benchmarks)
            if all(
                {v.slowdown for v in pair.benchmarks if v.benchmark == name}
                >= set(self.header.levels)
                for pair in self.pairs
            )
        ]


def describe_recording(commit: str, suite: tuple[str, ...]) -> RecordingHeader:
    """The header of a recording that starts now on this machine."""
    return RecordingHeader(
        FORMAT_VERSION,
        commit,
        suite,
        LEVELS,
        read_cpu_name(),
        count_cores(),
        read_memory_bytes(),
        describe_system(),
        bnbench.__version__,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def extend_recording(
    path: Path,
    header: RecordingHeader,
    runner: PairRunner,
    seconds: float,
    on_pair: Callable[[int, float], None] = lambda *_: None,
) -> Recording:
    """Record process pairs until the file holds `seconds` of them.

    Args:
        path: the recording; continued if it exists.
        header: what is recorded now; an existing recording must have the same, but for its start.
        runner: measures the revision against itself.
        seconds: how long the whole recording is to be.
        on_pair: called after each pair with the number of pairs and their seconds.

    Raises:
        GateError: the file is another recording, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with AppendLog(path) as log:
            return _extend(log, header, runner, seconds, on_pair)
    except BlockingIOError:
        raise GateError(
            f"{path}: expected a recording that no other process writes, got one that does; "
            "wait for it to end"
        ) from None
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def _extend(
    log: AppendLog,
    header: RecordingHeader,
    runner: PairRunner,
    seconds: float,
    on_pair: Callable[[int, float], None],
) -> Recording:
    pairs: list[PairRecord] = []
    if log.path.stat().st_size:
        found = read_recording(log.path)
        if dataclasses.replace(found.header, started_at=header.started_at) != header:
            raise GateError(
                f"{log.path}: expected a recording of this commit, suite and machine to continue, "
                "got another; name a new file with --recording"
            )
        header, pairs = found.header, list(found.pairs)
    else:
        log.append(dataclasses.asdict(header))
    total = sum(pair.wall_seconds for pair in pairs)
    while total < seconds:
        # The slowdown that is measured first rotates, so that none is always next to the warm-up.
        turn = len(pairs) % len(header.levels)
        levels = header.levels[turn:] + header.levels[:turn]
        pair = runner.measure(lambda suite: suite.common_names, levels)
        if not pair.benchmarks:
            raise GateError(
                "expected a benchmark that gives a time, got none:\n"
                + describe_failures(pair.failures)
            )
        log.append(dataclasses.asdict(pair))
        pairs.append(pair)
        total += pair.wall_seconds
        on_pair(len(pairs), total)
    return Recording(header, tuple(pairs))


def read_recording(path: Path) -> Recording:
    """Read a recording of this format or the last one; a torn last line is left out.

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
    # Version 2 differs in the name of one key of a pair alone; a recording of it is continued in
    # version 3.
    if content["format_version"] not in (2, FORMAT_VERSION):
        raise ValueError(f"format version {content['format_version']}, not {FORMAT_VERSION} or 2")
    fields = {"suite": tuple(content["suite"]), "levels": tuple(map(float, content["levels"]))}
    return RecordingHeader(**{**content, **fields, "format_version": FORMAT_VERSION})


def _read_pair(content: dict[str, Any]) -> PairRecord:
    benchmarks = content["benchmarks"] if "benchmarks" in content else content["visits"]
    return PairRecord(
        benchmarks=tuple(
            BenchmarkRecord(
                benchmark=str(each["benchmark"]),
                slowdown=float(each["slowdown"]),
                iterations=int(each["iterations"]),
                base_seconds=tuple(map(float, each["base_seconds"])),
                head_seconds=tuple(map(float, each["head_seconds"])),
                kernel_seconds=float(each["kernel_seconds"]),
                wall_seconds=float(each["wall_seconds"]),
                at_once=bool(each["at_once"]),
            )
            for each in benchmarks
        ),
        startup_seconds=_read_sides(content["startup_seconds"], float),
        peak_bytes=_read_sides(content["peak_bytes"], int),
        wall_seconds=float(content["wall_seconds"]),
        failures=dict(content["failures"]),
    )


def _read_sides(values: list[Any], convert: Callable[[Any], Number]) -> tuple[Number, Number]:
    base, head = values
    return convert(base), convert(head)
