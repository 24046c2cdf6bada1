"""The native engine's techniques: whole trainings in float64 against a plain PyTorch loop."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench import _native
from bnbench.data import Dataset
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import DataShape, TrialSpec, VariantSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import TrainedTrial, train_all

Bytes = NDArray[np.uint8]
Inputs = Bytes | NDArray[np.float32]
Labels = NDArray[np.integer[Any]]
Data = tuple[Inputs, Labels, Inputs, Labels, int]
Doubles = NDArray[np.float64]

SEED = 5
RECIPE = RecipeSpec(epochs=2, batch_size=24, learning_rate=0.05)


def make_images(count: int, seed: int) -> tuple[Bytes, Bytes]:
    """Sparse noise with a bright band of rows that tells the class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = random.integers(0, 120, (count, 784), dtype=np.uint8)
    images[random.random(images.shape) < 0.5] = 0
    images[:, :40] = 0  # pixels without ink
    for image, label in zip(images, labels.tolist(), strict=True):
        image[78 * label : 78 * (label + 1)] += 100
    return images, labels


@pytest.fixture(scope="module")
def data() -> Data:
    return *make_images(100, 0), *make_images(40, 1), 10


def flatten(state: dict[str, torch.Tensor]) -> Doubles:
    return np.concatenate(
        [
            value.detach().double().numpy().ravel()
            for value in state.values()
            if value.is_floating_point()
        ]
    )


def scale(inputs: Inputs) -> torch.Tensor:
    values = torch.tensor(inputs)
    return (values.float().div(255) if values.dtype == torch.uint8 else values).double()


def start(variant: VariantSpec, data: Data) -> nn.Module:
    """Build the network in float64, with gains and shifts that are not just 1 and 0."""
    torch.manual_seed(SEED)
    network = build_network(variant, DataShape(data[0].shape[1:], data[4])).double()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.rand(parameter.shape, generator=random, dtype=torch.float64)
            parameter.add_(0.1 * (noise - 0.5))
    return network


def make_optimizer(network: nn.Module, recipe: RecipeSpec) -> torch.optim.Optimizer:
    lr, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay,
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    betas = (recipe.beta1, recipe.beta2)
    return kind(network.parameters(), lr, betas, recipe.epsilon, weight_decay=decay)


class Average:
    """The mean of a network's weights that a recipe asks for."""

    def __init__(self, network: nn.Module, recipe: RecipeSpec) -> None:
        self._network, self._recipe = network, recipe
        self.state = copy.deepcopy(network.state_dict())
        self._seen: list[dict[str, torch.Tensor]] = []

    def start_epoch(self) -> None:
        self._seen = []

    def add(self) -> None:
        new = copy.deepcopy(self._network.state_dict())
        self._seen.append(new)
        decay = self._recipe.averaging_decay
        for name, value in new.items():
            if not value.is_floating_point() or self._recipe.weight_averaging == "none":
                self.state[name] = value
            elif self._recipe.weight_averaging == "ema":
                self.state[name] = decay * self.state[name] + (1 - decay) * value
            else:
                self.state[name] = torch.stack([seen[name] for seen in self._seen]).mean(0)


def set_precise_statistics(network: nn.Module, batches: list[torch.Tensor]) -> None:
    """By all inputs of a normalization at once, of batches that were normalized one by one."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    inputs: dict[nn.Module, list[torch.Tensor]] = {norm: [] for norm in norms}
    kept = copy.deepcopy(network.state_dict())
    hooks = [
        norm.register_forward_pre_hook(lambda module, values: inputs[module].append(values[0]))
        for norm in norms
    ]
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        for batch in batches:
            network(batch)
        for hook in hooks:
            hook.remove()
        network.load_state_dict(kept)
        for norm in norms:
            values = torch.cat(inputs[norm])
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.copy_(values.mean(0))
            norm.running_var.copy_(values.var(0, correction=1))


def train_by_torch(
    data: Data, variant: VariantSpec, recipe: RecipeSpec, rates: Doubles
) -> tuple[Doubles, list[tuple[float, float, float]]]:
    """Train in float64. Returns what was evaluated last, and each epoch's losses and accuracy."""
    images, labels = scale(data[0]), torch.tensor(data[1]).long()
    tests, test_labels = scale(data[2]), torch.tensor(data[3])
    network = start(variant, data)
    torch.manual_seed(SEED)
    optimizer = make_optimizer(network, recipe)
    average = Average(network, recipe)
    step, epochs = 0, []
    evaluated = network

    def cut(order: torch.Tensor) -> list[torch.Tensor]:
        batches = list(order.split(recipe.batch_size))
        return (
            batches[:-1] if recipe.drop_last and len(batches[-1]) < recipe.batch_size else batches
        )

    for _ in range(recipe.epochs):
        average.start_epoch()
        network.train()
        losses = []
        torch.empty((), dtype=torch.int64).random_()
        seed = int(torch.empty((), dtype=torch.int64).random_().item())
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        for rows in cut(order):
            optimizer.param_groups[0]["lr"] = rates[step if len(rates) > 1 else 0]
            step += 1
            loss = nn.functional.cross_entropy(
                network(images[rows]), labels[rows], label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.add()
            losses += [loss.item()] * len(rows)
        evaluated = copy.deepcopy(network)
        evaluated.load_state_dict(average.state)
        if recipe.evaluation_statistics == "precise":
            set_precise_statistics(
                evaluated, [images[rows] for rows in cut(torch.arange(len(labels)))]
            )
        torch.empty((), dtype=torch.int64).random_()
        evaluated.eval()
        with torch.no_grad():
            logits = evaluated(tests)
        test_loss = nn.functional.cross_entropy(logits, test_labels.long()).item()
        accuracy = (logits.argmax(1) == test_labels).double().mean().item()
        epochs.append((float(np.mean(losses)), test_loss, accuracy))
    return flatten(evaluated.state_dict()), epochs


def train_natively(
    data: Data, variant: VariantSpec, recipe: RecipeSpec, rates: Doubles, instruction_set: str
) -> tuple[Doubles, list[tuple[float, float, float]]]:
    parameters = flatten(start(variant, data).state_dict())
    torch.manual_seed(SEED)
    fields = dataclasses.asdict(recipe)
    for name in (
        *("learning_rate", "schedule", "warmup_steps"),
        *("initialization_seed", "order_seed"),
    ):
        del fields[name]
    trial = _native.EnsembleTrial(
        hidden_sizes=variant.hidden_sizes,
        learning_rates=rates,
        parameters=parameters.astype(np.float32),
        random_state=torch.get_rng_state().numpy().tobytes(),
        normalization=variant.normalization,
        placement=variant.placement,
        activation=variant.activation,
        dropout=variant.dropout,
        residual=variant.residual,
        **fields,
    )
    epochs, found = _native.train_in_float64(*data, trial, parameters, instruction_set)
    return found, [(each.train_loss, each.test_loss, each.test_accuracy) for each in epochs]


def check(
    data: Data,
    variant: VariantSpec,
    recipe: RecipeSpec,
    rates: Doubles | None = None,
    instruction_sets: Sequence[str] = ("",),
) -> None:
    """Compare to 1e-12 of the largest parameter, and losses to 1e-12 of themselves."""
    rates = np.array([recipe.learning_rate]) if rates is None else rates
    expected, expected_epochs = train_by_torch(data, variant, recipe, rates)
    assert np.abs(expected - flatten(start(variant, data).state_dict())).max() > 1e-3
    for instruction_set in instruction_sets:
        found, epochs = train_natively(data, variant, recipe, rates, instruction_set)
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(epochs, expected_epochs, rtol=1e-12)


def vary(**changes: Any) -> VariantSpec:
    return VariantSpec("v", **{"hidden_sizes": (20, 9), **changes})


HIDDEN_LAYERS: dict[str, dict[str, Any]] = {
    "no hidden layer": {"hidden_sizes": ()},
    "relu": {"activation": "relu"},
    "gelu": {"activation": "gelu"},
    "silu": {"activation": "silu"},
    "sigmoid": {"activation": "sigmoid"},
    "tanh": {"activation": "tanh"},
    "residual": {"residual": True, "hidden_sizes": (7, 33, 12)},
    **{
        f"{normalization} {placement} {activation}": {
            "normalization": normalization,
            "placement": placement,
            "activation": activation,
            "residual": True,
            "hidden_sizes": (7, 33, 12),
        }
        for normalization in ("batch", "layer", "rms")
        for placement in ("before", "after")
        # The slope of one is found from its input, that of the other from its output, which is not
        # 0 where that of a missing unit is.
        for activation in ("gelu", "sigmoid")
    },
}


@pytest.mark.parametrize("instruction_set", _native.ensemble_instruction_sets())
@pytest.mark.parametrize("changes", HIDDEN_LAYERS.values(), ids=HIDDEN_LAYERS.keys())
def test_gradients_are_those_of_autograd(
    data: Data, changes: dict[str, Any], instruction_set: str
) -> None:
    # One step of rate 1 on one batch moves the parameters by their gradient.
    recipe = RecipeSpec(epochs=1, batch_size=100, learning_rate=1.0)
    variant, rates = vary(**changes), np.ones(1)
    before = flatten(start(variant, data).state_dict())
    after, epochs = train_by_torch(data, variant, recipe, rates)
    found, found_epochs = train_natively(data, variant, recipe, rates, instruction_set)
    gradient = before - after
    assert np.abs(before - found - gradient).max() <= 1e-12 * np.abs(gradient).max()
    np.testing.assert_allclose(found_epochs, epochs, rtol=1e-12)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "weight decay": {"weight_decay": 0.01},
    "momentum": {"momentum": 0.9, "weight_decay": 0.01},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adam": {"optimizer": "adam", "learning_rate": 0.003},
    "adam with decay": {"optimizer": "adam", "weight_decay": 0.1, "beta1": 0.7, "beta2": 0.9},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "epsilon": 1e-3},
}


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_optimizers_step_as_those_of_torch(data: Data, changes: dict[str, Any]) -> None:
    recipe = dataclasses.replace(RECIPE, **changes)
    check(data, vary(activation="tanh"), recipe, None, _native.ensemble_instruction_sets())
    # Batches of more than one group of images.
    check(data, vary(activation="tanh"), dataclasses.replace(recipe, batch_size=90))


def make_other_data(sizes: tuple[int, ...], num_classes: int, dtype: str) -> Data:
    """Noise of which a third is 0."""
    random = np.random.default_rng(3)

    def make(count: int) -> tuple[Inputs, Labels]:
        bytes_ = random.integers(0, 256, (count, *sizes), dtype=np.uint8)
        bytes_[random.random(bytes_.shape) < 1 / 3] = 0
        inputs = bytes_ if dtype == "uint8" else (bytes_.astype(np.float32) - 100) / 50
        return inputs, random.integers(0, num_classes, count)

    return *make(70), *make(30), num_classes


OTHER_DATA: dict[str, tuple[tuple[int, ...], int, str]] = {
    "8 x 8 bytes": ((8, 8), 10, "uint8"),
    "color bytes, 47 classes": ((3, 5, 7), 47, "uint8"),
    "one byte, two classes": ((1,), 2, "uint8"),
    "features": ((13,), 3, "float32"),
    "color floats, 300 classes": ((3, 4, 5), 300, "float32"),
}


@pytest.mark.parametrize("kind", OTHER_DATA.values(), ids=OTHER_DATA.keys())
def test_data_of_any_shape_are_trained_on_as_torch_does(
    kind: tuple[tuple[int, ...], int, str],
) -> None:
    data = make_other_data(*kind)
    recipe = dataclasses.replace(RECIPE, momentum=0.9, weight_decay=0.01, label_smoothing=0.1)
    variant = vary(activation="tanh", normalization="batch")
    check(data, variant, recipe, None, _native.ensemble_instruction_sets())
    # Batches of more than one group of inputs.
    check(data, variant, dataclasses.replace(recipe, batch_size=70, epochs=5))


@pytest.mark.parametrize("normalization", ["batch", "layer", "rms"])
def test_gains_and_shifts_step_as_those_of_torch(data: Data, normalization: str) -> None:
    # Adam makes a whole step of a gradient that is nothing but rounding, as that of a bias before
    # batch normalization is; a large epsilon keeps it small.
    recipe = dataclasses.replace(RECIPE, optimizer="adamw", weight_decay=0.1, epsilon=1e-3)
    check(data, vary(activation="tanh", normalization=normalization), recipe)


RECIPES: dict[str, dict[str, Any]] = {
    "label smoothing": {"label_smoothing": 0.1},
    "last batch left out": {"drop_last": True},
    "moving average": {"weight_averaging": "ema", "averaging_decay": 0.9},
    "mean of the last epoch": {"weight_averaging": "last-epoch"},
    "precise statistics": {"evaluation_statistics": "precise"},
    "precise statistics of full batches": {"evaluation_statistics": "precise", "drop_last": True},
    "precise statistics of a moving average": {
        "evaluation_statistics": "precise",
        "weight_averaging": "ema",
        "averaging_decay": 0.9,
    },
    "precise statistics of a mean": {
        "evaluation_statistics": "precise",
        "weight_averaging": "last-epoch",
    },
}


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES.keys())
def test_recipes_are_those_of_a_torch_loop(data: Data, changes: dict[str, Any]) -> None:
    recipe = dataclasses.replace(RECIPE, **changes)
    check(data, vary(normalization="batch", activation="tanh"), recipe)


def test_every_step_has_its_own_learning_rate(data: Data) -> None:
    rates = np.linspace(0.1, 0.01, 10)
    check(data, vary(activation="tanh"), RECIPE, rates)
    adam = dataclasses.replace(RECIPE, optimizer="adam", epsilon=1e-3)
    check(data, vary(activation="tanh"), adam, rates)


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_dropout_leaves_out_what_torch_leaves_out(
    data: Data, normalization: str, activation: str, residual: bool
) -> None:
    variant = vary(
        dropout=0.3, normalization=normalization, activation=activation, residual=residual
    )
    check(data, variant, RECIPE)


def test_dropout_comes_after_a_normalization_behind_the_activation(data: Data) -> None:
    variant = vary(dropout=0.3, normalization="batch", placement="after")
    check(data, variant, dataclasses.replace(RECIPE, evaluation_statistics="precise"))


def test_all_techniques_go_together(data: Data) -> None:
    variant = vary(
        hidden_sizes=(20, 12, 16),
        normalization="batch",
        placement="after",
        activation="gelu",
        dropout=0.2,
        residual=True,
    )
    recipe = dataclasses.replace(
        RECIPE,
        epochs=3,
        optimizer="adamw",
        weight_decay=0.05,
        epsilon=1e-3,
        drop_last=True,
        label_smoothing=0.1,
        evaluation_statistics="precise",
        weight_averaging="ema",
        averaging_decay=0.9,
    )
    rates = np.linspace(0.05, 0.01, 12)
    check(data, variant, recipe, rates, _native.ensemble_instruction_sets())


def test_a_wrong_number_of_learning_rates_is_refused(data: Data) -> None:
    with pytest.raises(ValueError, match=r"learning_rates: expected one, or one for each of 10"):
        train_natively(data, vary(), RECIPE, np.ones(9), "")


def test_leaving_out_the_only_batch_is_refused(data: Data) -> None:
    recipe = dataclasses.replace(RECIPE, batch_size=101, drop_last=True)
    with pytest.raises(ValueError, match=r"batch_size: expected at most the 100 training inputs"):
        train_natively(data, vary(), recipe, np.ones(1), "")


def train(engine: str, dataset: Dataset, *trials: TrialSpec) -> list[TrainedTrial]:
    named = [dataclasses.replace(trial, engine=engine) for trial in trials]
    return train_all(make_engine(engine, dataset, 1), named)  # type: ignore[arg-type]


TECHNIQUES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "layer normalization": ({"normalization": "layer"}, {}),
    "rms normalization": ({"normalization": "rms"}, {}),
    "batch normalization after": ({"normalization": "batch", "placement": "after"}, {}),
    "dropout": ({"dropout": 0.2}, {}),
    "residual": ({"residual": True}, {}),
    "gelu": ({"activation": "gelu"}, {}),
    "silu": ({"activation": "silu"}, {}),
    "nesterov": ({}, {"momentum": 0.9, "nesterov": True, "learning_rate": 0.01}),
    "adam": ({}, {"optimizer": "adam", "learning_rate": 0.001}),
    "adamw": ({}, {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.01}),
    "linear": ({}, {"schedule": "linear", "warmup_steps": 20}),
    "one-cycle": ({}, {"schedule": "one-cycle"}),
    "label smoothing": ({}, {"label_smoothing": 0.1}),
    "moving average": ({}, {"weight_averaging": "ema"}),
    "mean of the last epoch": ({}, {"weight_averaging": "last-epoch"}),
    "precise statistics": ({"normalization": "batch"}, {"evaluation_statistics": "precise"}),
}


@pytest.mark.parametrize("technique", TECHNIQUES.values(), ids=TECHNIQUES.keys())
def test_both_engines_learn_as_well_by_every_technique(
    synthetic_dataset: Dataset, technique: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    recipe = dataclasses.replace(RecipeSpec(3, 32, 0.05), **{"warmup_steps": 0, **technique[1]})
    recipe = dataclasses.replace(recipe, warmup_steps=min(recipe.warmup_steps, 5))
    trial = TrialSpec(vary(**technique[0]), recipe, 3, "cpu")
    (native,) = train("native", synthetic_dataset, trial)
    (reference,) = train("reference", synthetic_dataset, trial)
    assert native.record.status == reference.record.status == "finished"
    assert native.state is not None
    assert reference.state is not None
    assert native.state.keys() == reference.state.keys()
    for name, value in reference.state.items():
        assert native.state[name].dtype == value.dtype
    for one, other in zip(native.record.epochs, reference.record.epochs, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)
        assert one.test_loss == pytest.approx(other.test_loss, rel=1e-3)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("technique", TECHNIQUES.values(), ids=TECHNIQUES.keys())
def test_fashion_mnist_is_learned_as_well_by_every_technique(
    fashion_mnist: Dataset, technique: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    recipe = dataclasses.replace(RecipeSpec(2, 64, 0.05), **technique[1])
    trial = TrialSpec(vary(hidden_sizes=(64, 32), **technique[0]), recipe, 0, "cpu")
    (native,) = train("native", fashion_mnist, trial)
    (reference,) = train("reference", fashion_mnist, trial)
    for one, other in zip(native.record.epochs, reference.record.epochs, strict=True):
        # ReLUs that round to the other side of 0 make another training of the same quality. With
        # batch normalization after them, PyTorch on two threads is 3 % away from itself on one.
        assert one.train_loss == pytest.approx(other.train_loss, rel=0.06)
    last = native.record.epochs[-1].test_accuracy
    assert last == pytest.approx(reference.record.epochs[-1].test_accuracy, abs=0.02)
