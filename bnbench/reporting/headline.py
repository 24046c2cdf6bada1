"""The report's first sentence: the verdict and two accuracies, in at most 120 characters.

Only where each variant had a learning rate chosen for it, with the same effort for all, does it
say that a technique helps. At one learning rate, or where another choice of the rates might turn
the difference around, it says who is ahead.
"""

from __future__ import annotations

from collections.abc import Callable

from bnbench.reporting.sections.accuracy import ContrastSummary, VariantSummary
from bnbench.reporting.sections.ranking import RankingSummary
from bnbench.reporting.summary import RunSummary
from bnbench.reporting.wording import (
    VARIANT_NAMES,
    format_percent,
    join_words,
    name_variant,
    shorten_name,
)
from bnbench.stats import Outcome

LONGEST = 120
"""Characters of a headline: two lines of a phone."""

DECIDED = (Outcome.BETTER, Outcome.WORSE)

Name = Callable[[str], str]
"""Names a variant within a sentence."""


def say_headline(summary: RunSummary) -> str:
    """Say what was found; a longer name than fits is cut in its middle."""
    begin = "So far, " if summary.failures.num_pending else ""
    for longest in (LONGEST, 30, 24, 18, 12, 8):
        name = _make_namer(longest)
        for condition in _list_conditions(summary):
            text = f"{begin}{_say(summary, name, condition)}."
            if len(text) <= LONGEST:
                return _capitalize(text, name, summary)
    return _capitalize(text, name, summary)


def find_lead(summary: RunSummary) -> ContrastSummary | None:
    """The contrast that the headline is about: the first in rank that is better, else the first.

    None where nothing is compared.
    """
    contrasts = list_contrasts(summary)
    if summary.ranking and contrasts:
        ranks = summary.ranking[0].variants
        contrasts.sort(key=lambda contrast: ranks.index(contrast.candidate))
    better = [each for each in contrasts if each.decision.outcome is Outcome.BETTER]
    return next(iter(better or contrasts), None)


def list_contrasts(summary: RunSummary) -> list[ContrastSummary]:
    """The contrasts on the first device that has any."""
    contrasts = summary.accuracy.contrasts
    return [each for each in contrasts if each.device == contrasts[0].device]


def _say(summary: RunSummary, name: Name, condition: str) -> str:
    lead, noun = find_lead(summary), summary.data.noun
    variants = [
        each for each in summary.accuracy.variants if lead is None or each.device == lead.device
    ]
    finished = {each.variant: each for each in variants if each.num_failed < each.num_trials}
    if not finished:
        return "no trial finished, so there is no result"
    if lead is None:
        found = next(iter(finished.values()))
        if len(finished) > 1:
            return f"{join_words([name(each) for each in finished])} share no seed to compare"
        right = _say_right(found, noun)
        return f"nothing is compared: only {name(found.variant)} has results, {right}"
    failed = [each.variant for each in variants if each.variant not in finished]
    if lead.baseline in failed:
        alone = join_words([name(each) for each in finished])
        return (
            f"only {alone} {'trains' if len(finished) == 1 else 'train'}, to "
            f"{_say_right(finished[lead.candidate], noun)}: every trial of "
            f"{name(lead.baseline)} failed"
        )
    if lead.candidate in failed:
        others = name(lead.candidate) if len(failed) == 1 else "the others"
        return (
            f"only {name(lead.baseline)} trains, to {_say_right(finished[lead.baseline], noun)}: "
            f"every trial of {others} failed"
        )
    accuracies = _format_pair(finished[lead.candidate], finished[lead.baseline])
    verdict, order, than = _judge(summary, lead, name)
    first, second = accuracies[::order]
    return f"{verdict}: {first} of test {noun}s right {than} {second}{condition}"


def _judge(summary: RunSummary, lead: ContrastSummary, name: Name) -> tuple[str, int, str]:
    """The verdict, whether the candidate's accuracy comes first (1) or last (-1), the word between.

    One candidate is judged by itself; of several, the best.
    """
    outcomes = {each.decision.outcome for each in list_contrasts(summary)}
    is_tuned = summary.study.tuning is not None and not _may_be_the_choice(lead)
    than = "instead of" if lead.decision.outcome in DECIDED else "against"
    if not summary.ranking:
        return _say_verdict(lead, name, is_tuned), 1, than
    ranking = summary.ranking[0]
    count, verb = len(ranking.variants), "helps" if is_tuned else "is ahead"
    if Outcome.BETTER in outcomes:
        return _say_best(ranking, lead, name, is_tuned), 1, than
    if outcomes == {Outcome.WORSE} and ranking.variants[0] == lead.baseline:
        return f"{name(lead.baseline)} is best of {count}", -1, than
    if Outcome.NO_CONCLUSION in outcomes:
        return f"whether any of {count - 1} variants {verb} is open", 1, "at best against"
    gains = "helps meaningfully" if is_tuned else "is meaningfully ahead"
    return f"none of {count - 1} variants {gains}", 1, "at best against"


def _may_be_the_choice(contrast: ContrastSummary) -> bool:
    """Whether other tuning seeds might have chosen rates at which the difference has no sign."""
    if contrast.nested is None:
        return False
    low, high = contrast.nested.estimate.low, contrast.nested.estimate.high
    return low is not None and high is not None and low <= 0.0 <= high


def _say_verdict(contrast: ContrastSummary, name: Name, is_tuned: bool) -> str:
    """The verdict on one candidate."""
    candidate, baseline = name(contrast.candidate), name(contrast.baseline)
    outcome, gain = contrast.decision.outcome, contrast.differences[-1].value or 0.0
    is_named = contrast.baseline != "baseline"
    if outcome is Outcome.BETTER and gain <= 0:
        return f"{candidate} wins most trials, but not on average"
    if outcome is Outcome.WORSE and gain >= 0:
        return f"{candidate} loses most trials, but not on average"
    if outcome is Outcome.BETTER:
        if is_named:
            return f"{candidate} beats {baseline}"
        return f"{candidate} {'helps' if is_tuned else 'is ahead'}"
    if outcome is Outcome.WORSE:
        if is_named:
            return f"{candidate} loses to {baseline}"
        return f"{candidate} {'hurts' if is_tuned else 'is behind'}"
    if outcome is Outcome.NOT_MEANINGFULLY_BETTER:
        over = f" over {baseline}" if is_named else ""
        return f"no meaningful gain from {candidate}{over}"
    if is_named:
        return f"whether {candidate} beats {baseline} is open"
    return f"whether {candidate} {'helps' if is_tuned else 'is ahead'} is open"


def _say_best(ranking: RankingSummary, lead: ContrastSummary, name: Name, is_tuned: bool) -> str:
    """The verdict on the best of several candidates that are better than the baseline."""
    count, leaders = len(ranking.variants), ranking.leaders
    if ranking.variants[0] != lead.candidate or (lead.differences[-1].value or 0.0) <= 0:
        return _say_verdict(lead, name, is_tuned)
    if leaders is not None and leaders.decision.outcome is Outcome.BETTER:
        return f"{name(lead.candidate)} is best of {count}"
    return (
        f"{name(lead.candidate)} {'helps' if is_tuned else 'is ahead'} and ranks first of {count}"
    )


def _list_conditions(summary: RunSummary) -> tuple[str, ...]:
    """Under what the accuracies hold, from the full text to the shortest."""
    if summary.study.tuning is not None:
        return ", each at its best learning rate", ", at tuned learning rates", ", tuned"
    rate = f"at learning rate {summary.study.recipe.learning_rate:g}"
    both = "both" if len(summary.study.variants) == 2 else "all"
    return f", {both} {rate}", f", {rate}"


def _say_right(variant: VariantSummary, noun: str) -> str:
    return f"{format_percent(variant.curve[-1].mean.value, 1)} of test {noun}s right"


def _format_pair(first: VariantSummary, second: VariantSummary) -> tuple[str, str]:
    """Two accuracies with one decimal, or two where one does not tell them apart."""
    means = [each.curve[-1].mean.value for each in (first, second)]
    for digits in (1, 2):
        texts = [format_percent(mean, digits) for mean in means]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def _make_namer(longest: int) -> Name:
    return lambda variant: (
        name_variant(variant) if variant in VARIANT_NAMES else shorten_name(variant, longest)
    )


def _capitalize(text: str, name: Name, summary: RunSummary) -> str:
    """Begin with a capital, unless the text begins with a variant's own name."""
    names = [name(each.name) for each in summary.study.variants if each.name not in VARIANT_NAMES]
    return text if text.startswith(tuple(names)) else text[0].upper() + text[1:]
