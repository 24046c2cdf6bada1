"""A long recording of one revision against itself, with and without injected slowdowns.

It is a series of decisions. For each, the revision is laid out and built twice, as base and as
head: copies of the same code differ by the place of files and code, and that difference lasts as
long as they do. In each decision one benchmark is also measured with a slowdown. The slowed
benchmark and the kind of slowdown change from decision to decision.

The file is an append log: one line for the machine and the suite, then one per process pair. An
interrupted recording is continued with a new decision.
"""

from __future__ import annotations

import dataclasses
import functools
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
from bnbench.gate.records import NO_SLOWDOWN, Injection, PairRecord, Slowdown
from bnbench.gate.specs import SuiteSpec
from bnbench.machine import count_cores, describe_system, read_cpu_name, read_memory_bytes
from bnbench.mapping import build_from_mapping

SLOWDOWNS = (Slowdown(0.05, "busy"), Slowdown(0.05, "memory"))
"""What is injected, one decision after the other."""
FORMAT_VERSION = 6

Layouts = Callable[[], AbstractContextManager[PairRunner]]
"""Lays the revision out twice and gives what measures the two copies."""


@dataclass(frozen=True)
class RecordingHeader:
    """What was recorded, and where."""

    commit: str
    suite: tuple[str, ...]
    """Arguments for pytest: paths and options."""
    measure_seconds: float
    """Seconds for which a process pair measured each benchmark."""
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


def describe_recording(commit: str, suite: SuiteSpec) -> RecordingHeader:
    """Describe a recording that starts now, on this machine."""
    return RecordingHeader(
        commit=commit,
        suite=suite.arguments,
        measure_seconds=suite.measure_seconds,
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
    """A process pair of one decision."""

    decision: int
    """Number of the decision, and of the two copies it measured; counted from 0."""
    pair: PairRecord


@dataclass(frozen=True)
class RecordedDecision:
    """The process pairs of one decision, in the order of measurement."""

    pairs: tuple[PairRecord, ...]

    @property
    def names(self) -> list[str]:
        """Benchmarks that the first pair measured; later pairs may leave out decided ones."""
        return [name for name, slowdown in self.pairs[0].table if slowdown == NO_SLOWDOWN]

    @property
    def injected(self) -> tuple[str, Slowdown] | None:
        """The benchmark that was also measured with a slowdown, and the slowdown."""
        return next((key for key in self.pairs[0].table if key[1] != NO_SLOWDOWN), None)


@dataclass(frozen=True)
class Recording:
    """A recording as read back."""

    header: RecordingHeader
    pairs: tuple[RecordedPair, ...]

    @property
    def seconds(self) -> float:
        """How long was recorded."""
        return sum(each.pair.wall_seconds for each in self.pairs)

    @functools.cached_property
    def decisions(self) -> list[RecordedDecision]:
        """The decisions in the order of measurement; the last may have been interrupted."""
        groups = itertools.groupby(self.pairs, key=lambda each: each.decision)
        return [RecordedDecision(tuple(each.pair for each in group)) for _, group in groups]


def extend_recording(
    path: Path,
    header: RecordingHeader,
    lay_out: Layouts,
    seconds: float,
    list_undecided: Callable[[RecordedDecision], list[str]],
    show: Callable[[str], None] = lambda _: None,
) -> Recording:
    """Record whole decisions until the file holds `seconds` of process pairs.

    A file that exists is continued; it must have the same header, but for its start.

    Args:
        path: the file.
        header: what is recorded.
        lay_out: makes two new copies.
        seconds: length of the recording; its last decision is completed.
        list_undecided: says which benchmarks a decision still needs; none if it is over.
        show: takes a line of progress after each pair.

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
            recorded = list(recording.pairs)
            number = recorded[-1].decision + 1 if recorded else 0
            recorded_seconds = recording.seconds
            while recorded_seconds < seconds:
                turn, kind = divmod(number, len(SLOWDOWNS))
                pairs: list[PairRecord] = []
                with lay_out() as runner:
                    names = None  # all
                    while names is None or names:
                        pair = runner.measure(names, Injection(turn, SLOWDOWNS[kind]))
                        if not pair.benchmarks:
                            raise make_no_time_error(pair.failures)
                        pairs.append(pair)
                        recorded.append(RecordedPair(number, pair))
                        log.append(dataclasses.asdict(recorded[-1]))
                        recorded_seconds += pair.wall_seconds
                        show(
                            f"[{recorded_seconds / 60:.1f} of {seconds / 60:g} min] "
                            f"decision {number + 1}, process pair {len(pairs)}"
                        )
                        names = list_undecided(RecordedDecision(tuple(pairs)))
                number += 1
            return Recording(recording.header, tuple(recorded))
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
