"""The trials of a run as its report reads them: selected and laid out, never altered.

Seconds that were measured on different nodes are not comparable. Of each group of trials, only
one node's seconds are shown; the others are masked here, and the records stay as measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bnbench import stats
from bnbench.records import DataRecord, TrialRecord
from bnbench.specs import StudySpec, VariantSpec
from bnbench.tables import Matrix

Group = tuple[str, str, str]
"""Purpose, device and engine: what trials must share before their seconds are compared."""
BOOTSTRAP_SEED = 20_260_101
"""Any number, but always the same, so that a run folder always gives the same report."""


@dataclass(frozen=True, eq=False)
class TrialTable:
    """The trials of one variant on one device, trained by one engine for one purpose."""

    accuracy: Matrix
    """Shape (num_seeds, num_epochs), fractions; NaN from the epoch on in which a trial failed."""
    train_seconds: Matrix
    """Same shape, seconds of training per epoch; NaN as above and for masked trials."""
    is_masked: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """Shape (num_seeds,), trials that ran on another node than the one whose times count."""


@dataclass(frozen=True)
class RunTrials:
    """What a run trained, in the order of its study."""

    study: StudySpec
    data: DataRecord
    records: tuple[TrialRecord, ...]
    num_studies: int = 1
    """Studies whose contrasts are read together, this one included."""

    @cached_property
    def timed_nodes(self) -> dict[Group, str]:
        """The node that ran most trials of each group, whose seconds count; ties by name."""
        counts: dict[Group, Counter[str]] = {}
        for record in self.records:
            counts.setdefault(find_group(record), Counter())[record.node] += 1
        return {
            group: min(of_group, key=lambda node: (-of_group[node], node))
            for group, of_group in counts.items()
        }

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch of the study's recipe."""
        return self.study.recipe.count_steps(self.data.num_train_images)

    @property
    def contrasts(self) -> list[tuple[VariantSpec, VariantSpec, str]]:
        """The baseline, each candidate and each device: what the study compares."""
        return [
            (self.study.variants[0], candidate, device)
            for device in self.study.devices
            for candidate in self.study.variants[1:]
        ]

    @property
    def confidence(self) -> float:
        """The level of each contrast's intervals, so that those of all contrasts hold together."""
        if len(self.study.variants) < 2:
            return stats.DEFAULT_CONFIDENCE
        count = stats.count_contrasts(len(self.study.variants), len(self.study.devices))
        return stats.correct_confidence(self.num_studies * count)

    @property
    def scored(self) -> list[list[TrialRecord]]:
        """The scored trials of each variant on each device, where there are any."""
        variants = [(v.name, device) for device in self.study.devices for v in self.study.variants]
        return [found for key in variants if (found := self.select("score", *key))]

    @property
    def scored_pairs(self) -> list[tuple[list[TrialRecord], list[TrialRecord], list[int]]]:
        """The scored trials of the baseline and of a candidate, and the seeds that both have."""
        pairs = [
            (self.select("score", baseline.name, device), self.select("score", other.name, device))
            for baseline, other, device in self.contrasts
        ]
        return [(*pair, seeds) for pair in pairs if (seeds := share_seeds(*pair))]

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
        """Lay out trials of one variant, device and engine, one row per seed.

        Args:
            records: at most one trial per seed, at least one in all.
            seeds: shape (num_seeds,), the rows in their order; by default those of the trials.
        """
        if seeds is None:
            seeds = [record.trial.seed for record in records]
        shape = (len(seeds), records[0].trial.recipe.epochs)
        accuracy, train_seconds = np.full(shape, np.nan), np.full(shape, np.nan)
        is_masked = np.zeros(len(seeds), dtype=np.bool_)
        by_seed = {record.trial.seed: record for record in records if record.epochs}
        for row, seed in enumerate(seeds):
            if seed in by_seed:
                epochs, is_masked[row] = by_seed[seed].epochs, not self.is_timed(by_seed[seed])
                accuracy[row, : len(epochs)] = [epoch.test_accuracy for epoch in epochs]
                train_seconds[row, : len(epochs)] = [epoch.train_seconds for epoch in epochs]
        train_seconds[is_masked] = np.nan
        return TrialTable(accuracy, train_seconds, is_masked)


def share_seeds(first: Sequence[TrialRecord], second: Sequence[TrialRecord]) -> list[int]:
    """List the seeds that both have a trial of, in the order of the first."""
    seeds = {record.trial.seed for record in second}
    return [record.trial.seed for record in first if record.trial.seed in seeds]


def find_group(record: TrialRecord) -> Group:
    """Name the group of trials whose seconds may be compared with this trial's."""
    return record.trial.purpose, record.trial.device, record.trial.engine


def make_generator() -> np.random.Generator:
    """A fresh generator for each statistic, so that none depends on what else is reported."""
    return np.random.default_rng(BOOTSTRAP_SEED)
