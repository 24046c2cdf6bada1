"""Running a study: the tuning trials, then the scored ones, the alternates and the timed ones.

Each trial is saved as soon as it ends, and a saved trial is not run again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bnbench.data import Dataset, cut_validation_split
from bnbench.models.export import write_model_files
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import TrialSpec
from bnbench.store import RunStore
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
        # Not the records: there can be more trials than memory for them.
        done = {record.trial for record in store.read_trials()}

        def keep(completed: CompletedTrial) -> None:
            """Save a trial, its model first, so that a trial on record is complete."""
            record = completed.record
            if record.trial in done:  # a trial runs twice when its node is lost at its end
                return
            if completed.environment is not None:
                store.add_node(record.node, completed.environment)
            if completed.files:
                write_model_files(completed.files, store.models_folder)
            store.append_trial(record)
            done.add(record.trial)
            observer.finish_trial(record)

        def run_stage(
            name: str, trials: Iterable[TrialSpec], data: Dataset, one_at_a_time: bool = False
        ) -> None:
            pending = [trial for trial in trials if trial not in done]
            if pending:
                num_epochs = sum(trial.recipe.epochs for trial in pending)
                observer.start_stage(name, len(pending), num_epochs)
                executor.run(
                    pending, data, observer.finish_epoch, keep, one_at_a_time=one_at_a_time
                )

        rates: dict[tuple[str, str], float] = {}
        alternates: dict[tuple[str, str], tuple[float, ...]] = {}
        if study.tuning is not None:
            # The tuning trials get a data set that has no test image in it.
            split = cut_validation_split(dataset, study.tuning)
            for number in range(len(list_rounds(study, ()))):
                each = list_rounds(study, store.read_trials())[number]
                run_stage(
                    each.name, study.list_tuning_trials(engines, each.rates, each.seeds), split
                )
            chosen = store.read_rates()
            if chosen is None:
                chosen = choose_rates(study, store.read_trials())
                store.write_rates(chosen)
            rates = {(rate.variant, rate.device): rate.learning_rate for rate in chosen}
            alternates = {(rate.variant, rate.device): rate.alternates for rate in chosen}
        run_stage("training", study.list_scored_trials(engines, rates), dataset)
        run_stage("alternates", study.list_alternate_trials(engines, alternates), dataset)
        run_stage("timing", study.list_timed_trials(engines), dataset, one_at_a_time=True)
    return store.read_trials()
