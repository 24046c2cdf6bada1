"""Variants and recipes in words."""

from __future__ import annotations

from dataclasses import fields

from bnbench.own_code import OwnCode
from bnbench.recipes import RecipeSpec
from bnbench.reporting.wording import format_count, join_words
from bnbench.specs import FASHION_MNIST_SHAPE, DataShape, VariantSpec

OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
SCHEDULES = {
    "constant": "a constant learning rate",
    "linear": "a learning rate that falls to zero in a line",
    "cosine": "a learning rate that falls to zero along a half cosine",
    "one-cycle": "a learning rate that rises and falls once",
}


def describe_network(variant: VariantSpec, shape: DataShape = FASHION_MNIST_SHAPE) -> str:
    """Say what a variant's network is: ``784 → 64 → 32 → 10, relu, no normalization``."""
    if variant.own_code is not None:
        return str(variant.own_code)
    sizes = " → ".join(map(str, (shape.num_inputs, *variant.hidden_sizes, shape.num_classes)))
    parts = [sizes, variant.activation]
    if variant.normalization == "none":
        parts.append("no normalization")
    else:
        kind = "RMS" if variant.normalization == "rms" else variant.normalization
        parts.append(f"{kind} normalization {variant.placement} each activation")
    if variant.dropout:
        parts.append(f"dropout {variant.dropout:g}")
    if variant.residual:
        parts.append("shortcuts")
    if variant.init != "torch":
        parts.append(f"{variant.init} initialization")
    return ", ".join(parts)


def describe_recipe(recipe: RecipeSpec) -> str:
    """Say how a recipe trains, without its learning rate: the optimizer and what is not usual."""
    parts = [_describe_optimizer(recipe), SCHEDULES[recipe.schedule]]
    if recipe.warmup_steps:
        parts.append(f"a warm-up of {format_count(recipe.warmup_steps, 'step')}")
    if recipe.drop_last:
        parts.append("without the last batch of an epoch if it is smaller")
    if recipe.label_smoothing:
        parts.append(f"label smoothing {recipe.label_smoothing:g}")
    if recipe.evaluation_statistics == "precise":
        parts.append("precise statistics of batch normalization in evaluation")
    if recipe.weight_averaging == "ema":
        parts.append(f"an exponential average of the weights, decay {recipe.averaging_decay:g}")
    if recipe.weight_averaging == "last-epoch":
        parts.append("the mean of the last epoch's weights")
    if recipe.initialization_seed is not None:
        parts.append(f"the first weights of seed {recipe.initialization_seed}")
    if recipe.order_seed is not None:
        parts.append(f"the order of images and dropout masks of seed {recipe.order_seed}")
    return ", ".join(parts)


def _describe_optimizer(recipe: RecipeSpec) -> str:
    if isinstance(recipe.optimizer, OwnCode):
        return f"the own optimizer {recipe.optimizer}"
    settings = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
    if recipe.optimizer != "sgd":
        settings = {"beta1": recipe.beta1, "beta2": recipe.beta2, "epsilon": recipe.epsilon}
    settings["weight decay"] = recipe.weight_decay
    name = f"{'Nesterov ' if recipe.nesterov else ''}{OPTIMIZERS[recipe.optimizer]}"
    return f"{name} with " + join_words([f"{key} {value:g}" for key, value in settings.items()])


def describe_change(variant: VariantSpec) -> str | None:
    """Name what a variant changes in its study's recipe; None if it changes nothing."""
    changes = variant.recipe.changes
    if not changes:
        return None
    ordered = [field.name for field in fields(RecipeSpec) if field.name in changes]
    return ", ".join(f"{name.replace('_', ' ')} {changes[name]}" for name in ordered)
