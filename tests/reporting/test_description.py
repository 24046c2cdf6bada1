import pytest

from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.reporting.description import (
    OPTIMIZERS,
    SCHEDULES,
    describe_change,
    describe_network,
    describe_recipe,
)
from bnbench.specs import DataShape, VariantSpec
from bnbench.techniques import VARIANTS


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        (VARIANTS["baseline"], "784 → 64 → 32 → 10, relu, no normalization"),
        (
            VARIANTS["batchnorm_after"],
            "784 → 64 → 32 → 10, relu, batch normalization after each activation",
        ),
        (
            VariantSpec("v", (5,), "rms", "gelu", dropout=0.1, residual=True, init="he"),
            "784 → 5 → 10, gelu, RMS normalization before each activation, dropout 0.1, "
            "shortcuts, he initialization",
        ),
    ],
    ids=["plain", "after", "all"],
)
def test_a_network_is_described_with_what_is_not_usual(variant: VariantSpec, text: str) -> None:
    assert describe_network(variant) == text


def test_a_network_has_as_many_inputs_and_outputs_as_its_data() -> None:
    text = describe_network(VariantSpec("v", (5,)), DataShape((3, 4, 5), 47))
    assert text == "60 → 5 → 47, relu, no normalization"


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (RecipeSpec(), "SGD with momentum 0 and weight decay 0, a constant learning rate"),
        (
            RecipeSpec(initialization_seed=30, order_seed=0),
            "SGD with momentum 0 and weight decay 0, a constant learning rate, the first weights "
            "of seed 30, the order of images and dropout masks of seed 0",
        ),
        (
            RecipeSpec(momentum=0.9, nesterov=True, warmup_steps=1, drop_last=True),
            "Nesterov SGD with momentum 0.9 and weight decay 0, a constant learning rate, a "
            "warm-up of 1 step, without the last batch of an epoch if it is smaller",
        ),
        (
            RecipeSpec(
                optimizer="adamw",
                schedule="cosine",
                label_smoothing=0.1,
                evaluation_statistics="precise",
                weight_averaging="ema",
            ),
            "AdamW with beta1 0.9, beta2 0.999, epsilon 1e-08 and weight decay 0, a learning rate "
            "that falls to zero along a half cosine, label smoothing 0.1, precise statistics of "
            "batch normalization in evaluation, an exponential average of the weights, decay 0.999",
        ),
    ],
    ids=["notebook", "fixed seeds", "nesterov", "adamw"],
)
def test_a_recipe_is_described_with_what_is_not_usual(recipe: RecipeSpec, text: str) -> None:
    assert describe_recipe(recipe) == text


def test_every_optimizer_and_schedule_has_its_words() -> None:
    for optimizer in OPTIMIZERS:
        for schedule in SCHEDULES:
            assert describe_recipe(RecipeSpec(optimizer=optimizer, schedule=schedule))  # type: ignore[arg-type]


def test_what_a_variant_changes_is_named() -> None:
    assert describe_change(VARIANTS["baseline"]) is None
    change = RecipeChange(weight_decay=0.01, optimizer="adamw")
    assert describe_change(VariantSpec("v", recipe=change)) == "optimizer adamw, weight decay 0.01"
