from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.peers.engine_trials import EngineTrials
from bench.peers.interface import TrainingJob
from bnbench.records import EpochRecord, TrialRecord
from bnbench.specs import RecipeSpec, TrialSpec, VariantSpec
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver


class ClockworkEngine:
    """Every epoch trains for 0.3 s and evaluates for 0.1 s, by its own clocks."""

    def __init__(self, failing_seed: int | None = None) -> None:
        self.failing_seed = failing_seed
        self.calls: list[list[TrialSpec]] = []

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        self.calls.append(list(trials))
        for trial in reversed(trials):
            epochs = tuple(
                EpochRecord(number, 1.0, 1.0, 0.1 * number + 0.01 * trial.seed, 0.3, 0.1)
                for number in range(1, trial.recipe.epochs + 1)
            )
            if trial.seed == self.failing_seed:
                record = TrialRecord(trial, "failed", epochs[:1], "diverged")
            else:
                record = TrialRecord(trial, "finished", epochs)
            on_trial(TrainedTrial(record, None))


def make_job(num_trials: int) -> TrainingJob:
    return TrainingJob(VariantSpec("baseline"), RecipeSpec(), num_trials, "native", Path())


def test_one_trial_takes_what_its_own_clock_says() -> None:
    trials = EngineTrials(ClockworkEngine(), "reference", make_job(1))
    assert trials.train_epochs(2) == pytest.approx(0.6)


def test_several_trials_take_the_wall_clock_less_evaluations_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = iter([100.0, 108.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(readings))
    trials = EngineTrials(ClockworkEngine(), "native", make_job(4))
    assert trials.train_epochs(1) == pytest.approx(6.0)  # three quarters of eight seconds


def test_the_accuracy_is_after_all_epochs_asked_for_and_in_the_seeds_order() -> None:
    engine = ClockworkEngine()
    trials = EngineTrials(engine, "native", make_job(2))
    trials.train_epochs(1)
    trials.train_epochs(3)
    assert trials.measure_accuracies() == pytest.approx([0.4, 0.41])
    assert [call[0].recipe.epochs for call in engine.calls] == [1, 3, 4]
    assert [trial.seed for trial in engine.calls[0]] == [0, 1]
    assert {trial.engine for trial in engine.calls[0]} == {"native"}


def test_a_failed_trial_is_the_peers_failure() -> None:
    trials = EngineTrials(ClockworkEngine(failing_seed=1), "native", make_job(2))
    with pytest.raises(RuntimeError, match="the trial of seed 1 failed: diverged"):
        trials.train_epochs(1)
