"""Trials that failed, and trials of the study that are still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_count
from bnbench.specs import EngineName


@dataclass(frozen=True)
class FailedTrial:
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
class FailuresSummary:
    """What of the study gave no result."""

    num_pending: int
    """Trials of the study that are not on record; above 0 if the run was interrupted."""
    failed: tuple[FailedTrial, ...]


def summarize_failures(trials: RunTrials, engines: Mapping[str, EngineName]) -> FailuresSummary:
    """List the trials that failed and count those that are missing."""
    return FailuresSummary(
        num_pending=_count_planned(trials, dict(engines)) - len(trials.records),
        failed=tuple(
            FailedTrial(
                purpose=record.trial.purpose,
                variant=record.trial.variant.name,
                device=record.trial.device,
                seed=record.trial.seed,
                learning_rate=record.trial.recipe.learning_rate,
                num_epochs=len(record.epochs),
                reason=record.reason,
            )
            for record in trials.records
            if record.reason
        ),
    )


def compose_failures(summary: FailuresSummary) -> Section | None:
    """The section of the report, or None where no trial but those of the tuning failed."""
    failed = [trial for trial in summary.failed if trial.purpose != "tune"]
    if not failed:
        return None
    return Section(
        "Trials that failed",
        (
            f"{format_count(len(failed), 'trial')} failed. In the probabilities above a failed "
            "trial loses against every trial that finished. Mean accuracies leave it out.",
        ),
        table=Table(
            ("variant", "device", "seed", "learning rate", "epochs", "reason"),
            tuple(
                (
                    trial.variant,
                    trial.device,
                    str(trial.seed),
                    f"{trial.learning_rate:.3g}",
                    str(trial.num_epochs),
                    trial.reason,
                )
                for trial in failed
            ),
        ),
    )


def _count_planned(trials: RunTrials, engines: dict[str, EngineName]) -> int:
    """Count the study's trials, without scored trials of variants that no rate can train."""
    study = trials.study
    num_trainable = sum(
        not _is_untrainable(trials, variant.name, device)
        for device in study.devices
        for variant in study.variants
    )
    return (
        len(study.list_tuning_trials(engines))
        + num_trainable * len(study.seeds)
        + len(study.list_timed_trials(engines))
    )


def _is_untrainable(trials: RunTrials, variant: str, device: str) -> bool:
    """Whether all tuning trials of a variant are on record and failed."""
    tuning = trials.study.tuning
    if tuning is None:
        return False
    records = trials.select("tune", variant, device)
    return len(records) == len(tuning.seeds) * len(tuning.learning_rates) and all(
        record.status == "failed" for record in records
    )
