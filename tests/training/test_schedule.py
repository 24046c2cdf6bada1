import numpy as np
import pytest
import torch

from bnbench.recipes import RecipeSpec, Schedule
from bnbench.training.schedule import SCHEDULES, compute_learning_rates

NUM_STEPS = 90


def list_torch_rates(make: object, num_steps: int = NUM_STEPS) -> list[float]:
    """The rates that a scheduler of torch gives, step by step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(optimizer)  # type: ignore[operator]
    rates = []
    for step in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < num_steps:
            scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        ("constant", lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0)),
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, NUM_STEPS)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, NUM_STEPS)),
        (
            "one-cycle",
            lambda o: torch.optim.lr_scheduler.OneCycleLR(
                o, 0.3, total_steps=NUM_STEPS, cycle_momentum=False
            ),
        ),
    ],
    ids=list(SCHEDULES),
)
def test_every_schedule_is_torchs(schedule: Schedule, make: object) -> None:
    rates = compute_learning_rates(RecipeSpec(learning_rate=0.3, schedule=schedule), NUM_STEPS)
    np.testing.assert_allclose(rates, list_torch_rates(make), rtol=1e-12, atol=1e-15)


def test_the_warm_up_rises_in_a_line_and_the_schedule_covers_the_rest() -> None:
    recipe = RecipeSpec(learning_rate=1.0, schedule="linear", warmup_steps=4)
    rates = compute_learning_rates(recipe, 8)
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("num_steps", [1, 2, 3, 4, 7])
def test_short_trainings_have_rates_above_zero_and_not_above_the_highest(
    schedule: Schedule, num_steps: int
) -> None:
    rates = compute_learning_rates(RecipeSpec(learning_rate=0.5, schedule=schedule), num_steps)
    assert rates.shape == (num_steps,)
    assert (rates > 0).all()
    assert (rates <= 0.5).all()
