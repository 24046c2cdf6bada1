"""Validation accuracy by learning rate: which rates work for which variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.records import DataRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_accuracy, format_count, join_words, name_variant
from bnbench.specs import REFERENCE_ENGINE, StudySpec, TuningSpec
from bnbench.tables import tabulate_tuning
from bnbench.tuning import list_tuning_trials


@dataclass(frozen=True)
class SensitivitySummary:
    """Validation accuracy of one variant on one device by learning rate."""

    variant: str
    device: str
    result: stats.RateSensitivity


def summarize_rates(trials: RunTrials) -> tuple[SensitivitySummary, ...]:
    """Summarize the tuning of each variant whose tuning is complete."""
    study, tuning = trials.study, trials.study.tuning
    if tuning is None:
        return ()
    summaries = []
    engines = dict.fromkeys(study.devices, REFERENCE_ENGINE)
    planned = Counter(
        (trial.variant.name, trial.device)
        for trial in list_tuning_trials(study, engines, trials.records, trials.data.chance)
    )
    for key, num_planned in planned.items():
        # A rate that was not tried yet must not look like one that diverged.
        if len(trials.select("tune", *key)) == num_planned:
            rates, accuracy, num_tried = tabulate_tuning(study, trials.records, *key)
            result = stats.summarize_sensitivity(
                rates, accuracy, make_generator(), num_tried, chance=trials.data.chance
            )
            summaries.append(SensitivitySummary(*key, result))
    return tuple(summaries)


def compose_rates(
    summaries: Sequence[SensitivitySummary], study: StudySpec, data: DataRecord
) -> Section | None:
    """The section of the report, or None where no tuning is complete."""
    tuning = study.tuning
    if not summaries or tuning is None:
        return None
    tolerance = summaries[0].result.tolerance
    how = (
        f"{_say_budget(tuning)} {tuning.count_validation(data.num_train_images):,} training "
        f"{data.noun}s were held back for validation; test {data.noun}s were not used. "
        f"A rate works if its accuracy is within {tolerance * 100:g} points of the variant's best."
    )
    return Section(
        "Validation accuracy by learning rate",
        (how, *(_analyze_sensitivity(summary) for summary in summaries)),
        figure="learning_rate",
        table=Table(
            ("learning rate", *(f"{s.variant}, {s.device}" for s in summaries)),
            tuple(
                (f"{rate:.3g}", *(_format_rate(s.result, rate) for s in summaries))
                for rate in sorted(
                    {each.learning_rate for s in summaries for each in s.result.rates}
                )
            ),
        ),
    )


def _say_budget(tuning: TuningSpec) -> str:
    """What every variant was tried with, as one or two sentences."""
    rates = tuning.learning_rates
    sentences = [
        f"Each variant was trained at {format_count(len(rates), 'learning rate')} from "
        f"{rates[0]:g} to {rates[-1]:g}, with {format_count(len(tuning.first_seeds), 'seed')} each"
    ]
    if tuning.refine:
        steps = [
            {0.5: "half an octave", 1.0: "one octave"}.get(each, f"{each:g} octaves")
            for each in tuning.refine_octaves
        ]
        each = "each " if len(steps) > 1 else ""
        sentences[0] += f", and at two rates {each}{join_words(steps)} beside its best"
    if len(tuning.seeds) > len(tuning.first_seeds):
        number, seeds = tuning.num_finalists, format_count(len(tuning.seeds), "seed")
        best = f"{number} best rates got {seeds} each" if number > 1 else f"best rate got {seeds}"
        sentences.append(f"Its {best}")
    return " ".join(f"{sentence}." for sentence in sentences)


def _format_rate(result: stats.RateSensitivity, learning_rate: float) -> str:
    rate = next((rate for rate in result.rates if rate.learning_rate == learning_rate), None)
    if rate is None:
        return "not tried"
    text = format_accuracy(rate.accuracy)
    if rate.num_diverged:
        text += f", {rate.num_diverged}/{rate.num_trials} failed to learn"
    return text


def _analyze_sensitivity(sensitivity: SensitivitySummary) -> str:
    result, name = sensitivity.result, name_variant(sensitivity.variant)
    where = f"On {sensitivity.device}, {name}"
    if result.best_rate is None or result.band is None:
        return f"{where} learned at no rate of the grid."
    band = result.band
    sentences = [
        f"{where} is best at learning rate {result.best_rate:.3g}.",
        f"Rates from {band.low_rate:.3g} to {band.high_rate:.3g} work, a band of "
        f"{band.decades:.1f} decades.",
    ]
    ends = [
        end
        for end, is_reached in (("lower", band.reaches_lowest), ("upper", band.reaches_highest))
        if is_reached
    ]
    if ends:
        sentences.append(
            f"The band reaches the {join_words(ends)} end of the grid, so it may be wider."
        )
    if result.half_diverge_rate is not None:
        sentences.append(
            f"From {result.half_diverge_rate:.3g} on, at least half of the trials fail to learn."
        )
    return " ".join(sentences)
