"""The gate's own error rates: record a revision against itself, replay, write the figures."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bnbench.gate.error_rates import render_error_rates, replay_error_rates
from bnbench.gate.formats import render_json, write_file
from bnbench.gate.pairs import PairRunner
from bnbench.gate.recording import describe_recording, extend_recording, read_recording
from bnbench.gate.replay import list_undecided
from bnbench.gate.revisions import find_repository, lay_out_revision, resolve_commit
from bnbench.gate.specs import GateSpec, SuiteSpec

JSON_VERSION = 5


def record_revision(
    name: str,
    suite: SuiteSpec,
    decision: GateSpec,
    recording_file: Path,
    seconds: float,
    show: Callable[[str], None],
) -> None:
    """Record a revision of the current folder's repository against a copy of itself.

    The recording is continued, until it holds `seconds`, if its file exists. A decision ends when
    the gate `decision` is over. The copies lie in folders of their own in the cache, which are
    removed.

    Raises:
        GateError: the revision, the suite or the recording cannot be used.
    """
    repository = find_repository(Path.cwd())
    commit = resolve_commit(repository, name)

    @contextlib.contextmanager
    def lay_out() -> Iterator[PairRunner]:
        suite.cache_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="certify-", dir=suite.cache_folder) as folder:
            fresh = dataclasses.replace(suite, cache_folder=Path(folder))
            base, head = (lay_out_revision(repository, commit, fresh, copy) for copy in (1, 2))
            yield PairRunner(base, head, suite, Path(folder))

    header = describe_recording(commit, suite)
    undecided = functools.partial(list_undecided, spec=decision)
    extend_recording(recording_file, header, lay_out, seconds, undecided, show)


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
