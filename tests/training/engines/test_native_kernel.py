"""The native engine's C++ half: against autograd, the DataLoader and a plain PyTorch loop."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bnbench import _native
from bnbench.data import Dataset

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
MOMENTUM_RECIPE = {"batch_size": 91, "momentum": 0.9, "weight_decay": 5e-4}

Bytes = NDArray[np.uint8]
Data = tuple[Bytes, Bytes, Bytes, Bytes, int]


def make_images(count: int, seed: int) -> tuple[Bytes, Bytes]:
    """Sparse noise with a bright band of rows that tells the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = random.integers(0, 120, (count, 784), dtype=np.uint8)
    images[random.random(images.shape) < 0.5] = 0
    for image, label in zip(images, labels.tolist(), strict=True):
        image[78 * label : 78 * (label + 1)] += 100
    return images, labels


@pytest.fixture(scope="module")
def data() -> Data:
    return *make_images(2000, 0), *make_images(300, 1), 10


@pytest.fixture(scope="module")
def real_data(fashion_mnist: Dataset) -> Data:
    train, test = fashion_mnist.train, fashion_mnist.test
    return (
        train.inputs.flatten(1).numpy(),
        train.labels.numpy(),
        test.inputs.flatten(1).numpy(),
        test.labels.numpy(),
        10,
    )


def build(
    seed: int, normalization: str, activation: str, hidden: tuple[int, ...] = (64, 32)
) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = 784
    for units in hidden:
        layers.append(nn.Linear(inputs, units))
        if normalization == "batch":
            layers.append(nn.BatchNorm1d(units))
        layers.append(ACTIVATIONS[activation]())
        inputs = units
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def flatten(network: nn.Module) -> NDArray[Any]:
    return np.concatenate(
        [
            value.detach().numpy().ravel()
            for name, value in network.state_dict().items()
            if not name.endswith("num_batches_tracked")
        ]
    )


def make_trial(
    seed: int,
    normalization: str = "none",
    activation: str = "relu",
    hidden: tuple[int, ...] = (64, 32),
    learning_rate: float = 0.01,
    **recipe: Any,
) -> _native.EnsembleTrial:
    network = build(seed, normalization, activation, hidden)
    return _native.EnsembleTrial(
        hidden_sizes=hidden,
        normalization=normalization,
        activation=activation,
        learning_rates=np.array([learning_rate]),
        parameters=flatten(network),
        random_state=torch.get_rng_state().numpy().tobytes(),
        **recipe,
    )


def scale(images: Bytes) -> torch.Tensor:
    return torch.tensor(images).reshape(-1, 784).float().div(255)


def train_by_pytorch(
    data: Data,
    seed: int,
    normalization: str,
    activation: str,
    epochs: int = 1,
    batch_size: int = 64,
    **sgd: float,
) -> tuple[NDArray[np.float32], list[float], float]:
    """Train with autograd. Returns weights, training losses and the last test accuracy."""
    network = build(seed, normalization, activation)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, **sgd)
    images, labels = scale(data[0]), torch.tensor(data[1]).long()
    test_images, test_labels = scale(data[2]), torch.tensor(data[3]).long()
    losses = []
    train = DataLoader(TensorDataset(torch.arange(len(labels))), batch_size, shuffle=True)
    test = DataLoader(TensorDataset(test_images), len(test_images))
    for _ in range(epochs):
        network.train()
        total = 0.0
        order = torch.cat([rows for (rows,) in train])
        for rows in order.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(labels))
        network.eval()
        with torch.no_grad():
            predictions = torch.cat([network(batch).argmax(1) for (batch,) in test])
    return flatten(network), losses, (predictions == test_labels).double().mean().item()


@pytest.mark.parametrize("num_images", [1000, 997, 64])
def test_batches_come_in_the_order_of_the_data_loader(num_images: int) -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    train = DataLoader(TensorDataset(torch.arange(num_images)), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(torch.arange(10)), batch_size=5)
    expected = []
    for _ in range(3):
        expected.append(torch.cat([rows for (rows,) in train]).numpy())
        list(test)
    orders, state_after = _native.draw_batch_orders(state.numpy().tobytes(), num_images, 3)
    np.testing.assert_array_equal(orders, expected)
    assert state_after == torch.get_rng_state().numpy().tobytes()


@pytest.mark.parametrize("recipe", [{}, MOMENTUM_RECIPE], ids=["plain", "momentum"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_smooth_networks_end_where_pytorch_ends(
    data: Data, normalization: str, activation: str, recipe: dict[str, float]
) -> None:
    weights, losses, accuracy = train_by_pytorch(
        data, 0, normalization, activation, epochs=3, **recipe
    )
    trial = make_trial(0, normalization, activation, epochs=3, **recipe)
    (result,) = _native.train_ensemble(*data, [trial])
    assert (result.status, result.reason) == ("completed", "")
    np.testing.assert_allclose(result.parameters, weights, rtol=0, atol=1e-4)
    assert [epoch.train_loss for epoch in result.epochs] == pytest.approx(losses, rel=1e-4)
    assert result.epochs[-1].test_accuracy == pytest.approx(accuracy, abs=0.004)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_relu_networks_follow_pytorch_for_some_steps(data: Data, normalization: str) -> None:
    # A ReLU whose input rounds to the other side of zero steps elsewhere, in PyTorch itself too
    # when its number of threads changes. Ten steps leave little chance for that.
    few = (data[0][:640], data[1][:640], *data[2:])
    weights, losses, _ = train_by_pytorch(few, 0, normalization, "relu", weight_decay=1e-3)
    trial = make_trial(0, normalization, weight_decay=1e-3)
    (result,) = _native.train_ensemble(*few, [trial])
    np.testing.assert_allclose(result.parameters, weights, rtol=0, atol=1e-5)
    assert result.epochs[0].train_loss == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_an_epoch_of_fashion_mnist_ends_where_pytorch_ends(
    real_data: Data, normalization: str
) -> None:
    weights, losses, accuracy = train_by_pytorch(real_data, 0, normalization, "tanh")
    (result,) = _native.train_ensemble(*real_data, [make_trial(0, normalization, "tanh")])
    np.testing.assert_allclose(result.parameters, weights, rtol=0, atol=1e-4)
    assert result.epochs[0].train_loss == pytest.approx(losses[0], rel=1e-4)
    assert result.epochs[0].test_accuracy == pytest.approx(accuracy, abs=0.002)


def test_a_trial_has_the_same_bits_alone_and_among_others_on_any_number_of_threads(
    data: Data,
) -> None:
    trials = [
        make_trial(
            seed,
            ("none", "batch")[seed % 2],
            batch_size=32 + 17 * seed,
            momentum=0.9 * (seed % 3 > 0),
            epochs=2,
        )
        for seed in range(6)
    ]
    alone = [_native.train_ensemble(*data, [trial])[0] for trial in trials]
    for threads in (1, 2, 4):
        together = _native.train_ensemble(*data, trials, threads)
        for one, other in zip(alone, together, strict=True):
            assert one.parameters.tobytes() == other.parameters.tobytes()
            assert [(e.train_loss, e.test_loss) for e in one.epochs] == [
                (e.train_loss, e.test_loss) for e in other.epochs
            ]


def test_torch_keeps_its_number_of_threads(data: Data) -> None:
    before = torch.get_num_threads()
    _native.train_ensemble(*data, [make_trial(0), make_trial(1)], 2)
    assert torch.get_num_threads() == before


def test_progress_arrives_live_and_other_threads_run_meanwhile(data: Data) -> None:
    ticks = 0
    is_over = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not is_over.wait(0.001):
            ticks += 1

    seen: list[tuple[int, int, str]] = []
    ticks_seen = []
    caller = threading.get_ident()

    def on_epoch(trial: int, epoch: _native.EnsembleEpoch) -> None:
        assert threading.get_ident() == caller
        assert epoch.train_seconds > 0
        assert epoch.eval_seconds > 0
        seen.append((trial, 0, "epoch"))
        ticks_seen.append(ticks)

    def on_trial(trial: int, result: _native.EnsembleResult) -> None:
        seen.append((trial, len(result.epochs), result.status))

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        trials = [make_trial(seed, epochs=20) for seed in range(2)]
        _native.train_ensemble(*data, trials, 2, on_epoch=on_epoch, on_trial=on_trial)
    finally:
        is_over.set()
        thread.join()
    for trial in (0, 1):
        mine = [event for event in seen if event[0] == trial]
        assert mine == [(trial, 0, "epoch")] * 20 + [(trial, 20, "completed")]
    assert ticks_seen[-1] > ticks_seen[0]


def test_what_a_callback_raises_stops_the_training(data: Data) -> None:
    def on_epoch(trial: int, epoch: _native.EnsembleEpoch) -> None:
        raise LookupError("enough")

    trials = [make_trial(seed, epochs=1_000_000) for seed in range(3)]
    with pytest.raises(LookupError, match="enough"):
        _native.train_ensemble(*data, trials, 2, on_epoch=on_epoch)


def test_labels_that_a_callback_changes_are_not_read(data: Data) -> None:
    images, labels, *test = data
    changed = labels.copy()

    def on_epoch(trial: int, epoch: _native.EnsembleEpoch) -> None:
        changed[:] = 255

    (expected,) = _native.train_ensemble(*data, [make_trial(0, epochs=3)])
    (found,) = _native.train_ensemble(
        images, changed, *test, [make_trial(0, epochs=3)], on_epoch=on_epoch
    )
    assert expected.parameters is not None
    assert found.parameters is not None
    assert expected.parameters.tobytes() == found.parameters.tobytes()


@pytest.mark.parametrize("hidden_sizes", [[2**62, 2**62], [2**62, 4]], ids=["sum", "product"])
def test_sizes_beyond_any_memory_are_refused(data: Data, hidden_sizes: list[int]) -> None:
    trial = _native.EnsembleTrial(
        hidden_sizes=hidden_sizes,
        learning_rates=np.ones(1),
        parameters=np.zeros(10, np.float32),
        random_state=torch.get_rng_state().numpy().tobytes(),
    )
    (result,) = _native.train_ensemble(*data, [trial])
    assert result.status == "failed"
    assert result.reason.startswith("size: expected a size that a computer can count to")
    with pytest.raises(ValueError, match="size: expected"):
        _native.train_in_float64(*data, trial, np.zeros(10))


def test_results_that_a_callback_takes_are_kept_nowhere_else(data: Data) -> None:
    taken: dict[int, NDArray[Any] | None] = {}

    def on_trial(trial: int, result: _native.EnsembleResult) -> None:
        taken[trial] = result.parameters

    trials = [make_trial(0), make_trial(1)]
    assert _native.train_ensemble(*data, trials, on_trial=on_trial) == []
    for index, result in enumerate(_native.train_ensemble(*data, trials)):
        assert np.array_equal(taken[index], result.parameters)


@pytest.mark.slow
def test_ctrl_c_stops_all_trials_within_a_second() -> None:
    program = textwrap.dedent(
        """
        import numpy as np
        from bnbench import _native

        images, labels = np.ones((6400, 784), np.uint8), np.zeros(6400, np.uint8)
        import torch

        trial = _native.EnsembleTrial(
            hidden_sizes=[64],
            learning_rates=np.full(1, 0.01),
            parameters=np.zeros(64 * 785 + 650, np.float32),
            random_state=torch.get_rng_state().numpy().tobytes(),
            epochs=1_000_000,
        )
        print("training", flush=True)
        try:
            _native.train_ensemble(images, labels, images, labels, 10, [trial] * 4, 2)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        seconds = time.monotonic() - start
        assert process.wait(timeout=30) == 0
    assert seconds < 1


def test_a_diverging_trial_fails_with_its_reason_and_the_others_go_on(data: Data) -> None:
    trials = [make_trial(0), make_trial(0, learning_rate=1e30), make_trial(1)]
    results = _native.train_ensemble(*data, trials)
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    assert results[1].reason == "diverged: training loss is nan in epoch 1"
    assert results[1].parameters is None


def test_a_batch_of_one_image_is_refused_with_batch_normalization(data: Data) -> None:
    odd = (data[0][:129], data[1][:129], *data[2:])
    (result,) = _native.train_ensemble(*odd, [make_trial(0, "batch")])
    assert result.status == "failed"
    assert "129 inputs in batches of 64, one with a single input" in result.reason


def test_arguments_that_make_no_sense_are_refused(data: Data) -> None:
    state = torch.get_rng_state().numpy().tobytes()
    parameters = np.zeros(7850, np.float32)

    def make(**changes: Any) -> _native.EnsembleTrial:
        return _native.EnsembleTrial(
            **{
                "hidden_sizes": [],
                "learning_rates": np.ones(1),
                "parameters": parameters,
                "random_state": state,
                **changes,
            }
        )

    with pytest.raises(
        _native.UsageError,
        match="normalization: expected one of none, batch, layer, rms, got group",
    ):
        make(normalization="group")
    with pytest.raises(_native.UsageError, match="optimizer: expected one of sgd, adam, adamw"):
        make(optimizer="lion")
    with pytest.raises(_native.UsageError, match="learning_rates: expected a float64 array"):
        make(learning_rates=np.ones(1, np.float32))
    with pytest.raises(_native.UsageError, match="parameters: expected a float32 array"):
        make(parameters=parameters.astype(np.float64))
    with pytest.raises(_native.UsageError, match="batch_size: expected at least 1, got 0"):
        make(batch_size=0)
    with pytest.raises(_native.UsageError, match="instruction_set: expected one"):
        _native.train_ensemble(*data, [make()], instruction_set="mmx")
    with pytest.raises(_native.DataError, match="train_inputs: expected a uint8 or float32 array"):
        _native.train_ensemble(data[0].astype(np.float64), *data[1:], [make()])  # type: ignore[arg-type]
    with pytest.raises(_native.DataError, match="test_labels: expected an array of whole numbers"):
        _native.train_ensemble(*data[:3], data[3] / 2, 10, [make()])  # type: ignore[arg-type]
    with pytest.raises(_native.DataError, match="training set: expected labels from 0 to 8, got 9"):
        _native.train_ensemble(*data[:4], 9, [make()])
    with pytest.raises(_native.DataError, match="test set: expected at least one input of 784"):
        _native.train_ensemble(*data[:2], data[2], data[3][:-1], 10, [make()])
