"""What differs between two runs: their conditions, and the results of their trials."""

from __future__ import annotations

from collections.abc import Sequence

from bnbench.records import TrialRecord
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.variant_map import VariantPair
from bnbench.store import RunStore


def list_conditions(
    first: RunStore, second: RunStore, variants: Sequence[VariantPair]
) -> tuple[str, ...]:
    """What differs between the runs besides the seeds."""
    other = vars(second.study.recipe)
    pairs: list[tuple[str, object, object]] = [
        *((name, value, other[name]) for name, value in vars(first.study.recipe).items()),
        *(
            (f"the engine on {device}", engine, second.engines.get(device, engine))
            for device, engine in first.engines.items()
        ),
        (
            "the commit",
            first.environment.commit or "not known",
            second.environment.commit or "not known",
        ),
    ]
    networks = [{v.name: v for v in store.study.variants} for store in (first, second)]
    for pair in variants:
        if pair.is_mapped and pair.first is not None and pair.second is not None:
            was, now = vars(networks[0][pair.first]), vars(networks[1][pair.second])
            pairs += [
                (f"{key} of {pair.label}", value, now[key])
                for key, value in was.items()
                if key != "name"
            ]
    conditions = first.environment.list_differences(second.environment)
    conditions += [f"{name} was {was}, is now {now}" for name, was, now in pairs if was != now]
    if (first.study.tuning is None) != (second.study.tuning is None):
        tuned = "second" if first.study.tuning is None else "first"
        conditions.append(f"only the {tuned} run chose its learning rates")
    return tuple(conditions)


def outline_trial(record: TrialRecord) -> tuple[object, ...]:
    """List what a trial computed, without its times and its node."""
    epochs = tuple((e.train_loss, e.test_loss, e.test_accuracy) for e in record.epochs)
    return record.status, epochs


def count_identical_trials(runs: Sequence[RunTrials], pairs: Sequence[VariantPair]) -> int | None:
    """Count the trials of each run if both have the same ones with the same results."""
    renamed = {pair.second: pair.first for pair in pairs}
    first, second = (
        {
            (
                trial.purpose,
                renamed.get(trial.variant.name) if run is runs[1] else trial.variant.name,
                trial.device,
                trial.recipe,
                trial.seed,
            ): outline_trial(record)
            for record in run.records
            for trial in (record.trial,)
        }
        for run in runs
    )
    return len(first) if first == second else None
