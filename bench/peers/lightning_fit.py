"""Lightning: ``Trainer.fit`` over batches that are cut from tensors in memory."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator

import lightning
import torch
from torch import nn
from torch.nn import functional

from bench.peers.arrays import share_float_dataset
from bench.peers.interface import TrainingJob
from bnbench.networks import build_network
from bnbench.specs import RecipeSpec


class _ShuffledBatches:
    """Batches of one epoch in a new order each time they are iterated: no loader, no workers."""

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, batch_size: int) -> None:
        self._pixels = pixels
        self._labels = labels
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for batch in torch.randperm(len(self._labels)).split(self._batch_size):
            yield self._pixels[batch], self._labels[batch]


class _Classifier(lightning.LightningModule):
    def __init__(self, network: nn.Module, recipe: RecipeSpec) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.train_seconds = 0.0
        self._epoch_started = 0.0

    def training_step(
        self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int
    ) -> torch.Tensor:
        del batch_idx
        images, labels = batch
        return functional.cross_entropy(self.network(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
        )

    def on_train_epoch_start(self) -> None:
        self._epoch_started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        self.train_seconds += time.perf_counter() - self._epoch_started


class LightningFit:
    """Trains one network, with everything off that Lightning does besides training."""

    def __init__(self, job: TrainingJob) -> None:
        if job.num_trials != 1:
            raise ValueError(f"num_trials: expected 1, got {job.num_trials}")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="lightning")
        data = share_float_dataset(job.data_dir)
        self._batches = _ShuffledBatches(
            torch.from_numpy(data.train.pixels),
            torch.from_numpy(data.train.labels).long(),
            job.recipe.batch_size,
        )
        self._test_pixels = torch.from_numpy(data.test.pixels)
        self._test_labels = torch.from_numpy(data.test.labels)
        torch.manual_seed(0)
        self._classifier = _Classifier(build_network(job.variant), job.recipe)

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`. Starting and ending ``fit`` is not counted."""
        self._classifier.train_seconds = 0.0
        trainer = lightning.Trainer(
            max_epochs=num_epochs,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        self._classifier.train()
        trainer.fit(self._classifier, self._batches)
        return self._classifier.train_seconds

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        network = self._classifier.network.eval()
        with torch.inference_mode():
            correct = network(self._test_pixels).argmax(dim=1) == self._test_labels
        return [float(correct.float().mean().item())]


def make_trainer(job: TrainingJob) -> LightningFit:
    """Load the data and build the network."""
    return LightningFit(job)
