"""The gate's own error rates on one machine, as a document."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bnbench.errors import GateError
from bnbench.gate.formats import render_table
from bnbench.gate.recording import Recording, RecordingHeader
from bnbench.gate.replay import (
    CompareFailSummary,
    ReplaySummary,
    replay_compare_fail,
    replay_decisions,
)
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

REPLAY_COLUMNS = (
    *("one benchmark slower by", "found slower", "called not slower by the limit"),
    *("undecided", "false alarm elsewhere", "minutes"),
)
NUM_DECISIONS = 2000
"""Replayed for each injected slowdown."""
REPLAY_SEED = 20_260_101
"""Fixed, so that a recording always gives the same figures."""
MIN_PAIRS = 8
TOO_SHORT = """Most decisions draw more than half of the recorded pairs, so they are much alike:
record longer for better figures.

"""


@dataclass(frozen=True)
class ErrorRateSummary:
    """How often the gate, and pytest-benchmark's rules, were wrong and right."""

    header: RecordingHeader
    spec: GateSpec
    names: tuple[str, ...]
    num_pairs: int
    seconds: float
    """Length of the recording."""
    round_deviation: float
    """Standard deviation of the log-ratio of two rounds side by side; median over benchmarks."""
    pair_deviation: float
    """The same of the one log-ratio per process pair that enters the decision."""
    replays: tuple[ReplaySummary, ...]
    comparisons: tuple[CompareFailSummary, ...]


def replay_error_rates(
    recording: Recording, spec: GateSpec, num_decisions: int = NUM_DECISIONS
) -> ErrorRateSummary:
    """Replay a recording.

    Raises:
        GateError: it is too short.
    """
    names = recording.names
    if len(recording.pairs) < MIN_PAIRS or not names:
        raise GateError(
            f"expected a recording of at least {MIN_PAIRS} process pairs, got "
            f"{len(recording.pairs)} of {len(names)} benchmarks; record longer with --minutes"
        )
    generator = np.random.default_rng(REPLAY_SEED)
    levels = sorted(recording.header.levels)
    groups = [[pair.table[name, 0.0] for pair in recording.pairs] for name in names]
    rounds = [
        np.concatenate([np.log(v.head_seconds) - np.log(v.base_seconds) for v in group])
        for group in groups
    ]
    pairs = [[record.log_ratio for record in group] for group in groups]
    return ErrorRateSummary(
        header=recording.header,
        spec=spec,
        names=tuple(names),
        num_pairs=len(recording.pairs),
        seconds=recording.seconds,
        round_deviation=float(np.median([np.std(each, ddof=1) for each in rounds])),
        pair_deviation=float(np.median([np.std(each, ddof=1) for each in pairs])),
        replays=tuple(
            replay_decisions(recording, spec, level, num_decisions, generator) for level in levels
        ),
        comparisons=tuple(
            each
            for level in levels
            for each in replay_compare_fail(recording, level, num_decisions, generator)
        ),
    )


def render_error_rates(summary: ErrorRateSummary) -> str:
    """The error rates as a Markdown document."""
    header, spec = summary.header, summary.spec
    memory = "" if header.memory_bytes is None else f", {header.memory_bytes / 2**30:.0f} GiB"
    null = next(each for each in summary.replays if each.slowdown == 0.0)
    alone = int(summary.seconds // max(null.mean_seconds, 1e-9))
    is_short = null.mean_pairs > summary.num_pairs / 2
    return f"""# How often the gate is wrong

Made by `bnbench gate certify`. [gate.md](gate.md) says what is measured and how.

{header.cpu}, {header.cores} cores{memory}, {header.system}; bnbench {header.version} at
{header.commit[:12]}; recording started {header.started_at}.

The recording has {summary.num_pairs} process pairs of {len(summary.names)} benchmarks, in
{summary.seconds / 60:.0f} minutes. Each benchmark is also recorded with injected slowdowns of
{", ".join(f"{level:.0%}" for level in header.levels if level)}. The log-ratio of two rounds side by
side has a standard deviation of {summary.round_deviation:.3f}. That of a process pair, the median
of its double rounds, has {summary.pair_deviation:.4f}.

Each line replays {null.num_decisions:,} decisions. A decision on A/A draws {null.mean_pairs:.0f}
pairs on average; the recording is as long as {alone} decisions one after the other. Brackets are
95% Clopper-Pearson intervals of the replays. They hold for the recorded noise, not for another
machine or day.

The gate: --max-slowdown {spec.max_slowdown:.0%}, --false-alarms {spec.false_alarms:.0%} over the
suite, at most {spec.budget_seconds / 60:g} minutes.

{render_table(REPLAY_COLUMNS, map(_make_replay_row, summary.replays))}

{TOO_SHORT if is_short else ""}At 0% nothing is slowed. There, *false alarm* counts decisions on
the whole suite that call anything slower or larger, and *undecided* counts those that leave any
benchmark undecided. The other two columns count the outcomes of all benchmarks.

pytest-benchmark's `--benchmark-compare-fail` on the same recording. Base and head are two processes
at different times, as in two CI jobs:

{_render_comparisons(summary)}

Benchmarks: {", ".join(f"`{name}`" for name in summary.names)}
"""


def format_rate(count: int, total: int) -> str:
    """A share with its 95% interval, in percent."""
    if total == 0:
        return "–"
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


def _make_replay_row(replay: ReplaySummary) -> tuple[str, ...]:
    total = sum(replay.outcomes.values())
    worse, not_worse, undecided = (
        format_rate(replay.outcomes.get(str(outcome), 0), total)
        for outcome in (ChangeOutcome.WORSE, ChangeOutcome.NOT_WORSE, ChangeOutcome.UNDECIDED)
    )
    if not replay.slowdown:
        undecided = format_rate(replay.num_undecided, replay.num_decisions)
    alarms = format_rate(replay.num_false_alarms, replay.num_decisions)
    minutes = f"{replay.mean_seconds / 60:.1f}"
    return f"{replay.slowdown:.0%}", worse, not_worse, undecided, alarms, minutes


def _render_comparisons(summary: ErrorRateSummary) -> str:
    columns = ["rule"]
    rows: dict[str, list[str]] = {}
    for replay in summary.replays:
        level = replay.slowdown
        columns.append(f"{level:.0%} found" if level else "false alarms of the suite")
    for each in summary.comparisons:  # level by level, as the columns
        row = rows.setdefault(each.rule, [f"`{each.rule}`"])
        row.append(format_rate(each.num_failed, each.num_comparisons))
    return render_table(columns, rows.values())
