from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.data import Dataset
from bnbench.inspection import InspectionRecord, ValuesRecord
from bnbench.models import inspection
from bnbench.models.inspection import inspect_run, summarize_values
from bnbench.recipes import RecipeSpec
from bnbench.records import TrialRecord
from bnbench.specs import StudySpec, VariantSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import train_all
from tests.conftest import BASELINE, BATCHNORM, REFERENCE, export_model


def make_tiny_network() -> nn.Sequential:
    """The first pixel times 1, -1 and 2, then ReLU, then ten equal logits."""
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("linear1", nn.Linear(784, 3))
    network.add_module("activation1", nn.ReLU())
    network.add_module("output", nn.Linear(3, 10))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.linear1.weight[:, 0] = torch.tensor([1.0, -1.0, 2.0])
    return network


def test_inputs_dead_units_and_gradients_are_those_worked_by_hand() -> None:
    inputs = torch.zeros(2, 1, 28, 28)
    inputs[1, 0, 0, 0] = 1
    labels = torch.tensor([0, 0], dtype=torch.uint8)
    records = summarize_values("tiny", "after", [make_tiny_network()], inputs, labels)
    before, first, last = records
    assert [(r.layer, r.kind) for r in records] == [
        ("activation1", "input"),
        ("linear1", "gradient"),
        ("output", "gradient"),
    ]
    # The inputs are 0, 0, 0 and 1, -1, 2: mean 1/3, mean square 1; the second unit never fires.
    assert before.spread == pytest.approx((1 - 1 / 9) ** 0.5, rel=1e-5)
    assert before.quantiles[3] == 0.0
    assert before.dead == pytest.approx(1 / 3)
    # All logits are 0, so each class has 0.1; the outputs' weights are 0, so nothing goes further.
    assert first.spread == 0.0
    # d loss / d weight = (probability - is true) * activation, over two images: activations of
    # the second are 1, 0, 2. Row 0: -0.9 / 2 * (1, 0, 2); nine rows: 0.1 / 2 * (1, 0, 2).
    squares = 0.45**2 * (1 + 4) + 9 * 0.05**2 * (1 + 4)
    assert last.spread == pytest.approx((squares / 30) ** 0.5, rel=1e-5)
    assert last.quantiles[0] == 0.0
    assert first.dead is last.dead is None


def test_values_that_are_not_finite_are_left_out() -> None:
    network = make_tiny_network()
    with torch.no_grad():
        network.linear1.weight[0, 0] = torch.inf
    inputs = torch.ones(2, 1, 28, 28)
    records = summarize_values("tiny", "after", [network], inputs, torch.zeros(2))
    assert "activation1" not in {record.layer for record in records}


DEEP = VariantSpec("deep", (5, 4, 3), "layer", "tanh")
LINEAR = VariantSpec("linear", ())


def train(
    folder: Path, dataset: Dataset, study: StudySpec
) -> tuple[list[TrialRecord], InspectionRecord]:
    """Train a study's scored trials, export their models and inspect them."""
    engine = make_engine("reference", dataset, 1)
    trained = train_all(engine, study.list_scored_trials(REFERENCE))
    for each in trained:
        assert each.state is not None
        export_model(each.record, each.state, dataset.test, folder)
    records = [each.record for each in trained]
    return records, inspect_run(folder, study, records, dataset)


def test_networks_of_every_shape_are_inspected(tmp_path: Path, synthetic_dataset: Dataset) -> None:
    recipe = RecipeSpec(epochs=1, batch_size=32, learning_rate=0.1)
    study = StudySpec("shapes", (BASELINE, BATCHNORM, DEEP, LINEAR), recipe, seeds=(4, 2))
    records, found = train(tmp_path, synthetic_dataset, study)
    for confusion in found.confusions:
        of_variant = [r for r in records if r.trial.variant.name == confusion.variant]
        right = sum(r.epochs[-1].test_accuracy for r in of_variant) * 100
        assert sum(map(sum, confusion.correct)) == pytest.approx(right)
    assert [each.candidate for each in found.disagreements] == ["batchnorm", "deep", "linear"]
    assert (found.batch_images, found.value_seeds) == (330, (4, 2))
    assert list_layers(found, "linear") == ["output"]
    assert list_layers(found, "deep") == [
        *("activation1", "activation2", "activation3"),
        *("linear1", "linear2", "linear3", "output"),
    ]
    inputs = [each for each in found.values if each.kind == "input"]
    assert all((each.dead is None) == (each.variant == "deep") for each in inputs)
    normalized = [r for r in inputs if r.variant == "batchnorm" and r.stage == "before"]
    assert [each.spread for each in normalized] == pytest.approx([1.0, 1.0], abs=0.01)


def list_layers(found: InspectionRecord, variant: str) -> list[str]:
    return list(dict.fromkeys(each.layer for each in found.values if each.variant == variant))


def test_before_training_is_where_the_engine_starts(
    tmp_path: Path, synthetic_dataset: Dataset
) -> None:
    recipe = RecipeSpec(epochs=1, batch_size=330, learning_rate=1e-30)
    study = StudySpec("still", (BASELINE, BATCHNORM), recipe, seeds=(3,))
    _, found = train(tmp_path, synthetic_dataset, study)
    before = [each for each in found.values if each.stage == "before"]
    after = [each for each in found.values if each.stage == "after"]

    def measure(records: list[ValuesRecord]) -> list[tuple[str, float]]:
        return [(each.layer, each.spread) for each in records]

    assert measure(before) == measure(after)


def test_an_inspection_repeats_itself_and_leaves_the_random_stream_alone(
    tmp_path: Path, synthetic_dataset: Dataset, small_study: StudySpec
) -> None:
    records, found = train(tmp_path, synthetic_dataset, small_study)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    assert inspect_run(tmp_path, small_study, records, synthetic_dataset) == found
    assert torch.equal(torch.rand(1), expected)


def test_values_are_computed_on_one_thread_and_the_callers_number_comes_back(
    tmp_path: Path,
    synthetic_dataset: Dataset,
    small_study: StudySpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = []
    original = inspection.summarize_values

    def watch(*arguments: Any) -> list[ValuesRecord]:
        used.append(torch.get_num_threads())
        return original(*arguments)

    records, _ = train(tmp_path, synthetic_dataset, small_study)
    monkeypatch.setattr(inspection, "summarize_values", watch)
    torch.set_num_threads(2)
    try:
        inspect_run(tmp_path, small_study, records, synthetic_dataset)
        assert (set(used), torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".pt", b"torn"), (".pt", None), (".json", b"{}")],
    ids=["damaged model", "another model", "damaged manifest"],
)
def test_a_model_that_is_not_the_exported_one_is_left_out(
    tmp_path: Path,
    synthetic_dataset: Dataset,
    small_study: StudySpec,
    suffix: str,
    content: bytes | None,
) -> None:
    records, found = train(tmp_path, synthetic_dataset, small_study)
    other = (tmp_path / "batchnorm-seed1-cpu.pt").read_bytes()
    (tmp_path / "batchnorm-seed0-cpu").with_suffix(suffix).write_bytes(content or other)
    again = inspect_run(tmp_path, small_study, records, synthetic_dataset)
    (alone,) = [r for r in records if r.trial.key == "batchnorm-seed0-cpu"]
    kept = [r for r in records if r is not alone]
    expected = inspect_run(tmp_path, replace(small_study, seeds=(1, 2)), kept, synthetic_dataset)

    def list_values(each: InspectionRecord) -> list[ValuesRecord]:
        return [value for value in each.values if value.variant == "batchnorm"]

    assert list_values(again) == list_values(expected) != list_values(found)
    seeds = {each.variant: each.seeds for each in again.confusions}
    # The manifest alone holds the predictions.
    assert seeds["baseline"] == (0, 1, 2)
    assert seeds["batchnorm"] == ((0, 1, 2) if suffix == ".pt" else (1, 2))


def test_a_run_without_a_model_has_nothing_to_inspect(
    tmp_path: Path, synthetic_dataset: Dataset, small_study: StudySpec
) -> None:
    found = inspect_run(tmp_path, small_study, [], synthetic_dataset)
    assert found.confusions == found.disagreements == found.values == found.value_seeds == ()
