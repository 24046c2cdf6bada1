"""The gate's own error rates: record a revision against itself, replay, write the figures."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from bnbench.gate.error_rates import make_error_rates_json, render_error_rates, replay_error_rates
from bnbench.gate.formats import write_text
from bnbench.gate.pairs import PairRunner
from bnbench.gate.recording import describe_recording, extend_recording, read_recording
from bnbench.gate.revisions import find_repository, lay_out_revision
from bnbench.gate.specs import CertifySpec, GateSpec

FILE_NAME = "gate-error-rates"


def record_revision(spec: CertifySpec, on_pair: Callable[[int, float], None]) -> None:
    """Record a revision against itself, in the repository of the current folder.

    Args:
        spec: what to record.
        on_pair: called after each process pair with the number of pairs and their seconds.

    Raises:
        GateError: the revision, the suite or the recording cannot be used.
    """
    cache_folder = spec.cache_folder.resolve()
    repository = find_repository(Path.cwd())
    revision = lay_out_revision(repository, spec.revision, cache_folder, spec.setup)
    with tempfile.TemporaryDirectory(prefix="bnbench-gate-") as folder:
        runner = PairRunner(
            revision, revision, spec.suite, spec.decision, Path(folder), random.Random()
        )
        header = describe_recording(revision.commit, spec.suite)
        extend_recording(spec.recording_file, header, runner, spec.seconds, on_pair)


def write_error_rates(recording_file: Path, decision: GateSpec, folder: Path) -> str:
    """Replay a recording and write its error rates as Markdown and JSON; return the Markdown.

    Raises:
        GateError: the recording cannot be used, or a file cannot be written.
    """
    summary = replay_error_rates(read_recording(recording_file), decision)
    text = render_error_rates(summary)
    write_text(folder / f"{FILE_NAME}.md", text)
    figures = json.dumps(make_error_rates_json(summary), indent=2) + "\n"
    write_text(folder / f"{FILE_NAME}.json", figures)
    return text
