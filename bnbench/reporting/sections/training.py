"""What trained the networks: the optimizers on record, and whether the recipe asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.records import TrialRecord, follows_recipe
from bnbench.reporting.description import describe_change, describe_recipe
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_count, join_words, name_variant
from bnbench.specs import EXPLORING, EngineName, Purpose, StudySpec

KINDS: dict[Purpose, str] = {
    "tune": "tuning",
    "score": "scored",
    "alternate": "alternate",
    "time": "timed",
}


@dataclass(frozen=True)
class TrainingSummary:
    """Trials of one purpose and engine that trained in one way."""

    purpose: Purpose
    engine: EngineName
    variants: tuple[str, ...]
    optimizers: tuple[str, ...]
    """What is on record, as `describe_optimizer` writes it; several if it changed."""
    num_trials: int
    is_recipe: bool
    """Whether it is what the recipe asks for."""


def summarize_training(trials: RunTrials) -> tuple[TrainingSummary, ...]:
    """Group the trials by what trained them; trials without a record are left out."""
    groups: dict[tuple[Purpose, EngineName, tuple[str, ...], bool], list[TrialRecord]] = {}
    for record in trials.records:
        if record.optimizers:
            trial, is_recipe = record.trial, follows_recipe(record)
            # These vary the rate; only what differs from the recipe is worth a line there.
            shown = () if is_recipe and trial.purpose in EXPLORING else record.optimizers
            key = (trial.purpose, trial.engine, shown, is_recipe)
            groups.setdefault(key, []).append(record)
    return tuple(
        TrainingSummary(
            purpose,
            engine,
            tuple(dict.fromkeys(record.trial.variant.name for record in group)),
            optimizers,
            len(group),
            is_recipe,
        )
        for (purpose, engine, optimizers, is_recipe), group in groups.items()
    )


def say_training(summaries: Sequence[TrainingSummary], study: StudySpec) -> tuple[str, ...]:
    """What trained, as paragraphs of the method."""
    changes = [
        f"{variant.name}: {change}"
        for variant in study.variants
        if (change := describe_change(variant)) is not None
    ]
    asked = f"The recipe asks for {describe_recipe(study.recipe)}."
    if changes:
        asked += f" Variants change it: {'; '.join(changes)}."
    if not summaries:
        return (f"{asked} This run has no record of the optimizer that trained.",)
    followed = [each for each in summaries if each.is_recipe and each.purpose == "score"]
    used = [
        f"{each.optimizers[0]} for {join_words([name_variant(name) for name in each.variants])}"
        for each in followed
    ]
    on_record = f" On record, read from what was used: {'; '.join(used)}." if used else ""
    return (asked + on_record, *filter(None, [say_departures(summaries)]))


def say_departures(summaries: Sequence[TrainingSummary]) -> str | None:
    """Which trials another optimizer trained than the recipe asks for; None if there are none."""
    departed = [
        f"{format_count(each.num_trials, f'{KINDS[each.purpose]} trial')} of "
        f"{join_words([name_variant(name) for name in each.variants])}: "
        f"{', then '.join(each.optimizers)}"
        for each in summaries
        if not each.is_recipe
    ]
    if not departed:
        return None
    return f"Another optimizer trained than the recipe asks for. {'; '.join(departed)}."
