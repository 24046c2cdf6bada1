"""The gate's words: a summary as rows of text, for the terminal and for Markdown alike."""

from __future__ import annotations

from bnbench.gate.accuracy import AccuracySummary
from bnbench.gate.quantities import KINDS
from bnbench.gate.specs import GateSpec
from bnbench.gate.verdict import GateSummary, QuantitySummary, Verdict
from bnbench.stats.change import ChangeOutcome

Row = tuple[str, ...]
COLUMNS = ("benchmark", "verdict", "head / base", "base", "head", "process pairs")
ACCURACY_COLUMNS = ("accuracy of", "verdict", "head - base", "base", "head", "seeds")


def word_verdict(summary: GateSummary) -> str:
    """The verdict in a sentence that names what decided it."""
    start = f"{summary.verdict.capitalize()}. {summary.head} against {summary.base}: "
    if summary.verdict is Verdict.FAILED:
        found = {"slower or larger": summary.worse, "less accurate": summary.less_accurate}
        parts = [f"{word}: {', '.join(names)}" for word, names in found.items() if names]
        return f"{start}{'; '.join(parts)}."
    if summary.verdict is Verdict.PASSED:
        return f"{start}nothing is slower by {summary.spec.max_slowdown:.0%} or less accurate."
    minutes = max((each.more_minutes or 0.0 for each in summary.quantities), default=0.0)
    more = f" About {max(minutes, 0.1):.1f} more minutes would decide." if minutes else ""
    return f"{start}{', '.join(summary.undecided)}.{more}"


def make_tables(summary: GateSummary) -> list[tuple[Row, list[Row]]]:
    """The columns and rows of one table of quantities and, if trained, one of accuracies."""
    rows = [_make_row(each, summary.spec) for each in summary.quantities]
    accuracy_rows = [_make_accuracy_row(each, summary.spec) for each in summary.accuracies]
    tables = ((COLUMNS, rows), (ACCURACY_COLUMNS, accuracy_rows))
    return [(columns, rows) for columns, rows in tables if rows]


def make_notes(summary: GateSummary) -> list[str]:
    """The rule with its error rates, what was not judged, and why."""
    spec, suite = summary.spec, summary.suite
    notes = [
        f"Fails if the slowdown is at least half of {spec.max_slowdown:.0%} and no chance result: "
        f"the false-alarm rate is at most {spec.false_alarms:.2%} over all of them, for "
        "independent process pairs. A benchmark that is slower by "
        f"{spec.max_slowdown:.0%} passes at a rate of at most {spec.misses:.0%}. "
        f"Measured {summary.num_pairs} process pairs in {summary.seconds:.0f} s; the reference "
        f"kernel took {summary.kernel_seconds * 1000:.2f} ms."
    ]
    notes += [f"No time: {name}: {reason}" for name, reason in summary.failures.items()]
    for side, names in (("base", suite.only_base), ("head", suite.only_head)):
        if names:
            notes.append(f"Only in {side}, not judged: {', '.join(names)}")
    if suite.shared_modules:
        notes.append(
            "Both sides import these modules from outside their revision, so changes of them are "
            f"not measured (give a --setup that builds them): {', '.join(suite.shared_modules)}"
        )
    return notes


def _make_row(quantity: QuantitySummary, spec: GateSpec) -> Row:
    kind = KINDS[quantity.kind]
    verdict = _word_outcome(quantity.outcome, kind.worse, kind.better, f"{spec.max_slowdown:.0%}")
    if quantity.more_minutes is not None:
        verdict += f", {quantity.more_minutes:.1f} min more"
    ratio = f"{quantity.ratio:.3f}"
    if quantity.low is not None and quantity.high is not None:
        ratio += f" [{quantity.low:.3f}, {quantity.high:.3f}]"
    base, head = kind.format_amount(quantity.base), kind.format_amount(quantity.head)
    return quantity.name, verdict, ratio, base, head, str(quantity.num_pairs)


def _make_accuracy_row(accuracy: AccuracySummary, spec: GateSpec) -> Row:
    limit = f"{spec.max_accuracy_loss * 100:g} points"
    verdict = _word_outcome(accuracy.outcome, "worse", "better", limit)
    if accuracy.num_more is not None:
        verdict += f", {accuracy.num_more} more seeds"
    difference = f"{accuracy.difference * 100:+.2f} points"
    if accuracy.low is not None and accuracy.high is not None:
        difference += f" [{accuracy.low * 100:+.2f}, {accuracy.high * 100:+.2f}]"
    return (
        accuracy.variant,
        verdict,
        difference,
        f"{accuracy.base_mean:.2%}",
        f"{accuracy.head_mean:.2%}",
        str(accuracy.num_seeds),
    )


def _word_outcome(outcome: ChangeOutcome, worse: str, better: str, limit: str) -> str:
    words = {"worse": worse, "better": better, "not worse": f"not {worse} by {limit}"}
    return words.get(outcome, str(outcome))
