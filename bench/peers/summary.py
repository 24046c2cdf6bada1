"""From what was measured to what is shown: medians, ratios within rounds, and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from bench.peers.catalog import LIMIT, NOTEBOOK, REFERENCE
from bench.peers.measure import PeerRecord

ACCURACY_TOLERANCE = 0.05
"""How far a peer's accuracy may lie from the reference engine's: some three times the spread of
the baseline's seeds after five epochs."""
EARLY_ACCURACY_TOLERANCE = 0.35
"""The same in the first epochs, in which the baseline's seeds lie that far apart."""
EARLY_EPOCHS = 5


@dataclass(frozen=True)
class PeerSummary:
    """One row: what a peer took, held against the reference engine and the limit.

    A figure is None where there is nothing to compute it from.
    """

    record: PeerRecord
    median_seconds: float | None
    """Seconds per epoch per trial; the median over rounds."""
    quartiles: tuple[float, float] | None
    """Of the same; None for a single round."""
    speed_up: float | None
    """The reference engine's seconds over this peer's; the median over rounds of their ratio."""
    share_of_limit: float | None
    """The limit's seconds over this peer's, likewise; 1 is as fast as the arithmetic can be."""
    compile_seconds: float | None
    """What the first epoch took beyond a later one, of all trials together; at least 0."""
    accuracy: float | None
    """Mean over the trials, in [0, 1]."""
    problem: str | None
    """Why the row's figures cannot be used, or are missing; None where all is well."""

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong: what is not installed or not available is only absent."""
        return self.problem is not None and self.record.status in ("measured", "failed")


def summarize_peers(records: Sequence[PeerRecord], num_epochs: int) -> list[PeerSummary]:
    """Compute the rows of a table from all records of a measurement.

    Args:
        records: of all variants; each needs the records of `REFERENCE` and `LIMIT` beside it.
        num_epochs: epochs after which the accuracies were measured.
    """
    by_name = {(record.peer.name, record.variant): record for record in records}
    return [
        _summarize_peer(
            record,
            by_name.get((REFERENCE, record.variant)),
            by_name.get((LIMIT, record.variant)),
            num_epochs,
        )
        for record in records
    ]


def _summarize_peer(
    record: PeerRecord,
    reference: PeerRecord | None,
    limit: PeerRecord | None,
    num_epochs: int,
) -> PeerSummary:
    seconds = record.seconds if record.status == "measured" else ()
    middle = median(seconds) if seconds else None
    lower, _, upper = (
        quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else (None, None, None)
    )
    compile_seconds = None
    if middle is not None and record.first_epoch_seconds is not None and record.accuracies:
        later = middle * record.peer.num_trials
        compile_seconds = max(0.0, record.first_epoch_seconds - later)
    accuracy = fmean(record.accuracies) if record.accuracies else None
    expected = fmean(reference.accuracies) if reference and reference.accuracies else None
    return PeerSummary(
        record,
        middle,
        (lower, upper) if lower is not None and upper is not None else None,
        compute_ratio(reference, record),
        compute_ratio(limit, record),
        compile_seconds,
        accuracy,
        _find_problem(record, accuracy, expected, num_epochs),
    )


def compute_ratio(numerator: PeerRecord | None, denominator: PeerRecord | None) -> float | None:
    """The median over rounds of one peer's seconds over another's; None if either has none."""
    if numerator is None or denominator is None:
        return None
    if numerator.status != "measured" or denominator.status != "measured":
        return None
    pairs = list(zip(numerator.seconds, denominator.seconds, strict=True))
    return median(above / below for above, below in pairs) if pairs else None


def _find_problem(
    record: PeerRecord, accuracy: float | None, expected: float | None, num_epochs: int
) -> str | None:
    if record.status != "measured":
        return f"{record.status}: {record.reason}"
    if record.peer.name == LIMIT:
        return None
    if accuracy is None or expected is None:
        return "accuracy not checked: the reference engine has none to compare with"
    tolerance = ACCURACY_TOLERANCE if num_epochs >= EARLY_EPOCHS else EARLY_ACCURACY_TOLERANCE
    if not abs(accuracy - expected) <= tolerance:
        return (
            f"does not learn as the reference engine does: expected an accuracy within "
            f"{100 * tolerance:g} points of {100 * expected:.1f} %, got {100 * accuracy:.1f} %"
        )
    return None


def describe_native(summaries: Sequence[PeerSummary], variant: str) -> list[str]:
    """Say in sentences how the native engine, with the most trials at once, stands to others."""
    usable = [
        row
        for row in summaries
        if row.record.variant == variant and row.problem is None and row.median_seconds is not None
    ]

    def find_fastest(prefix: str) -> PeerSummary | None:
        rows = [row for row in usable if row.record.peer.name.startswith(prefix)]
        return min(rows, key=lambda row: row.median_seconds or 0.0, default=None)

    native = max(
        (row for row in usable if row.record.peer.name.startswith("native-")),
        key=lambda row: row.record.peer.num_trials,
        default=None,
    )
    if native is None:
        return []
    name = f"{variant}: native with {_count_trials(native)}"
    sentences = []
    for title, other in (
        ("the notebook loop", find_fastest(NOTEBOOK)),
        ("the reference engine", find_fastest(REFERENCE)),
        ("the fastest JAX peer", find_fastest("jax-")),
    ):
        ratio = compute_ratio(other.record, native.record) if other else None
        if other is not None and ratio is not None:
            detail = f" ({other.record.peer.name})" if title.startswith("the fastest") else ""
            sentences.append(f"{name} is {ratio:.2f} times as fast as {title}{detail}")
    if native.share_of_limit is not None:
        sentences.append(f"{name} reaches {100 * native.share_of_limit:.0f} % of the limit")
    alone = {row.record.peer.name: row.record for row in usable if row.record.peer.num_trials == 1}
    ratio = compute_ratio(alone.get("jax-1"), alone.get("native-1"))
    if ratio is not None:
        sentences.append(
            f"{variant}: native with 1 trial is {ratio:.2f} times as fast as JAX with 1 trial"
        )
    return sentences


def _count_trials(row: PeerSummary) -> str:
    number = row.record.peer.num_trials
    return f"{number} trial" if number == 1 else f"{number} trials"
