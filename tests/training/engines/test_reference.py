import dataclasses
import math
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bnbench.data import Dataset
from bnbench.networks import build_network
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
    (trained,) = train(synthetic_dataset, make_trial())
    assert trained.state is not None
    network = build_network(BATCHNORM)
    network.load_state_dict(trained.state)
    network.eval()
    pixels = synthetic_dataset.test.inputs.float().div(255)
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


TECHNIQUES: dict[str, dict[str, Any]] = {
    "drop_last": {"drop_last": True},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "beta2": 0.99, "weight_decay": 0.1},
    "cosine": {"schedule": "cosine", "warmup_steps": 5},
    "one-cycle": {"schedule": "one-cycle"},
    "smoothing": {"label_smoothing": 0.1},
}


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_recipe_trains_as_the_loop_that_is_usually_written_for_it(
    synthetic_dataset: Dataset, technique: str
) -> None:
    trial = make_trial(**TECHNIQUES[technique])
    (trained,) = train(synthetic_dataset, trial)
    expected = train_by_hand(synthetic_dataset, trial, technique)
    assert trained.state is not None
    for name, value in expected.items():
        assert torch.allclose(trained.state[name], value, rtol=1e-5, atol=1e-6), name


def train_by_hand(dataset: Dataset, trial: TrialSpec, technique: str) -> dict[str, torch.Tensor]:
    """The loop of a tutorial, with PyTorch's own loader, optimizers and schedulers."""
    torch.manual_seed(trial.seed)
    network, recipe = build_network(trial.variant), trial.recipe
    train_set, test_set = (
        TensorDataset(part.inputs.float().div(255), part.labels.long())
        for part in (dataset.train, dataset.test)
    )
    loader = DataLoader(train_set, 32, shuffle=True, drop_last=technique == "drop_last")
    optimizer: torch.optim.Optimizer = torch.optim.SGD(network.parameters(), recipe.learning_rate)
    if technique == "nesterov":
        optimizer = torch.optim.SGD(network.parameters(), 0.5, 0.9, nesterov=True)
    elif technique == "adam":
        optimizer = torch.optim.Adam(network.parameters(), 0.01, weight_decay=0.01)
    elif technique == "adamw":
        optimizer = torch.optim.AdamW(network.parameters(), 0.01, (0.9, 0.99), weight_decay=0.1)
    num_steps = recipe.epochs * len(loader)
    scheduler: Any = None
    if technique == "cosine":
        scheduler = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 0.2, 1.0, 4),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps - 5),
            ],
            [5],
        )
    elif technique == "one-cycle":
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 0.5, total_steps=num_steps, cycle_momentum=False
        )
    smoothing = 0.1 if technique == "smoothing" else 0.0
    step = 0
    for _ in range(recipe.epochs):
        network.train()
        for images, labels in loader:
            loss = nn.CrossEntropyLoss(label_smoothing=smoothing)(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if scheduler is not None and step < num_steps:
                scheduler.step()
        iter(DataLoader(test_set, 32))
    return network.state_dict()


def test_dropout_draws_from_the_trials_own_stream(synthetic_dataset: Dataset) -> None:
    variant = dataclasses.replace(BASELINE, dropout=0.5)
    trial = dataclasses.replace(make_trial(), variant=variant)
    first, second = (train(synthetic_dataset, trial)[0] for _ in range(2))
    plain = train(synthetic_dataset, dataclasses.replace(trial, variant=BASELINE))[0]
    assert [e.train_loss for e in first.record.epochs] == [
        e.train_loss for e in second.record.epochs
    ]
    assert first.record.epochs[0].train_loss > plain.record.epochs[0].train_loss


def test_what_is_evaluated_and_handed_out_may_be_an_average_with_precise_statistics(
    synthetic_dataset: Dataset,
) -> None:
    plain, averaged, precise = (
        train(synthetic_dataset, make_trial(**changes))[0]
        for changes in (
            {},
            {"weight_averaging": "last-epoch"},
            {"evaluation_statistics": "precise"},
        )
    )
    # Training is the same; what is evaluated is not.
    losses = [epoch.train_loss for epoch in plain.record.epochs]
    for other in (averaged, precise):
        assert [epoch.train_loss for epoch in other.record.epochs] == losses
        assert other.record.epochs[-1].test_loss != plain.record.epochs[-1].test_loss
    assert plain.state is not None
    assert averaged.state is not None
    assert precise.state is not None
    changed = {name for name, value in plain.state.items() if not value.equal(precise.state[name])}
    assert changed == {
        f"norm{layer}.running_{name}" for layer in (1, 2) for name in ("mean", "var")
    }
    assert not plain.state["linear1.weight"].equal(averaged.state["linear1.weight"])
    assert plain.state["norm1.num_batches_tracked"] == 3 * 11
    assert averaged.state["norm1.num_batches_tracked"] == 3 * 11
    assert precise.state["norm1.num_batches_tracked"] == 3 * 11


def test_a_device_is_done_before_the_time_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Mock()
    calls.read.return_value = 1.5
    monkeypatch.setattr(torch.accelerator, "synchronize", calls.synchronize)
    assert read_clock(torch.device("cuda"), calls.read) == 1.5
    assert [call[0] for call in calls.mock_calls] == ["synchronize", "read"]
    assert read_clock(torch.device("cpu"), calls.read) == 1.5
    assert [call[0] for call in calls.mock_calls] == ["synchronize", "read", "read"]
