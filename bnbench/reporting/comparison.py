"""Comparison of two runs, variant by variant, with the statistics of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench import stats
from bnbench.errors import RunError
from bnbench.records import TrialRecord
from bnbench.reporting.content import Table
from bnbench.reporting.sections.accuracy import share_seeds
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_accuracy, format_number, format_points
from bnbench.store import RunStore
from bnbench.tables import Matrix


@dataclass(frozen=True)
class VariantComparison:
    """One variant on one device in both runs, over the seeds that both have."""

    variant: str
    device: str
    num_pairs: int
    first: stats.Estimate
    """Mean final accuracy in the first run."""
    second: stats.Estimate
    difference: stats.Estimate
    """Second minus first, seed by seed."""
    decision: stats.Decision
    time_ratio: stats.Estimate | None
    """Seconds per epoch, second over first; None where that would mix engines."""
    time_engine: str | None


@dataclass(frozen=True)
class RunComparison:
    """How the second run differs from the first."""

    conditions: tuple[str, ...]
    """What differs between the runs."""
    variants: tuple[VariantComparison, ...]
    refusals: tuple[str, ...]
    """What could not be compared, and why."""


def compare_runs(first: RunStore, second: RunStore) -> RunComparison:
    """Compare the final accuracy and the time per epoch of two runs, the first one as baseline.

    Raises:
        RunError: they have nothing that can be compared.
    """
    if first.data != second.data:
        raise RunError(
            f"expected runs on the same data, got {first.data.name} with "
            f"{first.data.num_train_images:,} training images and {second.data.name} with "
            f"{second.data.num_train_images:,}; their accuracies are not comparable"
        )
    trials = (
        RunTrials(first.study, first.data, tuple(first.read_trials())),
        RunTrials(second.study, second.data, tuple(second.read_trials())),
    )
    comparisons, refusals = [], []
    for key in _list_variants(trials[0].records) | _list_variants(trials[1].records):
        of_variant = trials[0].select("score", *key), trials[1].select("score", *key)
        refusal = _find_obstacle(*of_variant)
        if refusal is not None:
            refusals.append(f"{key[0]} on {key[1]}: {refusal}")
            continue
        comparison, time_refusal = _compare_variant(key, of_variant, trials)
        comparisons.append(comparison)
        if time_refusal is not None:
            refusals.append(f"time of {key[0]} on {key[1]}: {time_refusal}")
    if not comparisons:
        raise RunError(
            "expected a variant that both runs trained from the same seeds, got none: "
            + "; ".join(refusals or ["neither has a scored trial"])
        )
    return RunComparison(_list_conditions(first, second), tuple(comparisons), tuple(refusals))


def tabulate_comparison(comparison: RunComparison) -> Table:
    """The comparison as a table of texts."""
    return Table(
        (
            "variant",
            "device",
            "pairs",
            "accuracy in the first run",
            "accuracy in the second run",
            "difference",
            "probability that the second wins",
            "verdict on the second",
            "ratio of time per epoch",
        ),
        tuple(
            (
                found.variant,
                found.device,
                str(found.num_pairs),
                format_accuracy(found.first),
                format_accuracy(found.second),
                format_points(found.difference),
                format_number(found.decision.probability),
                str(found.decision.outcome),
                "not compared"
                if found.time_ratio is None
                else f"{format_number(found.time_ratio)} ({found.time_engine})",
            )
            for found in comparison.variants
        ),
    )


Key = tuple[str, str]


def _list_variants(records: Sequence[TrialRecord]) -> dict[Key, None]:
    """The (variant, device) of a run's scored trials, in their order."""
    return {
        (record.trial.variant.name, record.trial.device): None
        for record in records
        if record.trial.purpose == "score"
    }


def _find_obstacle(first: list[TrialRecord], second: list[TrialRecord]) -> str | None:
    """Say why two runs' trials of a variant cannot be compared; None if they can."""
    if not first or not second:
        return f"only the {'first' if first else 'second'} run has trials of it"
    if first[0].trial.variant != second[0].trial.variant:
        return "the runs use this name for different networks"
    if not share_seeds(first, second):
        return "the runs have no seed in common; use the same --seeds"
    return None


def _compare_variant(
    key: Key,
    scored: tuple[list[TrialRecord], list[TrialRecord]],
    trials: tuple[RunTrials, RunTrials],
) -> tuple[VariantComparison, str | None]:
    seeds = share_seeds(*scored)
    # The accuracy that counts is that after the last epoch, however many there were.
    finals = [
        run.tabulate(of_run, seeds).accuracy[:, -1:]
        for run, of_run in zip(trials, scored, strict=True)
    ]
    improvement = stats.estimate_improvement(finals[0][:, 0], finals[1][:, 0], make_generator())
    ratio, engine, refusal = _compare_times(scored, trials, key)
    comparison = VariantComparison(
        *key,
        num_pairs=len(seeds),
        first=_estimate_mean(finals[0]),
        second=_estimate_mean(finals[1]),
        difference=stats.compare_pairs(finals[0], finals[1], make_generator())[0],
        decision=stats.decide_improvement(improvement.probability),
        time_ratio=ratio,
        time_engine=engine,
    )
    return comparison, refusal


def _compare_times(
    scored: tuple[list[TrialRecord], list[TrialRecord]],
    trials: tuple[RunTrials, RunTrials],
    key: Key,
) -> tuple[stats.Estimate | None, str | None, str | None]:
    """Compare the times of trials that the reference engine ran one at a time."""
    timed = []
    for of_score, run in zip(scored, trials, strict=True):
        alone = run.select("time", *key) or of_score
        timed.append([r for r in alone if r.trial.engine == "reference" and r.epochs])
    sizes = {record.trial.recipe.batch_size for of_run in timed for record in of_run}
    seeds = share_seeds(*timed)
    if len(sizes) > 1:
        return None, None, "the runs have different batch sizes, so their epochs are different work"
    if not seeds:
        return None, None, "the runs share no seed whose trials were timed one at a time"
    num_epochs = min(len(record.epochs) for of_run in timed for record in of_run)
    baseline, candidate = (
        run.tabulate(of_run, seeds).train_seconds[:, :num_epochs]
        for run, of_run in zip(trials, timed, strict=True)
    )
    return (
        stats.compare_epoch_time(baseline, candidate, make_generator()).ratio,
        "reference",
        None,
    )


def _list_conditions(first: RunStore, second: RunStore) -> tuple[str, ...]:
    """What differs between the runs besides the seeds."""
    conditions = first.environment.list_differences(second.environment)
    for name, value in vars(first.study.recipe).items():
        other = getattr(second.study.recipe, name)
        if value != other:
            conditions.append(f"{name} was {value}, is now {other}")
    for device, engine in first.engines.items():
        if second.engines.get(device, engine) != engine:
            conditions.append(
                f"the engine on {device} was {engine}, is now {second.engines[device]}"
            )
    if (first.study.tuning is None) != (second.study.tuning is None):
        tuned = "second" if first.study.tuning is None else "first"
        conditions.append(f"only the {tuned} run chose its learning rates")
    if first.environment.commit != second.environment.commit:
        conditions.append(
            f"the commit was {first.environment.commit or 'not known'}, is now "
            f"{second.environment.commit or 'not known'}"
        )
    return tuple(conditions)


def _estimate_mean(accuracy: Matrix) -> stats.Estimate:
    return stats.estimate_means(accuracy, make_generator(), bounds=(0.0, 1.0))[0]
