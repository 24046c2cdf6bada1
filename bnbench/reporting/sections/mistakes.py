"""What the networks get wrong: by class, which class for which, and images they disagree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.inspection import ConfusionRecord, DisagreementRecord, InspectionRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import make_generator
from bnbench.reporting.wording import (
    format_count,
    format_points,
    name_variant,
    start_sentence,
)
from bnbench.stats import Estimate

NUM_CONFUSIONS = 10


@dataclass(frozen=True)
class ClassesSummary:
    """How one variant on one device does on each class."""

    variant: str
    device: str
    num_seeds: int
    accuracy: tuple[Estimate, ...]
    """Of the images of each class."""
    shares: tuple[tuple[float, ...], ...]
    """Of the images of each true class (row), the fraction taken for each class (column)."""
    differences: tuple[Estimate, ...]
    """Accuracy minus the baseline's by class, over shared seeds; empty for the baseline itself."""


def summarize_mistakes(inspection: InspectionRecord | None) -> tuple[ClassesSummary, ...]:
    """Summarize the predictions of each variant on each device; empty without an inspection."""
    if inspection is None:
        return ()
    baselines: dict[str, ConfusionRecord] = {}
    return tuple(
        _summarize(record, baselines.setdefault(record.device, record))
        for record in inspection.confusions
    )


def compose_mistakes(
    mistakes: tuple[ClassesSummary, ...], inspection: InspectionRecord | None
) -> Section | None:
    """The section of the report, or None if no model was inspected."""
    if inspection is None or not mistakes:
        return None
    names = inspection.class_names
    shown = select_device(mistakes)
    seeds = format_count(shown[0].num_seeds, "seed")
    opening = (
        f"Predictions of the trained networks for the {inspection.num_test_images:,} test "
        f"{inspection.noun}s, {seeds} for each network, on {shown[0].device}. The table lists the "
        f"most frequent confusions, in percent of the {inspection.noun}s of the true class, by the "
        "variant that makes them most often."
    )
    return Section(
        "What the networks get wrong",
        (*(say_classes(each, names, shown[0], inspection.noun) for each in shown[1:]), opening),
        figure="mistakes",
        table=_tabulate_confusions(shown, names),
    )


def compose_disagreements(inspection: InspectionRecord | None) -> Section | None:
    """The section of the report, or None if there is nothing to compare."""
    if inspection is None or not inspection.disagreements:
        return None
    total = inspection.num_test_images
    rule = (
        "Most seeds means more than half of those that both networks have. Of these images, the "
        "figure shows the ones with the largest difference in right answers, equal ones in the "
        "order of the test set, and at most two of each class."
    )
    sentences = [_say_counts(each, total, inspection.noun) for each in inspection.disagreements]
    return Section(
        f"The {inspection.noun}s on which the networks disagree",
        (*sentences, *([] if inspection.image_size is None else [rule])),
        figure=None if inspection.image_size is None else "disagreements",
    )


def select_device(mistakes: tuple[ClassesSummary, ...]) -> list[ClassesSummary]:
    """The variants on the first device, which figure and table show."""
    return [each for each in mistakes if each.device == mistakes[0].device]


def say_classes(
    each: ClassesSummary, names: tuple[str, ...], baseline: ClassesSummary, noun: str = "image"
) -> str:
    """In how many classes an interval says better or worse than the baseline, and the extremes."""
    found = [
        (difference, name)
        for difference, name in zip(each.differences, names, strict=False)
        if difference.value is not None
    ]
    if not found:
        return start_sentence(
            f"{name_variant(each.variant)} shares no seed with {name_variant(baseline.variant)}."
        )
    found.sort(key=lambda pair: pair[0].value or 0.0)
    (worst, worst_name), (best, best_name) = found[0], found[-1]
    num_better = sum(d.low is not None and d.low > 0 for d, _ in found)
    num_worse = sum(d.high is not None and d.high < 0 for d, _ in found)
    candidate, reference = name_variant(each.variant), name_variant(baseline.variant)
    return start_sentence(
        f"{candidate} gets more {noun}s right than {reference} in {num_better} of {len(found)} "
        f"classes and fewer in {num_worse}, by 95 % intervals that are not corrected for the "
        "number of classes. "
        f"Its largest gain is {best_name}: {format_points(best)}. "
        f"Its {'largest loss' if (worst.value or 0) < 0 else 'smallest gain'} is {worst_name}: "
        f"{format_points(worst)}."
    )


def _summarize(record: ConfusionRecord, baseline: ConfusionRecord) -> ClassesSummary:
    counts = np.array(record.counts, dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    # A class without a test image has no accuracy.
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    per_seed = np.where(totals[:, 0] > 0, totals[:, 0] / len(record.seeds), np.nan)
    shared = [seed for seed in baseline.seeds if seed in record.seeds]
    differences: tuple[Estimate, ...] = ()
    if record is not baseline and shared:
        first, second = (
            np.array([dict(zip(r.seeds, r.correct, strict=True))[seed] for seed in shared])
            / per_seed
            for r in (baseline, record)
        )
        differences = stats.compare_pairs(first, second, make_generator())
    return ClassesSummary(
        record.variant,
        record.device,
        len(record.seeds),
        stats.estimate_means(np.array(record.correct) / per_seed, make_generator(), bounds=(0, 1)),
        tuple(map(tuple, shares.tolist())),
        differences,
    )


def _tabulate_confusions(shown: list[ClassesSummary], names: tuple[str, ...]) -> Table:
    """The confusions that are most frequent in the variant that makes them most often."""
    pairs = [(t, p) for t in range(len(names)) for p in range(len(names)) if t != p]
    pairs.sort(key=lambda pair: -max(each.shares[pair[0]][pair[1]] for each in shown))
    return Table.from_rows(
        {
            "true → taken for, %": f"{names[true]} → {names[predicted]}",
            **{each.variant: f"{100 * each.shares[true][predicted]:.1f}" for each in shown},
        }
        for true, predicted in pairs[:NUM_CONFUSIONS]
    )


def _say_counts(each: DisagreementRecord, total: int, noun: str) -> str:
    candidate, baseline = name_variant(each.candidate), name_variant(each.baseline)
    return start_sentence(
        f"{candidate} is right and {baseline} wrong, in most of "
        f"{format_count(each.num_seeds, 'seed')}, on {each.num_ahead:,} of {total:,} test {noun}s. "
        f"The reverse holds on {each.num_behind:,}."
    )
