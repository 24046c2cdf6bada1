"""Every fault is made for real, by torch and in binary32, and must be named."""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from bnbench.data import Dataset
from bnbench.models.diagnosis import diagnose_file, diagnose_logits, diagnose_score
from bnbench.models.export import export_model, serialize_torchscript
from bnbench.models.manifest import read_manifest, seal_manifest
from bnbench.models.runtimes.eager import compute_logits
from bnbench.models.stored_network import read_stored_network
from bnbench.networks import build_network
from bnbench.records import TrialRecord
from bnbench.specs import RecipeSpec, TrialSpec, VariantSpec
from bnbench.training.engines.interface import train_all
from bnbench.training.engines.reference import ReferenceEngine
from tests.conftest import BASELINE, BATCHNORM, make_synthetic_images

LAYERNORM = VariantSpec("layernorm", hidden_sizes=(8, 6), normalization="layer")
SIGMOID = VariantSpec("sigmoid", hidden_sizes=(8, 6), activation="sigmoid")
NUM_IMAGES = 300

State = dict[str, torch.Tensor]
Change = Callable[[nn.Sequential], object]


@dataclasses.dataclass(frozen=True)
class Exported:
    """A model in a folder of its own, and what it was made of."""

    path: Path
    state: State
    record: TrialRecord
    images: torch.Tensor
    labels: NDArray[np.uint8]

    @property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.path.with_suffix(".json"))

    def rebuild(self) -> nn.Sequential:
        network = build_network(self.record.trial.variant)
        network.load_state_dict(self.state)
        return network.eval()

    def diagnose_content(self, content: bytes) -> tuple[str, str]:
        fault = diagnose_file(content, self.manifest, self.path.parent)
        return (fault.name, fault.text) if fault is not None else ("", "")

    def diagnose(self, logits: torch.Tensor) -> tuple[str, str]:
        """The name and the text of what is wrong with logits; empty if nothing is."""
        fault = diagnose_logits(
            read_stored_network(self.path.read_bytes()),
            self.manifest,
            logits.numpy(),
            self.images.numpy(),
            self.labels,
            folder=self.path.parent,
        )
        return (fault.name, fault.text) if fault is not None else ("", "")


@pytest.fixture(scope="module")
def models(
    synthetic_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    """Trained and exported: by variant's name and, of batchnorm, another seed."""
    test = make_synthetic_images(NUM_IMAGES, seed=1)
    folder = tmp_path_factory.mktemp("models")
    seeds = [(BASELINE, 0), (BATCHNORM, 0), (BATCHNORM, 1), (LAYERNORM, 0), (SIGMOID, 0)]
    trials = [TrialSpec(variant, RecipeSpec(2, 32, 0.3), seed, "cpu") for variant, seed in seeds]
    made = {}
    for trained in train_all(ReferenceEngine(synthetic_dataset), trials):
        assert trained.state is not None
        path = export_model(trained.record, trained.state, "synthetic", test, folder)
        trial = trained.record.trial
        name = trial.variant.name if trial.seed == 0 else f"{trial.variant.name}-{trial.seed}"
        made[name] = Exported(path, trained.state, trained.record, test.images, test.labels.numpy())
    return made


@pytest.fixture
def batchnorm(models: dict[str, Exported]) -> Exported:
    return models["batchnorm"]


def feed(network: nn.Module, pixels: torch.Tensor, batch_size: int = 1000) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([network(batch) for batch in pixels.split(batch_size)])


def scale(images: torch.Tensor) -> torch.Tensor:
    return images.float().div(255).unsqueeze(1)


# The model's file.


def test_files_as_they_were_exported_have_no_fault(models: dict[str, Exported]) -> None:
    for model in models.values():
        assert model.diagnose_content(model.path.read_bytes()) == ("", "")


def export_changed(model: Exported, change: Change, mode: bool = False) -> bytes:
    network = model.rebuild()
    with torch.no_grad():
        change(network)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network.train(mode)), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["baseline", "batchnorm"])
def test_a_model_exported_in_training_mode_is_named(models: dict[str, Exported], name: str) -> None:
    content = export_changed(models[name], lambda network: None, mode=True)
    fault, text = models[name].diagnose_content(content)
    assert fault == "training_mode"
    assert "the whole network" in text
    assert "eval()" in text


@pytest.mark.parametrize(
    "tensor",
    ["linear1.weight", "linear2.bias", "norm1.running_mean", "norm2.running_var", "norm1.weight"],
)
def test_a_file_with_one_value_altered_is_told_by_the_tensors_name(
    batchnorm: Exported, tensor: str
) -> None:
    state = {name: value.clone() for name, value in batchnorm.state.items()}
    state[tensor].view(-1)[2] += 2**-10
    fault, text = batchnorm.diagnose_content(serialize_torchscript(BATCHNORM, state))
    assert fault == "parameter_altered"
    assert text.startswith(f"{tensor} is not as exported; every other tensor is")


def test_a_file_with_another_eps_is_told_by_the_layers_name(batchnorm: Exported) -> None:
    content = export_changed(batchnorm, lambda network: setattr(network.norm2, "eps", 1e-3))
    fault, text = batchnorm.diagnose_content(content)
    assert fault == "constant_altered"
    assert text.startswith("norm2.eps is 0.001 and was 1e-05 when exported")


def test_another_models_file_is_told_by_its_manifests_name(models: dict[str, Exported]) -> None:
    other = models["batchnorm-1"].path
    fault, text = models["batchnorm"].diagnose_content(other.read_bytes())
    assert fault == "foreign_manifest"
    assert f"the one that {other.with_suffix('.json').name} describes" in text


@pytest.mark.parametrize("other", ["baseline", "batchnorm-1"])
def test_another_models_file_is_told_without_its_manifest_too(
    models: dict[str, Exported], other: str
) -> None:
    model = models["batchnorm"]
    fault = diagnose_file(models[other].path.read_bytes(), model.manifest)
    assert fault is not None
    assert fault.name == "foreign_manifest"


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b"", lambda b: b"x" * 5000])
def test_a_file_that_is_cut_off_is_called_damaged(
    batchnorm: Exported, damage: Callable[[bytes], bytes]
) -> None:
    assert batchnorm.diagnose_content(damage(batchnorm.path.read_bytes()))[0] == "file_damaged"


def test_a_flipped_bit_in_a_weight_is_called_damage(batchnorm: Exported) -> None:
    content = bytearray(batchnorm.path.read_bytes())
    place = content.index(batchnorm.state["linear1.weight"].numpy().tobytes()[:64])
    content[place] ^= 1
    assert batchnorm.diagnose_content(bytes(content))[0] == "file_damaged"


def test_a_file_that_is_the_same_in_everything_but_its_code_is_not_to_be_loaded(
    batchnorm: Exported,
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(batchnorm.path) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, content + b"\n" if entry.filename.endswith(".py") else content)
    fault, text = batchnorm.diagnose_content(buffer.getvalue())
    assert fault == "file_altered"
    assert "don't load it" in text


def test_a_manifest_that_describes_no_tensors_says_so(batchnorm: Exported) -> None:
    manifest = {key: value for key, value in batchnorm.manifest.items() if key != "network"}
    state = {name: value + 1 for name, value in batchnorm.state.items()}
    fault = diagnose_file(serialize_torchscript(BATCHNORM, state), manifest)
    assert fault is not None
    assert fault.name == "file_altered"
    assert "which of them differ can't be told" in fault.text
    assert diagnose_file(batchnorm.path.read_bytes(), manifest) is None


# The logits of a runtime.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM, LAYERNORM, SIGMOID])
def test_an_honest_runtime_is_never_accused(
    models: dict[str, Exported], variant: VariantSpec, seed: int
) -> None:
    model = models[variant.name]
    torch.manual_seed(seed)
    state = {
        name: value + 0.5 * torch.rand_like(value) if value.is_floating_point() else value
        for name, value in model.state.items()
    }
    network = build_network(variant)
    network.load_state_dict(state)
    network.eval()
    stored = read_stored_network(serialize_torchscript(variant, state))
    pixels = scale(model.images)
    for logits in (
        feed(network, pixels),
        feed(network, pixels, batch_size=7),
        feed(network.double(), pixels.double()),
        feed(network, pixels.double()).float(),
    ):
        assert (
            diagnose_logits(
                stored, model.manifest, logits.numpy(), model.images.numpy(), model.labels
            )
            is None
        )


@pytest.mark.parametrize("name", ["baseline", "batchnorm", "layernorm"])
@pytest.mark.parametrize(
    ("fault", "words", "make_pixels"),
    [
        ("pixels_scaled", "left as bytes", lambda i: i.float()),
        ("pixels_scaled", "divided by 256", lambda i: i.float() / 256),
        ("pixels_normalized", "0.5000 and standard dev", lambda i: i.float() / 127.5 - 1),
        ("pixels_normalized", "mean 0.2860", lambda i: (i.float() / 255 - 0.2860) / 0.3530),
        ("pixels_normalized", "mean 0.2100", lambda i: (i.float() / 255 - 0.21) / 0.43),
        ("pixels_inverted", "white for black", lambda i: 1 - i.float() / 255),
        ("images_transposed", "columns for rows", lambda i: i.transpose(1, 2).float() / 255),
        ("images_flipped", "left for right", lambda i: i.flip(2).float() / 255),
        ("images_flipped", "upside down", lambda i: i.flip(1).float() / 255),
        ("images_flipped", "turned left", lambda i: i.rot90(1, (1, 2)).float() / 255),
        ("byte_order", "words of 4", lambda i: i.view(-1, 4).flip(1).view(i.shape).float() / 255),
    ],
)
def test_images_fed_in_another_way_are_named(
    models: dict[str, Exported],
    name: str,
    fault: str,
    words: str,
    make_pixels: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    model = models[name]
    logits = feed(model.rebuild(), make_pixels(model.images).unsqueeze(1))
    found, text = model.diagnose(logits)
    assert found == fault
    assert words in text


def test_pixels_with_their_bytes_swapped_are_named(batchnorm: Exported) -> None:
    swapped = torch.tensor(scale(batchnorm.images).numpy().byteswap())
    assert batchnorm.diagnose(feed(batchnorm.rebuild(), swapped))[0] == "byte_order"


@pytest.mark.parametrize("batch_size", [32, 37, 100, NUM_IMAGES])
def test_a_runtime_in_training_mode_is_named_with_its_batch_size(
    batchnorm: Exported, batch_size: int
) -> None:
    logits = feed(batchnorm.rebuild().train(), scale(batchnorm.images), batch_size)
    fault, text = batchnorm.diagnose(logits)
    assert fault == "training_mode"
    assert f"each batch of {batch_size} images" in text


@pytest.mark.parametrize("eps", [1e-3, 4e-4, 0.02])
@pytest.mark.parametrize("layers", [("norm1",), ("norm1", "norm2")])
@pytest.mark.parametrize("name", ["batchnorm", "layernorm"])
def test_another_eps_is_found_from_the_logits(
    models: dict[str, Exported], name: str, layers: tuple[str, ...], eps: float
) -> None:
    network = models[name].rebuild()
    for layer in layers:
        network.get_submodule(layer).eps = eps  # type: ignore[assignment]
    fault, text = models[name].diagnose(feed(network, scale(models[name].images)))
    assert fault == "constant_altered"
    assert text.startswith(f"eps of {' and '.join(layers)} is about {eps:.2g} instead of 1e-05")


def diagnose_changed(model: Exported, change: Change) -> tuple[str, str]:
    network = model.rebuild()
    with torch.no_grad():
        change(network)
    return model.diagnose(feed(network, scale(model.images)))


@pytest.mark.parametrize(
    ("name", "tensor", "index", "change"),
    [
        ("baseline", "linear1.weight", (3, 300), 0.5),
        ("baseline", "linear1.bias", (3,), 0.2),
        ("baseline", "linear2.weight", (1, 5), 0.5),
        ("baseline", "output.weight", (9, 1), 0.1),
        ("batchnorm", "linear1.weight", (3, 300), -0.1),
        ("batchnorm", "linear2.weight", (1, 5), 0.5),
        ("batchnorm", "linear2.weight", (1, 5), -30.0),
        ("batchnorm", "norm1.running_mean", (4,), 0.1),
        ("batchnorm", "norm2.running_var", (3,), 0.5),
        ("batchnorm", "norm2.bias", (3,), 0.5),
        ("batchnorm", "output.bias", (0,), -0.01),
        ("layernorm", "norm2.weight", (4,), 0.3),
        ("sigmoid", "linear1.weight", (3, 300), 0.5),
    ],
)
def test_one_altered_value_is_found_from_the_logits(
    models: dict[str, Exported], name: str, tensor: str, index: tuple[int, ...], change: float
) -> None:
    def alter(network: nn.Sequential) -> None:
        network.state_dict()[tensor][index] += change

    fault, text = diagnose_changed(models[name], alter)
    assert fault == "parameter_altered"
    assert f"{tensor} in its value [{', '.join(map(str, index))}]" in text


@pytest.mark.parametrize(
    "tensor", ["norm1.running_mean", "norm2.running_var", "linear1.bias", "output.weight"]
)
def test_an_altered_vector_or_last_layer_is_found_from_the_logits(
    batchnorm: Exported, tensor: str
) -> None:
    def alter(network: nn.Sequential) -> None:
        values = network.state_dict()[tensor]
        generator = torch.Generator().manual_seed(0)
        values.mul_(1 + 0.4 * torch.rand(values.shape, generator=generator)).add_(0.01)

    fault, text = diagnose_changed(batchnorm, alter)
    assert fault == "parameter_altered"
    assert f"{tensor} in " in text


@pytest.mark.parametrize(
    ("fault", "words", "change"),
    [
        ("parameter_altered", "means and variances were not loaded", "norm1 norm2"),
        ("parameter_altered", "norm1.running_mean taken as 0", "norm1.running_mean"),
        ("parameter_altered", "norm2.running_var taken as 1", "norm2.running_var"),
        ("parameter_altered", "output.bias taken as 0", "output.bias"),
    ],
)
def test_tensors_that_were_not_loaded_are_named(
    batchnorm: Exported, fault: str, words: str, change: str
) -> None:
    def reset(network: nn.Sequential) -> None:
        for name, values in network.state_dict().items():
            if name == change or (change == "norm1 norm2" and ".running_" in name):
                values.fill_(1.0 if name.endswith("var") else 0.0)

    found, text = diagnose_changed(batchnorm, reset)
    assert found == fault
    assert words in text


@pytest.mark.parametrize("layer", ["norm1", "norm2", "activation1", "activation2"])
def test_a_layer_left_out_is_named(batchnorm: Exported, layer: str) -> None:
    fault, text = diagnose_changed(
        batchnorm, lambda network: setattr(network, layer, nn.Identity())
    )
    assert fault == "layer_left_out"
    assert f"{layer} left out" in text


def test_a_matrix_read_column_by_column_is_named(batchnorm: Exported) -> None:
    def lay_out(network: nn.Sequential) -> None:
        weight = network.get_parameter("linear2.weight")
        weight.copy_(weight.clone().reshape(8, 6).T)

    fault, text = diagnose_changed(batchnorm, lay_out)
    assert fault == "parameter_altered"
    assert "linear2.weight read column by column" in text


def test_weights_rounded_to_bfloat16_are_named(batchnorm: Exported) -> None:
    def round_weights(network: nn.Sequential) -> None:
        for values in network.parameters():
            if values.ndim == 2:
                values.copy_(values.bfloat16())

    fault, text = diagnose_changed(batchnorm, round_weights)
    assert fault == "low_precision"
    assert "bfloat16" in text


@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_a_softmax_on_top_is_named(
    batchnorm: Exported, function: Callable[[torch.Tensor, int], torch.Tensor]
) -> None:
    logits = compute_logits(batchnorm.rebuild(), batchnorm.images)
    assert batchnorm.diagnose(function(logits, 1))[0] == "softmax_applied"


@pytest.mark.parametrize("shift", [1, -1, 5])
def test_rows_moved_by_images_are_named(batchnorm: Exported, shift: int) -> None:
    logits = compute_logits(batchnorm.rebuild(), batchnorm.images).roll(shift, 0)
    fault, text = batchnorm.diagnose(logits)
    assert fault == "images_shifted"
    assert f"{abs(shift)} place" in text
    assert ("before" if shift > 0 else "on;") in text


def test_rows_in_another_order_are_named(batchnorm: Exported) -> None:
    logits = compute_logits(batchnorm.rebuild(), batchnorm.images)
    shuffled = logits[torch.randperm(NUM_IMAGES, generator=torch.Generator().manual_seed(0))]
    assert batchnorm.diagnose(shuffled)[0] == "images_shifted"


def test_a_header_read_as_pixels_is_named(batchnorm: Exported) -> None:
    header = b"\x00\x00\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (NUM_IMAGES, 28, 28))
    content = header + batchnorm.images.numpy().tobytes()
    images = torch.tensor(list(content[: NUM_IMAGES * 784]), dtype=torch.uint8).view(-1, 28, 28)
    fault, text = batchnorm.diagnose(compute_logits(batchnorm.rebuild(), images))
    assert fault == "images_shifted"
    assert "16 bytes of its header" in text


def test_classes_in_another_order_are_named_with_the_order(batchnorm: Exported) -> None:
    logits = compute_logits(batchnorm.rebuild(), batchnorm.images)
    fault, text = batchnorm.diagnose(logits[:, [1, 0, 2, 3, 4, 5, 6, 7, 9, 8]])
    assert fault == "classes_permuted"
    assert "1, 0, 2, 3, 4, 5, 6, 7, 9, 8" in text


def test_another_models_logits_are_told_by_its_manifests_name(models: dict[str, Exported]) -> None:
    other = models["batchnorm-1"]
    fault, text = models["batchnorm"].diagnose(compute_logits(other.rebuild(), other.images))
    assert fault == "foreign_manifest"
    assert other.path.with_suffix(".json").name in text


def test_what_has_no_name_is_called_unknown_with_what_can_be_told(batchnorm: Exported) -> None:
    logits = compute_logits(batchnorm.rebuild(), batchnorm.images).clone()
    generator = torch.Generator().manual_seed(0)
    logits[:, 3] += torch.rand(NUM_IMAGES, generator=generator)
    fault, text = batchnorm.diagnose(logits)
    assert fault == "unknown"
    assert "only the logits of classes 3 are wrong" in text


def test_logits_that_are_no_numbers_are_a_fault(batchnorm: Exported) -> None:
    fault, text = batchnorm.diagnose(torch.full((NUM_IMAGES, 10), torch.nan))
    assert fault == "unknown"
    assert f"{NUM_IMAGES} images have logits that are no numbers" in text


# The correct count.


@pytest.fixture
def scored() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 1000).astype(np.uint8)
    wrong = generator.random(1000) < 0.15
    return np.where(wrong, (labels + 3) % 10, labels).astype(np.int64), labels


def test_a_right_count_has_no_fault(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> None:
    predictions, labels = scored
    assert diagnose_score(predictions, labels, int((predictions == labels).sum())) is None


@pytest.mark.parametrize(
    ("words", "shift"),
    [
        ("numbered from 1", lambda labels: labels + 1),
        ("forward by one image", lambda labels: np.append(labels[1:], 255)),
        ("back by one image", lambda labels: np.append(255, labels[:-1])),
        (
            "from the file's start",
            lambda labels: np.frombuffer(
                b"\0\0\x08\x01\0\0\x03\xe8" + labels.tobytes()[:-8], dtype=np.uint8
            ),
        ),
    ],
)
def test_shifted_labels_are_named(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
    words: str,
    shift: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    predictions, labels = scored
    fault = diagnose_score(predictions, labels, int((predictions == shift(labels)).sum()))
    assert fault is not None
    assert fault.name == "labels_shifted"
    assert words in fault.text


def test_a_count_that_no_shift_explains_is_called_unknown(
    scored: tuple[NDArray[np.int64], NDArray[np.uint8]],
) -> None:
    fault = diagnose_score(*scored, 999)
    assert fault is not None
    assert fault.name == "unknown"


def test_a_manifest_swapped_between_two_models_of_a_run_is_named(
    models: dict[str, Exported], tmp_path: Path
) -> None:
    content = models["batchnorm"].path.read_bytes()
    (tmp_path / "a.json").write_bytes(models["batchnorm"].path.with_suffix(".json").read_bytes())
    (tmp_path / "b.json").write_text(json.dumps({"some": "other file"}))
    fault = diagnose_file(content, models["batchnorm-1"].manifest, tmp_path)
    assert fault is not None
    assert fault.name == "foreign_manifest"
    assert "a.json" in fault.text


def test_a_resealed_manifest_of_another_digest_is_noticed(batchnorm: Exported) -> None:
    manifest = dict(batchnorm.manifest)
    manifest["model"] = {**manifest["model"], "sha256": hashlib.sha256(b"").hexdigest()}
    del manifest["manifest_sha256"], manifest["format_version"]
    assert seal_manifest(manifest)
    fault = diagnose_file(batchnorm.path.read_bytes(), manifest)
    assert fault is not None
    assert fault.name == "file_altered"
