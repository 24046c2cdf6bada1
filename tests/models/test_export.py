import hashlib
import io
from pathlib import Path

import pytest
import torch

from bnbench.data import Dataset
from bnbench.models.export import serialize_torchscript
from bnbench.models.manifest import OutputDescription, TensorDescription, read_manifest
from bnbench.models.preprocessing import format_preprocessing
from bnbench.models.stored_network import read_stored_network
from bnbench.networks import build_network
from bnbench.recipes import RecipeSpec
from bnbench.specs import TrialSpec, VariantSpec
from bnbench.training.engines.interface import TrainedTrial, train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BATCHNORM, export_model
from tests.models.conftest import make_state


@pytest.fixture(scope="module")
def trained(synthetic_dataset: Dataset) -> TrainedTrial:
    trial = TrialSpec(BATCHNORM, RecipeSpec(2, 32, 0.5), 7, "cpu")
    (trained,) = train_all(ReferenceEngine(synthetic_dataset), [trial])
    return trained


@pytest.fixture
def model(trained: TrainedTrial, synthetic_dataset: Dataset, tmp_path: Path) -> Path:
    assert trained.state is not None
    return export_model(trained.record, trained.state, synthetic_dataset.test, tmp_path)


def test_a_model_and_its_manifest_are_written_and_nothing_else(model: Path) -> None:
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "batchnorm-seed7-cpu.json",
        "batchnorm-seed7-cpu.pt",
    ]


def test_the_manifest_tells_what_the_model_is_and_must_score(
    model: Path, trained: TrainedTrial, synthetic_dataset: Dataset
) -> None:
    manifest = read_manifest(model.with_suffix(".json"))
    content = model.read_bytes()
    assert manifest.model.sha256 == hashlib.sha256(content).hexdigest()
    assert manifest.model.size_bytes == len(content)
    assert (manifest.seed, manifest.variant.name) == (7, "batchnorm")
    assert manifest.recipe.learning_rate == 0.5
    expected = manifest.expected
    assert expected.correct == round(trained.record.epochs[-1].test_accuracy * 100)
    classes = b"".join(label.to_bytes(8, "little") for label in expected.predictions)
    assert hashlib.sha256(classes).hexdigest() == expected.predictions_sha256
    assert manifest.input.shape == (28, 28)
    assert format_preprocessing(manifest.input.preprocessing) == "divide=255,reshape=1x28x28"
    assert manifest.output == OutputDescription("logits", 10)


def test_the_manifest_tells_every_tensor_and_constant_of_the_eager_network(
    model: Path, trained: TrainedTrial
) -> None:
    network = read_manifest(model.with_suffix(".json")).network
    assert network is not None
    assert trained.state is not None
    assert set(network.tensors) == set(trained.state)
    for name, value in trained.state.items():
        assert network.tensors[name] == TensorDescription(
            tuple(value.shape),
            str(value.dtype).removeprefix("torch."),
            hashlib.sha256(value.numpy().tobytes()).hexdigest(),
        )
    assert network.constants == {"norm1.eps": 1e-5, "norm2.eps": 1e-5}
    assert network.training == ()
    assert read_stored_network(model.read_bytes()).constants == network.constants


@pytest.mark.parametrize("shape", [(-1, 1, 28, 28), (-1, 784)])
def test_the_exported_model_gives_the_manifests_predictions_and_logits(
    model: Path, synthetic_dataset: Dataset, shape: tuple[int, ...]
) -> None:
    expected = read_manifest(model.with_suffix(".json")).expected
    loaded = torch.jit.load(io.BytesIO(model.read_bytes()))
    pixels = synthetic_dataset.test.inputs.float().div(255).reshape(shape)
    with torch.inference_mode():
        logits = loaded(pixels)
    assert tuple(logits.argmax(1).tolist()) == expected.predictions
    probes = expected.probes
    assert probes is not None
    assert torch.allclose(logits[list(probes.indices)], torch.tensor(probes.logits), atol=1e-6)


def test_the_model_is_exported_in_evaluation_mode(model: Path) -> None:
    loaded = torch.jit.load(io.BytesIO(model.read_bytes()))
    assert not any(module.training for module in loaded.modules())


def test_the_same_weights_make_the_same_bytes(trained: TrainedTrial) -> None:
    assert trained.state is not None
    other = {name: value + 1 for name, value in trained.state.items()}
    first = serialize_torchscript(BATCHNORM, trained.state)
    assert serialize_torchscript(BATCHNORM, other) != first
    assert serialize_torchscript(BATCHNORM, trained.state) == first


def test_an_export_does_not_move_a_models_weights_already_handed_out(
    trained: TrainedTrial,
) -> None:
    network = build_network(BATCHNORM)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert trained.state is not None
    serialize_torchscript(BATCHNORM, trained.state)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_networks_of_the_same_layers_in_another_order_are_exported_as_they_are() -> None:
    images = torch.rand(5, 1, 28, 28)
    for placement in ("before", "after"):
        variant = VariantSpec("v", (6,), "batch", placement=placement)  # type: ignore[arg-type]
        state = make_state(variant, 0)
        network = build_network(variant).eval()
        network.load_state_dict(state)
        exported = torch.jit.load(io.BytesIO(serialize_torchscript(variant, state)))
        assert torch.allclose(exported(images), network(images), atol=1e-6), placement
