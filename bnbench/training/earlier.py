"""Trials that earlier studies of a series have run, for those that come after them.

Two studies share a trial if variant, recipe, seed, device, engine and data are the same. Its bits
are the same too, so that the later study takes its record and model.
"""

from __future__ import annotations

from bnbench.records import TrialRecord
from bnbench.specs import StudySpec, TrialSpec
from bnbench.store import RunStore
from bnbench.training.executors.interface import CompletedTrial

Key = tuple[TrialSpec, int | None, int]
"""A trial and, if it tunes, the images it is trained and evaluated on."""


class EarlierTrials:
    """The finished trials of runs of the same data on the same machine; at first none."""

    def __init__(self) -> None:
        self._found: dict[Key, tuple[RunStore, TrialRecord]] = {}

    def add(self, store: RunStore) -> None:
        """Add the finished trials of a run, except those that were timed."""
        for record in store.read_trials():
            if record.status == "finished" and record.trial.purpose != "time":
                self._found.setdefault(_make_key(record.trial, store.study), (store, record))

    def find(self, trial: TrialSpec, study: StudySpec) -> CompletedTrial | None:
        """Find a trial of a study with its model's files; None if no run has both."""
        found = self._found.get(_make_key(trial, study))
        if found is None:
            return None
        store, record = found
        files = {}
        if trial.purpose == "score":
            # The manifest is last, so a model with one is complete.
            paths = [store.models_folder / f"{trial.key}.{suffix}" for suffix in ("pt", "json")]
            if not all(path.exists() for path in paths):
                return None
            files = {path.name: path.read_bytes() for path in paths}
        return CompletedTrial(record, files, store.read_nodes().get(record.node))


def _make_key(trial: TrialSpec, study: StudySpec) -> Key:
    if trial.purpose != "tune" or study.tuning is None:
        return trial, 0, 0
    return trial, study.tuning.num_validation_images, study.tuning.split_seed
