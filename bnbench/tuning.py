"""The learning rate that serves a variant best, chosen from its tuning trials alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bnbench.records import TrialRecord
from bnbench.specs import StudySpec
from bnbench.stats import choose_learning_rate


def choose_rates(study: StudySpec, records: Iterable[TrialRecord]) -> dict[tuple[str, str], float]:
    """Choose the rate of highest mean validation accuracy for each (variant, device).

    A variant of which every tuning trial failed is left out; without tuning nothing is chosen.
    """
    if study.tuning is None:
        return {}
    records = list(records)
    rates: dict[tuple[str, str], float] = {}
    for device in study.devices:
        for variant in study.variants:
            accuracy = tabulate_tuning(study, records, variant.name, device)
            rate = choose_learning_rate(np.array(study.tuning.learning_rates), accuracy)
            if rate is not None:
                rates[variant.name, device] = rate
    return rates


def tabulate_tuning(
    study: StudySpec, records: Iterable[TrialRecord], variant: str, device: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Final validation accuracy, shape (num_learning_rates, num_seeds); NaN where a trial failed.

    The learning rates ascend as in the study's grid.
    """
    if study.tuning is None:
        raise ValueError("required a study with tuning, found one without")
    rates, seeds = study.tuning.learning_rates, study.tuning.seeds
    accuracy = np.full((len(rates), len(seeds)), np.nan)
    for record in records:
        trial = record.trial
        if trial.purpose == "tune" and (trial.variant.name, trial.device) == (variant, device):
            row, column = rates.index(trial.recipe.learning_rate), seeds.index(trial.seed)
            if record.status == "finished":
                accuracy[row, column] = record.epochs[-1].test_accuracy
    return accuracy
