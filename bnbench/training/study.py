"""Running a study: the tuning trials, then the scored ones, then the timed ones.

Each trial is saved as soon as it ends, and a saved trial is not run again.
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
from bnbench.tuning import choose_rates


class StudyObserver(Protocol):
    """Follows the progress of a study; it cannot change the results."""

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """A stage begins: tell how many trials and epochs it has left to run."""

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Take an epoch that has ended."""

    def finish_trial(self, record: TrialRecord) -> None:
        """Take a trial that has ended and is saved."""


def run_study(
    store: RunStore, dataset: Dataset, observer: StudyObserver, executor: Executor
) -> list[TrialRecord]:
    """Run the trials of a run that are not saved yet.

    Args:
        store: the run; trials are added to it as they end.
        dataset: the data set of the run.
        observer: is called as stages begin, and as epochs and trials end.
        executor: runs the trials.

    Returns:
        The records of all the run's trials, in the order of `RunStore.read_trials`.

    Raises:
        RunError: another process is working on the run.
        KeyboardInterrupt: the user interrupted it; finished trials are saved.
    """
    study, engines = store.study, store.engines
    with store.locked():
        stages = _Stages(store, observer, executor)
        rates = {}
        if study.tuning is not None:
            # The tuning trials get a data set that has no test image in it.
            split = cut_validation_split(dataset, study.tuning)
            stages.run("tuning", study.list_tuning_trials(engines), split)
            rates = _choose_rates_once(store, stages.take_tuning_records())
        stages.run("training", study.list_scored_trials(engines, rates), dataset)
        stages.run("timing", study.list_timed_trials(engines), dataset, one_at_a_time=True)
        records = store.read_trials()
        store.write_epochs(records)
    return records


def _choose_rates_once(
    store: RunStore, tuning_records: list[TrialRecord]
) -> dict[tuple[str, str], float]:
    """Choose each variant's learning rate, or take the choice that is stored."""
    rates = store.read_rates()
    if rates is None:
        rates = choose_rates(store.study, tuning_records)
        store.write_rates(rates)
    return {(rate.variant, rate.device): rate.learning_rate for rate in rates}


class _Stages:
    """Runs the stages of a study, without the trials that are on record already."""

    def __init__(self, store: RunStore, observer: StudyObserver, executor: Executor) -> None:
        self._store = store
        self._observer = observer
        self._executor = executor
        records = store.read_trials()
        # Only the tuning trials' records are kept: there can be more trials than memory for them.
        self._done = {record.trial for record in records}
        self._tuning_records = [record for record in records if record.trial.purpose == "tune"]

    def take_tuning_records(self) -> list[TrialRecord]:
        """Return the records of the tuning trials, and forget them."""
        taken, self._tuning_records = self._tuning_records, []
        return taken

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
        """Save a trial, its model first, so that a trial on record is complete."""
        record = completed.record
        if record.trial in self._done:  # a trial runs twice when its node is lost at its end
            return
        if completed.environment is not None:
            self._store.add_node(record.node, completed.environment)
        if completed.files:
            write_model_files(completed.files, self._store.models_folder)
        self._store.append_trial(record)
        self._done.add(record.trial)
        if record.trial.purpose == "tune":
            self._tuning_records.append(record)
        self._observer.finish_trial(record)
