"""The answer in at most three sentences, every word of it computed.

A report may say that a technique is better only where each variant had a learning rate chosen
for it with the same effort; at one rate for all it says what holds at that rate.
"""

from __future__ import annotations

from bnbench.reporting.sections.models import say_models
from bnbench.reporting.summary import ContrastSummary, RunSummary, TimeContrast
from bnbench.reporting.wording import format_count, format_percent, format_points
from bnbench.stats import Outcome

TITLES = {
    "baseline": "the baseline",
    "batchnorm": "batch normalization",
    "layernorm": "layer normalization",
}


def name_variant(variant: str) -> str:
    """A variant's name as a sentence says it."""
    return TITLES.get(variant, variant)


def compose_answer(summary: RunSummary) -> tuple[str, ...]:
    """Answer the study's question: accuracy first, then time, then agreement across runtimes."""
    sentences = [*_say_state(summary)]
    if summary.contrasts:
        sentences.append(_say_accuracy(summary, summary.contrasts[0]))
    else:
        sentences.append(_say_nothing_to_compare(summary))
    time = choose_time(summary)
    if time is not None:
        sentences.append(_say_time(time))
    sentences.extend(say_models(summary.models))
    return tuple(sentences[:3])


def choose_time(summary: RunSummary) -> TimeContrast | None:
    """The time contrast that a reader means: by the plain PyTorch loop, on the first device."""
    for time in summary.times:
        if time.engine == "reference" and time.result.ratio.value is not None:
            return time
    return None


def say_decision(contrast: ContrastSummary) -> str:
    """The verdict on a contrast as a clause, with what it rests on."""
    candidate, baseline = name_variant(contrast.candidate), name_variant(contrast.baseline)
    clause = {
        Outcome.BETTER: f"{candidate} is better than {baseline}",
        Outcome.WORSE: f"{candidate} is worse than {baseline}",
        Outcome.NOT_MEANINGFULLY_BETTER: f"{candidate} is not meaningfully better than {baseline}",
        Outcome.NO_CONCLUSION: f"whether {candidate} is better than {baseline} is open",
    }[contrast.decision.outcome]
    more = contrast.decision.num_more_pairs
    if more is not None:
        clause += f" (no conclusion: run {format_count(more, 'more seed')})"
    return clause


def say_probability(contrast: ContrastSummary) -> str:
    """How often the candidate wins, with its interval."""
    probability = contrast.decision.probability
    if probability.value is None:
        return "how often it wins is not known"
    text = f"a new trial of it beats one of {name_variant(contrast.baseline)} with probability "
    text += f"{probability.value:.2f}"
    if probability.low is not None and probability.high is not None:
        text += f" [{probability.low:.2f}, {probability.high:.2f}]"
    return text


def _say_state(summary: RunSummary) -> list[str]:
    if summary.num_pending == 0:
        return []
    return [
        f"This run is not complete: {format_count(summary.num_pending, 'trial')} of its study "
        "are still to be run, and what follows speaks of the others alone."
    ]


def _say_accuracy(summary: RunSummary, contrast: ContrastSummary) -> str:
    final = contrast.differences[-1]
    epochs = format_count(summary.study.recipe.epochs, "epoch")
    pairs = format_count(contrast.num_pairs, "seed")
    verdict = say_decision(contrast)
    if final.value is None:
        gain = f"no seed of {pairs} finished {epochs} in both networks"
    else:
        gain = f"{format_points(final)} of test accuracy after {epochs}, {pairs}"
    if summary.is_tuned:
        rates = _list_rates(summary, contrast)
        return (
            f"With the learning rate chosen for each network on validation images ({rates}), "
            f"{verdict}: {gain}; {say_probability(contrast)}."
        )
    rate = summary.study.recipe.learning_rate
    return (
        f"At learning rate {rate:g} for both, {verdict}: {gain}. This holds at this learning "
        "rate only and does not tell the technique from the tuning; the fair study does."
    )


def _list_rates(summary: RunSummary, contrast: ContrastSummary) -> str:
    rates = {
        variant.variant: variant.learning_rate
        for variant in summary.variants
        if variant.device == contrast.device
    }
    return ", ".join(
        f"{rates[name]:.3g} for {name_variant(name)}"
        for name in (contrast.baseline, contrast.candidate)
    )


def _say_nothing_to_compare(summary: RunSummary) -> str:
    finals = [
        f"{name_variant(variant.variant)} reaches "
        f"{format_percent(variant.curve[-1].mean.value)} of test accuracy"
        for variant in summary.variants
        if variant.curve[-1].mean.value is not None
    ]
    if not finals:
        return "No trial finished, so there is nothing to report but the failures below."
    return f"There is only one network with results, so nothing is compared: {'; '.join(finals)}."


def _say_time(time: TimeContrast) -> str:
    ratio = time.result.ratio
    value = ratio.value if ratio.value is not None else 1.0
    candidate, baseline = name_variant(time.candidate), name_variant(time.baseline)
    interval = ""
    if ratio.low is not None and ratio.high is not None:
        interval = f" [{(ratio.low - 1) * 100:+.0f} %, {(ratio.high - 1) * 100:+.0f} %]"
        if ratio.low <= 1 <= ratio.high:
            return (
                f"An epoch of {candidate} takes about as long as one of {baseline}: "
                f"{(value - 1) * 100:+.0f} %{interval} in a plain PyTorch loop on {time.device}."
            )
    return (
        f"An epoch of {candidate} takes {abs(value - 1) * 100:.0f} % "
        f"{'longer' if value >= 1 else 'less time'} than one of {baseline}{interval} "
        f"in a plain PyTorch loop on {time.device}."
    )
