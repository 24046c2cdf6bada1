from unittest.mock import Mock

import pytest

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.specs import EngineName, TrialSpec
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.executors.interface import CompletedTrial
from tests.conftest import BASELINE, FakeEngine


def make_trials(engine: EngineName, seeds: range) -> list[TrialSpec]:
    return [TrialSpec(BASELINE, RecipeSpec(epochs=1), seed, "cpu", engine) for seed in seeds]


class CountingEngine(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.batch_sizes: list[int] = []

    def train(self, trials, on_epoch, on_trial):  # type: ignore[no-untyped-def]
        self.batch_sizes.append(len(trials))
        super().train(trials, on_epoch, on_trial)


@pytest.mark.parametrize(
    ("one_at_a_time", "sizes"), [(False, [3, 2]), (True, [1] * 5)], ids=["together", "timed"]
)
def test_an_engine_gets_all_its_trials_at_once_unless_they_are_timed(
    one_at_a_time: bool,
    sizes: list[int],
    synthetic_dataset: Dataset,
) -> None:
    engine = CountingEngine()
    make_engine = Mock(return_value=engine)
    trials = [*make_trials("native", range(3)), *make_trials("reference", range(2))]
    completed: list[CompletedTrial] = []
    InProcessExecutor(3, make_engine).run(
        trials,
        synthetic_dataset,
        lambda *_: None,
        completed.append,
        one_at_a_time=one_at_a_time,
    )
    assert engine.batch_sizes == sizes
    assert [each.record.trial for each in completed] == trials
    assert [call.args[0] for call in make_engine.call_args_list] == ["native", "reference"]


def test_a_scored_trial_comes_with_its_model_and_manifest(synthetic_dataset: Dataset) -> None:
    completed: list[CompletedTrial] = []
    (trial,) = make_trials("reference", range(1))
    InProcessExecutor(1).run(
        [trial], synthetic_dataset, lambda *_: None, completed.append, one_at_a_time=False
    )
    assert list(completed[0].files) == [f"{trial.key}.pt", f"{trial.key}.json"]
    assert completed[0].environment is None
