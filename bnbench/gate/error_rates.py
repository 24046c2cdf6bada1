"""The gate's own error rates on one machine, as a document."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from bnbench.errors import GateError
from bnbench.gate.formats import render_table
from bnbench.gate.recording import Recording, RecordingHeader
from bnbench.gate.records import Slowdown
from bnbench.gate.replay import BiasSummary, ReplaySummary, replay_decisions, summarize_biases
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome
from bnbench.stats.estimates import Estimate

REPLAY_COLUMNS = (
    *("one benchmark slower by", "decisions", "found slower", "called not slower by the limit"),
    *("undecided", "false alarm elsewhere", "minutes"),
)
BIAS_COLUMNS = (
    *("quantity", "copies", "mean difference", "center", "deviation of a pair", "robust"),
    "of two copies",
)


@dataclass(frozen=True)
class ErrorRateSummary:
    """How often the gate was wrong and right, and how far copies of the same code differ."""

    header: RecordingHeader
    spec: GateSpec
    names: tuple[str, ...]
    num_pairs: int
    seconds: float
    """Length of the recording."""
    loads: tuple[float, ...]
    """Load average of the machine at the end of each process pair, where it was recorded."""
    replays: tuple[ReplaySummary, ...]
    biases: tuple[BiasSummary, ...]


def replay_error_rates(recording: Recording, spec: GateSpec) -> ErrorRateSummary:
    """Replay a recording.

    Raises:
        GateError: it is too short for a decision.
    """
    kinds = recording.header.slowdowns
    groups = [(), *((kind,) for kind in kinds), kinds]
    replays = [replay_decisions(recording, spec, group) for group in groups]
    if not replays[0].num_decisions:
        raise GateError(
            "expected a recording of at least one decision, got "
            f"{len(recording.pairs)} process pairs; record longer with --minutes"
        )
    names = dict.fromkeys(name for decision in recording.decisions for name in decision.names)
    return ErrorRateSummary(
        header=recording.header,
        spec=spec,
        names=tuple(names),
        num_pairs=len(recording.pairs),
        seconds=recording.seconds,
        loads=tuple(each.pair.load for each in recording.pairs if each.pair.load is not None),
        replays=tuple(replays),
        biases=tuple(summarize_biases(recording)),
    )


def render_error_rates(summary: ErrorRateSummary) -> str:
    """The error rates as a Markdown document."""
    header, spec = summary.header, summary.spec
    memory = "" if header.memory_bytes is None else f", {header.memory_bytes / 2**30:.0f} GiB"
    null = summary.replays[0]
    return f"""# How often the gate is wrong

Made by `bnbench gate certify`. [gate.md](gate.md) says what is measured and how.

{header.cpu}, {header.cores} cores{memory}, {header.system}; bnbench {header.version} at
{header.commit[:12]}; recording started {header.started_at}.

The suite, `{" ".join(header.suite)}`, has
{len(summary.names)} benchmarks. A process pair measured each for about
{header.measure_seconds:g} s. The recording has {null.num_decisions} decisions of
{summary.num_pairs} process pairs, in {summary.seconds / 60:.0f} minutes.{_say_load(summary.loads)}

Each decision has process pairs of its own and two copies of the same code of its own, checked out
and built one by one. The gate: --max-slowdown {spec.max_slowdown:.0%},
--false-alarms {spec.false_alarms:.0%} over the suite, at most {spec.budget_seconds / 60:g} minutes.
Brackets are 95% Clopper-Pearson intervals, one decision as the unit. They hold for this machine,
suite and time.

{render_table(REPLAY_COLUMNS, map(_make_replay_row, summary.replays))}

In the first line nothing is slowed. There, *false alarm* counts decisions that call any benchmark
slower, or start-up time or peak memory larger; *undecided* counts those that leave a benchmark
undecided. In the other lines each decision has one slowed benchmark, by a busy processor or by
copying memory, and the first columns count its outcomes. They use the process pairs of the first
line again, so their false alarms are no further evidence.

How far two copies of the same code differ, in percent of the time:

{render_table(BIAS_COLUMNS, map(_make_bias_row, summary.biases))}

The mean and the center, the Hodges-Lehmann estimate by which the gate decides, have 95% intervals
over decisions, not corrected for the number of quantities. A difference of two copies lasts as long
as they do, so no number of process pairs averages it away; the last column is the standard
deviation of the centers as far as process pairs do not explain it. *Robust* is a deviation of a
pair that rare stalls do not move.
"""


def format_rate(count: int, total: int) -> str:
    """A share with its 95% interval, in percent."""
    if total == 0:
        return "–"
    low, high = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


def _say_load(loads: Sequence[float]) -> str:
    if not loads:
        return ""
    return (
        f"\nThe load average was recorded beside {len(loads)} of them: {min(loads):.1f} to "
        f"{max(loads):.1f}, median {statistics.median(loads):.1f}.\n"
        "Base and head themselves are up to 2 of it."
    )


def _make_replay_row(replay: ReplaySummary) -> tuple[str, ...]:
    worse, not_worse, undecided = (
        format_rate(replay.outcomes.get(str(outcome), 0), replay.num_decisions)
        for outcome in (ChangeOutcome.WORSE, ChangeOutcome.NOT_WORSE, ChangeOutcome.UNDECIDED)
    )
    if not replay.slowdowns:
        worse = "–"
    alarms = format_rate(replay.num_false_alarms, replay.num_decisions)
    minutes = "–" if replay.mean_seconds is None else f"{replay.mean_seconds / 60:.1f}"
    name, count = _name_slowdowns(replay.slowdowns), str(replay.num_decisions)
    return name, count, worse, not_worse, undecided, alarms, minutes


def _name_slowdowns(slowdowns: tuple[Slowdown, ...]) -> str:
    if not slowdowns:
        return "0%"
    return f"{slowdowns[0].share:.0%}, {' or '.join(slowdown.work for slowdown in slowdowns)}"


def _make_bias_row(bias: BiasSummary) -> tuple[str, ...]:
    deviations = [
        "–" if deviation is None else f"{100 * deviation:.2f}"
        for deviation in (bias.pair_deviation, bias.robust_pair_deviation, bias.copy_deviation)
    ]
    centers = map(_format_difference, (bias.mean, bias.center))
    return f"`{bias.quantity}`", str(bias.mean.count), *centers, *deviations


def _format_difference(difference: Estimate) -> str:
    """A log-ratio with its interval, in percent."""
    text = f"{100 * (difference.value or 0.0):+.2f}"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} [{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
