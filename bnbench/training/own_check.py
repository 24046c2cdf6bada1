"""The check of own networks and optimizers on real inputs, before anything is trained or written.

Each own network is built, trained for a few steps and exported. What would end or spoil every
trial is one clear line instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from bnbench.data import Dataset, scale_inputs
from bnbench.errors import SpecError
from bnbench.models.agreement import UNCERTIFIED_TOLERANCE
from bnbench.models.archives import export_program
from bnbench.models.export import script_network
from bnbench.networks import build_first_network, build_network
from bnbench.own_call import settings_kept
from bnbench.own_code import OwnCode
from bnbench.own_source import explain_errors
from bnbench.specs import DataShape, StudySpec, TrialSpec
from bnbench.training.engines.optimizer import make_optimizer

OTHER_SEED = 2**31
"""A seed whose weights must differ from those of seed 0."""


def check_own_code(study: StudySpec, dataset: Dataset) -> None:
    """Check a study's own networks and optimizers on the first inputs of a data set.

    Raises:
        RunError: own code is not what is on record.
        SpecError: own code can't be imported, called or trained; or its network does not fit the
            data, is not decided by its seed and its weights, or can't be exported.
    """
    with torch.random.fork_rng(devices=[]):
        for variant in study.variants:
            trial = TrialSpec(variant, variant.adapt(study.recipe), 0, "cpu")
            if variant.own_code is not None:
                network = _check_building(variant.own_code, trial, dataset.shape)
                _check_evaluation(variant.own_code, network, trial, dataset)
                if "pt2" in study.formats:
                    export_program(variant, dataset.shape)
            if trial.own_codes:
                with _settings_unchanged(trial.own_codes[0]):
                    _check_training(trial, dataset)


def count_parameters(study: StudySpec, shape: DataShape) -> dict[str, int]:
    """Count the trainable parameters of each variant's network, by its name."""
    return {each.name: _count(build_network(each, shape)) for each in study.variants}


def _count(network: nn.Module) -> int:
    return sum(each.numel() for each in network.parameters() if each.requires_grad)


def _list_sizes(num_inputs: int, batch_size: int) -> list[int]:
    """The sizes of the batches that a part of the data is cut into."""
    return sorted({min(batch_size, num_inputs), num_inputs % batch_size} - {0}, reverse=True)


def _check_building(code: OwnCode, trial: TrialSpec, shape: DataShape) -> nn.Module:
    """Check that a seed decides a network's weights, and return the network of seed 0."""
    recipe = replace(trial.recipe, initialization_seed=None, order_seed=None)
    network, state_of_random = build_first_network(trial, shape), torch.get_rng_state()
    same = build_first_network(trial, shape)
    other = build_first_network(replace(trial, recipe=recipe, seed=OTHER_SEED), shape)
    if any(map(torch.nn.parameter.is_lazy, network.parameters())):
        raise SpecError(
            f"{code.label}: expected parameters with a shape, got lazy ones; name their sizes"
        )
    if set(map(id, network.parameters())) & set(map(id, other.parameters())):
        raise SpecError(
            f"{code.label}: expected a new network from each call, got the same parameters twice; "
            "make the network within the callable"
        )
    if torch.equal(torch.get_rng_state(), state_of_random):
        raise SpecError(
            f"{code.label}: expected weights from the trial's seed, got the same random numbers "
            "for two seeds: it seeds torch; remove torch.manual_seed"
        )
    if not _are_equal(network.state_dict(), same.state_dict()):
        raise SpecError(
            f"{code.label}: expected the same weights twice for one seed, got others; draw them "
            "from the generators of torch, numpy.random or random"
        )
    if not _count(network):
        raise SpecError(f"{code.label}: expected trainable parameters, got none")
    types = {str(each.dtype) for each in network.parameters()} - {"torch.float32"}
    if types:
        raise SpecError(
            f"{code.label}: expected parameters of type torch.float32, got {', '.join(types)}"
        )
    return network


def _check_evaluation(
    code: OwnCode, network: nn.Module, trial: TrialSpec, dataset: Dataset
) -> None:
    """Check what a network returns in evaluation mode, built anew and exported."""
    shape, batch_size = dataset.shape, trial.recipe.batch_size
    parts = (dataset.train, dataset.test)
    sizes = [size for part in parts for size in _list_sizes(len(part), batch_size)]
    batches = [scale_inputs(dataset.train.inputs[:size]) for size in dict.fromkeys(sizes)]
    network.eval()
    for batch in batches:
        _check_outputs(code, network, batch, shape)
    other = build_network(trial.variant, shape).eval()
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        outputs = network(batches[0])
        if not torch.equal(outputs, network(batches[0])):
            raise SpecError(
                f"{code.label}: expected the same outputs twice in evaluation mode, got others; "
                "use nn.Dropout, or ask self.training before drawing random numbers"
            )
        if not torch.equal(outputs, other(batches[0])):
            raise SpecError(
                f"{code.label}: expected outputs that parameters and buffers decide, got others "
                "after loading the same state_dict; register every random tensor as a buffer"
            )
    with _explaining(code, "a network that TorchScript can script or trace"):
        exported = script_network(trial.variant, shape)
        exported.load_state_dict(network.state_dict())
    for batch in batches:
        with torch.inference_mode(), _explaining(code, "an exported network that works"):
            found = exported(batch)
        with torch.inference_mode():
            _check_export(code, network(batch), found)


def _check_outputs(
    code: OwnCode, network: nn.Module, inputs: torch.Tensor, shape: DataShape
) -> None:
    expected = f"inputs of shape {_show(inputs)} to pass"
    with _settings_unchanged(code), torch.inference_mode(), _explaining(code, expected):
        outputs = network(inputs)
    found = None
    if not isinstance(outputs, torch.Tensor):
        found = f"{type(outputs).__name__}; return one tensor"
    elif outputs.shape != (len(inputs), shape.num_classes) or outputs.dtype != torch.float32:
        found = f"{outputs.dtype} of shape {_show(outputs)}; change the last layer"
    elif not outputs.isfinite().all():
        found = "NaN or infinite ones; check its initial weights"
    if found is not None:
        raise SpecError(
            f"{code.label}: expected float32 logits of shape ({len(inputs)}, {shape.num_classes}) "
            f"for inputs of shape {_show(inputs)}, got {found}"
        )


def _check_export(code: OwnCode, expected: torch.Tensor, found: torch.Tensor) -> None:
    """Check the exported network: tracing keeps only what the traced batch did."""
    limit = UNCERTIFIED_TOLERANCE * max(1.0, float(expected.abs().max()))
    if found.shape != expected.shape or float((found - expected).abs().max()) > limit:
        raise SpecError(
            f"{code.label}: expected the same outputs of the exported network, got others for a "
            f"batch of {len(expected)}: tracing lost what its forward decides in Python; write it "
            "with tensor operations, or so that torch.jit.script compiles it"
        )


def _check_training(trial: TrialSpec, dataset: Dataset) -> None:
    """Check that a network and an optimizer take a step with batches of each size."""
    code = trial.own_codes[0]
    network = build_first_network(trial, dataset.shape)
    optimizer = make_optimizer(network, trial.recipe)
    rate = trial.recipe.learning_rate
    of_optimizer = trial.own_codes[-1]
    if rate not in [group.get("lr") for group in optimizer.param_groups]:
        raise SpecError(
            f"{of_optimizer.label}: expected an optimizer of the learning rate {rate:g} that it is "
            "given as lr, got another; pass lr on to it"
        )
    network.train()
    states: list[torch.Tensor] = []
    sizes = _list_sizes(len(dataset.train), trial.recipe.batch_size)
    sizes = sizes[:1] if trial.recipe.drop_last else sizes
    for seed, size in enumerate([*sizes, sizes[0]]):
        torch.manual_seed(seed)
        inputs = scale_inputs(dataset.train.inputs[:size])
        labels = dataset.train.labels[:size].to(torch.int64)
        with _explaining(code, f"a training step with a batch of {size}"):
            loss = functional.cross_entropy(network(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
        if all(each.grad is None for each in network.parameters()):
            raise SpecError(f"{code.label}: expected gradients in training, got none")
        with _explaining(of_optimizer, "step() without a closure"):
            optimizer.step()
        states.append(torch.get_rng_state())
    if torch.equal(states[0], states[-1]):
        raise SpecError(
            f"{code.label}: expected random numbers from the trial's seed, got the same ones for "
            "two seeds after a training step: it seeds torch; remove torch.manual_seed"
        )


@contextlib.contextmanager
def _settings_unchanged(code: OwnCode) -> Iterator[None]:
    """Refuse a forward or a step that changes torch's settings, since other trials have them too.

    Raises:
        SpecError: it changed one.
    """
    with settings_kept() as changed:
        yield
    if changed:
        raise SpecError(
            f"{code.label}: expected torch's settings as they were, got another {changed[0]} after "
            "it computed; change none in forward or step"
        )


@contextlib.contextmanager
def _explaining(code: OwnCode, expected: str) -> Iterator[None]:
    with explain_errors(code, expected, "correct the code"):
        yield


def _are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _show(tensor: torch.Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
