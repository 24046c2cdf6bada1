import dataclasses
import math
from unittest.mock import Mock

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.records import EpochRecord
from bnbench.specs import StudySpec, TrialSpec
from bnbench.training.engines import make_engine, reference
from bnbench.training.engines.interface import TrainedTrial, train_all
from bnbench.training.engines.reference import ReferenceEngine, draw_epoch_order, read_clock
from tests.conftest import BASELINE, BATCHNORM


def train(dataset: Dataset, *trials: TrialSpec) -> list[TrainedTrial]:
    return train_all(ReferenceEngine(dataset), trials)


def make_trial(**changes: object) -> TrialSpec:
    recipe = RecipeSpec(epochs=3, batch_size=32, learning_rate=0.5)
    return TrialSpec(BATCHNORM, dataclasses.replace(recipe, **changes), 0, "cpu")  # type: ignore[arg-type]


def test_the_order_of_images_is_the_data_loaders_and_so_is_the_stream_after_it() -> None:
    numbers = TensorDataset(torch.arange(101))
    torch.manual_seed(4)
    by_loader = [
        torch.cat([batch for (batch,) in DataLoader(numbers, batch_size=8, shuffle=True)])
        for _ in range(3)
    ]
    state = torch.get_rng_state()
    torch.manual_seed(4)
    drawn = [draw_epoch_order(101) for _ in range(3)]
    assert all(torch.equal(*pair) for pair in zip(by_loader, drawn, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_a_network_learns_and_every_epoch_is_recorded(synthetic_dataset: Dataset) -> None:
    (trained,) = train(synthetic_dataset, make_trial())
    record = trained.record
    assert (record.status, record.reason) == ("finished", None)
    assert [epoch.epoch for epoch in record.epochs] == [1, 2, 3]
    assert record.epochs[-1].test_accuracy > 0.5 > 0.3 > 0.1
    assert record.epochs[-1].train_loss < record.epochs[0].train_loss < math.log(10) + 0.5
    assert all(epoch.train_seconds > 0 and epoch.eval_seconds > 0 for epoch in record.epochs)


def test_the_same_trial_has_the_same_results_whatever_ran_before(
    synthetic_dataset: Dataset, small_study: StudySpec
) -> None:
    trials = small_study.list_scored_trials({"cpu": "reference"})
    together = train(synthetic_dataset, *trials)
    (alone,) = train(synthetic_dataset, trials[-1])
    accuracies = [epoch.test_accuracy for epoch in alone.record.epochs]
    assert accuracies == [epoch.test_accuracy for epoch in together[-1].record.epochs]
    assert alone.state is not None
    assert together[-1].state is not None
    for name, value in alone.state.items():
        assert torch.equal(value, together[-1].state[name])


def test_the_last_epochs_accuracy_is_that_of_the_weights_handed_out(
    synthetic_dataset: Dataset,
) -> None:
    from bnbench.networks import build_network

    (trained,) = train(synthetic_dataset, make_trial())
    assert trained.state is not None
    network = build_network(BATCHNORM)
    network.load_state_dict(trained.state)
    network.eval()
    pixels = synthetic_dataset.test.images.float().div(255)
    correct = network(pixels).argmax(1) == synthetic_dataset.test.labels
    assert trained.record.epochs[-1].test_accuracy == correct.float().mean().item()


def test_a_trial_that_diverges_fails_with_its_reason_and_the_next_goes_on(
    synthetic_dataset: Dataset,
) -> None:
    diverging = TrialSpec(BASELINE, RecipeSpec(3, 32, learning_rate=1e20), 0, "cpu")
    failed, finished = train(synthetic_dataset, diverging, make_trial())
    assert failed.record.status == "failed"
    assert failed.state is None
    assert failed.record.reason is not None
    assert failed.record.reason.startswith("diverged: training loss is nan in epoch ")
    assert finished.record.status == "finished"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out of memory"),
        (RuntimeError("first line\nsecond line"), "RuntimeError: first line"),
    ],
)
def test_an_error_in_a_trial_is_that_trials_failure(
    synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    results = [(1.0, 0.1), (0.9, 0.4), (0.8, 0.5), error]  # of the warm-up and three epochs
    monkeypatch.setattr(reference, "_evaluate", Mock(side_effect=results))
    (trained,) = train(synthetic_dataset, make_trial())
    assert (trained.record.status, trained.record.reason) == ("failed", reason)
    assert [epoch.test_accuracy for epoch in trained.record.epochs] == [0.4, 0.5]


def test_what_an_observer_raises_stops_the_training(synthetic_dataset: Dataset) -> None:
    seen: list[int] = []

    def fail(trial: TrialSpec, epoch: EpochRecord) -> None:
        seen.append(epoch.epoch)
        raise ValueError("the observer's")

    on_trial = Mock()
    with pytest.raises(ValueError, match="the observer's"):
        ReferenceEngine(synthetic_dataset).train([make_trial()], fail, on_trial)
    assert seen == [1]
    assert not on_trial.called


@pytest.mark.parametrize(("threads", "expected"), [(None, 1), (1, 1), (2, 2)])
def test_torch_trains_on_the_threads_of_the_engine_one_by_default(
    synthetic_dataset: Dataset, threads: int | None, expected: int
) -> None:
    before = torch.get_num_threads()
    found: list[int] = []
    torch.set_num_threads(3)
    try:
        make_engine("reference", synthetic_dataset, threads).train(
            [make_trial(epochs=1)], lambda *_: found.append(torch.get_num_threads()), Mock()
        )
    finally:
        torch.set_num_threads(before)
    assert found == [expected]


def test_an_interruption_is_no_failure(synthetic_dataset: Dataset) -> None:
    def interrupt(trial: TrialSpec, epoch: EpochRecord) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ReferenceEngine(synthetic_dataset).train([make_trial()], interrupt, Mock())


def test_momentum_and_weight_decay_reach_the_optimizer(synthetic_dataset: Dataset) -> None:
    losses = {
        (momentum, decay): train(
            synthetic_dataset, make_trial(momentum=momentum, weight_decay=decay, epochs=1)
        )[0]
        .record.epochs[0]
        .train_loss
        for momentum, decay in ((0.0, 0.0), (0.9, 0.0), (0.0, 0.1))
    }
    assert len(set(losses.values())) == 3


def test_a_device_is_done_before_the_time_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Mock()
    calls.read.return_value = 1.5
    monkeypatch.setattr(torch.accelerator, "synchronize", calls.synchronize)
    assert read_clock(torch.device("cuda"), calls.read) == 1.5
    assert [call[0] for call in calls.mock_calls] == ["synchronize", "read"]
    assert read_clock(torch.device("cpu"), calls.read) == 1.5
    assert [call[0] for call in calls.mock_calls] == ["synchronize", "read", "read"]
