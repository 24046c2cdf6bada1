"""Inside the networks: the inputs of the activations and the gradients of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bnbench.inspection import InspectionRecord, ValuesRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    join_words,
    name_variant,
    start_sentence,
)

SIMILAR_RATIO = 1.5
"""Gradients up to this many times as large are called about as large."""


def compose_inputs(inspection: InspectionRecord | None) -> Section | None:
    """The section on the inputs of the activations, or None without a hidden layer."""
    values = select_values(inspection, "input")
    if inspection is None or not values:
        return None
    sentences = []
    for stage, when in (("before", "Before training"), ("after", "After training")):
        spreads = [
            f"{', '.join(f'{each.spread:.2f}' for each in group)} in {name_variant(variant)}"
            for variant, group in groupby(
                (each for each in values if each.stage == stage), lambda each: each.variant
            )
        ]
        sentences.append(f"{when}, the inputs spread by {join_words(spreads)}, layer by layer.")
    has_dead = any(each.dead is not None for each in values)
    meaning = (
        "An activation gets its input from a linear layer, normalized if the network normalizes. "
        f"Spread is the standard deviation over units, images and {_say_seeds(inspection)}. "
        + ("A ReLU unit is dead if its input is at most 0 on every image. " if has_dead else "")
        + f"The images are the first {inspection.batch_images:,} training images, as one batch in "
        "training mode."
    )
    return Section(
        "Inside the networks: what the activations get",
        (" ".join(sentences), meaning),
        figure="activations",
        table=_tabulate(values, has_dead),
    )


def compose_gradients(inspection: InspectionRecord | None) -> Section | None:
    """The section on the gradients of the weights, or None if no model was inspected."""
    values = select_values(inspection, "gradient")
    if inspection is None or not values:
        return None
    meaning = (
        "The gradient of the mean loss by each weight, on the same images as one batch in training "
        "mode. Size is the root mean square over the weights of a layer. All networks of a seed "
        "start from the same linear weights."
    )
    sentences = [
        _say_gradients(values, variant)
        for variant in list(dict.fromkeys(each.variant for each in values))[1:]
    ]
    return Section(
        "Inside the networks: gradients of the weights",
        (*filter(None, sentences), meaning),
        figure="gradients",
        table=_tabulate(values, has_dead=False),
    )


def select_values(inspection: InspectionRecord | None, kind: str) -> list[ValuesRecord]:
    """The records of one kind; empty without an inspection."""
    return [each for each in inspection.values if each.kind == kind] if inspection else []


def _say_gradients(values: Sequence[ValuesRecord], variant: str) -> str:
    """How large a variant's first gradient is beside that of the first variant."""
    baseline = values[0].variant
    parts = []
    for stage, when in (("before", "before training"), ("after", "after it")):
        sizes = [
            next((v.spread for v in values if v.variant == name and v.stage == stage), 0.0)
            for name in (baseline, variant)
        ]
        if min(sizes) > 0:
            ratio = sizes[1] / sizes[0]
            similar = 1 / SIMILAR_RATIO <= ratio <= SIMILAR_RATIO
            hint = " (about as large)" if similar else ""
            parts.append(f"{ratio:.3g} times as large as in {name_variant(baseline)} {when}{hint}")
    if not parts:
        return ""
    return start_sentence(
        f"{name_variant(variant)} has a first-layer gradient {' and '.join(parts)}."
    )


def _tabulate(values: Sequence[ValuesRecord], has_dead: bool) -> Table:
    """One row per layer and variant: spread or size, and dead units, before and after."""
    rows = []
    for layer in dict.fromkeys(each.layer for each in values):
        for variant in dict.fromkeys(each.variant for each in values if each.layer == layer):
            found: dict[str, ValuesRecord] = {
                v.stage: v for v in values if (v.layer, v.variant) == (layer, variant)
            }
            name = "size" if values[0].kind == "gradient" else "spread"
            row = {"layer": layer, "variant": variant}
            for stage in ("before", "after"):
                value = found.get(stage)
                row[f"{name} {stage}"] = f"{value.spread:.2g}" if value else "not finite"
            for stage in ("before", "after") if has_dead else ():
                value = found.get(stage)
                share = value.dead if value else None
                row[f"dead {stage}"] = "none" if share is None else format_percent(share, 1)
            rows.append(row)
    return Table.from_rows(rows)


def _say_seeds(inspection: InspectionRecord) -> str:
    return format_count(len(inspection.value_seeds), "seed")
