"""torch.func: one compiled step trains a stack of networks, each with its own batch."""

from __future__ import annotations

import copy
import time

import torch
from torch import nn
from torch.nn import functional

from bench.peers.arrays import share_float_dataset
from bench.peers.interface import TrainingJob
from bnbench.networks import build_network


class TorchVmap:
    """Trains a stack of networks by ``torch.compile`` over ``vmap`` of ``grad``, SGD by hand."""

    def __init__(self, job: TrainingJob) -> None:
        data = share_float_dataset(job.data_dir)
        self._train_pixels = torch.from_numpy(data.train.pixels)
        self._train_labels = torch.from_numpy(data.train.labels).long()
        self._test_pixels = torch.from_numpy(data.test.pixels)
        self._test_labels = torch.from_numpy(data.test.labels)
        self._job = job
        networks: list[nn.Module] = []
        for seed in range(job.num_trials):
            torch.manual_seed(seed)
            networks.append(build_network(job.variant))
        self._parameters, self._buffers = torch.func.stack_module_state(networks)
        for parameter in self._parameters.values():
            parameter.requires_grad_(False)
        self._skeleton = copy.deepcopy(networks[0]).to("meta")
        self._step = torch.compile(self._train_batch)

    def _train_batch(
        self,
        parameters: dict[str, torch.Tensor],
        buffers: dict[str, torch.Tensor],
        batches: torch.Tensor,
    ) -> None:
        """Take one step of every network; `batches` has shape (num_trials, batch_size)."""

        def compute_loss(
            parameters: dict[str, torch.Tensor],
            buffers: dict[str, torch.Tensor],
            images: torch.Tensor,
            labels: torch.Tensor,
        ) -> torch.Tensor:
            weights = (parameters, buffers)
            logits: torch.Tensor = torch.func.functional_call(self._skeleton, weights, (images,))
            return functional.cross_entropy(logits, labels)

        gradients = torch.func.vmap(torch.func.grad(compute_loss))(
            parameters, buffers, self._train_pixels[batches], self._train_labels[batches]
        )
        for name, parameter in parameters.items():
            parameter.sub_(gradients[name], alpha=self._job.recipe.learning_rate)

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`."""
        started = time.perf_counter()
        self._skeleton.train()
        for _ in range(num_epochs):
            orders = torch.stack(
                [torch.randperm(len(self._train_labels)) for _ in range(self._job.num_trials)]
            )
            for batches in orders.split(self._job.recipe.batch_size, dim=1):
                self._step(self._parameters, self._buffers, batches)
        return time.perf_counter() - started

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        self._skeleton.eval()

        def predict(
            parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor]
        ) -> torch.Tensor:
            weights = (parameters, buffers)
            images = self._test_pixels
            logits: torch.Tensor = torch.func.functional_call(self._skeleton, weights, (images,))
            return logits.argmax(dim=1)

        with torch.inference_mode():
            predictions = torch.func.vmap(predict)(self._parameters, self._buffers)
            correct = predictions == self._test_labels
        return [float(fraction) for fraction in correct.float().mean(dim=1)]


def make_trainer(job: TrainingJob) -> TorchVmap:
    """Load the data and stack the networks."""
    return TorchVmap(job)
