"""Own networks exported, rebuilt, verified and looked into."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from bnbench import own_source
from bnbench.data import Dataset
from bnbench.errors import RunError
from bnbench.models.agreement import make_reference
from bnbench.models.diagnosis import diagnose_file
from bnbench.models.exported_model import ExportedModel, read_model
from bnbench.models.graph import UncoveredError
from bnbench.models.inspection import inspect_run, summarize_values
from bnbench.models.own_reference import make_own_reference
from bnbench.models.runtimes import open_runtime
from bnbench.models.torch_network import rebuild_network
from bnbench.models.verification import list_models, verify_run
from bnbench.recipes import RecipeSpec
from bnbench.record_tables import read_verification
from bnbench.records import EnvironmentRecord
from bnbench.specs import StudySpec, TrialSpec, VariantSpec
from bnbench.store import RunStore
from bnbench.training.executors.in_process import InProcessExecutor
from bnbench.training.study import run_study
from tests.conftest import BASELINE, REFERENCE, SYNTHETIC, SilentObserver
from tests.own_nets import NETWORKS, make_own_variant

RECIPE = RecipeSpec(epochs=1, batch_size=32, learning_rate=0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, synthetic_dataset: Dataset) -> RunStore:
    """A run of a scripted, a traced and a built-in network, whose file is gone."""
    folder = tmp_path_factory.mktemp("own")
    variants = (
        BASELINE,
        make_own_variant(folder, "SmallCNN", variant="scripted"),
        make_own_variant(folder, "Traced", variant="traced", width=3),
    )
    study = StudySpec("mine", variants, RECIPE, seeds=(0, 1))
    environment = EnvironmentRecord("", 1, 1, None, {"cpu": ""}, "", {}, None, "")
    store = RunStore.create(folder / "run", study, REFERENCE, SYNTHETIC, environment)
    run_study(store, synthetic_dataset, SilentObserver(), InProcessExecutor(1))
    (folder / "own.py").unlink()
    return store


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_source, "_sources", {})


def open_model(store: RunStore, variant: str) -> ExportedModel:
    return read_model(store.models_folder / f"{variant}-seed0-cpu.pt")


def test_how_a_network_was_exported_is_on_record(run: RunStore) -> None:
    traced = {
        name: open_model(run, name).manifest.model.is_traced
        for name in ("baseline", "scripted", "traced")
    }
    assert traced == {"baseline": False, "scripted": False, "traced": True}


def test_a_model_is_rebuilt_from_the_copy_beside_it_and_can_be_diagnosed(
    run: RunStore, synthetic_dataset: Dataset
) -> None:
    model = open_model(run, "scripted")
    network = rebuild_network(model)
    assert type(network).__name__ == "SmallCNN"
    assert not network.training
    assert diagnose_file(model) is None
    altered = bytearray(model.content)
    weights = network.state_dict()["conv.weight"].numpy().tobytes()
    altered[model.content.index(weights)] ^= 1
    fault = diagnose_file(dataclasses.replace(model, content=bytes(altered)))
    assert fault is not None


def test_without_the_copy_a_model_cannot_be_rebuilt(run: RunStore, tmp_path: Path) -> None:
    model = open_model(run, "scripted")
    alone = dataclasses.replace(model, path=tmp_path / "models" / model.name)
    with pytest.raises(RunError, match="own.py: expected own code with the SHA-256"):
        rebuild_network(alone)


def test_own_networks_agree_within_the_tolerance_and_are_not_covered(
    run: RunStore, synthetic_dataset: Dataset, tmp_path: Path
) -> None:
    test = synthetic_dataset.test
    runtimes = [open_runtime(name, tmp_path) for name in ("eager", "torchscript")]
    models = list_models(run.models_folder, run.read_trials())
    records = verify_run(run, models, test.inputs.numpy(), test.labels.numpy(), runtimes)
    assert {record.status for record in records} == {"agreed"}, records
    own = [record for record in records if record.variant != "baseline"]
    assert len(own) == 8
    assert all(0 < (record.max_abs_diff or 0) < 1e-5 for record in own)
    assert {record.max_bound_share for record in own} == {None}
    certificates, _ = read_verification(run.folder)
    assert {(each.variant, each.status) for each in certificates} == {
        ("baseline", "bounded"),
        ("scripted", "not covered"),
        ("traced", "not covered"),
    }
    (reasons,) = [each.reason for each in certificates if each.model == "traced-seed1-cpu.pt"]
    assert "got code alone" in str(reasons)


def test_the_reference_of_an_own_network_is_in_binary64(
    run: RunStore, synthetic_dataset: Dataset
) -> None:
    model, test = open_model(run, "traced"), synthetic_dataset.test
    reference = make_own_reference(model, test.inputs.numpy(), test.labels.numpy(), "")
    network = rebuild_network(model).double()
    with torch.inference_mode():
        expected = network((test.inputs[:, None].float() / 255).double())
    np.testing.assert_allclose(reference.logits, expected, rtol=0, atol=1e-12)
    with pytest.raises(UncoveredError, match="got code alone"):
        make_reference(model, test.inputs.numpy(), test.labels.numpy())


def test_a_network_that_computes_in_binary32_only_is_its_own_reference(
    tmp_path: Path, synthetic_dataset: Dataset, environment: EnvironmentRecord
) -> None:
    text = NETWORKS + "\n\nclass Single(Same):\n    def forward(self, images):\n"
    text += "        return super().forward(images.float())\n"
    variant = make_own_variant(tmp_path, "Single", text)
    study = StudySpec("mine", (variant,), RECIPE, seeds=(0,))
    store = RunStore.create(tmp_path / "run", study, REFERENCE, SYNTHETIC, environment)
    run_study(store, synthetic_dataset, SilentObserver(), InProcessExecutor(1))
    test = synthetic_dataset.test
    model = open_model(store, "own")
    reference = make_own_reference(model, test.inputs.numpy(), test.labels.numpy(), "code")
    assert "binary32, since its code needs that" in (reference.record.reason or "")


def test_what_is_inside_own_networks_is_looked_at_by_dotted_names(
    run: RunStore, synthetic_dataset: Dataset
) -> None:
    record = inspect_run(run.models_folder, run.study, run.read_trials(), synthetic_dataset)
    assert record.batch_images == RECIPE.batch_size
    layers = {
        name: {(each.kind, each.layer) for each in record.values if each.variant == name}
        for name in ("baseline", "scripted", "traced")
    }
    gradients = {("gradient", "conv"), ("gradient", "output")}
    assert layers["scripted"] == {("input", "act"), *gradients}
    assert layers["traced"] == gradients  # its activation is a function
    assert ("input", "activation1") in layers["baseline"]


def test_a_unit_of_images_is_a_channel_and_values_are_those_before_the_activation() -> None:
    layers = (torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU(inplace=True), torch.nn.Flatten())
    network = torch.nn.Sequential(*layers)
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        layers[0].bias.zero_()
    inputs = torch.full((3, 1, 2, 2), 5.0)
    inputs[:, :, 0, 0] = 0  # at this place both channels are dead, and the first only there
    found = summarize_values("tiny", "after", [network], inputs, torch.zeros(3))
    assert found[0].dead == 0.5
    assert (found[0].quantiles[0], found[0].quantiles[-1]) == (-5, 5)


def test_a_trial_of_an_own_network_depends_on_its_arguments(tmp_path: Path) -> None:
    one = make_own_variant(tmp_path, "SmallCNN", width=2)
    other = make_own_variant(tmp_path, "SmallCNN", width=3)
    assert one != other
    trials = {TrialSpec(each, RECIPE, 0, "cpu") for each in (one, other, one)}
    assert len(trials) == 2
    assert VariantSpec("own") != one
