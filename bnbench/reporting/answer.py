"""The answer at the top of the report: a headline, then a few sentences that qualify it.

Only where each variant had a learning rate chosen for it, with the same effort for all, does the
headline say that a technique helps. At one learning rate it says what happens at that rate.
"""

from __future__ import annotations

from bnbench.reporting.sections.accuracy import ContrastSummary, say_decision, say_probability
from bnbench.reporting.sections.epoch_time import say_epoch_time
from bnbench.reporting.sections.models import say_models
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    format_points,
    join_words,
    name_variant,
    start_sentence,
)
from bnbench.stats import Outcome


def compose_answer(summary: RunSummary) -> tuple[str, ...]:
    """Answer the study's question: a headline, what it rests on, then time, then the models."""
    headline, num_pending = say_headline(summary), summary.failures.num_pending
    if num_pending:
        missing = format_count(num_pending, "trial")
        opening = [
            f"This run is incomplete: it lacks {missing}, so its result may change.",
            f"So far: {headline}",
        ]
    else:
        opening = [start_sentence(headline)]
    time = say_epoch_time(summary.epoch_time)
    return (*opening, *filter(None, (_qualify(summary), time, say_models(summary.models))))


def say_headline(summary: RunSummary) -> str:
    """The verdict in at most 120 characters and three numbers, no interval, no capital."""
    accuracy, is_tuned = summary.accuracy, summary.study.tuning is not None
    device = accuracy.contrasts[0].device if accuracy.contrasts else None
    finished = [
        variant.variant
        for variant in accuracy.variants
        if variant.num_failed < variant.num_trials and device in (None, variant.device)
    ]
    if not finished:
        return "no trial finished, so there is no result."
    if not accuracy.contrasts:
        names = join_words([name_variant(name) for name in finished])
        return f"only {names} has results, so nothing is compared."
    contrast = accuracy.contrasts[0]
    compared = (contrast.baseline, contrast.candidate)
    trained = [name_variant(name) for name in compared if name in finished]
    failed = [name_variant(name) for name in compared if name not in finished]
    condition = "" if is_tuned else f"at learning rate {summary.study.recipe.learning_rate:g}, "
    if not trained:
        return f"no trial of {failed[1]} or {failed[0]} finished."
    if failed:
        return f"{condition}only {trained[0]} trains: every trial of {failed[0]} failed."
    if contrast.decision.outcome is Outcome.NO_CONCLUSION:
        return f"{say_decision(contrast)}."
    verdict = _say_gain(contrast, is_tuned) or say_decision(contrast)
    return f"{condition}{verdict}{' at tuned learning rates' if is_tuned else ''}."


def _say_gain(contrast: ContrastSummary, is_tuned: bool) -> str | None:
    """By how many points the candidate is ahead; None where mean and verdict disagree."""
    gain, outcome = contrast.differences[-1].value, contrast.decision.outcome
    if gain is None or outcome is not (Outcome.BETTER if gain > 0 else Outcome.WORSE):
        return None
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    size = abs(gain) * 100
    points = f"{size:.1f} points" if size >= 0.1 else f"{size:.2g} points"
    is_against_baseline = contrast.baseline == "baseline"
    if not is_tuned:
        place = "ahead" if gain > 0 else "behind"
        if is_against_baseline:
            return f"{candidate} ends {points} {place}"
        return f"{candidate} ends {points} {place}{' of' if gain > 0 else ''} {baseline}"
    if is_against_baseline:
        return f"{candidate} {'helps by' if gain > 0 else 'costs'} {points}"
    return f"{candidate} {'beats' if gain > 0 else 'loses to'} {baseline} by {points}"


def _qualify(summary: RunSummary) -> str:
    """What the headline rests on: difference, win probability, learning rates, other variants."""
    accuracy = summary.accuracy
    epochs = format_count(summary.study.recipe.epochs, "epoch")
    if not accuracy.contrasts:
        return " ".join(
            start_sentence(
                f"{name_variant(variant.variant)} reaches "
                f"{format_percent(variant.curve[-1].mean.value)} test accuracy after {epochs}."
            )
            for variant in accuracy.variants
            if variant.curve[-1].mean.value is not None
        )
    contrast = accuracy.contrasts[0]
    final, device = contrast.differences[-1], contrast.device
    seeds = format_count(contrast.num_pairs, "seed")
    sentences = [
        f"In none of {seeds} did both networks finish {epochs}."
        if final.value is None
        else f"The difference in test accuracy after {epochs} is {format_points(final)}, "
        f"over {seeds}.",
        say_probability(contrast),
    ]
    if summary.study.tuning is None:
        sentences.append(
            "One learning rate for both does not tell the technique from the tuning; "
            "the fair study does."
        )
    else:
        rates = {v.variant: v.learning_rate for v in accuracy.variants if v.device == device}
        sentences.append(
            "The learning rates were chosen on validation images: "
            f"{rates[contrast.baseline]:.3g} for {name_variant(contrast.baseline)}, "
            f"{rates[contrast.candidate]:.3g} for {name_variant(contrast.candidate)}."
        )
    others = [other for other in accuracy.contrasts[1:] if other.device == device]
    sentences.extend(start_sentence(f"{say_decision(other)}.") for other in others)
    if len(summary.study.devices) > 1:
        sentences.append(f"This holds on {device}; the table has the other devices.")
    return " ".join(sentences)
