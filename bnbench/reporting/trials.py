"""The trials of a run as its report reads them: selected and laid out, never altered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bnbench.records import DataRecord, TrialRecord
from bnbench.specs import StudySpec, VariantSpec
from bnbench.tables import Group, TrialTable, choose_timed_nodes, find_group, tabulate_trials

BOOTSTRAP_SEED = 20_260_101
"""Any number, but always the same, so that a run folder always gives the same report."""


@dataclass(frozen=True)
class RunTrials:
    """What a run trained, in the order of its study."""

    study: StudySpec
    data: DataRecord
    records: tuple[TrialRecord, ...]

    @cached_property
    def timed_nodes(self) -> dict[Group, str]:
        """The node whose seconds count, by group of trials."""
        return choose_timed_nodes(self.records)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch, the last batch of fewer images included."""
        return math.ceil(self.data.num_train_images / self.study.recipe.batch_size)

    @property
    def contrasts(self) -> list[tuple[VariantSpec, VariantSpec, str]]:
        """The baseline, each candidate and each device: what the study compares."""
        return [
            (self.study.variants[0], candidate, device)
            for device in self.study.devices
            for candidate in self.study.variants[1:]
        ]

    def select(
        self, purpose: str, variant: str, device: str, engine: str | None = None
    ) -> list[TrialRecord]:
        """Select trials by purpose, variant and device, and by engine if one is given."""
        return [
            record
            for record in self.records
            if record.trial.purpose == purpose
            and record.trial.variant.name == variant
            and record.trial.device == device
            and engine in (None, record.trial.engine)
        ]

    def is_timed(self, record: TrialRecord) -> bool:
        """Whether a trial ran on the node whose seconds count."""
        return record.node == self.timed_nodes[find_group(record)]

    def tabulate(
        self, records: Sequence[TrialRecord], seeds: Sequence[int] | None = None
    ) -> TrialTable:
        """Lay out trials of one variant, device and engine; all of their seeds by default."""
        return tabulate_trials(
            records,
            [record.trial.seed for record in records] if seeds is None else seeds,
            records[0].trial.recipe.epochs,
            self.timed_nodes,
        )


def make_generator() -> np.random.Generator:
    """A fresh generator for each statistic, so that none depends on what else is reported."""
    return np.random.default_rng(BOOTSTRAP_SEED)
