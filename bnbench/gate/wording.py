"""The gate's words: a summary as rows of text, for the terminal and for Markdown alike."""

from __future__ import annotations

from bnbench.gate.records import PEAK_MEMORY
from bnbench.gate.verdict import BenchmarkSummary, GateSummary, Verdict
from bnbench.stats.change import ChangeOutcome

COLUMNS = ("benchmark", "verdict", "head / base", "base", "head", "process pairs")
ACCURACY_COLUMNS = ("accuracy of", "verdict", "head - base", "base", "head", "seeds")


def word_verdict(summary: GateSummary) -> str:
    """The verdict in a sentence that names what it rests on."""
    worse = [b.name for b in summary.benchmarks if b.outcome is ChangeOutcome.WORSE]
    lost = [a.variant for a in summary.accuracies if a.outcome is ChangeOutcome.WORSE]
    if summary.verdict is Verdict.FAILED:
        parts = []
        if worse:
            parts.append(f"slower or larger: {', '.join(worse)}")
        if lost:
            parts.append(f"less accurate: {', '.join(lost)}")
        return f"Failed. {summary.head} against {summary.base}: {'; '.join(parts)}."
    if summary.verdict is Verdict.UNDECIDED:
        names = [
            b.name
            for b in summary.benchmarks
            if b.outcome is ChangeOutcome.UNDECIDED and b.waited_for
        ]
        names += [
            f"accuracy of {a.variant}"
            for a in summary.accuracies
            if a.outcome is ChangeOutcome.UNDECIDED
        ]
        names += [name for name, why in summary.failures.items() if why.startswith("head: ")]
        minutes = max(
            (b.more_minutes or 0.0 for b in summary.benchmarks if b.waited_for), default=0
        )
        more = f" About {max(minutes, 0.1):.1f} more minutes of measuring would tell." * (
            minutes > 0
        )
        return f"Undecided. {summary.head} against {summary.base}: {', '.join(names)}.{more}"
    return (
        f"Passed. {summary.head} against {summary.base}: nothing is slower by "
        f"{summary.spec.max_slowdown:.0%} or less accurate."
    )


def word_outcome(outcome: ChangeOutcome, name: str, max_slowdown: float) -> str:
    """An outcome in the words of what was measured."""
    more, less = ("more", "less") if name == PEAK_MEMORY else ("slower", "faster")
    return {
        ChangeOutcome.WORSE: more,
        ChangeOutcome.BETTER: less,
        ChangeOutcome.NOT_WORSE: f"not {more} by {max_slowdown:.0%}",
        ChangeOutcome.UNDECIDED: "undecided",
    }[outcome]


def make_rows(summary: GateSummary) -> list[tuple[str, ...]]:
    """A row of texts a benchmark, in the order of `COLUMNS`."""
    return [_make_row(benchmark, summary.spec.max_slowdown) for benchmark in summary.benchmarks]


def make_accuracy_rows(summary: GateSummary) -> list[tuple[str, ...]]:
    """A row of texts a variant, in the order of `ACCURACY_COLUMNS`."""
    words = {
        ChangeOutcome.WORSE: "worse",
        ChangeOutcome.BETTER: "better",
        ChangeOutcome.NOT_WORSE: f"not worse by {summary.spec.max_accuracy_loss * 100:g} points",
        ChangeOutcome.UNDECIDED: "undecided",
    }
    rows: list[tuple[str, ...]] = []
    for accuracy in summary.accuracies:
        found = accuracy.difference
        difference = f"{(found.value or 0.0) * 100:+.2f} points"
        if found.low is not None and found.high is not None:
            difference += f" [{found.low * 100:+.2f}, {found.high * 100:+.2f}]"
        rows.append(
            (
                accuracy.variant,
                words[accuracy.outcome],
                difference,
                f"{accuracy.base_mean:.2%}",
                f"{accuracy.head_mean:.2%}",
                str(found.count),
            )
        )
    return rows


def make_notes(summary: GateSummary) -> list[str]:
    """What else must be known: error rates, what was not judged, and why."""
    spec = summary.spec
    notes = [
        "Fails if something is slower (or larger) at an error rate of "
        f"{spec.false_alarms:.2%} over all of them, and by at least half of "
        f"{spec.max_slowdown:.0%}; a slowdown of {spec.max_slowdown:.0%} is called none at an "
        f"error rate of {spec.misses:.0%} each. "
        f"{summary.num_pairs} process pairs in {summary.seconds:.0f} s; the reference kernel took "
        f"{summary.kernel_seconds * 1000:.2f} ms."
    ]
    notes += [f"No time: {name}: {reason}" for name, reason in summary.failures.items()]
    for side, names in (("base", summary.only_base), ("head", summary.only_head)):
        if names:
            notes.append(f"Only in {side}, not judged: {', '.join(names)}")
    if summary.shared_modules:
        notes.append(
            "Both sides import these from outside their revision, so changes of them are not "
            f"seen (give a --setup that builds them): {', '.join(summary.shared_modules)}"
        )
    return notes


def format_amount(value: float, name: str) -> str:
    """A time, or bytes for peak memory, with three digits that count."""
    if name == PEAK_MEMORY:
        return f"{value / 2**20:.4g} MiB"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1.0:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _make_row(benchmark: BenchmarkSummary, max_slowdown: float) -> tuple[str, ...]:
    verdict = word_outcome(benchmark.outcome, benchmark.name, max_slowdown)
    if benchmark.more_minutes is not None and benchmark.waited_for:
        verdict += f", {benchmark.more_minutes:.1f} min more"
    ratio = f"{benchmark.ratio:.3f}"
    if benchmark.low is not None and benchmark.high is not None:
        ratio += f" [{benchmark.low:.3f}, {benchmark.high:.3f}]"
    return (
        benchmark.name,
        verdict,
        ratio,
        format_amount(benchmark.base, benchmark.name),
        format_amount(benchmark.head, benchmark.name),
        str(benchmark.num_pairs),
    )
