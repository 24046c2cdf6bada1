"""A small CNN on FashionMNIST: how much of it is certified, and what runtimes make of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bnbench.data import Dataset, load_fashion_mnist
from bnbench.models.certificate import Certificate, certify
from bnbench.models.export_graph import read_export_graph
from bnbench.models.inputs import Inputs
from bnbench.models.preprocessing import parse_preprocessing

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def train_cnn(dataset: Dataset, num_images: int) -> nn.Sequential:
    """Two convolutions with batch normalization and a hidden layer, after one pass."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    images, labels = dataset.train.inputs, dataset.train.labels.long()
    for batch in torch.randperm(len(images))[:num_images].split(64):
        scores = network(images[batch].unsqueeze(1).float() / 255)
        optimizer.zero_grad()
        functional.cross_entropy(scores, labels[batch]).backward()
        optimizer.step()
    return network.eval()


def bound(network: nn.Sequential, images: torch.Tensor) -> tuple[Certificate, np.ndarray]:
    sizes = ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(network, (torch.ones(2, 1, 28, 28),), dynamic_shapes=sizes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    graph = read_export_graph(buffer.getvalue())
    steps = parse_preprocessing("divide=255,reshape=1x28x28")
    proof = certify(graph, Inputs(images.numpy(), steps, graph.input_shape))
    assert isinstance(proof, Certificate), proof
    with torch.inference_mode():
        parts = [network(part.unsqueeze(1).float() / 255) for part in images.split(500)]
    return proof, torch.cat(parts).double().numpy()


def require_agreement(proof: Certificate, found: np.ndarray) -> None:
    assert (np.abs(found - proof.logits) <= proof.logit_bounds).all()
    assert (found.argmax(axis=1) == proof.predictions)[proof.certified].all()


def test_most_predictions_of_a_small_cnn_are_certified(synthetic_dataset: Dataset) -> None:
    network = train_cnn(synthetic_dataset, num_images=320)
    proof, found = bound(network, synthetic_dataset.test.inputs[:20])
    require_agreement(proof, found)
    assert proof.certified.mean() >= 0.9


@pytest.mark.slow
@pytest.mark.real_data
def test_nine_in_ten_predictions_of_a_cnn_on_fashion_mnist_are_certified() -> None:
    dataset = load_fashion_mnist()
    network = train_cnn(dataset, num_images=60_000)
    every_fourth = slice(None, None, 4)  # all 10,000 take four times as long: 9,998 were certified
    proof, found = bound(network, dataset.test.inputs[every_fourth])
    require_agreement(proof, found)
    right = proof.predictions == dataset.test.labels[every_fourth].numpy()
    assert right.mean() > 0.8
    assert proof.certified.mean() >= 0.9
