"""Everything that a run's report says, as plain numbers: one field per section.

A summary depends on the run folder alone: the same folder gives the same digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnbench.inspection import InspectionRecord, read_inspection
from bnbench.record_tables import read_verification
from bnbench.records import DataRecord, EnvironmentRecord, TrialRecord
from bnbench.reporting.sections.accuracy import AccuracySummary, summarize_accuracy
from bnbench.reporting.sections.epoch_time import TimeContrast, summarize_epoch_time
from bnbench.reporting.sections.failures import FailuresSummary, summarize_failures
from bnbench.reporting.sections.losses import LossSummary, summarize_losses
from bnbench.reporting.sections.mistakes import ClassesSummary, summarize_mistakes
from bnbench.reporting.sections.models import ModelsSummary, summarize_models
from bnbench.reporting.sections.nodes import NodesSummary, summarize_nodes
from bnbench.reporting.sections.ranking import RankingSummary, summarize_ranking
from bnbench.reporting.sections.rates import SensitivitySummary, summarize_rates
from bnbench.reporting.sections.spread import SpreadSummary, summarize_spread
from bnbench.reporting.sections.time_to_target import TargetsSummary, summarize_time_to_target
from bnbench.reporting.sections.training import TrainingSummary, summarize_training
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from bnbench.tuning import find_rates


@dataclass(frozen=True)
class RunSummary:
    """What a run's report says."""

    study: StudySpec
    data: DataRecord
    environment: EnvironmentRecord
    accuracy: AccuracySummary
    spread: tuple[SpreadSummary, ...]
    """Empty for one variant, or for fewer than 5 seeds."""
    rates: tuple[SensitivitySummary, ...]
    time_to_target: TargetsSummary
    epoch_time: tuple[TimeContrast, ...]
    models: ModelsSummary
    failures: FailuresSummary
    nodes: NodesSummary
    training: tuple[TrainingSummary, ...]
    """Empty in runs of versions that did not record the optimizer."""
    ranking: tuple[RankingSummary, ...]
    """One per device; empty for two variants or fewer."""
    losses: tuple[LossSummary, ...]
    mistakes: tuple[ClassesSummary, ...]
    inspection: InspectionRecord | None
    """What the trained networks were inspected for; None in runs that were not."""
    num_parameters: dict[str, int]
    """Trainable parameters of each variant's network; empty in runs that have no record of them."""


def summarize_run(store: RunStore, records: Sequence[TrialRecord]) -> RunSummary:
    """Compute everything that the report of a run says.

    Args:
        store: the run: its study, data, environment, nodes and verdicts on its models.
        records: all of its trials.
    """
    trials = RunTrials(store.study, store.data, tuple(records))
    certificates, verifications = read_verification(store.folder)
    rates = find_rates(store, records)
    inspection = read_inspection(store.folder)
    accuracy = summarize_accuracy(trials, rates)
    return RunSummary(
        study=store.study,
        data=store.data,
        environment=store.environment,
        accuracy=accuracy,
        spread=summarize_spread(trials),
        rates=summarize_rates(trials),
        time_to_target=summarize_time_to_target(trials),
        epoch_time=summarize_epoch_time(trials),
        models=summarize_models(verifications, certificates),
        failures=summarize_failures(trials, store.engines, rates),
        nodes=summarize_nodes(trials, store.read_nodes()),
        training=summarize_training(trials),
        ranking=summarize_ranking(trials, accuracy),
        losses=summarize_losses(trials),
        mistakes=summarize_mistakes(inspection),
        inspection=inspection,
        num_parameters=store.num_parameters,
    )
