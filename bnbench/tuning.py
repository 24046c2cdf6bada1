"""The learning rate of each variant: chosen from its tuning trials alone, and looked up later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bnbench.records import ChosenRateRecord, TrialRecord
from bnbench.specs import StudySpec
from bnbench.stats import choose_learning_rate
from bnbench.store import RunStore
from bnbench.tables import tabulate_tuning


def choose_rates(study: StudySpec, records: Sequence[TrialRecord]) -> tuple[ChosenRateRecord, ...]:
    """Choose the rate of highest mean validation accuracy for each variant and device.

    Args:
        study: a study, with tuning or without.
        records: its trials; all but the tuning trials are ignored.

    Returns:
        One record per variant and device, except where every tuning trial failed; empty without
        tuning.
    """
    if study.tuning is None:
        return ()
    grid = np.array(study.tuning.learning_rates)
    rates = [
        (variant.name, device, choose_learning_rate(grid, table))
        for device in study.devices
        for variant in study.variants
        for table in [tabulate_tuning(study, records, variant.name, device)]
    ]
    return tuple(ChosenRateRecord(*rate[:2], rate[2]) for rate in rates if rate[2] is not None)


def find_rates(store: RunStore, records: Sequence[TrialRecord]) -> tuple[ChosenRateRecord, ...]:
    """Return the rates a run's scored trials have.

    They are read from the run. Runs made before rates were stored get them from their tuning
    trials, by the same rule.

    Args:
        store: the run.
        records: its trials.
    """
    stored = store.read_rates()
    return choose_rates(store.study, records) if stored is None else stored
