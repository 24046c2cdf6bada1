"""Running a study: the tuning trials, then the scored ones, the alternates and the timed ones.

Each trial is saved as soon as it ends, and a saved trial is not run again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bnbench.data import Dataset
from bnbench.data_split import cut_validation_split
from bnbench.models.archives import make_archive_files
from bnbench.models.export import write_model_files
from bnbench.models.exported_model import read_model
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec
from bnbench.store import RunStore
from bnbench.training.earlier import EarlierTrials
from bnbench.training.executors.interface import CompletedTrial, Executor
from bnbench.tuning import choose_rates, list_rounds


class StudyObserver(Protocol):
    """Follows the progress of a study; it cannot change the results."""

    def start_stage(self, name: str, num_trials: int, num_epochs: int) -> None:
        """Take the start of a stage, with the numbers of trials and epochs it has left to run."""

    def finish_epoch(self, trial: TrialSpec, epoch: EpochRecord) -> None:
        """Take an epoch that has ended."""

    def finish_trial(self, record: TrialRecord) -> None:
        """Take a trial that has ended and is saved."""


def run_study(
    store: RunStore,
    dataset: Dataset,
    observer: StudyObserver,
    executor: Executor,
    earlier: EarlierTrials | None = None,
) -> list[TrialRecord]:
    """Run the trials of a run that are not saved yet.

    Args:
        store: the run; trials are added to it as they end.
        dataset: the data set of the run.
        observer: is called as stages begin, and as epochs and trials end.
        executor: runs the trials.
        earlier: trials that other runs have; they are taken from there.

    Returns:
        The records of all the run's trials, in the order of `RunStore.read_trials`.

    Raises:
        RunError: another process is working on the run.
        KeyboardInterrupt: the user interrupted it; finished trials are saved.
    """
    study, engines, chance = store.study, store.engines, store.data.chance
    with store.locked():
        stages = _Stages(store, observer, executor, earlier)
        rates: dict[tuple[str, str], float] = {}
        alternates: dict[tuple[str, str], tuple[float, ...]] = {}
        if study.tuning is not None:
            # The tuning trials get a data set that has no test image in it.
            split = cut_validation_split(dataset, study.tuning)
            for number in range(len(list_rounds(study, ()))):
                each = list_rounds(study, store.read_trials(), chance)[number]
                trials = study.list_tuning_trials(engines, each.rates, each.seeds)
                stages.run(each.name, trials, split)
            chosen = store.read_rates()
            if chosen is None:
                chosen = choose_rates(study, store.read_trials(), chance)
                store.write_rates(chosen)
            rates = {(rate.variant, rate.device): rate.learning_rate for rate in chosen}
            alternates = {(rate.variant, rate.device): rate.alternates for rate in chosen}
        stages.run("training", study.list_scored_trials(engines, rates), dataset)
        stages.run("alternates", study.list_alternate_trials(engines, alternates), dataset)
        stages.run("timing", study.list_timed_trials(engines), dataset, one_at_a_time=True)
    return store.read_trials()


class _Stages:
    """Runs the trials of each stage that are not saved yet, and saves them."""

    def __init__(
        self,
        store: RunStore,
        observer: StudyObserver,
        executor: Executor,
        earlier: EarlierTrials | None,
    ) -> None:
        self._store = store
        self._observer = observer
        self._executor = executor
        self._earlier = earlier
        # Not the records: there can be more trials than memory for them.
        self._done = {record.trial for record in store.read_trials()}

    def run(
        self, name: str, trials: Iterable[TrialSpec], data: Dataset, one_at_a_time: bool = False
    ) -> None:
        """Run the trials of a stage on `data`, except those that are saved or can be taken over."""
        pending = [trial for trial in trials if trial not in self._done]
        if self._earlier is not None:
            for trial in pending:
                found = self._earlier.find(trial, self._store.study)
                if found is not None:
                    self._save(found)
            pending = [trial for trial in pending if trial not in self._done]
        if pending:
            num_epochs = sum(trial.recipe.epochs for trial in pending)
            self._observer.start_stage(name, len(pending), num_epochs)
            self._executor.run(
                pending,
                data,
                self._observer.finish_epoch,
                self._receive,
                one_at_a_time=one_at_a_time,
            )

    def _receive(self, completed: CompletedTrial) -> None:
        if completed.record.trial in self._done:  # it runs twice if its node is lost at its end
            return
        self._save(completed)
        self._observer.finish_trial(completed.record)

    def _save(self, completed: CompletedTrial) -> None:
        """Save a trial, its model first, so that a trial on record is complete."""
        record = completed.record
        if completed.environment is not None:
            self._store.add_node(record.node, completed.environment)
        if completed.files:
            path = write_model_files(completed.files, self._store.models_folder)
            if "pt2" in self._store.study.formats:
                write_model_files(make_archive_files(read_model(path)), path.parent)
        self._store.append_trial(record)
        self._done.add(record.trial)
