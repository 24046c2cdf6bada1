"""The answer at the top of the report: the headline, then how sure it is, time and models."""

from __future__ import annotations

from bnbench.reporting.headline import find_lead, list_contrasts, say_headline, shares_rate
from bnbench.reporting.sections.accuracy import (
    ContrastSummary,
    say_decision,
    say_probability,
)
from bnbench.reporting.sections.epoch_time import say_epoch_time
from bnbench.reporting.sections.models import say_models
from bnbench.reporting.sections.spread import say_shares
from bnbench.reporting.sections.training import say_departures
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    format_points,
    name_variant,
    start_sentence,
)
from bnbench.stats import Outcome


def compose_answer(summary: RunSummary) -> tuple[str, ...]:
    """Answer the study's question, one paragraph each: verdict, how sure, time, models."""
    lead, num_pending = find_lead(summary), summary.failures.num_pending
    incomplete = (
        f"This run is incomplete: it lacks {format_count(num_pending, 'trial')}, "
        "so its result may change."
    )
    sure = _say_alone(summary) if lead is None else _say_how_sure(summary, lead)
    time = None if lead is None else say_epoch_time(summary.epoch_time, lead.candidate)
    shares = say_shares(summary.spread)
    paragraphs = (
        shares or say_headline(summary),
        incomplete if num_pending else None,
        say_departures(summary.training),
        # A variant with a fixed seed is one draw and no technique: its accuracy is no answer.
        *((sure, _say_ranks(summary), time) if shares is None else ()),
        say_models(summary.models),
    )
    return tuple(filter(None, paragraphs))


def _say_alone(summary: RunSummary) -> str:
    """What each variant reaches where none is compared."""
    epochs = format_count(summary.study.recipe.epochs, "epoch")
    return " ".join(
        start_sentence(
            f"{name_variant(variant.variant)} reaches "
            f"{format_percent(variant.curve[-1].mean.value)} test accuracy after {epochs}."
        )
        for variant in summary.accuracy.variants
        if variant.curve[-1].mean.value is not None
    )


def _say_how_sure(summary: RunSummary, lead: ContrastSummary) -> str:
    """Difference and win probability of the headline's contrast, and under what they hold."""
    seeds = format_count(lead.num_pairs, "seed")
    epochs = format_count(summary.study.recipe.epochs, "epoch")
    is_tuned = summary.study.tuning is not None
    final, over = lead.differences[-1], f"over {seeds}"
    if lead.nested is not None and lead.nested.estimate.has_interval:
        final, over = lead.nested.estimate, f"over {seeds} and the choice of both learning rates"
    elif is_tuned:
        over += " at these learning rates"
    against = (
        f" of {name_variant(lead.candidate)} and {name_variant(lead.baseline)}"
        if summary.ranking
        else ""
    )
    sentences = []
    if final.value is None:
        sentences.append(f"In none of {seeds} did both networks finish {epochs}.")
    else:
        sentences.append(
            f"The difference{against} after {epochs} is {format_points(final)} of test accuracy, "
            f"{over}."
        )
        if final.has_interval:
            sentences.append(_explain_brackets(summary))
    sentences.append(_say_wins(lead))
    if lead.decision.outcome is Outcome.NO_CONCLUSION and lead.decision.num_more_pairs:
        sentences.append(
            f"To decide, run {format_count(lead.decision.num_more_pairs, 'more seed')}."
        )
    if is_tuned:
        sentences.append(_say_rates(summary, lead))
    elif shares_rate(summary.study):
        whom = "all" if summary.ranking else "both"
        sentences.append(
            f"One learning rate for {whom} may suit one network better, so part of a difference "
            "may come from the rate. `bnbench run --study fair` tunes the rate of each."
        )
    failed = [
        f"{format_count(each.num_failed, 'trial')} of {name_variant(each.variant)}"
        for each in summary.accuracy.variants
        if each.num_failed and each.device == lead.device
    ]
    if failed:
        sentences.append(
            f"{' and '.join(failed)} failed: accuracies leave them out, and each counts as lost."
        )
    if len(summary.study.devices) > 1:
        sentences.append(f"This holds on {lead.device}; the table has the other devices.")
    return " ".join(filter(None, sentences))


def _say_wins(lead: ContrastSummary) -> str:
    """How often the candidate wins, in a student's words."""
    probability = lead.decision.probability
    if probability.value is None or not probability.has_interval:
        seeds = format_count(lead.num_pairs, "seed")
        return f"From {seeds} it is not known how often {name_variant(lead.candidate)} would win."
    number = round(100 * probability.value)
    often = {0: "almost none", 100: "almost all"}.get(number, f"about {number} of 100")
    return f"{say_probability(lead)} So if you train one more of each, it wins in {often} cases."


def _explain_brackets(summary: RunSummary) -> str:
    if not summary.ranking and len(summary.accuracy.contrasts) < 2:
        return (
            "Brackets hold a 95 % interval: about 95 of 100 such studies have the true value in it."
        )
    number = summary.ranking[0].num_contrasts if summary.ranking else len(summary.study.devices)
    return (
        f"Brackets are wide enough for {format_count(number, 'comparison')} at once: "
        "in about 95 of 100 such studies, all of them have the true values in them."
    )


def _say_rates(summary: RunSummary, lead: ContrastSummary) -> str:
    rates = {
        v.variant: v.learning_rate for v in summary.accuracy.variants if v.device == lead.device
    }
    return (
        "Tuning chose the learning rates on validation images: "
        f"{rates[lead.baseline]:.3g} for {name_variant(lead.baseline)}, "
        f"{rates[lead.candidate]:.3g} for {name_variant(lead.candidate)}."
    )


def _say_ranks(summary: RunSummary) -> str | None:
    """The verdict on the best two, and what the ranking's columns mean."""
    if not summary.ranking or not list_contrasts(summary):
        return None
    baseline, leaders = name_variant(summary.study.variants[0].name), summary.ranking[0].leaders
    sentences = []
    if leaders is not None and leaders.decision.probability.value is not None:
        sentences.append(f"The best two: {say_decision(leaders)}.")
        if leaders.differences[-1].value is not None:
            sentences.append(f"They differ by {format_points(leaders.differences[-1])}.")
    sentences.append(
        f"The table, best first, compares each variant with {baseline}: the difference in points, "
        "how often a new trial of it wins (1 is always), and how much longer an epoch takes."
    )
    return " ".join(sentences)
