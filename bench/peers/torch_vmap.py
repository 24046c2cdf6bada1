"""torch.func: one compiled step (``vmap`` of ``grad``) trains a stack of networks."""

from __future__ import annotations

import copy
import time

import torch
from torch import nn
from torch.nn import functional

from bench.peers.arrays import load_arrays
from bench.peers.interface import Trainer, TrainingJob
from bnbench.networks import build_network

Tensors = dict[str, torch.Tensor]


def make_trainer(job: TrainingJob) -> Trainer:
    """Stack the networks; the first epoch compiles."""
    arrays = map(torch.from_numpy, load_arrays(job.data_dir))
    train_pixels, train_labels, test_pixels, test_labels = arrays
    train_labels = train_labels.long()
    networks: list[nn.Module] = []
    for seed in range(job.num_trials):
        torch.manual_seed(seed)
        networks.append(build_network(job.variant))
    parameters, buffers = torch.func.stack_module_state(networks)
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    skeleton = copy.deepcopy(networks[0]).to("meta")

    def compute_logits(parameters: Tensors, buffers: Tensors, images: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(skeleton, (parameters, buffers), (images,))

    def compute_loss(
        parameters: Tensors, buffers: Tensors, images: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        return functional.cross_entropy(compute_logits(parameters, buffers, images), labels)

    @torch.compile
    def train_batch(parameters: Tensors, buffers: Tensors, batches: torch.Tensor) -> None:
        gradients = torch.func.vmap(torch.func.grad(compute_loss))(
            parameters, buffers, train_pixels[batches], train_labels[batches]
        )
        for name, parameter in parameters.items():
            parameter.sub_(gradients[name], alpha=job.recipe.learning_rate)

    def train_epoch() -> float:
        started = time.perf_counter()
        skeleton.train()
        orders = torch.stack([torch.randperm(len(train_labels)) for _ in networks])
        for batches in orders.split(job.recipe.batch_size, dim=1):
            train_batch(parameters, buffers, batches)
        return time.perf_counter() - started

    @torch.inference_mode()
    def measure_accuracies() -> list[float]:
        skeleton.eval()
        predict = torch.func.vmap(compute_logits, in_dims=(0, 0, None))
        correct = predict(parameters, buffers, test_pixels).argmax(dim=2) == test_labels
        return correct.double().mean(dim=1).tolist()

    return Trainer(train_epoch, measure_accuracies)
