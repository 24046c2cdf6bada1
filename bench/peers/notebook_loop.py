"""The notebook's loop as notebooks write it: data sets, loaders, a transform an image."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from bench.peers.interface import TrainingJob
from bnbench.networks import build_network


class NotebookLoop:
    """Trains one network, image by image through ``ToTensor`` and batch by batch after that."""

    def __init__(self, job: TrainingJob) -> None:
        if job.num_trials != 1:
            raise ValueError(f"num_trials: expected 1, got {job.num_trials}")
        root = str(job.data_dir)
        transform = transforms.ToTensor()
        train_data = datasets.FashionMNIST(root, train=True, download=False, transform=transform)
        test_data = datasets.FashionMNIST(root, train=False, download=False, transform=transform)
        self._train_loader = DataLoader(train_data, batch_size=job.recipe.batch_size, shuffle=True)
        self._test_loader = DataLoader(test_data, batch_size=job.recipe.batch_size)
        torch.manual_seed(0)
        self._network = build_network(job.variant)
        self._criterion = nn.CrossEntropyLoss()
        self._optimizer = torch.optim.SGD(
            self._network.parameters(),
            lr=job.recipe.learning_rate,
            momentum=job.recipe.momentum,
            weight_decay=job.recipe.weight_decay,
        )

    def train_epochs(self, num_epochs: int) -> float:
        """Train; see `Trainer.train_epochs`."""
        started = time.perf_counter()
        for _ in range(num_epochs):
            self._network.train()
            for images, labels in self._train_loader:
                self._optimizer.zero_grad()
                loss = self._criterion(self._network(images), labels)
                loss.backward()
                self._optimizer.step()
        return time.perf_counter() - started

    def measure_accuracies(self) -> list[float]:
        """Evaluate; see `Trainer.measure_accuracies`."""
        self._network.eval()
        num_correct = 0
        num_images = 0
        with torch.no_grad():
            for images, labels in self._test_loader:
                predictions = self._network(images).argmax(dim=1)
                num_correct += int((predictions == labels).sum().item())
                num_images += len(labels)
        return [num_correct / num_images]


def make_trainer(job: TrainingJob) -> NotebookLoop:
    """Make the loaders and the network."""
    return NotebookLoop(job)
