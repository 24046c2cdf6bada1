"""Training and test loss of each variant by epoch, over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnbench import stats
from bnbench.records import TrialRecord
from bnbench.reporting.content import Section
from bnbench.reporting.trials import RunTrials, make_generator
from bnbench.reporting.wording import format_interval, name_variant, start_sentence
from bnbench.stats import Estimate

TITLE = "Loss by epoch"


@dataclass(frozen=True)
class LossSummary:
    """The mean cross-entropy of one variant on one device, by epoch."""

    variant: str
    device: str
    train: tuple[Estimate, ...]
    """Over the training images while training, so before the epoch's last steps."""
    test: tuple[Estimate, ...]
    """Over the test images after the epoch."""


def summarize_losses(trials: RunTrials) -> tuple[LossSummary, ...]:
    """Summarize the losses of the scored trials that finished an epoch."""
    return tuple(
        LossSummary(
            records[0].trial.variant.name,
            records[0].trial.device,
            _estimate(records, "train_loss"),
            _estimate(records, "test_loss"),
        )
        for records in trials.scored
        if any(record.epochs for record in records)
    )


def compose_losses(losses: tuple[LossSummary, ...]) -> Section | None:
    """The section of the report, or None if no scored trial finished an epoch."""
    if not losses:
        return None
    device = losses[0].device
    sentences = [
        start_sentence(
            f"{name_variant(loss.variant)} ends at a training loss of {_say(loss.train[-1])} "
            f"and a test loss of {_say(loss.test[-1])}."
        )
        for loss in losses
        if loss.device == device
    ]
    meaning = (
        "Training loss is measured while the weights still change, test loss after the epoch. "
        "So training loss may lie above test loss, most of all in the first epoch."
    )
    return Section(TITLE, (" ".join(sentences), meaning), figure="losses")


def _estimate(records: list[TrialRecord], name: str) -> tuple[Estimate, ...]:
    values = np.full((len(records), records[0].trial.recipe.epochs), np.nan)
    for row, record in enumerate(records):
        values[row, : len(record.epochs)] = [getattr(epoch, name) for epoch in record.epochs]
    return stats.estimate_means(values, make_generator(), bounds=(0.0, np.inf))


def _say(estimate: Estimate) -> str:
    if estimate.value is None:
        return "unknown size"
    return f"{estimate.value:.3f}{format_interval(estimate, 1.0, '.3f')}"
