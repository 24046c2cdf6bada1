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
    headline = say_headline(summary)
    num_pending = summary.failures.num_pending
    if num_pending:
        missing = format_count(num_pending, "trial")
        incomplete = f"This run is incomplete: it lacks {missing}, so its result may change."
        paragraphs = [incomplete, f"So far: {headline}", *_qualify(summary)]
    else:
        paragraphs = [headline, *_qualify(summary)]
    time = say_epoch_time(summary.epoch_time)
    if time is not None:
        paragraphs.append(time)
    return (*paragraphs, *say_models(summary.models))


def say_headline(summary: RunSummary) -> str:
    """The verdict in one sentence of at most 120 characters and three numbers, no interval."""
    finished = _find_finished(summary)
    if not finished:
        return "No trial finished, so there is no result."
    if not summary.accuracy.contrasts:
        names = join_words([name_variant(name) for name in finished])
        return start_sentence(f"only {names} has results, so nothing is compared.")
    contrast = summary.accuracy.contrasts[0]
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    condition = f"at learning rate {summary.study.recipe.learning_rate:g}, "
    trained = [name in finished for name in (contrast.baseline, contrast.candidate)]
    if trained == [False, False]:
        return start_sentence(f"no trial of {candidate} or {baseline} finished.")
    if trained != [True, True]:
        good, bad = (baseline, candidate) if trained[0] else (candidate, baseline)
        sentence = f"only {good} trains: every trial of {bad} failed."
        return start_sentence(sentence if summary.study.tuning else condition + sentence)
    if contrast.decision.outcome is Outcome.NO_CONCLUSION:
        return start_sentence(f"{say_decision(contrast)}.")
    if summary.study.tuning is not None:
        verdict = _say_gain(contrast) or say_decision(contrast)
        return start_sentence(f"{verdict} once both learning rates are tuned.")
    return start_sentence(f"{condition}{_say_distance(contrast) or say_decision(contrast)}.")


def _find_finished(summary: RunSummary) -> list[str]:
    """Variants of which a scored trial finished, on the device that the headline is about."""
    contrasts = summary.accuracy.contrasts
    return [
        variant.variant
        for variant in summary.accuracy.variants
        if variant.num_failed < variant.num_trials
        and (not contrasts or variant.device == contrasts[0].device)
    ]


def _find_gain(contrast: ContrastSummary) -> tuple[bool, str] | None:
    """Whether the candidate gains, and how many points; None where mean and verdict disagree."""
    gain, outcome = contrast.differences[-1].value, contrast.decision.outcome
    if gain is None or outcome not in (Outcome.BETTER, Outcome.WORSE):
        return None
    if (gain > 0) != (outcome is Outcome.BETTER):
        return None
    points = abs(gain) * 100
    return gain > 0, f"{points:.1f} points" if points >= 0.1 else f"{points:.2g} points"


def _say_gain(contrast: ContrastSummary) -> str | None:
    found = _find_gain(contrast)
    if found is None:
        return None
    is_gain, points = found
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    if contrast.baseline == "baseline":
        return f"{candidate} {'helps by' if is_gain else 'costs'} {points}"
    return f"{candidate} {'beats' if is_gain else 'loses to'} {baseline} by {points}"


def _say_distance(contrast: ContrastSummary) -> str | None:
    found = _find_gain(contrast)
    if found is None:
        return None
    is_gain, points = found
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    if contrast.baseline == "baseline":
        return f"{candidate} ends {points} {'ahead' if is_gain else 'behind'}"
    return f"{candidate} ends {points} {'ahead of' if is_gain else 'behind'} {baseline}"


def _qualify(summary: RunSummary) -> list[str]:
    """What the headline rests on: difference, win probability, learning rates, other variants."""
    accuracy, num_epochs = summary.accuracy, summary.study.recipe.epochs
    epochs = format_count(num_epochs, "epoch")
    if not accuracy.contrasts:
        reached = [
            start_sentence(
                f"{name_variant(variant.variant)} reaches "
                f"{format_percent(variant.curve[-1].mean.value)} test accuracy after {epochs}."
            )
            for variant in accuracy.variants
            if variant.curve[-1].mean.value is not None
        ]
        return [" ".join(reached)] if reached else []
    contrast = accuracy.contrasts[0]
    final = contrast.differences[-1]
    seeds = format_count(contrast.num_pairs, "seed")
    sentences = []
    if final.value is None:
        sentences.append(f"In none of {seeds} did both networks finish {epochs}.")
    else:
        sentences.append(
            f"The difference in test accuracy after {epochs} is {format_points(final)}, "
            f"over {seeds}."
        )
    sentences.append(say_probability(contrast))
    if summary.study.tuning is None:
        sentences.append(
            "One learning rate for both does not tell the technique from the tuning; "
            "the fair study does."
        )
    else:
        rates = {
            v.variant: v.learning_rate for v in accuracy.variants if v.device == contrast.device
        }
        sentences.append(
            "The learning rates were chosen on validation images: "
            + ", ".join(
                f"{rates[name]:.3g} for {name_variant(name)}"
                for name in (contrast.baseline, contrast.candidate)
            )
            + "."
        )
    others = [other for other in accuracy.contrasts[1:] if other.device == contrast.device]
    sentences.extend(start_sentence(f"{say_decision(other)}.") for other in others)
    if len(summary.study.devices) > 1:
        sentences.append(f"This holds on {contrast.device}; the table has the other devices.")
    return [" ".join(sentences)]
