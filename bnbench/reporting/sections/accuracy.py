"""Test accuracy of each variant, and each variant against the baseline by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.records import ChosenRateRecord, TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import (
    format_accuracy,
    format_count,
    format_interval,
    format_number,
    format_points,
    name_variant,
)
from bnbench.specs import StudySpec
from bnbench.stats import Outcome
from bnbench.tables import tabulate_scored, tabulate_tuning


@dataclass(frozen=True)
class VariantSummary:
    """The scored trials of one variant on one device."""

    variant: str
    device: str
    engine: str
    learning_rate: float
    num_trials: int
    num_failed: int
    curve: tuple[stats.EpochSummary, ...]
    """Test accuracy by epoch over the trials that finished the epoch."""


@dataclass(frozen=True)
class ContrastSummary:
    """A variant (the candidate) against the study's first one (the baseline), by seed."""

    baseline: str
    candidate: str
    device: str
    engine: str
    num_pairs: int
    differences: tuple[stats.Estimate, ...]
    """Accuracy of the candidate minus that of the baseline, by epoch."""
    pairing: stats.Pairing
    improvement: stats.Improvement
    decision: stats.Decision
    nested: stats.NestedDifference | None = None
    """The last difference with the choice of both learning rates in its interval; None where
    there is no tuning, or no alternate rate was scored."""


@dataclass(frozen=True)
class AccuracySummary:
    """The accuracy of every variant, and what the study compares."""

    variants: tuple[VariantSummary, ...]
    contrasts: tuple[ContrastSummary, ...]


def summarize_accuracy(
    trials: RunTrials, rates: Sequence[ChosenRateRecord] = ()
) -> AccuracySummary:
    """Summarize the scored trials of a run.

    Args:
        trials: the run's trials.
        rates: the learning rates that tuning chose; the trials' recipes give the others.
    """
    chosen = {(rate.variant, rate.device): rate.learning_rate for rate in rates}
    return AccuracySummary(
        tuple(_summarize_variant(trials, records, chosen) for records in trials.scored),
        tuple(summarize_contrast(trials, *pair) for pair in trials.scored_pairs),
    )


def compose_accuracy(summary: AccuracySummary, study: StudySpec, shown: AccuracySummary) -> Section:
    """The section of the report; `shown` has the contrasts that are discussed."""
    return Section(
        "Test accuracy by epoch",
        tuple(_analyze_contrast(contrast) for contrast in shown.contrasts),
        figure="accuracy",
        table=_tabulate_variants(summary, study.recipe.epochs) if summary.variants else None,
        in_terminal=True,
    )


def say_decision(contrast: ContrastSummary) -> str:
    """The verdict on a contrast as a clause."""
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    if contrast.decision.outcome is Outcome.NO_CONCLUSION:
        more = contrast.decision.num_more_pairs
        advice = "" if more is None else f": run {format_count(more, 'more seed')}"
        seeds = format_count(contrast.num_pairs, "seed")
        return f"whether {candidate} beats {baseline} is open after {seeds}{advice}"
    return f"{candidate} is {contrast.decision.outcome} than {baseline}"


def say_probability(contrast: ContrastSummary) -> str:
    """How often the candidate wins, with its interval, as a sentence."""
    probability = contrast.decision.probability
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    if probability.value is None:
        return f"How often {candidate} beats {baseline} is not known."
    return (
        f"A new trial of {candidate} beats one of {baseline} with probability "
        f"{probability.value:.2f}{format_interval(probability)}."
    )


def _summarize_variant(
    trials: RunTrials, records: list[TrialRecord], chosen: Mapping[tuple[str, str], float]
) -> VariantSummary:
    trial = records[0].trial
    variant, device = trial.variant.name, trial.device
    return VariantSummary(
        variant=variant,
        device=device,
        engine=trial.engine,
        learning_rate=chosen.get((variant, device), trial.recipe.learning_rate),
        num_trials=len(records),
        num_failed=sum(record.status == "failed" for record in records),
        curve=stats.summarize_curve(trials.tabulate(records).accuracy, make_generator()),
    )


def summarize_contrast(
    trials: RunTrials,
    of_baseline: list[TrialRecord],
    of_candidate: list[TrialRecord],
    seeds: list[int],
) -> ContrastSummary:
    """Compare the scored trials of two variants on a device, over the seeds that both have."""
    baseline = trials.tabulate(of_baseline, seeds).accuracy
    candidate = trials.tabulate(of_candidate, seeds).accuracy
    finals = baseline[:, -1], candidate[:, -1]
    confidence = trials.confidence
    improvement = stats.estimate_improvement(*finals, make_generator(), confidence=confidence)
    trial, candidate_name = of_baseline[0].trial, of_candidate[0].trial.variant.name
    return ContrastSummary(
        baseline=trial.variant.name,
        candidate=candidate_name,
        device=trial.device,
        engine=trial.engine,
        num_pairs=len(seeds),
        differences=stats.compare_pairs(
            baseline, candidate, make_generator(), confidence=confidence
        ),
        pairing=stats.summarize_pairing(*finals),
        improvement=improvement,
        decision=stats.decide_improvement(improvement.probability),
        nested=_estimate_nested(trials, trial.variant.name, candidate_name, trial.device),
    )


def _estimate_nested(
    trials: RunTrials, baseline: str, candidate: str, device: str
) -> stats.NestedDifference | None:
    study = trials.study
    if study.tuning is None or not study.tuning.max_alternates:
        return None

    def tabulate(variant: str) -> stats.TunedAccuracy:
        rates, tuning, num_tried = tabulate_tuning(study, trials.records, variant, device)
        scored = tabulate_scored(study, trials.records, variant, device, rates)
        return stats.TunedAccuracy(rates, tuning, scored, num_tried, trials.data.chance)

    return stats.estimate_nested_difference(
        tabulate(baseline),
        tabulate(candidate),
        make_generator(),
        confidence=trials.confidence,
    )


def _tabulate_variants(summary: AccuracySummary, num_epochs: int) -> Table:
    return Table.from_rows(
        (
            {
                "variant": variant.variant,
                "device": variant.device,
                "engine": variant.engine,
                f"after epoch {num_epochs}": format_accuracy(variant.curve[-1].mean),
                "lowest – highest": _format_range(variant.curve[-1]),
                "after epoch 1": format_accuracy(variant.curve[0].mean),
                "learning rate": f"{variant.learning_rate:.3g}",
                "finished": f"{variant.num_trials - variant.num_failed}/{variant.num_trials}",
            }
            for variant in summary.variants
        ),
        # After one epoch the first column of results is the last one.
        details=("lowest – highest", *(["after epoch 1"] if num_epochs > 1 else [])),
        qualifiers=("device", "engine"),
    )


def _format_range(last: stats.EpochSummary) -> str:
    if last.lowest is None or last.highest is None:
        return "not known"
    return f"{last.lowest * 100:.2f} – {last.highest * 100:.2f} %"


def _analyze_contrast(contrast: ContrastSummary) -> str:
    first, last = contrast.differences[0], contrast.differences[-1]
    found = contrast.improvement
    sentences = [
        f"On {contrast.device}, {say_decision(contrast)}.",
        say_probability(contrast),
        f"Seed by seed it has {format_count(found.num_wins, 'win')}, "
        f"{format_count(found.num_ties, 'tie')} and "
        f"{format_count(found.num_losses, 'loss', 'losses')}.",
    ]
    if first.value is not None:
        sentences.append(f"The difference is {format_points(first)} after epoch 1.")
    if last.value is not None and len(contrast.differences) > 1:
        at_rates = "" if contrast.nested is None else " at these learning rates"
        sentences.append(f"It is {format_points(last)} after the last epoch{at_rates}.")
    if contrast.nested is not None:
        sentences.append(_say_sources(contrast.nested))
    return " ".join([*filter(None, sentences), _say_pairing(contrast.pairing)])


def _say_sources(nested: stats.NestedDifference) -> str:
    """How much of the last difference's deviation the rates cause, and how much the seeds."""
    if nested.choice_deviation is None or nested.seed_deviation is None:
        return ""
    return (
        f"Its standard deviation is {nested.choice_deviation * 100:.2f} points by the choice of "
        f"the rates and {nested.seed_deviation * 100:.2f} by the seeds."
    )


def _say_pairing(pairing: stats.Pairing) -> str:
    if pairing.correlation.value is None or pairing.variance_ratio is None:
        return "There are too few pairs to tell whether pairing by seed helped."
    effect = {
        True: "Pairing by seed made the comparison more precise",
        False: "Pairing by seed made the comparison less precise",
        None: "It is not certain whether pairing by seed helped",
    }[pairing.helped]
    return (
        f"{effect}: the difference has {pairing.variance_ratio:.2f} times the variance of "
        "unpaired trials. Accuracies of the two variants correlate at "
        f"{format_number(pairing.correlation)} over seeds."
    )
