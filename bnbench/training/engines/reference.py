"""The reference engine: a plain PyTorch loop over tensors in memory, on any device.

It draws from torch's default generator what the usual loop draws (``torch.manual_seed``, the
network's weights, ``DataLoader(shuffle=True)`` for every epoch and a second loader for every
evaluation), in the same order. Its accuracies are therefore, digit for digit, those of that loop on
the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from bnbench.data import Dataset, LabeledInputs, scale_inputs
from bnbench.errors import TrialFailure
from bnbench.networks import build_first_network, build_network
from bnbench.recipes import RecipeSpec
from bnbench.records import EpochRecord, TrialRecord, TrialStatus
from bnbench.specs import DataShape, TrialSpec
from bnbench.training.engines.evaluated import WeightAverage, copy_with_precise_statistics
from bnbench.training.engines.interface import EpochObserver, TrainedTrial, TrialReceiver
from bnbench.training.engines.optimizer import make_optimizer, read_optimizer, set_rate
from bnbench.training.schedule import compute_learning_rates

State = dict[str, torch.Tensor]
"""A network's ``state_dict``."""

WARM_UP_BATCHES = 50


class ReferenceEngine:
    """Trains one trial after the other.

    Args:
        dataset: what is trained on and evaluated with.
        threads: CPU threads of torch while it trains; a trial's bits depend on them.
    """

    def __init__(self, dataset: Dataset, threads: int = 1) -> None:
        self._dataset = dataset
        self._threads = threads
        self._on_device: dict[str, _DeviceData] = {}
        self._warm: set[tuple[object, ...]] = set()

    def train(
        self, trials: Sequence[TrialSpec], on_epoch: EpochObserver, on_trial: TrialReceiver
    ) -> None:
        """Train `trials` in their order; see `Engine.train`."""
        torch.set_num_threads(self._threads)
        for trial in trials:
            on_trial(self._train_one(trial, on_epoch))

    def _train_one(self, trial: TrialSpec, on_epoch: EpochObserver) -> TrainedTrial:
        epochs: list[EpochRecord] = []
        optimizers: dict[str, None] = {}
        training = self._run_epochs(trial, lambda seen: optimizers.update({seen: None}))

        def make_record(status: TrialStatus, reason: str | None = None) -> TrialRecord:
            seen = tuple(optimizers)
            return TrialRecord(trial, status, tuple(epochs), reason, optimizers=seen)

        while True:
            try:
                epochs.append(next(training))
            except StopIteration as ended:
                return TrainedTrial(make_record("finished"), ended.value)
            except Exception as error:  # whatever ends a trial must not end the study
                return TrainedTrial(make_record("failed", describe_failure(error)), None)
            on_epoch(trial, epochs[-1])

    def _run_epochs(
        self, trial: TrialSpec, on_optimizer: Callable[[str], None]
    ) -> Generator[EpochRecord, None, State]:
        """Train a network, yield each epoch as it ends, and return the trained weights."""
        return (yield from _train_trial(trial, self._prepare(trial), on_optimizer))

    def _prepare(self, trial: TrialSpec) -> _DeviceData:
        """Put the data on the trial's device, and train a few batches to pay first-time costs."""
        if trial.device not in self._on_device:
            device = torch.device(trial.device)
            self._on_device[trial.device] = _DeviceData.move(self._dataset, device)
        data = self._on_device[trial.device]
        kind = (trial.variant, replace(trial.recipe, learning_rate=1.0), trial.device)
        if kind not in self._warm:
            _warm_up(trial, data)
            self._warm.add(kind)
        return data


def draw_epoch_order(num_images: int) -> torch.Tensor:
    """Draw an epoch's order of images as ``DataLoader(shuffle=True)`` does.

    A loader's iterator first draws a seed for worker processes, even without any. Then its
    sampler draws the seed of a generator of its own.

    Returns:
        int64, shape (num_images,): a permutation of the image numbers.
    """
    draw_loader_seed()
    generator = torch.Generator()
    generator.manual_seed(draw_loader_seed())
    return torch.randperm(num_images, generator=generator)


def draw_loader_seed() -> int:
    """Draw the seed that a loader's iterator draws from torch's default generator."""
    return int(torch.empty((), dtype=torch.int64).random_().item())


def read_clock(
    device: torch.device, read_seconds: Callable[[], float] = time.perf_counter
) -> float:
    """Wait until a device has done all work queued on it, then return the time in seconds."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return read_seconds()


def describe_failure(error: Exception) -> str:
    """Say in one line why a trial failed."""
    if isinstance(error, TrialFailure):
        return str(error)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return "out of memory"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no further text'}"


@dataclass(frozen=True)
class _DeviceData:
    """The data set as the loop needs it on one device."""

    train_inputs: torch.Tensor  # float32 (num_train, *input_shape)
    train_labels: torch.Tensor  # int64 (num_train,)
    test_inputs: torch.Tensor
    test_labels: torch.Tensor
    shape: DataShape

    @classmethod
    def move(cls, dataset: Dataset, device: torch.device) -> _DeviceData:
        def convert(part: LabeledInputs) -> tuple[torch.Tensor, torch.Tensor]:
            inputs = scale_inputs(part.inputs.to(device))
            return inputs, part.labels.to(device).to(torch.int64)

        return cls(*convert(dataset.train), *convert(dataset.test), dataset.shape)


def _train_trial(
    trial: TrialSpec, data: _DeviceData, on_optimizer: Callable[[str], None]
) -> Generator[EpochRecord, None, State]:
    """Train a network, yielding each epoch as it ends; return what was evaluated last.

    The optimizer is passed on as text, before the first epoch and after each.
    """
    recipe, device = trial.recipe, torch.device(trial.device)
    network: nn.Module = build_first_network(trial, data.shape).to(device)
    optimizer = make_optimizer(network, recipe)
    on_optimizer(read_optimizer(optimizer))
    average = WeightAverage(network, recipe)
    num_steps = recipe.count_steps(len(data.train_labels))
    rates = compute_learning_rates(recipe, recipe.epochs * num_steps).reshape(recipe.epochs, -1)
    evaluated = network
    for epoch in range(1, recipe.epochs + 1):
        started = read_clock(device)
        average.start_epoch()
        train_loss = _train_epoch(network, optimizer, data, recipe, rates[epoch - 1], average)
        if math.isfinite(train_loss):
            evaluated = average.network
            if recipe.evaluation_statistics == "precise":
                batches = data.train_inputs.split(recipe.batch_size)[:num_steps]
                evaluated = copy_with_precise_statistics(evaluated, batches)
        trained = read_clock(device)
        on_optimizer(read_optimizer(optimizer))
        if not math.isfinite(train_loss):
            raise TrialFailure(f"diverged: training loss is {train_loss} in epoch {epoch}")
        draw_loader_seed()  # the test loader's iterator
        # The same batches as in training, since another batch size may round otherwise.
        test_loss, test_accuracy = _evaluate(evaluated, data, recipe.batch_size)
        ended = read_clock(device)
        if not math.isfinite(test_loss):
            raise TrialFailure(f"diverged: test loss is {test_loss} after epoch {epoch}")
        yield EpochRecord(
            epoch, train_loss, test_loss, test_accuracy, trained - started, ended - trained
        )
    # Averages and precise statistics have no count of batches of their own.
    counts = {name: v for name, v in network.state_dict().items() if not v.is_floating_point()}
    return {name: value.cpu() for name, value in {**evaluated.state_dict(), **counts}.items()}


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: _DeviceData,
    recipe: RecipeSpec,
    rates: NDArray[np.float64],
    average: WeightAverage,
) -> float:
    """Train for as many steps as there are `rates`; return the mean loss over the images."""
    network.train()
    order = draw_epoch_order(len(data.train_labels)).to(data.train_labels.device)
    total_loss = torch.zeros((), device=order.device)
    num_images, rate = 0, recipe.learning_rate
    for batch, next_rate in zip(order.split(recipe.batch_size), rates.tolist(), strict=False):
        set_rate(optimizer, rate, next_rate)
        rate = next_rate
        loss = functional.cross_entropy(
            network(data.train_inputs[batch]),
            data.train_labels[batch],
            label_smoothing=recipe.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.add()
        total_loss += loss.detach() * len(batch)
        num_images += len(batch)
    set_rate(optimizer, rate, recipe.learning_rate)
    return float(total_loss.item()) / num_images


def _evaluate(network: nn.Module, data: _DeviceData, batch_size: int) -> tuple[float, float]:
    network.eval()
    total_loss = torch.zeros((), device=data.test_labels.device)
    num_correct = torch.zeros((), dtype=torch.int64, device=data.test_labels.device)
    with torch.inference_mode():
        for inputs, labels in zip(
            data.test_inputs.split(batch_size), data.test_labels.split(batch_size), strict=True
        ):
            logits = network(inputs)
            total_loss += functional.cross_entropy(logits, labels, reduction="sum")
            num_correct += (logits.argmax(dim=1) == labels).sum()
    num_images = len(data.test_labels)
    return float(total_loss.item()) / num_images, int(num_correct.item()) / num_images


def _warm_up(trial: TrialSpec, data: _DeviceData) -> None:
    """Train a network and discard it, so that no trial pays for first-time costs.

    Every trial seeds the random stream anew, so these draws change none.
    """
    recipe = replace(trial.recipe, epochs=1)
    network = build_network(trial.variant, data.shape).to(data.train_labels.device)
    num_images = WARM_UP_BATCHES * recipe.batch_size
    part = replace(
        data,
        **{name: each[:num_images] for name, each in vars(data).items() if name != "shape"},
    )
    rates = compute_learning_rates(recipe, recipe.count_steps(len(part.train_labels)))
    average = WeightAverage(network, recipe)
    _train_epoch(network, make_optimizer(network, recipe), part, recipe, rates, average)
    _evaluate(network, part, recipe.batch_size)
