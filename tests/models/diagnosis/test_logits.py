"""Every fault of a runtime is made for real, by torch and in binary32, and must be named."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from bnbench.models.agreement import make_reference
from bnbench.models.diagnosis import diagnose_logits
from bnbench.models.export import serialize_torchscript
from bnbench.models.exported_model import ExportedModel
from bnbench.models.torch_network import compute_logits
from bnbench.networks import build_network
from bnbench.specs import VariantSpec
from tests.conftest import BASELINE, BATCHNORM
from tests.models.diagnosis.conftest import (
    LAYERNORM,
    NUM_IMAGES,
    SIGMOID,
    Change,
    Exported,
    feed,
    scale,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", [BASELINE, BATCHNORM, LAYERNORM, SIGMOID], ids=lambda v: v.name)
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
    content = serialize_torchscript(variant, state)
    exported = ExportedModel(model.path, content, model.manifest)
    reference = make_reference(exported, model.images.numpy(), model.labels)
    pixels = scale(model.images)
    for logits in (
        feed(network, pixels),
        feed(network, pixels, batch_size=7),
        feed(network.double(), pixels.double()),
        feed(network, pixels.double()).float(),
    ):
        fault = diagnose_logits(reference, logits.numpy(), model.images.numpy())
        assert fault is None


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


@pytest.mark.parametrize("batch_size", [32, 37, 50, NUM_IMAGES])
def test_a_runtime_in_training_mode_is_named_with_its_batch_size(
    batchnorm: Exported, batch_size: int
) -> None:
    logits = feed(batchnorm.rebuild().train(), scale(batchnorm.images), batch_size)
    fault, text = batchnorm.diagnose(logits)
    assert fault == "training_mode"
    assert f"each batch of {batch_size} images" in text


@pytest.mark.parametrize("eps", [1e-3, 7e-4, 0.02])
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


def test_logits_that_guess_as_well_suggest_that_no_weights_were_loaded(batchnorm: Exported) -> None:
    generator = torch.Generator().manual_seed(0)
    fault, text = batchnorm.diagnose(torch.randn((NUM_IMAGES, 10), generator=generator))
    assert fault == "unknown"
    assert "look first whether the weights were loaded at all" in text
    assert f"'bnbench diagnose {batchnorm.path} --layers layers.npz'" in text
