"""The learning rate that serves a variant best, chosen from its tuning trials alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bnbench.records import TrialRecord
from bnbench.specs import StudySpec
from bnbench.stats import choose_learning_rate
from bnbench.tables import tabulate_tuning


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
