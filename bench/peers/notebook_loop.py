"""The notebook's loop as written: data sets, loaders, and ``ToTensor`` for each image."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from bench.peers.interface import Trainer, TrainingJob
from bnbench.data_files import CONTENT_SHA256, TORCHVISION_LAYOUT, read_checked
from bnbench.networks import build_network


def make_trainer(job: TrainingJob) -> Trainer:
    """Make the loaders and one network."""
    with tempfile.TemporaryDirectory() as root:
        # torchvision reads only decompressed files, and keeps nothing open.
        raw = Path(root) / TORCHVISION_LAYOUT
        raw.mkdir(parents=True)
        for name in CONTENT_SHA256:
            (raw / name).write_bytes(read_checked(job.data_dir, name))
        train_data, test_data = (
            datasets.FashionMNIST(root, train=train, transform=transforms.ToTensor())
            for train in (True, False)
        )
    train_loader = DataLoader(train_data, batch_size=job.recipe.batch_size, shuffle=True)
    test_loader = DataLoader(test_data, batch_size=job.recipe.batch_size)
    torch.manual_seed(0)
    network = build_network(job.variant)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=job.recipe.learning_rate)

    def train_epoch() -> float:
        started = time.perf_counter()
        network.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    @torch.no_grad()
    def measure_accuracies() -> list[float]:
        network.eval()
        correct = [network(images).argmax(dim=1) == labels for images, labels in test_loader]
        return [torch.cat(correct).double().mean().item()]

    return Trainer(train_epoch, measure_accuracies)
