"""Comparison of two runs, variant by variant, with the statistics of a report."""

from __future__ import annotations

from dataclasses import dataclass

from bnbench import stats
from bnbench.errors import RunError
from bnbench.records import TrialRecord
from bnbench.reporting.content import Table
from bnbench.reporting.trials import RunTrials, make_generator, share_seeds
from bnbench.reporting.wording import format_accuracy, format_number, format_points
from bnbench.specs import REFERENCE_ENGINE
from bnbench.store import RunStore


@dataclass(frozen=True)
class VariantComparison:
    """One variant on one device in both runs, over the seeds that both have."""

    variant: str
    device: str
    num_pairs: int
    first: stats.Estimate
    """Mean final accuracy in the first run."""
    second: stats.Estimate
    """Mean final accuracy in the second run."""
    difference: stats.Estimate
    """Second minus first, seed by seed."""
    decision: stats.Decision
    time_ratio: stats.Estimate | None
    """Seconds per epoch of the reference engine, second over first; None if not comparable."""


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
    runs = [RunTrials(s.study, s.data, tuple(s.read_trials())) for s in (first, second)]
    trials = [r.trial for run in runs for r in run.records if r.trial.purpose == "score"]
    comparisons, refusals = [], []
    for variant, device in dict.fromkeys((t.variant.name, t.device) for t in trials):
        scored = [run.select("score", variant, device) for run in runs]
        try:
            seeds = _share_scored(*scored)
        except _NotComparableError as why:
            refusals.append(f"{variant} on {device}: {why}")
            continue
        time_ratio = None
        try:
            time_ratio = _compare_times(runs, scored, variant, device)
        except _NotComparableError as why:
            refusals.append(f"time of {variant} on {device}: {why}")
        # The accuracy that counts is that after the last epoch, however many there were.
        finals = [
            run.tabulate(of_run, seeds).accuracy[:, -1:]
            for run, of_run in zip(runs, scored, strict=True)
        ]
        means = [stats.estimate_means(a, make_generator(), bounds=(0.0, 1.0))[0] for a in finals]
        improvement = stats.estimate_improvement(finals[0][:, 0], finals[1][:, 0], make_generator())
        comparisons.append(
            VariantComparison(
                variant,
                device,
                num_pairs=len(seeds),
                first=means[0],
                second=means[1],
                difference=stats.compare_pairs(finals[0], finals[1], make_generator())[0],
                decision=stats.decide_improvement(improvement.probability),
                time_ratio=time_ratio,
            )
        )
    if not comparisons:
        raise RunError(
            "expected a variant that both runs trained from the same seeds, got none: "
            + "; ".join(refusals or ["neither has a scored trial"])
        )
    return RunComparison(_list_conditions(first, second), tuple(comparisons), tuple(refusals))


def tabulate_comparison(comparison: RunComparison) -> Table:
    """The comparison as a table of texts."""
    return Table.from_rows(
        {
            "variant": found.variant,
            "device": found.device,
            "pairs": str(found.num_pairs),
            "accuracy in the first run": format_accuracy(found.first),
            "accuracy in the second run": format_accuracy(found.second),
            "difference": format_points(found.difference),
            "probability that the second wins": format_number(found.decision.probability),
            "verdict on the second": str(found.decision.outcome),
            "ratio of time per epoch": "not compared"
            if found.time_ratio is None
            else f"{format_number(found.time_ratio)} ({REFERENCE_ENGINE})",
        }
        for found in comparison.variants
    )


class _NotComparableError(Exception):
    """Two runs, or their times, cannot be compared, for the reason given."""


def _share_scored(first: list[TrialRecord], second: list[TrialRecord]) -> list[int]:
    """List the seeds that both runs scored a variant with."""
    if not first or not second:
        raise _NotComparableError(f"only the {'first' if first else 'second'} run has trials of it")
    if first[0].trial.variant != second[0].trial.variant:
        raise _NotComparableError("the runs use this name for different networks")
    seeds = share_seeds(first, second)
    if not seeds:
        raise _NotComparableError("the runs have no seed in common; use the same --seeds")
    return seeds


def _compare_times(
    runs: list[RunTrials], scored: list[list[TrialRecord]], variant: str, device: str
) -> stats.Estimate:
    """Compare the times of trials that the reference engine ran one at a time."""
    timed = [
        [
            record
            for record in run.select("time", variant, device) or of_run
            if record.trial.engine == REFERENCE_ENGINE and record.epochs
        ]
        for run, of_run in zip(runs, scored, strict=True)
    ]
    records = [record for of_run in timed for record in of_run]
    if len({record.trial.recipe.batch_size for record in records}) > 1:
        raise _NotComparableError(
            "the runs have different batch sizes, so their epochs are different work"
        )
    seeds = share_seeds(*timed)
    if not seeds:
        raise _NotComparableError("the runs share no seed whose trials were timed one at a time")
    num_epochs = min(len(record.epochs) for record in records)
    baseline, candidate = (
        run.tabulate(of_run, seeds).train_seconds[:, :num_epochs]
        for run, of_run in zip(runs, timed, strict=True)
    )
    return stats.compare_epoch_time(baseline, candidate, make_generator()).ratio


def _list_conditions(first: RunStore, second: RunStore) -> tuple[str, ...]:
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
    conditions = first.environment.list_differences(second.environment)
    conditions += [f"{name} was {was}, is now {now}" for name, was, now in pairs if was != now]
    if (first.study.tuning is None) != (second.study.tuning is None):
        tuned = "second" if first.study.tuning is None else "first"
        conditions.append(f"only the {tuned} run chose its learning rates")
    return tuple(conditions)
