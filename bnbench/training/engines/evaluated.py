"""The network that is evaluated, where it is not simply the one in training.

Its weights may be an average over the steps, and its statistics precise ones.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bnbench.recipes import RecipeSpec


class WeightAverage:
    """The average of a network's weights and running statistics that its recipe asks for."""

    def __init__(self, network: nn.Module, recipe: RecipeSpec) -> None:
        self._source = network
        self._averaging = recipe.weight_averaging
        self._averaged: AveragedModel | None = None
        if self._averaging == "ema":
            average = get_ema_multi_avg_fn(recipe.averaging_decay)
            self._averaged = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
            self.add()  # the first of all is copied

    def start_epoch(self) -> None:
        """Begin a new mean, if it is over the steps of one epoch."""
        if self._averaging == "last-epoch":
            self._averaged = AveragedModel(self._source, use_buffers=True)

    def add(self) -> None:
        """Take the network's weights after a step."""
        if self._averaged is not None:
            self._averaged.update_parameters(self._source)

    @property
    def network(self) -> nn.Module:
        """The network to evaluate: the averaged one, or the one in training."""
        return self._source if self._averaged is None else self._averaged.module


def copy_with_precise_statistics(network: nn.Module, batches: Sequence[torch.Tensor]) -> nn.Module:
    """Copy a network and give its batch normalizations the statistics of a whole training set.

    Each batch passes in training mode, without dropout. The mean and the variance of all batches
    together follow from those of each (Wu and Johnson 2021, Rethinking "Batch" in BatchNorm,
    section 3). They are summed in binary64.

    Args:
        network: is left as it is.
        batches: the training inputs, each of shape (num_rows, *input_shape).
    """
    result = copy.deepcopy(network)
    norms = [
        module
        for module in result.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return result
    sums = [_Sums(norm) for norm in norms]
    result.train()
    for module in result.modules():
        if isinstance(module, _DropoutNd):
            module.eval()
    with torch.no_grad(), contextlib.ExitStack() as hooks:
        for each in sums:
            hooks.enter_context(each.collecting())
        for batch in batches:
            result(batch)
        for each in sums:
            each.store()
    return result


class _Sums:
    """Sums over the inputs of one batch normalization."""

    def __init__(self, norm: _BatchNorm) -> None:
        self._norm = norm
        self._count = 0
        self._sum = torch.zeros(norm.num_features, dtype=torch.float64)
        self._square_sum = torch.zeros(norm.num_features, dtype=torch.float64)

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        hook = self._norm.register_forward_pre_hook(self._add)
        try:
            yield
        finally:
            hook.remove()

    def _add(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0]
        if values.ndim > 2:  # the places of an image count like inputs
            values = values.movedim(1, -1).flatten(0, -2)
        variance, mean = torch.var_mean(values, dim=0, correction=0)
        variance, mean = variance.to(self._sum), mean.to(self._sum)
        self._count += len(values)
        self._sum += len(values) * mean
        self._square_sum += len(values) * (variance + mean**2)

    def store(self) -> None:
        mean = self._sum / self._count
        variance = self._square_sum / self._count - mean**2
        unbiased = variance * (self._count / max(self._count - 1, 1))
        assert self._norm.running_mean is not None
        assert self._norm.running_var is not None
        self._norm.running_mean.copy_(mean)
        self._norm.running_var.copy_(unbiased)
