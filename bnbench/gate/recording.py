"""A long recording of one revision against itself, with and without injected slowdowns.

The revision is laid out and built twice, and both copies anew every few process pairs: copies of
the same code differ by the place of files and code, and that difference lasts as long as they do.

The file is an append log: one line for the machine and the suite, then one per process pair. An
interrupted recording is continued, with new copies.
"""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bnbench
from bnbench.errors import GateError, SpecError
from bnbench.files import AppendLog
from bnbench.gate.pairs import PairRunner, make_no_time_error
from bnbench.gate.records import NO_SLOWDOWN, PairRecord, Slowdown
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes
from bnbench.mapping import build_from_mapping

SLOWDOWNS = (NO_SLOWDOWN, Slowdown(0.05, "busy"), Slowdown(0.05, "memory"))
"""What is recorded of each benchmark; the first is A/A."""
PAIRS_PER_LAYOUT = 20
"""Process pairs until the copies are laid out anew; enough for two looks at five benchmarks."""
FORMAT_VERSION = 5

Layouts = Callable[[], AbstractContextManager[PairRunner]]
"""Lays the revision out twice and gives what measures the two copies."""


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where."""

    commit: str
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    format_version: int
    slowdowns: tuple[Slowdown, ...]
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
        slowdowns=SLOWDOWNS,
        cpu=read_cpu_name(),
        cores=count_cores(),
        memory_bytes=read_memory_bytes(),
        system=describe_system(),
        version=bnbench.__version__,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@dataclass(frozen=True)
class RecordedPair:
    """A process pair, and the copies it measured."""

    layout: int
    """Number of the two copies, counted from 0."""
    pair: PairRecord


@dataclass(frozen=True)
class Recording:
    """A recording as read back."""

    header: RecordingHeader
    pairs: tuple[RecordedPair, ...]

    @property
    def seconds(self) -> float:
        """How long was recorded."""
        return sum(each.pair.wall_seconds for each in self.pairs)

    @property
    def layouts(self) -> list[list[PairRecord]]:
        """The pairs of each two copies, in the order of measurement."""
        groups = itertools.groupby(self.pairs, key=lambda each: each.layout)
        return [[each.pair for each in group] for _, group in groups]

    @property
    def names(self) -> list[str]:
        """Benchmarks that were measured in every pair, with every slowdown."""
        pairs = [each.pair for each in self.pairs]
        names = dict.fromkeys(each.benchmark for pair in pairs for each in pair.benchmarks)
        return [
            name
            for name in names
            if all(
                (name, slowdown) in pair.table
                for pair in pairs
                for slowdown in self.header.slowdowns
            )
        ]


def extend_recording(
    path: Path,
    header: RecordingHeader,
    lay_out: Layouts,
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
            layout = recording.pairs[-1].layout + 1 if recording.pairs else 0
            while recording.seconds < seconds:
                with lay_out() as runner:
                    for number in range(PAIRS_PER_LAYOUT):
                        # What is measured first rotates, so that nothing is always next to the
                        # warm-up.
                        turn = number % len(SLOWDOWNS)
                        pair = runner.measure(slowdowns=SLOWDOWNS[turn:] + SLOWDOWNS[:turn])
                        if not pair.benchmarks:
                            raise make_no_time_error(pair.failures)
                        recorded = RecordedPair(layout, pair)
                        log.append(dataclasses.asdict(recorded))
                        recording = Recording(recording.header, (*recording.pairs, recorded))
                        show(
                            f"[{recording.seconds / 60:.1f} of {seconds / 60:g} min] "
                            f"process pair {len(recording.pairs)}, copies {layout + 1}"
                        )
                        if recording.seconds >= seconds:
                            break
                layout += 1
            return recording
    except BlockingIOError:
        raise GateError(
            f"{path}: expected a recording that no other process writes, got one that does; "
            "wait for it to end"
        ) from None
    except OSError as error:
        raise GateError(f"{path}: expected a file that can be written, got: {error}") from None


def read_recording(path: Path) -> Recording:
    """Read a recording, compressed if its name ends in ``.gz``; a torn last line is left out.

    Raises:
        GateError: there is none, or a line of it is damaged.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            lines = [json.loads(line) for line in file if line.endswith(b"\n")]
        if not lines:
            raise ValueError("an empty file")
        return Recording(
            _read_header(lines[0]),
            tuple(build_from_mapping(RecordedPair, line) for line in lines[1:]),
        )
    except (OSError, EOFError, zlib.error) as error:
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
