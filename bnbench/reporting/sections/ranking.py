"""More than two variants in one order, the best first, and the best two against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.reporting.content import Section, Table
from bnbench.reporting.sections.accuracy import (
    AccuracySummary,
    ContrastSummary,
    VariantSummary,
    summarize_contrast,
)
from bnbench.reporting.sections.epoch_time import TimeContrast, find_plain_contrast, format_ratio
from bnbench.reporting.trials import RunTrials, share_seeds
from bnbench.reporting.wording import (
    format_number,
    format_percent,
    format_points,
    join_words,
    name_variant,
)
from bnbench.specs import StudySpec
from bnbench.stats import Outcome


@dataclass(frozen=True)
class RankingSummary:
    """The variants on one device."""

    device: str
    variants: tuple[str, ...]
    """By mean accuracy after the last epoch, the best first; a failed trial counts as chance."""
    num_contrasts: int
    """Contrasts of the whole study, whose intervals hold together with 95 %."""
    confidence: float
    """The level of each contrast's intervals."""
    leaders: ContrastSummary | None
    """The best variant (the candidate) against the second; None if they share no seed."""


def summarize_ranking(trials: RunTrials, accuracy: AccuracySummary) -> tuple[RankingSummary, ...]:
    """Rank the variants on each device; empty for a study of one or two."""
    study = trials.study
    if len(study.variants) <= 2:
        return ()
    return tuple(
        _rank(trials, found)
        for device in study.devices
        if len(found := [each for each in accuracy.variants if each.device == device]) > 1
    )


def tabulate_ranking(
    rankings: Sequence[RankingSummary],
    accuracy: AccuracySummary,
    times: Sequence[TimeContrast],
) -> Table | None:
    """All variants as a table, the best of each device first; None where there are only two."""
    if not rankings:
        return None
    variants = {(each.variant, each.device): each for each in accuracy.variants}
    contrasts = {(each.candidate, each.device): each for each in accuracy.contrasts}
    rows = []
    for ranking in rankings:
        for name in ranking.variants:
            key = (name, ranking.device)
            time = find_plain_contrast(times, *key)
            row = {
                "variant": name,
                "device": ranking.device,
                "test accuracy": format_percent(variants[key].curve[-1].mean.value),
                **_describe_contrast(contrasts.get(key)),
            }
            if times:
                row["time per epoch"] = format_ratio(time.result.paired_ratio) if time else "–"
            rows.append(row)
    return Table.from_rows(rows, details=("wins", "time per epoch"), qualifiers=("device",))


def compose_effects(rankings: Sequence[RankingSummary], shown: StudySpec) -> Section | None:
    """The differences of all variants as one figure; None where there are only two.

    `shown` has the variants that the sections on single networks show.
    """
    if not rankings:
        return None
    number = len(rankings[0].variants)
    names = [name_variant(variant.name) for variant in shown.variants]
    text = f"Of {number} variants, the sections on single networks show {join_words(names)}."
    return Section(
        "All variants at a glance", (text,) if len(names) < number else (), figure="effects"
    )


def _describe_contrast(contrast: ContrastSummary | None) -> dict[str, str]:
    """The cells of a variant against the baseline; dashes for the baseline itself."""
    if contrast is None:
        return dict.fromkeys(("verdict", "difference, points", "wins"), "–")
    outcome = contrast.decision.outcome
    return {
        "verdict": "open" if outcome is Outcome.NO_CONCLUSION else str(outcome),
        "difference, points": format_points(contrast.differences[-1]).replace(" points", ""),
        "wins": format_number(contrast.decision.probability),
    }


def _rank(trials: RunTrials, variants: Sequence[VariantSummary]) -> RankingSummary:
    chance = trials.data.chance
    # Equal ones stay in the study's order.
    ranked = sorted(variants, key=lambda each: _score(each, chance), reverse=True)
    device = ranked[0].device
    best, second = (trials.select("score", each.variant, device) for each in ranked[:2])
    seeds = share_seeds(second, best)
    study = trials.study
    return RankingSummary(
        device=device,
        variants=tuple(each.variant for each in ranked),
        num_contrasts=stats.count_contrasts(len(study.variants), len(study.devices)),
        confidence=trials.confidence,
        leaders=summarize_contrast(trials, second, best, seeds) if seeds else None,
    )


def _score(variant: VariantSummary, chance: float) -> float:
    """Mean accuracy after the last epoch, a failed trial at chance as in tuning."""
    mean = variant.curve[-1].mean.value or 0.0
    num_finished = variant.num_trials - variant.num_failed
    total = mean * num_finished + chance * variant.num_failed
    return total / variant.num_trials
