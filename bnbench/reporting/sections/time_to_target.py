"""Convergence: how many steps and seconds a variant trains until it reaches the target accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_number, format_percent, name_variant
from bnbench.specs import StudySpec


@dataclass(frozen=True)
class ArrivalSummary:
    """When the scored trials of one variant on one device reach the target."""

    variant: str
    device: str
    num_trials: int
    convergence: stats.Convergence | None
    """None where no epoch was timed."""


@dataclass(frozen=True)
class SpeedUpSummary:
    """How much sooner a candidate reaches the target than the baseline."""

    baseline: str
    candidate: str
    device: str
    engine: str
    result: stats.SpeedUp


@dataclass(frozen=True)
class TargetsSummary:
    """The target accuracy on each device, and when it is reached."""

    targets: dict[str, float | None]
    """By device; None where no trial of the baseline gives a target."""
    steps_per_epoch: int
    arrivals: tuple[ArrivalSummary, ...]
    speed_ups: tuple[SpeedUpSummary, ...]


def summarize_time_to_target(trials: RunTrials) -> TargetsSummary:
    """Choose each device's target and time the arrival of every variant."""
    study = trials.study
    targets = {device: _choose_target(trials, device) for device in study.devices}
    arrivals = [
        _summarize_arrival(trials, records, target)
        for records in trials.scored
        if (target := targets[records[0].trial.device]) is not None
    ]
    speed_ups = [
        _summarize_speed_up(trials, *pair, target)
        for pair in trials.scored_pairs
        if (target := targets[pair[0][0].trial.device]) is not None
    ]
    return TargetsSummary(
        targets, trials.steps_per_epoch, tuple(arrivals), tuple(filter(None, speed_ups))
    )


def compose_time_to_target(summary: TargetsSummary, study: StudySpec) -> Section | None:
    """The section of the report, or None where no arrival was timed."""
    rows = [
        {
            "variant": arrival.variant,
            "device": arrival.device,
            "seconds of training": _format_median(found.train_seconds, 2),
            "steps": _format_median(found.steps, 0),
            "epochs": _format_median(found.epochs, 0),
            "arrived": f"{found.num_arrived}/{found.num_trials}",
        }
        for arrival in summary.arrivals
        if (found := arrival.convergence) is not None
    ]
    if not rows:
        return None
    origin = (
        "set by the study"
        if study.target_accuracy is not None
        else f"reached by half of the trials of {name_variant(study.variants[0].name)}"
    )
    targets = [
        f"On {device} the target is {format_percent(target)} test accuracy, {origin}."
        for device, target in summary.targets.items()
        if target is not None
    ]
    return Section(
        "Time to the target accuracy",
        (*targets, *(_analyze_speed_up(speed_up) for speed_up in summary.speed_ups)),
        figure="time_to_target",
        table=Table.from_rows(rows, details=("epochs",), qualifiers=("device",)),
        in_terminal=True,
    )


def _choose_target(trials: RunTrials, device: str) -> float | None:
    """The study's target, or the accuracy that half of the baseline's trials reach."""
    if trials.study.target_accuracy is not None:
        return trials.study.target_accuracy
    of_baseline = trials.select("score", trials.study.variants[0].name, device)
    if not of_baseline:
        return None
    return stats.choose_target(trials.tabulate(of_baseline).accuracy)


def _summarize_arrival(
    trials: RunTrials, records: list[TrialRecord], target: float
) -> ArrivalSummary:
    table = trials.tabulate(records)
    return ArrivalSummary(
        variant=records[0].trial.variant.name,
        device=records[0].trial.device,
        num_trials=len(records),
        convergence=None
        if np.isnan(table.train_seconds).all()
        else stats.summarize_convergence(
            table.accuracy, table.train_seconds, target, trials.steps_per_epoch
        ),
    )


def _summarize_speed_up(
    trials: RunTrials,
    of_baseline: list[TrialRecord],
    of_candidate: list[TrialRecord],
    seeds: list[int],
    target: float,
) -> SpeedUpSummary | None:
    """Compare the seeds that were timed on one node; None where there are none."""
    baseline = trials.tabulate(of_baseline, seeds)
    candidate = trials.tabulate(of_candidate, seeds)
    kept = ~(baseline.is_masked | candidate.is_masked)
    if any(np.isnan(table.train_seconds[kept]).all() for table in (baseline, candidate)):
        return None
    trial = of_baseline[0].trial
    return SpeedUpSummary(
        baseline=trial.variant.name,
        candidate=of_candidate[0].trial.variant.name,
        device=trial.device,
        engine=trial.engine,
        result=stats.estimate_speed_up(
            baseline.accuracy[kept],
            candidate.accuracy[kept],
            baseline.train_seconds[kept],
            candidate.train_seconds[kept],
            make_generator(),
            target_accuracy=target,
            baseline_steps_per_epoch=trials.steps_per_epoch,
            candidate_steps_per_epoch=trials.steps_per_epoch,
        ),
    )


def _format_median(median: stats.Estimate, digits: int) -> str:
    return format_number(median, digits) if median.value else "not by half"


def _analyze_speed_up(speed_up: SpeedUpSummary) -> str:
    found = speed_up.result
    candidate, baseline = name_variant(speed_up.candidate), name_variant(speed_up.baseline)
    if found.fewer_steps.value is None:
        return (
            f"On {speed_up.device}, {candidate} and {baseline} can't be compared: fewer than half "
            "of the trials of one of them reach the target."
        )
    return (
        f"On {speed_up.device}, {candidate} needs {format_number(found.fewer_steps)} times fewer "
        f"steps than {baseline}. Each step takes {format_number(found.costlier_steps)} times as "
        f"long. So {candidate} reaches the target {format_number(found.speed_up)} times as fast "
        f"in seconds of the {speed_up.engine} engine. Accuracy is measured at the end of each "
        "epoch, so an arrival within an epoch is seen at its end."
    )
