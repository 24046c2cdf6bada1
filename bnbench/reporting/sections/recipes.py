"""A series' members as rows: what each recipe gives both networks, and the spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bnbench.recipes import RecipeSpec, Schedule
from bnbench.records import ChosenRateRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.sections.accuracy import (
    ContrastSummary,
    VariantSummary,
    summarize_accuracy,
)
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import (
    format_count,
    format_number,
    format_percent,
    format_points,
    name_variant,
)
from bnbench.specs import StudySpec
from bnbench.stats import Estimate, Outcome

NOTEBOOK = "notebook"
PRECISE = "precise statistics"
FALLING: tuple[Schedule, ...] = ("linear",)
"""Schedules whose spread over seeds is compared with that of the constant one."""
SCHEDULE_WORDS: dict[Schedule, str] = {
    "constant": "constant rate",
    "linear": "rate falling to zero",
    "cosine": "rate falling to zero in a half cosine",
    "one-cycle": "rate in one cycle",
}

Standing = Literal["ahead", "behind", "level", "undecided"]
"""How the candidate stands in a row: its verdict, if the interval of the difference allows it."""


@dataclass(frozen=True)
class RecipeSummary:
    """One member of a series: two networks trained by one recipe."""

    member: str
    """Name of its folder within the series."""
    recipe: str
    """``notebook``, or the schedule, with ``precise`` after it for precise statistics."""
    words: str
    """The recipe, to be read after "the"."""
    epochs: int
    is_tuned: bool
    schedule: Schedule
    baseline: VariantSummary | None
    """None if no trial of it was scored, since no learning rate trains it."""
    candidate: VariantSummary | None
    contrast: ContrastSummary | None
    """None if the networks share no scored seed."""

    @property
    def label(self) -> str:
        """The recipe with its epochs, as rows call it."""
        return f"{self.words}, {format_count(self.epochs, 'epoch')}"

    @property
    def difference(self) -> Estimate | None:
        """Candidate minus baseline after the last epoch, with the widest interval there is."""
        if self.contrast is None:
            return None
        nested = self.contrast.nested
        if nested is not None and nested.estimate.has_interval:
            return nested.estimate
        return self.contrast.differences[-1]

    @property
    def standing(self) -> Standing:
        """Ahead or behind only where the interval of the difference excludes 0 as well."""
        outcome = Outcome.NO_CONCLUSION
        if self.contrast is not None:
            outcome = self.contrast.decision.outcome
        if outcome is Outcome.NOT_MEANINGFULLY_BETTER:
            return "level"
        if outcome is Outcome.NO_CONCLUSION or not self._has_sign(outcome):
            return "undecided"
        return "ahead" if outcome is Outcome.BETTER else "behind"

    def _has_sign(self, outcome: Outcome) -> bool:
        """Whether the difference has the verdict's sign, or is not known."""
        difference = self.difference
        if difference is None or difference.value is None:
            return True
        ends = (difference.value, difference.low, difference.high)
        known = [end for end in ends if end is not None]
        return min(known) > 0 if outcome is Outcome.BETTER else max(known) < 0


def summarize_recipe(
    member: str, trials: RunTrials, rates: Sequence[ChosenRateRecord]
) -> RecipeSummary:
    """Summarize a member: its first two variants on its first device.

    Args:
        member: name of its folder.
        trials: the run's trials, which know how many studies are read together.
        rates: the learning rates that tuning chose.
    """
    study = trials.study
    names, device = [variant.name for variant in study.variants[:2]], study.devices[0]
    accuracy = summarize_accuracy(trials, rates)
    variants = {each.variant: each for each in accuracy.variants if each.device == device}
    contrasts = (
        each
        for each in accuracy.contrasts
        if each.device == device and [each.baseline, each.candidate] == names
    )
    return RecipeSummary(
        member=member,
        recipe=_name_recipe(study),
        words=_describe_recipe(study),
        epochs=study.recipe.epochs,
        is_tuned=study.tuning is not None,
        schedule=study.recipe.schedule,
        baseline=variants.get(names[0]),
        candidate=variants.get(names[-1]),
        contrast=next(contrasts, None),
    )


def find_best_recipe(rows: Sequence[RecipeSummary]) -> RecipeSummary | None:
    """The recipe with the highest accuracy of either network; None without an accuracy."""
    reached = {
        place: accuracy
        for place, row in enumerate(rows)
        if (accuracy := find_accuracy(row)) is not None
    }
    return rows[max(reached, key=reached.__getitem__)] if reached else None


def find_accuracy(row: RecipeSummary) -> float | None:
    """The accuracy of a row's better network after the last epoch."""
    means = [_get_mean(row.baseline), _get_mean(row.candidate)]
    return max((mean for mean in means if mean is not None), default=None)


def tabulate_recipes(rows: Sequence[RecipeSummary], names: tuple[str, str]) -> Table:
    """The answer in rows, each with a link to the member's report.

    The difference comes first, so that a phone shows it beside the recipe.

    Args:
        rows: at least one.
        names: of the baseline and the candidate.
    """
    table = Table.from_rows(
        (
            {
                "recipe": row.label,
                "difference, points": _format_difference(row.difference),
                "verdict": _say_verdict(row),
                names[0]: format_percent(_get_mean(row.baseline)),
                names[1]: format_percent(_get_mean(row.candidate)),
                "win probability": "not known"
                if row.contrast is None
                else format_number(row.contrast.decision.probability),
            }
            for row in rows
        ),
        details=("win probability",),
    )
    return replace(table, links=tuple(f"{row.member}/report.html" for row in rows))


def list_answer(rows: Sequence[RecipeSummary]) -> list[dict[str, Any]]:
    """The rows as plain JSON, in order; None where a number is undefined."""
    listed = []
    for row in rows:
        difference, contrast = row.difference, row.contrast
        decision = None if contrast is None else contrast.decision
        listed.append(
            {
                "recipe": row.recipe,
                "epochs": row.epochs,
                "baseline": _get_mean(row.baseline),
                "candidate": _get_mean(row.candidate),
                "difference": None if difference is None else difference.value,
                "low": None if difference is None else difference.low,
                "high": None if difference is None else difference.high,
                "win_probability": None if decision is None else decision.probability.value,
                "verdict": None if decision is None else str(decision.outcome),
            }
        )
    return listed


def compose_spread(rows: Sequence[RecipeSummary], names: tuple[str, str]) -> Section:
    """Learning rates and standard deviations over seeds, row by row."""
    return Section(
        "Learning rates and spread over seeds",
        (
            *filter(None, (_say_spread(rows),)),
            "The spread is the standard deviation of test accuracy over seeds, after the last "
            "epoch and at the row's learning rates.",
        ),
        table=Table.from_rows(
            {
                "recipe": row.label,
                f"rate, {names[0]}": _format_rate(row.baseline),
                f"rate, {names[1]}": _format_rate(row.candidate),
                f"spread, {names[0]}": _format_spread(row.baseline),
                f"spread, {names[1]}": _format_spread(row.candidate),
                "seeds": "0" if row.contrast is None else str(row.contrast.num_pairs),
            }
            for row in rows
        ),
    )


def _say_spread(rows: Sequence[RecipeSummary]) -> str:
    """The greatest spread with rates that fall, and with the tuned constant rate."""
    sentences = []
    for begin, schedules in (
        ("With a rate that falls to zero", FALLING),
        ("With the best constant rate", ("constant",)),
    ):
        spreads = [
            (spread, variant.variant)
            for row in rows
            if row.is_tuned and row.schedule in schedules
            for variant in (row.baseline, row.candidate)
            if variant is not None and (spread := variant.curve[-1].deviation) is not None
        ]
        if spreads:
            greatest, variant = max(spreads)
            sentences.append(
                f"{begin}, the spread over seeds is at most {100 * greatest:.2f} points, that of "
                f"{name_variant(variant)}."
            )
    return " ".join(sentences)


def _name_recipe(study: StudySpec) -> str:
    if _is_notebook(study):
        return NOTEBOOK
    return f"{study.recipe.schedule}{' precise' if _is_precise(study) else ''}"


def _describe_recipe(study: StudySpec) -> str:
    if _is_notebook(study):
        return "notebook's rate"
    words = SCHEDULE_WORDS[study.recipe.schedule]
    given = f"rate {study.recipe.learning_rate:g}"
    words = f"best {words}" if study.tuning else words.replace("rate", given, 1)
    return f"{words}, {PRECISE}" if _is_precise(study) else words


def _is_notebook(study: StudySpec) -> bool:
    """Whether nothing is tuned, and nothing but the epochs differs from the notebook's recipe."""
    recipe = study.recipe
    return study.tuning is None and recipe == RecipeSpec(epochs=recipe.epochs)


def _is_precise(study: StudySpec) -> bool:
    recipes = [variant.adapt(study.recipe) for variant in study.variants[:2]]
    return any(recipe.evaluation_statistics == "precise" for recipe in recipes)


def _get_mean(variant: VariantSummary | None) -> float | None:
    return None if variant is None else variant.curve[-1].mean.value


def _format_difference(difference: Estimate | None) -> str:
    if difference is None:
        return "not known"
    return format_points(difference).replace(" points", "")


def _say_verdict(row: RecipeSummary) -> str:
    outcome = Outcome.NO_CONCLUSION if row.contrast is None else row.contrast.decision.outcome
    if outcome is Outcome.NO_CONCLUSION:
        return "undecided"
    # Other tuning seeds might have chosen rates at which the difference has no sign.
    return f"{outcome}{' at these rates' if row.standing == 'undecided' else ''}"


def _format_rate(variant: VariantSummary | None) -> str:
    return "none works" if variant is None else f"{variant.learning_rate:.3g}"


def _format_spread(variant: VariantSummary | None) -> str:
    spread = None if variant is None else variant.curve[-1].deviation
    return "not known" if spread is None else f"{100 * spread:.2f}"
