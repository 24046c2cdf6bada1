"""The gate's own error rates: record a revision against itself, replay, write the figures."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

from bnbench.gate.error_rates import render_error_rates, replay_error_rates
from bnbench.gate.formats import render_json, write_file
from bnbench.gate.pairs import PairRunner
from bnbench.gate.recording import describe_recording, extend_recording, read_recording
from bnbench.gate.revisions import find_repository, lay_out_revision
from bnbench.gate.specs import GateSpec, SuiteSpec

JSON_VERSION = 3


def record_revision(
    name: str,
    suite: SuiteSpec,
    recording_file: Path,
    seconds: float,
    show: Callable[[str], None],
) -> None:
    """Record a revision of the current folder's repository against itself.

    The recording is continued, until it holds `seconds`, if its file exists.

    Raises:
        GateError: the revision, the suite or the recording cannot be used.
    """
    revision = lay_out_revision(find_repository(Path.cwd()), name, suite)
    header = describe_recording(revision.commit, suite.arguments)
    with tempfile.TemporaryDirectory(prefix="bnbench-gate-") as folder:
        runner = PairRunner(revision, revision, suite.arguments, Path(folder))
        extend_recording(recording_file, header, runner, seconds, show)


def write_error_rates(recording_file: Path, decision: GateSpec, folder: Path) -> str:
    """Replay a recording and write its error rates as Markdown and JSON; return the Markdown.

    Raises:
        GateError: the recording cannot be used, or a file cannot be written.
    """
    summary = replay_error_rates(read_recording(recording_file), decision)
    text = render_error_rates(summary)
    content = {"format_version": JSON_VERSION, **dataclasses.asdict(summary)}
    write_file(folder / "gate-error-rates.md", text.encode())
    write_file(folder / "gate-error-rates.json", render_json(content).encode())
    return text
