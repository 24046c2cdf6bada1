"""Validation accuracy by learning rate for several schedules, each tuned in a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.sections.rates import SensitivitySummary, summarize_rates
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_percent, name_variant, start_sentence
from bnbench.stats import RateSummary

TITLE = "Validation accuracy by rate and schedule"


@dataclass(frozen=True)
class ScheduleSummary:
    """One variant's accuracy by learning rate with one schedule."""

    schedule: str
    sensitivity: SensitivitySummary
    tried: tuple[TrialRecord, ...]
    """The tuning trials."""

    @property
    def best(self) -> RateSummary | None:
        """The best rate; None if no trial learned anything."""
        result = self.sensitivity.result
        return next((r for r in result.rates if r.learning_rate == result.best_rate), None)


def summarize_schedules(searches: Sequence[RunTrials]) -> tuple[ScheduleSummary, ...]:
    """Summarize each schedule of the first two variants, the schedules of a variant together."""
    found = [
        ScheduleSummary(
            run.study.recipe.schedule,
            sensitivity,
            tuple(run.select("tune", sensitivity.variant, sensitivity.device)),
        )
        for run in searches
        for sensitivity in summarize_rates(run)
        if sensitivity.device == run.study.devices[0]
    ]
    names = [variant.name for run in searches[:1] for variant in run.study.variants[:2]]
    return tuple(each for name in names for each in found if each.sensitivity.variant == name)


def compose_schedules(summaries: Sequence[ScheduleSummary]) -> Section | None:
    """The section of the report, or None where nothing was tuned."""
    if not summaries:
        return None
    return Section(
        TITLE,
        (" ".join(_say_best(summaries)),),
        figure="schedules",
        table=Table.from_rows(
            {
                "variant": each.sensitivity.variant,
                "schedule": each.schedule,
                "best rate": "none works"
                if each.best is None
                else f"{each.best.learning_rate:.3g}",
                "validation accuracy": "not known"
                if each.best is None
                else format_percent(each.best.accuracy.value),
                "seeds": "–" if each.best is None else str(each.best.num_trials),
                "rates that work": _format_band(each),
            }
            for each in summaries
        ),
    )


def _say_best(summaries: Sequence[ScheduleSummary]) -> list[str]:
    """The best schedule of each variant, where it has several."""
    sentences = []
    for variant in dict.fromkeys(each.sensitivity.variant for each in summaries):
        reached = [
            (each.best.accuracy.value, each)
            for each in summaries
            if each.sensitivity.variant == variant
            and each.best is not None
            and each.best.accuracy.value is not None
        ]
        if len(reached) > 1:
            reached.sort(key=lambda pair: pair[0], reverse=True)
            (best, first), (second, other) = reached[:2]
            sentences.append(
                start_sentence(
                    f"{name_variant(variant)} reaches {format_percent(best)} with the "
                    f"{first.schedule} schedule and {format_percent(second)} with the "
                    f"{other.schedule} one."
                )
            )
    return sentences


def _format_band(summary: ScheduleSummary) -> str:
    band = summary.sensitivity.result.band
    return "none" if band is None else f"{band.low_rate:.3g} – {band.high_rate:.3g}"
