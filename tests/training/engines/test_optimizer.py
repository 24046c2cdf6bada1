import pytest
import torch

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.records import describe_recipe
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.training.engines import ENGINES, make_engine
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.optimizer import read_optimizer

RECIPE = RecipeSpec(epochs=2, batch_size=20, learning_rate=0.1, momentum=0.5)
TRIAL = TrialSpec(VariantSpec("baseline", (8,)), RECIPE, 0, "cpu")


def train(dataset: Dataset, trial: TrialSpec = TRIAL) -> tuple[str, ...]:
    (trained,) = train_all(make_engine(trial.engine, dataset), [trial])
    return trained.record.optimizers


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_puts_on_record_what_the_recipe_asks_for(
    synthetic_dataset: Dataset, engine: str
) -> None:
    trial = TrialSpec(TRIAL.variant, RECIPE, 0, "cpu", engine)  # type: ignore[arg-type]
    (found,) = train(synthetic_dataset, trial)
    assert found == describe_recipe(trial)
    assert found.endswith("SGD(lr=0.1, momentum=0.5, weight_decay=0)")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"momentum": 0.9, "nesterov": True},
            "torch.optim.sgd.SGD(lr=0.1, momentum=0.9, weight_decay=0, nesterov=True)",
        ),
        (
            {"optimizer": "adam", "schedule": "linear"},
            "torch.optim.adam.Adam(lr=0.1, weight_decay=0, betas=(0.9, 0.999), eps=1e-08)",
        ),
        (
            {"optimizer": "adamw", "beta1": 0.8, "weight_decay": 0.01},
            "torch.optim.adamw.AdamW(lr=0.1, weight_decay=0.01, betas=(0.8, 0.999), eps=1e-08, "
            "decoupled_weight_decay=True)",
        ),
    ],
    ids=["nesterov", "adam", "adamw"],
)
def test_every_optimizer_is_on_record_as_the_recipe_asks_for_it(
    synthetic_dataset: Dataset, changes: dict[str, object], text: str
) -> None:
    recipe = RecipeSpec(**{"epochs": 2, "learning_rate": 0.1, **changes})  # type: ignore[arg-type]
    trial = TrialSpec(TRIAL.variant, recipe, 0, "cpu")
    assert train(synthetic_dataset, trial) == (text,)
    assert describe_recipe(trial) == text


def test_another_optimizer_is_on_record_by_its_own_name(
    synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(parameters: object, lr: float, **_: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=lr)  # type: ignore[arg-type]

    monkeypatch.setattr("torch.optim.SGD", make)
    (found,) = train(synthetic_dataset)
    assert found.startswith("torch.optim.adam.Adam(lr=0.1, weight_decay=0, betas=(0.9, 0.999)")


def test_a_step_that_was_replaced_is_on_record(
    synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.optim.SGD.step", lambda self, closure=None: None)
    (found,) = train(synthetic_dataset)
    assert found.startswith("torch.optim.sgd.SGD with the step of ")
    assert "test_a_step_that_was_replaced" in found


def test_a_setting_that_changes_while_training_is_on_record(
    synthetic_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slowing(torch.optim.SGD):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            self.param_groups[0]["lr"] = 0.01

    monkeypatch.setattr("torch.optim.SGD", Slowing)
    found = train(synthetic_dataset)
    assert [text.rpartition("(")[2].partition(",")[0] for text in found] == ["lr=0.1", "lr=0.01"]
    assert "Slowing" in found[0]


def test_groups_of_parameters_are_described_one_after_the_other() -> None:
    first, second = (torch.zeros(1, requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 0.2, "nesterov": True}]
    text = read_optimizer(torch.optim.SGD(groups, lr=0.1, momentum=0.9))
    assert text == (
        "torch.optim.sgd.SGD(lr=0.1, momentum=0.9, weight_decay=0) and "
        "torch.optim.sgd.SGD(lr=0.2, momentum=0.9, weight_decay=0, nesterov=True)"
    )
