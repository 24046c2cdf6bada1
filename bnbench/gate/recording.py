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
from typing import Any

import bnbench
from bnbench.errors import GateError, SpecError
from bnbench.files import AppendLog
from bnbench.gate.pairs import PairRunner, make_no_time_error
from bnbench.gate.records import PairRecord
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes
from bnbench.mapping import build_from_mapping

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Slowdowns that are recorded, as fractions; 0 is A/A."""
FORMAT_VERSION = 4


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where."""

    commit: str
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    format_version: int
    levels: tuple[float, ...]
    cpu: str
    cores: int
    memory_bytes: int | None
    system: str
    version: str
    """Version of bnbench."""
    started_at: str
    """ISO 8601, UTC."""


def describe_recording(commit: str, suite: tuple[str, ...]) -> RecordingHeader:
    """Describe a recording that starts now, on this machine."""
    return RecordingHeader(
        commit=commit,
        suite=suite,
        format_version=FORMAT_VERSION,
        levels=LEVELS,
        cpu=read_cpu_name(),
        cores=count_cores(),
        memory_bytes=read_memory_bytes(),
        system=describe_system(),
        version=bnbench.__version__,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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
        return Recording(
            _read_header(lines[0]),
            tuple(build_from_mapping(PairRecord, line) for line in lines[1:]),
        )
    except OSError as error:
        raise GateError(f"{path}: expected a recording, got: {error}") from None
    except (ValueError, TypeError, KeyError, SpecError) as error:
        raise GateError(
            f"{path}: expected a recording of 'bnbench gate certify', got: {error!r}"
        ) from None


def _read_header(content: dict[str, Any]) -> RecordingHeader:
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"format version {version}, not {FORMAT_VERSION}; record anew")
    return build_from_mapping(RecordingHeader, content)
