"""From a run's records to everything its report says, as plain numbers.

What is here is a function of the run folder alone: the bootstrap's generator is fixed, so that
the same folder gives the same summary to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.records import DataRecord, EnvironmentRecord, TrialRecord
from bnbench.reporting.sections.models import ModelsSummary, summarize_models
from bnbench.reporting.sections.nodes import (
    NodeSummary,
    TimedNode,
    keep_times_of_one_node,
    summarize_nodes,
)
from bnbench.specs import StudySpec, VariantSpec
from bnbench.store import RunStore
from bnbench.tables import TrialTable, tabulate_trials, tabulate_tuning

BOOTSTRAP_SEED = 20_260_101
"""Any number, but always the same one."""


@dataclass(frozen=True)
class FailureSummary:
    """A trial that failed."""

    purpose: str
    variant: str
    device: str
    seed: int
    learning_rate: float
    num_epochs: int
    """Epochs it finished."""
    reason: str


@dataclass(frozen=True)
class VariantSummary:
    """The scored trials of one variant on one device."""

    variant: str
    device: str
    engine: str
    learning_rate: float
    num_trials: int
    num_failed: int
    curve: tuple[stats.EpochSummary, ...]
    """Test accuracy by epoch over the trials that got there."""
    convergence: stats.Convergence | None
    """Time to the target accuracy; None where there is no target."""


@dataclass(frozen=True)
class SensitivitySummary:
    """Validation accuracy of one variant on one device by learning rate."""

    variant: str
    device: str
    result: stats.RateSensitivity


@dataclass(frozen=True)
class TimeContrast:
    """Time per epoch of two variants, trained one trial at a time, in alternation."""

    device: str
    engine: str
    baseline: str
    candidate: str
    result: stats.EpochTimeComparison


@dataclass(frozen=True)
class ContrastSummary:
    """A variant (the candidate) held against the study's first one (the baseline), by seed."""

    baseline: str
    candidate: str
    device: str
    engine: str
    num_pairs: int
    differences: tuple[stats.Estimate, ...]
    """Accuracy, candidate minus baseline, by epoch."""
    pairing: stats.Pairing
    improvement: stats.Improvement
    decision: stats.Decision
    speed_up: stats.SpeedUp | None
    """To the target accuracy; None where there is no target."""


@dataclass(frozen=True)
class RunSummary:
    """What a run's report says."""

    study: StudySpec
    data: DataRecord
    environment: EnvironmentRecord
    nodes: tuple[NodeSummary, ...]
    """Where trials ran, if not in the process of the study."""
    timed_nodes: tuple[TimedNode, ...]
    """Whose times are reported, where trials ran on several nodes."""
    num_pending: int
    """Trials of the study that are not on record: an interrupted run."""
    failures: tuple[FailureSummary, ...]
    targets: dict[str, float | None]
    """The accuracy whose arrival is timed, on each device."""
    variants: tuple[VariantSummary, ...]
    sensitivities: tuple[SensitivitySummary, ...]
    contrasts: tuple[ContrastSummary, ...]
    times: tuple[TimeContrast, ...]
    models: ModelsSummary

    @property
    def is_tuned(self) -> bool:
        """Whether each variant was trained at a learning rate chosen for it."""
        return self.study.tuning is not None


def summarize_run(store: RunStore) -> RunSummary:
    """Compute everything that the report of a run says."""
    records, timed_nodes = keep_times_of_one_node(store.read_trials())
    study = store.study
    targets = {device: _choose_target(study, records, device) for device in study.devices}
    scored = {
        (variant.name, device): _select(records, "score", variant.name, device)
        for device in study.devices
        for variant in study.variants
    }
    steps_per_epoch = math.ceil(store.data.num_train_images / study.recipe.batch_size)
    pairs = [
        (study.variants[0], candidate, device)
        for device in study.devices
        for candidate in study.variants[1:]
    ]
    return RunSummary(
        study=study,
        data=store.data,
        environment=store.environment,
        nodes=summarize_nodes(records, store.read_nodes()),
        timed_nodes=tuple(each for each in timed_nodes if each.num_left_out),
        num_pending=_count_pending(store, records),
        failures=tuple(_summarize_failure(record) for record in records if record.reason),
        targets=targets,
        variants=tuple(
            _summarize_variant(of_variant, targets[device], steps_per_epoch)
            for (_, device), of_variant in scored.items()
            if of_variant
        ),
        sensitivities=_summarize_sensitivities(study, records),
        contrasts=tuple(
            contrast
            for baseline, candidate, device in pairs
            if (
                contrast := _summarize_contrast(
                    scored[baseline.name, device],
                    scored[candidate.name, device],
                    study,
                    targets[device],
                    steps_per_epoch,
                )
            )
        ),
        times=tuple(
            time
            for baseline, candidate, device in pairs
            for time in _summarize_times(records, baseline, candidate, device)
        ),
        models=summarize_models(store.read_verification(), store.read_certificates()),
    )


def _select(
    records: Sequence[TrialRecord],
    purpose: str,
    variant: str,
    device: str,
    engine: str | None = None,
) -> list[TrialRecord]:
    return [
        record
        for record in records
        if record.trial.purpose == purpose
        and record.trial.variant.name == variant
        and record.trial.device == device
        and engine in (None, record.trial.engine)
    ]


def _count_pending(store: RunStore, records: Sequence[TrialRecord]) -> int:
    study, engines = store.study, store.engines
    num_scored = len(study.seeds) * len(study.variants) * len(study.devices)
    untrainable = sum(
        len(study.seeds)
        for device in study.devices
        for variant in study.variants
        if study.tuning is not None
        and len(tuning := _select(records, "tune", variant.name, device))
        == len(study.tuning.seeds) * len(study.tuning.learning_rates)
        and all(record.status == "failed" for record in tuning)
    )
    num_planned = (
        len(study.list_tuning_trials(engines))
        + (num_scored - untrainable)
        + len(study.list_timed_trials(engines))
    )
    return num_planned - len(records)


def _summarize_failure(record: TrialRecord) -> FailureSummary:
    trial = record.trial
    return FailureSummary(
        purpose=trial.purpose,
        variant=trial.variant.name,
        device=trial.device,
        seed=trial.seed,
        learning_rate=trial.recipe.learning_rate,
        num_epochs=len(record.epochs),
        reason=record.reason or "",
    )


def _choose_target(study: StudySpec, records: Sequence[TrialRecord], device: str) -> float | None:
    """The study's target, or the level that half of the first variant's trials reach."""
    if study.target_accuracy is not None:
        return study.target_accuracy
    of_baseline = _select(records, "score", study.variants[0].name, device)
    if not of_baseline:
        return None
    return stats.choose_target(_tabulate(of_baseline).accuracy)


def _summarize_variant(
    records: list[TrialRecord],
    target: float | None,
    steps_per_epoch: int,
) -> VariantSummary:
    trial = records[0].trial
    table = _tabulate(records)
    is_timed = not np.isnan(table.train_seconds).all()
    return VariantSummary(
        variant=trial.variant.name,
        device=trial.device,
        engine=trial.engine,
        learning_rate=trial.recipe.learning_rate,
        num_trials=len(records),
        num_failed=sum(record.status == "failed" for record in records),
        curve=stats.summarize_curve(table.accuracy, _make_generator()),
        convergence=stats.summarize_convergence(
            table.accuracy, table.train_seconds, target, steps_per_epoch
        )
        if target is not None and is_timed
        else None,
    )


def _summarize_sensitivities(
    study: StudySpec, records: Sequence[TrialRecord]
) -> tuple[SensitivitySummary, ...]:
    if study.tuning is None:
        return ()
    rates = np.array(study.tuning.learning_rates)
    num_trials = len(study.tuning.learning_rates) * len(study.tuning.seeds)
    return tuple(
        SensitivitySummary(
            variant.name,
            device,
            stats.summarize_sensitivity(
                rates, tabulate_tuning(study, records, variant.name, device), _make_generator()
            ),
        )
        for device in study.devices
        for variant in study.variants
        # A rate that was not tried yet must not look like one that diverged.
        if len(_select(records, "tune", variant.name, device)) == num_trials
    )


def _summarize_contrast(
    of_baseline: list[TrialRecord],
    of_candidate: list[TrialRecord],
    study: StudySpec,
    target: float | None,
    steps_per_epoch: int,
) -> ContrastSummary | None:
    """Compare the seeds of which both trials are on record; None where there are none."""
    both = {record.trial.seed for record in of_baseline} & {
        record.trial.seed for record in of_candidate
    }
    seeds = [seed for seed in study.seeds if seed in both]
    if not seeds:
        return None
    baseline = tabulate_trials(of_baseline, seeds, study.recipe.epochs)
    candidate = tabulate_trials(of_candidate, seeds, study.recipe.epochs)
    finals = baseline.accuracy[:, -1], candidate.accuracy[:, -1]
    improvement = stats.estimate_improvement(*finals, _make_generator())
    # Times of different nodes are not mixed: a speed-up is that of the seeds timed on one.
    timed = ~(baseline.was_timed_elsewhere | candidate.was_timed_elsewhere)
    are_timed = not any(
        np.isnan(table.train_seconds[timed]).all() for table in (baseline, candidate)
    )
    return ContrastSummary(
        baseline=of_baseline[0].trial.variant.name,
        candidate=of_candidate[0].trial.variant.name,
        device=of_baseline[0].trial.device,
        engine=of_baseline[0].trial.engine,
        num_pairs=len(seeds),
        differences=stats.compare_pairs(baseline.accuracy, candidate.accuracy, _make_generator()),
        pairing=stats.summarize_pairing(*finals),
        improvement=improvement,
        decision=stats.decide_improvement(improvement.probability),
        speed_up=stats.estimate_speed_up(
            baseline.accuracy[timed],
            candidate.accuracy[timed],
            baseline.train_seconds[timed],
            candidate.train_seconds[timed],
            _make_generator(),
            target_accuracy=target,
            baseline_steps_per_epoch=steps_per_epoch,
            candidate_steps_per_epoch=steps_per_epoch,
        )
        if target is not None and are_timed
        else None,
    )


def _summarize_times(
    records: Sequence[TrialRecord], baseline: VariantSpec, candidate: VariantSpec, device: str
) -> list[TimeContrast]:
    """Compare time per epoch for each engine that trained one trial at a time."""
    contrasts = []
    for purpose, engine in (("time", "reference"), ("time", "native"), ("score", "reference")):
        of_baseline = _select(records, purpose, baseline.name, device, engine)
        of_candidate = _select(records, purpose, candidate.name, device, engine)
        seeds = sorted(
            {record.trial.seed for record in of_baseline if record.epochs}
            & {record.trial.seed for record in of_candidate if record.epochs}
        )
        if not seeds:
            continue
        num_epochs = of_baseline[0].trial.recipe.epochs
        contrasts.append(
            TimeContrast(
                device,
                engine,
                baseline.name,
                candidate.name,
                stats.compare_epoch_time(
                    tabulate_trials(of_baseline, seeds, num_epochs).train_seconds,
                    tabulate_trials(of_candidate, seeds, num_epochs).train_seconds,
                    _make_generator(),
                ),
            )
        )
    return contrasts


def _tabulate(records: list[TrialRecord]) -> TrialTable:
    return tabulate_trials(
        records, [record.trial.seed for record in records], records[0].trial.recipe.epochs
    )


def _make_generator() -> np.random.Generator:
    """A fresh generator for each statistic, so that none depends on what else is reported."""
    return np.random.default_rng(BOOTSTRAP_SEED)
