"""The gate's own error rates on one machine, as a document and as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from bnbench.errors import GateError
from bnbench.gate.compare_fail import CompareFailSummary, replay_compare_fail
from bnbench.gate.recording import Recording, RecordingHeader
from bnbench.gate.replay import ReplaySummary, replay_decisions
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

JSON_VERSION = 2
NUM_DECISIONS = 2000
"""Replayed for each injected slowdown."""
REPLAY_SEED = 20_260_101
"""Fixed, so that a recording always gives the same figures."""
MIN_PAIRS = 8


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
    groups = [
        [v for p in recording.pairs for v in p.benchmarks if v.benchmark == n and not v.slowdown]
        for n in names
    ]
    rounds = [
        np.concatenate([np.log(v.head_seconds) - np.log(v.base_seconds) for v in group])
        for group in groups
    ]
    return ErrorRateSummary(
        header=recording.header,
        spec=spec,
        names=tuple(names),
        num_pairs=len(recording.pairs),
        seconds=recording.seconds,
        round_deviation=float(np.median([np.std(each, ddof=1) for each in rounds])),
        pair_deviation=float(
            np.median([np.std([v.log_ratio for v in group], ddof=1) for group in groups])
        ),
        replays=tuple(
            replay_decisions(recording, spec, level, num_decisions, generator) for level in levels
        ),
        comparisons=tuple(
            summary
            for level in levels
            for summary in replay_compare_fail(recording, level, num_decisions, generator)
        ),
    )


def make_error_rates_json(summary: ErrorRateSummary) -> dict[str, Any]:
    """The error rates as plain JSON."""
    return {"format_version": JSON_VERSION, **dataclasses.asdict(summary)}


def render_error_rates(summary: ErrorRateSummary) -> str:
    """The error rates as a Markdown document."""
    header, spec = summary.header, summary.spec
    memory = "" if header.memory_bytes is None else f", {header.memory_bytes / 2**30:.0f} GiB"
    null = next(each for each in summary.replays if each.slowdown == 0.0)
    alone = int(summary.seconds // max(null.mean_seconds, 1e-9))
    lines = [
        "# How often the gate is wrong",
        "",
        "Made by `bnbench gate certify`. [gate.md](gate.md) says what is measured and how.",
        "",
        f"{header.cpu}, {header.cores} cores{memory}, {header.system}; bnbench {header.version} at "
        f"{header.commit[:12]}; recording started {header.started_at}.",
        "",
        f"The recording has {summary.num_pairs} process pairs of {len(summary.names)} benchmarks, "
        f"in {summary.seconds / 60:.0f} minutes. Each benchmark is also recorded with injected "
        f"slowdowns of {', '.join(f'{level:.0%}' for level in header.levels if level)}. The "
        f"log-ratio of two rounds side by side has a standard deviation of "
        f"{summary.round_deviation:.3f}. That of a process pair, the median of its double rounds, "
        f"has {summary.pair_deviation:.4f}.",
        "",
        f"Each line replays {null.num_decisions:,} decisions. A decision on A/A draws "
        f"{null.mean_pairs:.0f} pairs on average; the recording is as long as {alone} decisions "
        "one after the other. Brackets are 95% Clopper-Pearson intervals of the replays. They hold "
        "for the recorded noise, not for another machine or day.",
        "",
        f"The gate: --max-slowdown {spec.max_slowdown:.0%}, --false-alarms {spec.false_alarms:.0%} "
        f"over the suite, at most {spec.budget_seconds / 60:g} minutes.",
        "",
        "| one benchmark slower by | found slower | called not slower by the limit | undecided | "
        "false alarm elsewhere | minutes |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_render_replay(replay) for replay in summary.replays]
    if null.mean_pairs > summary.num_pairs / 2:
        lines += [
            "",
            "Most decisions draw more than half of the recorded pairs, so they are much alike: "
            "record longer for better figures.",
        ]
    lines += [
        "",
        "At 0% nothing is slowed. There, *false alarm* counts decisions on the whole suite that "
        "call anything slower or larger, and *undecided* counts those that leave any benchmark "
        "undecided. The other two columns count the outcomes of all benchmarks.",
        "",
        "pytest-benchmark's `--benchmark-compare-fail` on the same recording. Base and head are "
        "two processes at different times, as in two CI jobs:",
        "",
    ]
    lines += _render_comparisons(summary)
    lines += ["", "Benchmarks: " + ", ".join(f"`{name}`" for name in summary.names), ""]
    return "\n".join(lines)


def format_rate(count: int, total: int) -> str:
    """A share with its 95% interval, in percent."""
    if total == 0:
        return "–"
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


def _render_replay(replay: ReplaySummary) -> str:
    total = sum(replay.outcomes.values())

    def share(outcome: ChangeOutcome) -> str:
        return format_rate(replay.outcomes.get(str(outcome), 0), total)

    if replay.slowdown:
        undecided = share(ChangeOutcome.UNDECIDED)
    else:
        undecided = format_rate(replay.num_undecided, replay.num_decisions)
    cells = [
        f"{replay.slowdown:.0%}",
        share(ChangeOutcome.WORSE),
        share(ChangeOutcome.NOT_WORSE),
        undecided,
        format_rate(replay.num_false_alarms, replay.num_decisions),
        f"{replay.mean_seconds / 60:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _render_comparisons(summary: ErrorRateSummary) -> list[str]:
    levels = [replay.slowdown for replay in summary.replays]
    heads = [
        "false alarms of the suite" if level == 0.0 else f"{level:.0%} found" for level in levels
    ]
    lines = [
        "| rule | " + " | ".join(heads) + " |",
        "| --- | " + " | ".join("---:" for _ in levels) + " |",
    ]
    for rule in dict.fromkeys(each.rule for each in summary.comparisons):
        cells = [
            format_rate(each.num_failed, each.num_comparisons)
            for level in levels
            for each in summary.comparisons
            if each.rule == rule and each.slowdown == level
        ]
        lines.append(f"| `{rule}` | " + " | ".join(cells) + " |")
    return lines
