"""Inside the networks: the inputs of the activations and the gradients of the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bnbench.inspection import InspectionRecord, ValuesRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.wording import (
    format_count,
    format_percent,
    join_words,
    name_variant,
    start_sentence,
)


def compose_inputs(inspection: InspectionRecord | None) -> Section | None:
    """The section on the inputs of the activations, or None without a hidden layer."""
    values = select_values(inspection, "input")
    if inspection is None or not values:
        return None
    names = list(dict.fromkeys(each.variant for each in values))
    sentences = [
        "Over layers and training, the spread of what an activation gets varies by a factor of "
        f"{join_words([_say_variation(values, name) for name in names])}."
    ]
    dead = [(each.dead, each.variant) for each in values if each.dead is not None]
    if dead:
        share, variant = max(dead, key=lambda pair: pair[0])
        sentences.append(
            f"At most {format_percent(share, 1)} of a layer's units are dead, in "
            f"{name_variant(variant)}."
            if share
            else "No unit is dead."
        )
    noun = inspection.noun
    meaning = (
        "An activation gets its input from a linear layer, normalized if the network normalizes, "
        "which sets the spread to 1 before training. "
        f"Spread is the standard deviation over units, {noun}s and {_say_seeds(inspection)}. "
        + (f"A ReLU unit is dead if its input is at most 0 on every {noun}. " if dead else "")
        + f"The {noun}s are the first {inspection.batch_images:,} training {noun}s, as one batch "
        "in training mode."
    )
    return Section(
        "Inside the networks: what the activations get",
        (" ".join(sentences), meaning),
        figure="activations",
        table=_tabulate(values, has_dead=bool(dead)),
    )


def compose_gradients(
    inspection: InspectionRecord | None, rates: Mapping[str, float]
) -> Section | None:
    """The section on the gradients of the weights, or None if no model was inspected.

    Args:
        inspection: of the run's networks.
        rates: each variant's learning rate.
    """
    values = select_values(inspection, "gradient")
    if inspection is None or not values:
        return None
    meaning = (
        f"The gradient of the mean loss by each weight, on the same {inspection.noun}s as one "
        "batch in training mode. Size is the root mean square over the weights of a layer. For a "
        "seed, networks of the same shape start from the same linear weights. The first step is "
        "the learning rate times this gradient."
    )
    sentences = [
        _say_gradients(values, variant, rates)
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


def list_layers(values: Sequence[ValuesRecord]) -> list[str]:
    """The layers of all variants from the first to the last, which is the output in each."""
    return sorted(dict.fromkeys(each.layer for each in values), key=lambda name: name == "output")


def _say_variation(values: Sequence[ValuesRecord], variant: str) -> str:
    """By which factor a variant's spread varies over layers and stages."""
    spreads = [each.spread for each in values if each.variant == variant]
    if min(spreads) <= 0:
        return f"any size in {name_variant(variant)}"
    return f"{max(spreads) / min(spreads):.3g} in {name_variant(variant)}"


def _say_gradients(
    values: Sequence[ValuesRecord], variant: str, rates: Mapping[str, float]
) -> str | None:
    """How large a variant's first gradient and first step are beside the first variant's."""
    baseline, layer = values[0].variant, values[0].layer
    ratios = []
    for stage in ("before", "after"):
        sizes = {v.variant: v.spread for v in values if (v.stage, v.layer) == (stage, layer)}
        if not (sizes.get(baseline) and sizes.get(variant)):
            return None
        ratios.append(sizes[variant] / sizes[baseline])
    text = (
        f"{name_variant(variant)} has {ratios[0]:.3g} times the gradient of "
        f"{name_variant(baseline)} in the first layer before training, and {ratios[1]:.3g} times "
        "after it."
    )
    if baseline in rates and variant in rates:
        ratio = ratios[0] * rates[variant] / rates[baseline]
        same = rates[variant] == rates[baseline]
        where = f"{rates[variant]:.3g}" + ("" if same else f" against {rates[baseline]:.3g}")
        text += f" At learning rate {where}, its first step there is {ratio:.3g} times as large."
    return start_sentence(text)


def _tabulate(values: Sequence[ValuesRecord], has_dead: bool) -> Table:
    """One row per layer and variant: spread or size, and dead units, before and after."""
    name = "size" if values[0].kind == "gradient" else "spread"
    rows = []
    layers = list_layers(values)
    keys = dict.fromkeys((each.layer, each.variant) for each in values)
    for layer, variant in sorted(keys, key=lambda key: layers.index(key[0])):
        stages: dict[str, ValuesRecord] = {
            each.stage: each for each in values if (each.layer, each.variant) == (layer, variant)
        }
        found = [stages.get(stage) for stage in ("before", "after")]
        row = {
            "layer, variant": f"{layer.removeprefix('activation')}, {variant}",
            f"{name} before → after": " → ".join(
                f"{each.spread:#.2g}" if each else "not finite" for each in found
            ),
        }
        if has_dead:
            row["dead before → after, %"] = " → ".join(
                f"{100 * each.dead:.1f}" if each and each.dead is not None else "no ReLU"
                for each in found
            )
        rows.append(row)
    return Table.from_rows(rows)


def _say_seeds(inspection: InspectionRecord) -> str:
    return format_count(len(inspection.value_seeds), "seed")
