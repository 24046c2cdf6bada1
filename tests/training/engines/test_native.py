import dataclasses

import numpy as np
import pytest
import torch

from bnbench.data import Dataset
from bnbench.data_arrays import Arrays, make_dataset
from bnbench.errors import SpecError
from bnbench.recipes import RecipeSpec
from bnbench.records import EpochRecord
from bnbench.specs import StudySpec, TrialSpec, VariantSpec
from bnbench.techniques import VARIANTS
from bnbench.training.engines import make_engine, resolve_engines
from bnbench.training.engines.interface import TrainedTrial, train_all
from tests.conftest import BASELINE, BATCHNORM

RECIPE = RecipeSpec(epochs=3, batch_size=32, learning_rate=0.2)


def train(
    engine: str, dataset: Dataset, *trials: TrialSpec, threads: int | None = None
) -> list[TrainedTrial]:
    named = [dataclasses.replace(trial, engine=engine) for trial in trials]
    return train_all(make_engine(engine, dataset, threads), named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        dataclasses.replace(RECIPE, batch_size=33),
        dataclasses.replace(RECIPE, momentum=0.9, learning_rate=0.02),
        dataclasses.replace(RECIPE, weight_decay=0.01),
    ],
    ids=["plain", "last batch full", "momentum", "weight decay"],
)
@pytest.mark.parametrize(
    "variant", [BASELINE, BATCHNORM, VariantSpec("tanh", (9,), "batch", "tanh")]
)
def test_both_engines_train_the_same_network_but_for_rounding(
    synthetic_dataset: Dataset, variant: VariantSpec, recipe: RecipeSpec
) -> None:
    compare_engines(synthetic_dataset, TrialSpec(variant, recipe, 3, "cpu"))


OTHER_DATA: dict[str, tuple[tuple[int, ...], str, int]] = {
    "features": ((5,), "float32", 3),
    "color bytes": ((3, 4, 5), "uint8", 47),
    "gray floats": ((7, 3), "float32", 2),
}


@pytest.mark.parametrize(
    ("shape", "dtype", "num_classes"), OTHER_DATA.values(), ids=OTHER_DATA.keys()
)
def test_both_engines_train_the_same_network_on_other_data(
    shape: tuple[int, ...], dtype: str, num_classes: int
) -> None:
    random = np.random.default_rng(0)
    inputs = random.integers(0, 256, (200, *shape)).astype(np.uint8)
    if dtype == "float32":
        inputs = (inputs / 128 - 1).astype(np.float32)
    labels = np.arange(200) % num_classes
    data = make_dataset("d", "a test", Arrays(inputs, labels, inputs[:90], labels[:90]))
    compare_engines(data, TrialSpec(BATCHNORM, RECIPE, 3, "cpu"))


def compare_engines(dataset: Dataset, trial: TrialSpec) -> None:
    (native,) = train("native", dataset, trial)
    (reference,) = train("reference", dataset, trial)
    assert native.state is not None
    assert reference.state is not None
    assert native.state.keys() == reference.state.keys()
    for name, value in native.state.items():
        assert torch.allclose(value, reference.state[name], atol=1e-4), name
        assert value.dtype == reference.state[name].dtype
    for one, other in zip(native.record.epochs, reference.record.epochs, strict=True):
        assert one.epoch == other.epoch
        assert one.train_loss == pytest.approx(other.train_loss, abs=1e-4)
        assert one.test_loss == pytest.approx(other.test_loss, abs=1e-4)
        assert one.test_accuracy == pytest.approx(other.test_accuracy, abs=0.011)


def test_company_and_threads_change_no_bit_of_a_trial(synthetic_dataset: Dataset) -> None:
    trials = [
        TrialSpec(variant, dataclasses.replace(RECIPE, learning_rate=rate), seed, "cpu")
        for variant in (BASELINE, BATCHNORM)
        for rate in (0.01, 0.2)
        for seed in range(8)
    ]
    together = train("native", synthetic_dataset, *trials, threads=2)
    for index in (0, 13, 31):
        (alone,) = train("native", synthetic_dataset, trials[index], threads=1)
        assert alone.state is not None
        shared = together[index].state
        assert shared is not None
        assert all(torch.equal(value, shared[name]) for name, value in alone.state.items())
        assert [e.test_loss for e in alone.record.epochs] == [
            e.test_loss for e in together[index].record.epochs
        ]


def test_a_trial_that_diverges_fails_and_the_others_go_on(synthetic_dataset: Dataset) -> None:
    wild = TrialSpec(BASELINE, dataclasses.replace(RECIPE, learning_rate=1e20), 0, "cpu")
    failed, finished = train(
        "native", synthetic_dataset, wild, TrialSpec(BASELINE, RECIPE, 0, "cpu")
    )
    assert (failed.record.status, failed.state) == ("failed", None)
    assert "diverged: training loss is" in (failed.record.reason or "")
    assert finished.record.status == "finished"


def test_what_an_observer_raises_stops_the_training(synthetic_dataset: Dataset) -> None:
    seen: list[int] = []

    def interrupt(trial: TrialSpec, epoch: EpochRecord) -> None:
        seen.append(epoch.epoch)
        raise KeyboardInterrupt

    trial = TrialSpec(BATCHNORM, dataclasses.replace(RECIPE, epochs=10_000), 0, "cpu", "native")
    with pytest.raises(KeyboardInterrupt):
        make_engine("native", synthetic_dataset, 1).train([trial], interrupt, lambda trained: None)
    assert seen == [1]


@pytest.mark.parametrize(
    ("choice", "variant", "device", "engine"),
    [
        ("auto", "batchnorm", "cpu", "native"),
        ("auto", "layernorm", "cpu", "native"),
        ("auto", "batchnorm", "cuda", "reference"),
        ("reference", "batchnorm", "cpu", "reference"),
        ("native", "batchnorm", "cpu", "native"),
    ],
)
def test_auto_takes_the_native_engine_where_it_can_train(
    choice: str, variant: str, device: str, engine: str
) -> None:
    study = StudySpec("s", (VARIANTS[variant],), devices=(device,), engine=choice)  # type: ignore[arg-type]
    assert resolve_engines(study) == {device: engine}


def test_the_native_engine_is_refused_where_it_cannot_train() -> None:
    study = StudySpec("s", (VARIANTS["baseline"],), devices=("cuda",), engine="native")
    with pytest.raises(SpecError, match="engine: expected, for native, the device cpu, got cuda"):
        resolve_engines(study)
