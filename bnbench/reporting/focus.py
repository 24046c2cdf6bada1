"""The variants that figures and sections on single networks show where a study has many."""

from __future__ import annotations

import dataclasses

from bnbench.inspection import InspectionRecord
from bnbench.reporting.sections.accuracy import AccuracySummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.trials import RunTrials

MOST_VARIANTS = 6
"""Variants up to which all are shown: as many as have a look of their own."""
NUM_BEST = 3
"""Variants shown besides the first one where there are more."""


def choose_variants(summary: RunSummary) -> tuple[str, ...]:
    """Name the variants to show, in the study's order: all of a few, else first and best."""
    names = [variant.name for variant in summary.study.variants]
    if len(names) <= MOST_VARIANTS or not summary.ranking:
        return tuple(names)
    best = [name for name in summary.ranking[0].variants if name != names[0]][:NUM_BEST]
    return tuple(name for name in names if name in {names[0], *best})


def focus(summary: RunSummary, trials: RunTrials) -> tuple[RunSummary, RunTrials]:
    """Leave out the variants that are not shown, from a summary and from its trials."""
    names = set(choose_variants(summary))
    study = dataclasses.replace(
        summary.study, variants=tuple(v for v in summary.study.variants if v.name in names)
    )
    if study == summary.study:
        return summary, trials
    records = tuple(each for each in trials.records if each.trial.variant.name in names)
    targets = summary.time_to_target
    shown = dataclasses.replace(
        summary,
        study=study,
        accuracy=AccuracySummary(
            tuple(each for each in summary.accuracy.variants if each.variant in names),
            tuple(each for each in summary.accuracy.contrasts if each.candidate in names),
        ),
        spread=tuple(each for each in summary.spread if each.variant in names),
        rates=tuple(each for each in summary.rates if each.variant in names),
        time_to_target=dataclasses.replace(
            targets,
            arrivals=tuple(each for each in targets.arrivals if each.variant in names),
            speed_ups=tuple(each for each in targets.speed_ups if each.candidate in names),
        ),
        losses=tuple(each for each in summary.losses if each.variant in names),
        mistakes=tuple(each for each in summary.mistakes if each.variant in names),
        inspection=None if summary.inspection is None else _select(summary.inspection, names),
    )
    return shown, RunTrials(study, trials.data, records)


def _select(inspection: InspectionRecord, names: set[str]) -> InspectionRecord:
    return dataclasses.replace(
        inspection,
        confusions=tuple(each for each in inspection.confusions if each.variant in names),
        disagreements=tuple(each for each in inspection.disagreements if each.candidate in names),
        values=tuple(each for each in inspection.values if each.variant in names),
    )
