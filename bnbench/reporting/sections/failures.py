"""Trials that failed, and trials of the study that are still missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnbench.records import ChosenRateRecord, TrialRecord
from bnbench.reporting.content import Section, Table
from bnbench.reporting.trials import RunTrials
from bnbench.reporting.wording import format_count
from bnbench.specs import EXPLORING, EngineName
from bnbench.tuning import list_tuning_trials


@dataclass(frozen=True)
class FailuresSummary:
    """What of the study gave no result."""

    num_pending: int
    """Trials of the study that are not on record; above 0 if the run was interrupted."""
    failed: tuple[TrialRecord, ...]


def summarize_failures(
    trials: RunTrials, engines: Mapping[str, EngineName], rates: Sequence[ChosenRateRecord] = ()
) -> FailuresSummary:
    """List the trials that failed and count those that are missing.

    A variant that no rate can train has no scored trials, so none of them is missing.
    """
    study = trials.study
    num_trainable = sum(
        not _is_untrainable(trials, variant.name, device)
        for device in study.devices
        for variant in study.variants
    )
    alternates = {(rate.variant, rate.device): rate.alternates for rate in rates}
    num_planned = (
        len(list_tuning_trials(study, engines, trials.records, trials.data.chance))
        + num_trainable * len(study.seeds)
        + len(study.list_alternate_trials(engines, alternates))
        + len(study.list_timed_trials(engines))
    )
    return FailuresSummary(
        num_pending=num_planned - len(trials.records),
        failed=tuple(record for record in trials.records if record.reason),
    )


def compose_failures(summary: FailuresSummary) -> Section | None:
    """The section of the report, or None where no trial but those of the tuning failed."""
    failed = [record for record in summary.failed if record.trial.purpose not in EXPLORING]
    if not failed:
        return None
    return Section(
        "Trials that failed",
        (
            f"{format_count(len(failed), 'trial')} failed. In the probabilities above a failed "
            "trial loses against every trial that finished. Mean accuracies leave it out.",
        ),
        table=Table.from_rows(
            (
                {
                    "variant": record.trial.variant.name,
                    "device": record.trial.device,
                    "reason": record.reason or "",
                    "seed": str(record.trial.seed),
                    "learning rate": f"{record.trial.recipe.learning_rate:.3g}",
                    "epochs": str(len(record.epochs)),
                }
                for record in failed
            ),
            qualifiers=("device",),
        ),
    )


def _is_untrainable(trials: RunTrials, variant: str, device: str) -> bool:
    """Whether all tuning trials of a variant are on record and failed."""
    tuning = trials.study.tuning
    if tuning is None:
        return False
    tried = trials.select("tune", variant, device)
    is_complete = len(tried) >= len(tuning.first_seeds) * len(tuning.learning_rates)
    return is_complete and all(record.status == "failed" for record in tried)
