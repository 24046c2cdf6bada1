"""Comparison of two runs, variant by variant, with the statistics of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnbench import stats
from bnbench.errors import RunError
from bnbench.records import TrialRecord
from bnbench.reporting.content import Table
from bnbench.reporting.run_differences import (
    count_identical_trials,
    list_conditions,
    outline_trial,
)
from bnbench.reporting.trials import RunTrials, make_generator, share_seeds
from bnbench.reporting.variant_map import VariantPair, pair_variants
from bnbench.reporting.wording import format_accuracy, format_number, format_points
from bnbench.specs import REFERENCE_ENGINE
from bnbench.store import RunStore

FORMAT_VERSION = 1
"""Of the comparison as JSON."""


@dataclass(frozen=True)
class VariantComparison:
    """One variant on one device in both runs, over the seeds that both have."""

    variants: VariantPair
    device: str
    num_pairs: int
    num_identical: int
    """Pairs of trials whose outcomes, losses and accuracies are the same, bit for bit."""
    first: stats.Estimate
    """Mean final accuracy in the first run."""
    second: stats.Estimate
    """Mean final accuracy in the second run."""
    difference: stats.Estimate
    """Second minus first, seed by seed."""
    decision: stats.Decision
    time_ratio: stats.Estimate | None
    """Seconds per epoch of the reference engine, second over first; None if not comparable."""

    @property
    def is_identical(self) -> bool:
        """Whether every pair of trials is identical."""
        return self.num_identical == self.num_pairs


@dataclass(frozen=True)
class RunComparison:
    """How the second run differs from the first."""

    conditions: tuple[str, ...]
    """What differs between the runs."""
    variants: tuple[VariantComparison, ...]
    refusals: tuple[str, ...]
    """What could not be compared, and why."""
    num_identical_trials: int | None
    """Trials of each run if all of them, of every purpose, are identical; None if they are not."""


def compare_runs(
    first: RunStore, second: RunStore, variant_map: Mapping[str, str] | None = None
) -> RunComparison:
    """Compare the final accuracy and the time per epoch of two runs, the first one as baseline.

    Args:
        first: the baseline.
        second: the run that is judged.
        variant_map: a variant's name in the first run to its name in the second, where they
            differ; the networks of mapped variants may differ.

    Raises:
        RunError: they have nothing that can be compared.
        SpecError: `variant_map` has a name that its run lacks, or one twice.
    """
    if not first.data.is_same(second.data):
        raise RunError(
            f"expected runs on the same data, got {first.data.name} with "
            f"{first.data.num_train_images:,} training images and {second.data.name} with "
            f"{second.data.num_train_images:,}; their accuracies are not comparable"
        )
    runs = [RunTrials(s.study, s.data, tuple(s.read_trials())) for s in (first, second)]
    names, other_names = ([v.name for v in run.study.variants] for run in runs)
    pairs = pair_variants(names, other_names, variant_map or {})
    comparisons, refusals = [], []
    for variants, device in _list_scored(runs, pairs):
        try:
            compared, why = _compare_variant(runs, variants, device)
        except _NotComparableError as refused:
            refusals.append(f"{variants.label} on {device}: {refused}")
            continue
        comparisons.append(compared)
        if why is not None:
            refusals.append(f"time of {variants.label} on {device}: {why}")
    if not comparisons:
        raise RunError(
            "expected a variant that both runs trained from the same seeds, got none: "
            + "; ".join(refusals or ["neither has a scored trial"])
        )
    return RunComparison(
        list_conditions(first, second, pairs),
        tuple(comparisons),
        tuple(refusals),
        count_identical_trials(runs, pairs),
    )


def tabulate_comparison(comparison: RunComparison) -> Table:
    """The comparison as a table of texts."""
    return Table.from_rows(
        {
            "variant": found.variants.label,
            "device": found.device,
            "pairs": f"{found.num_pairs}, {found.num_identical} of them identical bit for bit",
            "accuracy in the first run": format_accuracy(found.first),
            "accuracy in the second run": format_accuracy(found.second),
            "difference": "none" if found.is_identical else format_points(found.difference),
            "probability that the second wins": format_number(found.decision.probability),
            "verdict on the second": "identical"
            if found.is_identical
            else str(found.decision.outcome),
            "ratio of time per epoch": "not compared"
            if found.time_ratio is None
            else f"{format_number(found.time_ratio)} ({REFERENCE_ENGINE})",
        }
        for found in comparison.variants
    )


def make_comparison_json(comparison: RunComparison, first: str, second: str) -> dict[str, Any]:
    """The comparison as plain JSON; `first` and `second` name the runs."""
    content = dataclasses.asdict(comparison)
    for found, plain in zip(comparison.variants, content["variants"], strict=True):
        plain["is_identical"] = found.is_identical
    return {"format_version": FORMAT_VERSION, "first": first, "second": second, **content}


class _NotComparableError(Exception):
    """Two runs, or their times, cannot be compared, for the reason given."""


def _list_scored(
    runs: Sequence[RunTrials], pairs: Sequence[VariantPair]
) -> list[tuple[VariantPair, str]]:
    """List the variants and devices that at least one run scored."""
    devices = dict.fromkeys(device for run in runs for device in run.study.devices)
    scored = [
        {(r.trial.variant.name, r.trial.device) for r in run.records if r.trial.purpose == "score"}
        for run in runs
    ]
    return [
        (pair, device)
        for pair in pairs
        for device in devices
        if (pair.first, device) in scored[0] or (pair.second, device) in scored[1]
    ]


def _compare_variant(
    runs: Sequence[RunTrials], variants: VariantPair, device: str
) -> tuple[VariantComparison, str | None]:
    """Compare a variant on a device, and say why its times are not compared if they are not."""
    scored = _select(runs, "score", variants, device)
    seeds = _share_scored(scored, variants)
    time_ratio, why = None, None
    try:
        time_ratio = _compare_times(runs, scored, variants, device)
    except _NotComparableError as refused:
        why = str(refused)
    # The accuracy that counts is that after the last epoch, however many there were.
    finals = [
        run.tabulate(of_run, seeds).accuracy[:, -1:]
        for run, of_run in zip(runs, scored, strict=True)
    ]
    means = [stats.estimate_means(a, make_generator(), bounds=(0.0, 1.0))[0] for a in finals]
    improvement = stats.estimate_improvement(finals[0][:, 0], finals[1][:, 0], make_generator())
    outcomes = [{r.trial.seed: outline_trial(r) for r in of_run} for of_run in scored]
    compared = VariantComparison(
        variants,
        device,
        num_pairs=len(seeds),
        num_identical=sum(outcomes[0][seed] == outcomes[1][seed] for seed in seeds),
        first=means[0],
        second=means[1],
        difference=stats.compare_pairs(finals[0], finals[1], make_generator())[0],
        decision=stats.decide_improvement(improvement.probability),
        time_ratio=time_ratio,
    )
    return compared, why


def _select(
    runs: Sequence[RunTrials], purpose: str, variants: VariantPair, device: str
) -> list[list[TrialRecord]]:
    """Each run's trials of a variant, by its name in that run."""
    names = (variants.first, variants.second)
    return [
        [] if name is None else run.select(purpose, name, device)
        for run, name in zip(runs, names, strict=True)
    ]


def _share_scored(scored: list[list[TrialRecord]], variants: VariantPair) -> list[int]:
    """List the seeds that both runs scored a variant with."""
    first, second = scored
    if not first or not second:
        raise _NotComparableError(f"only the {'first' if first else 'second'} run has trials of it")
    if not variants.is_mapped and first[0].trial.variant != second[0].trial.variant:
        raise _NotComparableError(
            "the runs use this name for different networks; compare them all the same by "
            f"--map {variants.first}={variants.second}"
        )
    seeds = share_seeds(first, second)
    if not seeds:
        raise _NotComparableError("the runs have no seed in common; use the same --seeds")
    return seeds


def _compare_times(
    runs: Sequence[RunTrials], scored: list[list[TrialRecord]], variants: VariantPair, device: str
) -> stats.Estimate:
    """Compare the times of trials that the reference engine ran one at a time."""
    timed = [
        [r for r in of_run or of_scored if r.trial.engine == REFERENCE_ENGINE and r.epochs]
        for of_run, of_scored in zip(_select(runs, "time", variants, device), scored, strict=True)
    ]
    records = [record for of_run in timed for record in of_run]
    if len({record.trial.recipe.batch_size for record in records}) > 1:
        raise _NotComparableError(
            "the runs have different batch sizes, so their epochs are different work"
        )
    seeds = share_seeds(timed[0], timed[1])
    if not seeds:
        raise _NotComparableError("the runs share no seed whose trials were timed one at a time")
    num_epochs = min(len(record.epochs) for record in records)
    baseline, candidate = (
        run.tabulate(of_run, seeds).train_seconds[:, :num_epochs]
        for run, of_run in zip(runs, timed, strict=True)
    )
    return stats.compare_epoch_time(baseline, candidate, make_generator()).ratio
