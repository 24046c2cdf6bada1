"""The reference engine against the notebook's loop, written out as the notebook has it."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import ToTensor

from bnbench.data import Dataset, LabeledInputs
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec
from bnbench.techniques import VARIANTS
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.reference import ReferenceEngine

EPOCHS = 2


class NotebookImages(TorchDataset[tuple[torch.Tensor, int]]):
    """What torchvision's FashionMNIST class does: an image at a time, through ToTensor."""

    def __init__(self, part: LabeledInputs) -> None:
        self.images, self.labels, self.transform = part.inputs.numpy(), part.labels, ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index][:, :, None]), int(self.labels[index])


class Baseline(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.view(x.size(0), -1))


class WithBatchNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 64),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Linear(32, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.view(x.size(0), -1))


def run_notebook(network_class: type[nn.Module], seed: int, dataset: Dataset) -> list[float]:
    torch.manual_seed(seed)
    model = network_class()
    train_loader = DataLoader(NotebookImages(dataset.train), batch_size=64, shuffle=True)
    test_loader = DataLoader(NotebookImages(dataset.test), batch_size=64)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    accuracies = []
    for _ in range(EPOCHS):
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        correct = total = 0
        with torch.no_grad():
            for images, labels in test_loader:
                predicted = model(images).argmax(dim=1)
                total += labels.size(0)
                correct += (predicted == labels).sum().item()
        accuracies.append(correct / total)
    return accuracies


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("variant", "network_class", "seed"),
    [("baseline", Baseline, 0), ("batchnorm", WithBatchNorm, 3)],
)
def test_the_accuracy_after_every_epoch_is_exactly_the_notebooks(
    fashion_mnist: Dataset, variant: str, network_class: type[nn.Module], seed: int
) -> None:
    trial = TrialSpec(VARIANTS[variant], RecipeSpec(epochs=EPOCHS), seed, "cpu")
    (trained,) = train_all(ReferenceEngine(fashion_mnist), [trial])
    found = [epoch.test_accuracy for epoch in trained.record.epochs]
    assert found == run_notebook(network_class, seed, fashion_mnist)
    assert len(set(found)) == EPOCHS
