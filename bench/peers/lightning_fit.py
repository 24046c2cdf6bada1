"""Lightning: ``Trainer.fit`` over tensors in memory, with everything but training switched off."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator

import lightning
import torch
from torch.nn import functional

from bench.peers.arrays import load_arrays
from bench.peers.interface import Trainer, TrainingJob
from bnbench.networks import build_network


class _ShuffledBatches:
    """Batches in a new order each time: faster than a loader."""

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, batch_size: int) -> None:
        self._pixels, self._labels, self._batch_size = pixels, labels, batch_size

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for batch in torch.randperm(len(self._labels)).split(self._batch_size):
            yield self._pixels[batch], self._labels[batch]


class _Classifier(lightning.LightningModule):
    def __init__(self, job: TrainingJob) -> None:
        super().__init__()
        self.network = build_network(job.variant)
        self.learning_rate = job.recipe.learning_rate

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        return functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), lr=self.learning_rate)

    def on_train_epoch_start(self) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        self.train_seconds = time.perf_counter() - self.started


def make_trainer(job: TrainingJob) -> Trainer:
    """Build one network."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    arrays = map(torch.from_numpy, load_arrays(job.data_dir))
    train_pixels, train_labels, test_pixels, test_labels = arrays
    batches = _ShuffledBatches(train_pixels, train_labels.long(), job.recipe.batch_size)
    torch.manual_seed(0)
    classifier = _Classifier(job)

    def train_epoch() -> float:
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        classifier.train()
        trainer.fit(classifier, batches)
        return classifier.train_seconds  # the start and the end of `fit` are not counted

    @torch.inference_mode()
    def measure_accuracies() -> list[float]:
        correct = classifier.network.eval()(test_pixels).argmax(dim=1) == test_labels
        return [correct.double().mean().item()]

    return Trainer(train_epoch, measure_accuracies)
