"""The study of the best combination of techniques, made from a tuned study of single ones.

Of each kind of technique, the one with the best validation accuracy is taken if it beats the
baseline. What is taken makes one variant, which is tuned with the budget of every other. So the
combination costs as much as a single technique, and the test set plays no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bnbench.errors import SpecError
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from bnbench.techniques import BASELINE, TECHNIQUES, Kind, make_variant
from bnbench.tuning import find_rates

NAME = "combined"


def make_combination_study(store: RunStore) -> StudySpec:
    """Make the study of the baseline, the best technique and the combination.

    Args:
        store: a finished run of a tuned study that has the baseline and some techniques.

    Raises:
        SpecError: the run has no tuning, or not two techniques that beat the baseline.
    """
    accuracies = average_validation(store)
    chosen = choose_techniques(accuracies)
    if len(chosen) < 2:
        raise SpecError(
            f"combine: expected a tuned run with {BASELINE.name} and two techniques of different "
            f"kinds that beat it on validation images, got {', '.join(chosen) or 'none'} in "
            f"{store.folder}; run the techniques study first"
        )
    best = max(chosen, key=lambda name: accuracies[name])
    parts = [TECHNIQUES[name] for name in chosen]
    variants = (BASELINE, make_variant(best, TECHNIQUES[best]), make_variant(NAME, *parts))
    return replace(store.study, name="combination", variants=variants)


def average_validation(store: RunStore) -> dict[str, float]:
    """Mean validation accuracy of each variant at its chosen rate, on the study's first device."""
    records = store.read_trials()
    rates = {
        each.variant: each.learning_rate
        for each in find_rates(store, records)
        if each.device == store.study.devices[0]
    }
    found: dict[str, list[float]] = {}
    for record in records:
        name = record.trial.variant.name
        is_chosen = record.trial.recipe.learning_rate == rates.get(name)
        if record.trial.purpose == "tune" and is_chosen and record.status == "finished":
            found.setdefault(name, []).append(record.epochs[-1].test_accuracy)
    return {name: float(np.mean(values)) for name, values in found.items()}


def choose_techniques(accuracies: Mapping[str, float]) -> tuple[str, ...]:
    """Choose the best technique of each kind, where it beats the baseline.

    Args:
        accuracies: mean validation accuracy by variant.

    Returns:
        Names in the order of `TECHNIQUES`; none without the baseline.
    """
    if BASELINE.name not in accuracies:
        return ()
    best: dict[Kind, str] = {}
    for name, technique in TECHNIQUES.items():
        accuracy, rival = accuracies.get(name, 0.0), best.get(technique.kind, BASELINE.name)
        if accuracy > accuracies[rival]:
            best[technique.kind] = name
    return tuple(name for name in TECHNIQUES if name in best.values())
