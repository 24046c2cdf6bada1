"""The order in which a run's trials are read, whatever the order in which they ended."""

from __future__ import annotations

from collections.abc import Callable

from bnbench.specs import ENGINE_NAMES, PURPOSES, StudySpec, TrialSpec


def make_trial_order(study: StudySpec) -> Callable[[TrialSpec], tuple[float, ...]]:
    """Make a sort key: purpose, device, engine, variant, learning rate, seed.

    Returns:
        The sort key of a trial; it raises ValueError for a trial of another study.
    """
    seeds = {
        "tune": study.tuning.seeds if study.tuning else (),
        "score": study.seeds,
        "time": range(study.timing.num_pairs),
    }
    # Dictionaries, since there may be a million seeds.
    ranks = {
        purpose: {seed: rank for rank, seed in enumerate(of_purpose)}
        for purpose, of_purpose in seeds.items()
    }

    def order_of(trial: TrialSpec) -> tuple[float, ...]:
        if trial.seed not in ranks[trial.purpose]:
            raise ValueError(f"seed {trial.seed} is not in the study")
        return (
            PURPOSES.index(trial.purpose),
            study.devices.index(trial.device),
            ENGINE_NAMES.index(trial.engine),
            study.variants.index(trial.variant),
            trial.recipe.learning_rate,
            ranks[trial.purpose][trial.seed],
        )

    return order_of
