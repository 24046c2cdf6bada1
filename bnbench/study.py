"""Running a study: tuning where asked for, then the scored trials, then the timed ones.

Every trial is on disk as soon as it ends, and what is on disk is not run again.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Protocol

from bnbench.data import Dataset, cut_validation_split
from bnbench.engines import make_engine
from bnbench.engines.interface import TrainedTrial
from bnbench.exporting import export_model
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec
from bnbench.store import RunStore
from bnbench.tuning import choose_rates


class StudyObserver(Protocol):
    """Watches a study; nothing it does changes the results."""

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """A stage begins; so many of its trials are still to be run, with so many epochs."""

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """An epoch of a trial is done."""

    def finish_trial(self, record: TrialRecord) -> None:
        """A trial is on disk."""


def run_study(store: RunStore, dataset: Dataset, observer: StudyObserver) -> list[TrialRecord]:
    """Run all trials of a run that are not on record yet.

    Returns:
        The records of all the run's trials, sorted as `RunStore.read_trials` does.

    Raises:
        RunError: another process is working on the run.
        KeyboardInterrupt: as it comes; finished trials are on disk.
    """
    study, engines = store.study, store.engines
    with store.locked():
        stages = _Stages(store, observer)
        if study.tuning is not None:
            # The tuning trials get a data set that has no test image in it.
            split = cut_validation_split(dataset, study.tuning)
            stages.run("tuning", study.list_tuning_trials(engines), split)
        rates = choose_rates(study, stages.list_records())
        stages.run("training", study.list_scored_trials(engines, rates), dataset)
        stages.run("timing", study.list_timed_trials(engines), dataset, one_at_a_time=True)
        records = store.read_trials()
        store.write_epochs(records)
    return records


class _Stages:
    """Runs one stage after the other over what is on record already."""

    def __init__(self, store: RunStore, observer: StudyObserver) -> None:
        self._store = store
        self._observer = observer
        self._records = {record.trial: record for record in store.read_trials()}
        self._make_engine = functools.cache(
            lambda name, dataset: make_engine(name, dataset, store.environment.threads)
        )

    def list_records(self) -> list[TrialRecord]:
        return list(self._records.values())

    def run(
        self,
        name: str,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        *,
        one_at_a_time: bool = False,
    ) -> None:
        pending = [trial for trial in trials if trial not in self._records]
        if not pending:
            return
        self._observer.start_stage(
            name, len(pending), sum(trial.recipe.epochs for trial in pending)
        )
        for engine_name, group in itertools.groupby(pending, key=lambda trial: trial.engine):
            engine = self._make_engine(engine_name, dataset)
            together = list(group)
            for batch in [[trial] for trial in together] if one_at_a_time else [together]:
                engine.train(
                    batch,
                    self._observer.finish_epoch,
                    functools.partial(self._keep, dataset),
                )

    def _keep(self, dataset: Dataset, trained: TrainedTrial) -> None:
        """Put a trial on disk, its model first: a trial on record is complete."""
        record = trained.record
        if trained.state is not None and record.trial.purpose == "score":
            export_model(
                record, trained.state, dataset.name, dataset.test, self._store.models_folder
            )
        self._store.append_trial(record)
        self._records[record.trial] = record
        self._observer.finish_trial(record)
