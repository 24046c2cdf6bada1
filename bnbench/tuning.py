"""The learning rate of each variant: chosen from its tuning trials alone, and looked up later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.records import ChosenRateRecord, TrialRecord
from bnbench.specs import EngineName, StudySpec, TrialSpec
from bnbench.stats import (
    CHANCE_ACCURACY,
    choose_learning_rate,
    list_alternates,
    list_finalists,
)
from bnbench.store import RunStore
from bnbench.tables import Counts, Matrix, Vector, tabulate_tuning

BOOTSTRAP_SEED = 20_260_101
"""Fixed, so that a run's tuning trials always give the same alternates."""

Key = tuple[str, str]
"""A variant's name and a device."""


def choose_rates(
    study: StudySpec, records: Sequence[TrialRecord], chance: float = CHANCE_ACCURACY
) -> tuple[ChosenRateRecord, ...]:
    """Choose the rate of highest mean validation accuracy for each variant and device.

    Args:
        study: a study, with tuning or without.
        records: its trials; all but the tuning trials are ignored.
        chance: accuracy of guessing on its data.

    Returns:
        One record per variant and device, except where every tuning trial failed; empty without
        tuning.
    """
    chosen = []
    for (variant, device), (rates, accuracy, num_tried) in _tabulate_all(study, records).items():
        best = choose_learning_rate(rates, accuracy, num_tried, chance=chance)
        if best is not None and study.tuning is not None:
            generator = np.random.default_rng(BOOTSTRAP_SEED)
            others = list_alternates(
                rates,
                accuracy,
                study.tuning.max_alternates,
                generator,
                num_tried,
                chance=chance,
            )
            chosen.append(ChosenRateRecord(variant, device, best, others))
    return tuple(chosen)


@dataclass(frozen=True)
class TuningRound:
    """Trials that run together: the rates of each variant and device, and the seeds of each."""

    name: str
    rates: dict[Key, tuple[float, ...]]
    seeds: tuple[int, ...]


def list_rounds(
    study: StudySpec, records: Sequence[TrialRecord], chance: float = CHANCE_ACCURACY
) -> tuple[TuningRound, ...]:
    """List the rounds of a study's tuning: the grid, rates beside the best so far, the finalists.

    Every rate is tried with the first seeds. Then, unless these are all seeds, the best rates are
    tried with the others (successive halving with one halving, Karnin et al. 2013). Every variant
    gets the same numbers of rates and seeds.

    Args:
        study: a study, with tuning or without.
        records: its trials.
        chance: accuracy of guessing on its data.

    Returns:
        All rounds. A variant's rates in a round are known once its trials of the rounds before are
        on record; until then, and if all of them failed, the variant is missing in it.
    """
    tuning = study.tuning
    if tuning is None:
        return ()
    first, others = tuning.first_seeds, tuning.seeds[len(tuning.first_seeds) :]
    steps = tuning.refine_octaves if tuning.refine else ()
    rounds = [
        TuningRound("tuning", {}, first),
        *(TuningRound("refining", {}, first) for _ in steps),
        *([TuningRound("finalists", {}, others)] if others else []),
    ]
    on_record = {
        (r.trial.variant.name, r.trial.device, r.trial.recipe.learning_rate, r.trial.seed)
        for r in records
        if r.trial.purpose == "tune"
    }
    for key, (rates, accuracy, _) in _tabulate_all(study, records).items():
        tried = tuning.learning_rates
        rounds[0].rates[key] = tried
        for number, later in enumerate(rounds[1:]):
            if not on_record.issuperset((*key, rate, seed) for rate in tried for seed in first):
                break
            known = np.isin(rates, tried)
            of_round = rates[known], accuracy[known, : len(first)]
            if number < len(steps):
                best = choose_learning_rate(*of_round, chance=chance)
                if best is None:
                    break
                finer = (_round(best * 2.0**octaves) for octaves in (-steps[number], steps[number]))
                later.rates[key] = tuple(rate for rate in finer if rate not in tried)
                tried = tuple(sorted({*tried, *later.rates[key]}))
            else:
                later.rates[key] = list_finalists(*of_round, tuning.num_finalists, chance=chance)
    return tuple(rounds)


def list_tuning_trials(
    study: StudySpec,
    engines: Mapping[str, EngineName],
    records: Sequence[TrialRecord],
    chance: float = CHANCE_ACCURACY,
) -> tuple[TrialSpec, ...]:
    """List the trials of all rounds that are known yet; the arguments are as above."""
    return tuple(
        trial
        for each in list_rounds(study, records, chance)
        for trial in study.list_tuning_trials(engines, each.rates, each.seeds)
    )


def _round(rate: float) -> float:
    """Round to six digits, so that a rate reached from two sides is one rate."""
    return float(f"{rate:.6g}")


def _tabulate_all(
    study: StudySpec, records: Sequence[TrialRecord]
) -> dict[Key, tuple[Vector, Matrix, Counts]]:
    if study.tuning is None:
        return {}
    return {
        (variant.name, device): tabulate_tuning(study, records, variant.name, device)
        for device in study.devices
        for variant in study.variants
    }


def find_rates(store: RunStore, records: Sequence[TrialRecord]) -> tuple[ChosenRateRecord, ...]:
    """Return the rates a run's scored trials have.

    They are read from the run. Runs made before rates were stored get them from their tuning
    trials, by the same rule.

    Args:
        store: the run.
        records: its trials.
    """
    stored = store.read_rates()
    return choose_rates(store.study, records, store.data.chance) if stored is None else stored
