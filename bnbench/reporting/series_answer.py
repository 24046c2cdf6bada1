"""The answer at the top of a series' page: one sentence over all rows, then what the rows mean."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from bnbench.reporting.sections.recipes import (
    NOTEBOOK,
    PRECISE,
    RecipeSummary,
    find_accuracy,
    find_best_recipe,
)
from bnbench.reporting.wording import (
    VARIANT_NAMES,
    format_percent,
    join_words,
    name_variant,
    shorten_name,
)
from bnbench.stats import Outcome

LONGEST = 120
"""Characters of the sentence that fit on two lines; a shorter form is taken if there is one."""
MARKS = {"ahead": "", "behind": "", "level": " (negligible)", "undecided": " (undecided)"}
"""What is said beside a difference where the rows differ in standing."""


def say_series_headline(rows: Sequence[RecipeSummary], candidate: str, num_left_out: int) -> str:
    """Say in how many rows the candidate leads, by how much at first and with the best recipe.

    "Leads" rather than "helps": the first row may compare both networks at one learning rate.

    Args:
        rows: at least one, in order.
        candidate: the name of the second network.
        num_left_out: members of the series that have no row.
    """
    begin = "So far, " if num_left_out else ""
    tails = _list_ranges(rows) if len(rows) > 1 else [""]
    texts = []
    for longest in (LONGEST, 18, 12, 8):
        is_own = candidate not in VARIANT_NAMES
        name = shorten_name(candidate, longest) if is_own else name_variant(candidate)
        heads = [_say_one(rows[0], name)] if len(rows) == 1 else _count_standings(rows, name)
        for head, tail in itertools.product(heads, tails):
            text = f"{begin}{head}{tail}."
            # A variant's own name keeps its first letter.
            is_kept = is_own and text.startswith(name)
            texts.append(text if is_kept else text[0].upper() + text[1:])
    return next((text for text in texts if len(text) <= LONGEST), min(texts, key=len))


def compose_series_answer(
    rows: Sequence[RecipeSummary],
    names: tuple[str, str],
    left_out: Sequence[str],
    num_planned: int,
) -> tuple[str, ...]:
    """Answer the question of a series, one paragraph each.

    Args:
        rows: at least one.
        names: of the baseline and the candidate.
        left_out: members without a row, each with its reason.
        num_planned: members of the series, for whose number the intervals are widened.
    """
    paragraphs = (
        say_series_headline(rows, names[1], len(left_out)),
        f"Left out: {'; '.join(left_out)}." if left_out else None,
        _say_best(rows, names),
        _explain_brackets(rows, num_planned),
        _say_undecided(rows),
        _explain_precise(rows),
    )
    return tuple(filter(None, paragraphs))


def _count_standings(rows: Sequence[RecipeSummary], name: str) -> list[str]:
    """In how many rows the candidate leads or trails, from the full text to the shortest."""
    counts, total = Counter(row.standing for row in rows), len(rows)
    ahead, behind = counts["ahead"], counts["behind"]
    if total in (ahead, behind):
        return [f"{name} {'leads' if ahead else 'trails'} with every recipe"]
    if ahead:
        but = f", trails with {behind}" if behind else ""
        text = f"{name} leads with {ahead} of {total} recipes{but}"
        number = counts["undecided"]
        return [f"{text}, {number} undecided", text] if number else [text]
    if behind:
        return [f"{name} trails with {behind} of {total} recipes"]
    if counts["undecided"]:
        return [f"whether {name} leads is open"]
    return [f"{name} has no meaningful gain with any recipe"]


def _list_ranges(rows: Sequence[RecipeSummary]) -> list[str]:
    """From the first row's difference to the best recipe's, from the full text to the shortest."""
    known = [row for row in rows if row.difference and row.difference.value is not None]
    best = find_best_recipe(known)
    if not known or best is None:
        return [""]
    first, place = known[0], _say_place(known[0])
    # A standing that all rows have was said already.
    marks = MARKS if len({row.standing for row in rows}) > 1 else dict.fromkeys(MARKS, "")
    start = f"{_format_points(first)} points{marks[first.standing]}"
    if len(known) == 1:
        return [f": {start} {place}"]
    if best is first:
        others = sorted(known[1:], key=_get_difference)
        texts = list(dict.fromkeys(map(_format_points, (others[0], others[-1]))))
        rest = f"{' to '.join(texts)} with the other{'s' if len(others) > 1 else ''}"
        return [
            f": {start} {place}, the best recipe, {rest}",
            f": {start} with the best, {rest}",
        ]
    end = f"{_format_points(best)}{marks[best.standing]}"
    return [
        f": from {start} {place} to {end} with the best recipe",
        f": from {start} {place} to {end} with the best",
        f": {start} {place}, {end} with the best",
    ]


def _say_one(row: RecipeSummary, name: str) -> str:
    """The sentence of a series that has one row."""
    place = _say_place(row)
    if row.contrast is None:
        return f"nothing is compared {place}: the networks share no scored seed"
    accuracies = [
        format_percent(variant.curve[-1].mean.value, 1)
        for variant in (row.candidate, row.baseline)
        if variant is not None
    ]
    than = "instead of" if row.standing in ("ahead", "behind") else "against"
    tail = f": {accuracies[0]} right {than} {accuracies[-1]}"
    if "not known" in accuracies:
        tail = ": every trial of one network failed"
    size = "" if row.difference is None or row.difference.value is None else _say_size(row)
    return {
        "ahead": f"{name} leads{size} {place}{tail}",
        "behind": f"{name} trails{size} {place}{tail}",
        "level": f"{name} has no meaningful gain {place}{tail}",
        "undecided": f"whether {name} leads {place} is open{tail}",
    }[row.standing]


def _say_size(row: RecipeSummary) -> str:
    return f" by {_format_points(row).lstrip('+-')} points"


def _say_place(row: RecipeSummary) -> str:
    return f"at the {row.words}"


def _get_difference(row: RecipeSummary) -> float:
    """The difference of a row that has one, a fraction."""
    value = None if row.difference is None else row.difference.value
    if value is None:
        raise ValueError("row: expected a known difference, got none")
    return value


def _format_points(row: RecipeSummary) -> str:
    """A row's difference in points, signed, with the digits that keep it from looking like 0."""
    points = 100 * _get_difference(row)
    text = f"{points:+.1f}"
    if float(text) == 0:
        text = f"{points:+.2f}"
    return text if float(text) else "0"


def _say_best(rows: Sequence[RecipeSummary], names: tuple[str, str]) -> str | None:
    """Which row is the best recipe, and by what."""
    best = find_best_recipe(rows)
    if best is None or len(rows) == 1:
        return None
    reached = find_accuracy(best)
    who = (
        names[1] if best.candidate and best.candidate.curve[-1].mean.value == reached else names[0]
    )
    return (
        f"The best recipe is the one whose better network is most accurate: {best.label}. "
        f"There {name_variant(who)} has {format_percent(reached)}. "
        "Learning rates were chosen for each network on validation images"
        f"{', except in the notebook row' if _has_notebook(rows) else ''}."
    )


def _has_notebook(rows: Sequence[RecipeSummary]) -> bool:
    return any(row.recipe == NOTEBOOK for row in rows)


def _explain_brackets(rows: Sequence[RecipeSummary], num_planned: int) -> str | None:
    """What the intervals cover, and that they hold for all rows at once."""
    contrast = next((row.contrast for row in rows if row.contrast is not None), None)
    if contrast is None:
        return None
    level = 100 * contrast.decision.probability.confidence
    width = f"Brackets hold intervals of {level:.4g} %."
    if num_planned > 1:
        width = (
            f"The rows are read together, so brackets hold intervals of {level:.4g} % each: all "
            f"{num_planned} differences hold at once in at least 95 of 100 such series, and "
            "likewise all win probabilities. A row's own report stands alone, so its intervals are "
            "shorter, and it may decide what is undecided here."
        )
    is_nested = [
        row.contrast is not None and row.difference is not row.contrast.differences[-1]
        for row in rows
    ]
    cover = "The interval of a difference covers the seeds"
    if all(is_nested):
        cover += " and the choice of both learning rates"
    elif any(is_nested):
        cover += "; where rates were tuned, also the choice of both rates"
    return f"{width} {cover}. It says nothing about other data or other networks."


def _say_undecided(rows: Sequence[RecipeSummary]) -> str | None:
    """How many more seeds would decide each row that is undecided."""
    wanted = [
        f"{more} for the {row.label}"
        for row in rows
        if row.contrast is not None
        and row.contrast.decision.outcome is Outcome.NO_CONCLUSION
        and (more := row.contrast.decision.num_more_pairs)
    ]
    if not wanted:
        return None
    return f"To decide what is undecided, train more seeds of both networks: {join_words(wanted)}."


def _explain_precise(rows: Sequence[RecipeSummary]) -> str | None:
    if not any(PRECISE in row.words for row in rows):
        return None
    return (
        "Precise statistics: after each epoch, the means and variances that batch normalization "
        "evaluates with are computed from the whole training set. Otherwise they are averages "
        "that ran along while the weights still changed."
    )
