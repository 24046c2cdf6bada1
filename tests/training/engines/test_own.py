"""Own networks and optimizers in the engines."""

import dataclasses
from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset
from bnbench.errors import SpecError
from bnbench.own_code import OwnCode
from bnbench.recipes import RecipeChange, RecipeSpec
from bnbench.records import follows_recipe
from bnbench.specs import EngineChoice, StudySpec, TrialSpec, VariantSpec
from bnbench.training.engines import explain_engines, resolve_engines
from bnbench.training.engines.evaluated import copy_with_precise_statistics
from bnbench.training.engines.interface import TrainedTrial, train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BASELINE
from tests.own_nets import OPTIMIZERS, make_own_code, make_own_variant

RECIPE = RecipeSpec(epochs=2, batch_size=32, learning_rate=0.5)


def train(dataset: Dataset, *trials: TrialSpec) -> list[TrainedTrial]:
    return train_all(ReferenceEngine(dataset), trials)


def list_epochs(trained: TrainedTrial) -> list[tuple[float, float, float]]:
    return [(e.train_loss, e.test_loss, e.test_accuracy) for e in trained.record.epochs]


def test_a_network_written_by_hand_has_the_built_in_ones_results_to_the_last_digit(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    own = make_own_variant(tmp_path, "Same")
    trials = [TrialSpec(variant, RECIPE, 3, "cpu") for variant in (BASELINE, own)]
    built_in, by_hand = train(synthetic_dataset, *trials)
    assert list_epochs(by_hand) == list_epochs(built_in)
    assert built_in.state is not None
    assert by_hand.state is not None
    values = zip(by_hand.state.values(), built_in.state.values(), strict=True)
    assert all(torch.equal(*pair) for pair in values)


def test_a_convolutional_network_learns_and_repeats_itself(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    recipe = dataclasses.replace(
        RECIPE, epochs=4, evaluation_statistics="precise", weight_averaging="ema"
    )
    recipe = dataclasses.replace(recipe, averaging_decay=0.5)
    variant = make_own_variant(tmp_path, "SmallCNN", width=6)
    trial = TrialSpec(variant, recipe, 0, "cpu")
    first, other, again = train(synthetic_dataset, trial, dataclasses.replace(trial, seed=1), trial)
    assert first.record.status == "finished", first.record.reason
    assert first.record.epochs[-1].train_loss < first.record.epochs[0].train_loss
    assert list_epochs(again) == list_epochs(first)
    assert list_epochs(other) != list_epochs(first)


def test_precise_statistics_of_channels_are_those_of_all_places(tmp_path: Path) -> None:
    norm = torch.nn.BatchNorm2d(3)
    images = torch.rand(10, 3, 5, 4)
    copied = copy_with_precise_statistics(torch.nn.Sequential(norm), images.split(4))[0]
    values = images.movedim(1, 0).flatten(1)
    torch.testing.assert_close(copied.running_mean, values.mean(dim=1))
    torch.testing.assert_close(copied.running_var, values.var(dim=1))


def test_an_own_optimizer_trains_and_is_on_record_with_its_hash(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    lion = make_own_code(tmp_path, "Lion", OPTIMIZERS, betas=[0.5, 0.9])
    recipe = dataclasses.replace(RECIPE, optimizer=lion, learning_rate=0.01, schedule="linear")
    (trained,) = train(synthetic_dataset, TrialSpec(BASELINE, recipe, 0, "cpu"))
    assert lion.source_sha256 is not None
    name = f"own_own_{lion.source_sha256[:12]}.Lion"
    assert trained.record.optimizers == (f"{name}(lr=0.01, betas=(0.5, 0.9))",)
    assert follows_recipe(trained.record)
    other = dataclasses.replace(trained.record, optimizers=(f"{name}(lr=0.02)",))
    assert not follows_recipe(other)


def test_an_own_optimizer_that_is_sgd_gives_the_bits_of_sgd(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    own = make_own_code(tmp_path, "make_sgd", OPTIMIZERS)
    recipes = (RECIPE, dataclasses.replace(RECIPE, optimizer=own))
    trials = [TrialSpec(BASELINE, recipe, 0, "cpu") for recipe in recipes]
    built_in, by_hand = train(synthetic_dataset, *trials)
    assert list_epochs(by_hand) == list_epochs(built_in)


def make_study(
    code: OwnCode | None, engine: EngineChoice = "auto", in_variant: bool = True
) -> StudySpec:
    variant = VariantSpec("own", recipe=RecipeChange(optimizer=code if in_variant else None))
    recipe = RecipeSpec() if in_variant or code is None else RecipeSpec(optimizer=code)
    return StudySpec("mine", (VariantSpec("baseline"), variant), recipe, engine=engine)


def test_the_native_engine_leaves_own_code_to_the_reference_engine_and_says_so() -> None:
    code = OwnCode("/a/opt.py:Lion")
    for in_variant in (True, False):
        study = make_study(code, in_variant=in_variant)
        assert resolve_engines(study) == {"cpu": "reference"}
        assert explain_engines(study) == (
            "the native engine leaves own networks and optimizers (opt.py:Lion) to it"
        )
    network = VariantSpec("cnn", module="nets.py:Net")
    assert resolve_engines(StudySpec("mine", (network,))) == {"cpu": "reference"}
    assert resolve_engines(make_study(None)) == {"cpu": "native"}
    assert explain_engines(make_study(None)) == ""


def test_the_native_engine_is_refused_for_own_code() -> None:
    with pytest.raises(
        SpecError,
        match=r"engine: expected another one for own networks and optimizers \(opt.py:Lion\), got "
        "native; use --engine reference",
    ):
        resolve_engines(make_study(OwnCode("/a/opt.py:Lion"), "native"))
