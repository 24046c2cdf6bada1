"""Running a study: tuning where asked for, then the scored trials, then the timed ones.

Every trial is on disk as soon as it ends, and what is on disk is not run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bnbench.data import Dataset, cut_validation_split
from bnbench.models.export import write_model_files
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec
from bnbench.store import RunStore
from bnbench.training.executors.interface import CompletedTrial, Executor
from bnbench.training.tuning import choose_rates


class StudyObserver(Protocol):
    """Watches a study; nothing it does changes the results."""

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """A stage begins; so many of its trials are still to be run, with so many epochs."""

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """An epoch of a trial is done."""

    def finish_trial(self, record: TrialRecord) -> None:
        """A trial is on disk."""


def run_study(
    store: RunStore, dataset: Dataset, observer: StudyObserver, executor: Executor
) -> list[TrialRecord]:
    """Run all trials of a run that are not on record yet.

    Args:
        store: the run; trials are added to it as they end.
        dataset: what is trained on.
        observer: told of everything.
        executor: where trials are run.

    Returns:
        The records of all the run's trials, sorted as `RunStore.read_trials` does.

    Raises:
        RunError: another process is working on the run.
        KeyboardInterrupt: as it comes; finished trials are on disk.
    """
    study, engines = store.study, store.engines
    with store.locked():
        stages = _Stages(store, observer, executor)
        if study.tuning is not None:
            # The tuning trials get a data set that has no test image in it.
            split = cut_validation_split(dataset, study.tuning)
            stages.run("tuning", study.list_tuning_trials(engines), split)
        rates = choose_rates(study, store.read_trials() if study.tuning else ())
        stages.run("training", study.list_scored_trials(engines, rates), dataset)
        stages.run("timing", study.list_timed_trials(engines), dataset, one_at_a_time=True)
        records = store.read_trials()
        store.write_epochs(records)
    return records


class _Stages:
    """Runs one stage after the other over what is on record already."""

    def __init__(self, store: RunStore, observer: StudyObserver, executor: Executor) -> None:
        self._store = store
        self._observer = observer
        self._executor = executor
        # Not their records: there may be more trials than there is memory for them.
        self._done = {record.trial for record in store.read_trials()}

    def run(
        self,
        name: str,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        *,
        one_at_a_time: bool = False,
    ) -> None:
        pending = [trial for trial in trials if trial not in self._done]
        if not pending:
            return
        self._observer.start_stage(
            name, len(pending), sum(trial.recipe.epochs for trial in pending)
        )
        self._executor.run(
            pending, dataset, self._observer.finish_epoch, self._keep, one_at_a_time=one_at_a_time
        )

    def _keep(self, completed: CompletedTrial) -> None:
        """Put a trial on disk, its model first: a trial on record is complete."""
        record = completed.record
        if record.trial in self._done:  # where machines are lost, some run a trial again
            return
        if completed.environment is not None:
            self._store.add_node(record.node, completed.environment)
        if completed.files:
            write_model_files(completed.files, self._store.models_folder)
        self._store.append_trial(record)
        self._done.add(record.trial)
        self._observer.finish_trial(record)
