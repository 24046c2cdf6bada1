import typing
from collections import OrderedDict

import pytest
import torch
from torch import nn

from bnbench.layers import INITIALIZERS, Shortcut
from bnbench.networks import ACTIVATIONS, NORMALIZATIONS, build_network
from bnbench.specs import Activation, DataShape, Initialization, Normalization, VariantSpec
from bnbench.techniques import VARIANTS


def list_layers(variant: VariantSpec) -> list[str]:
    return [str(layer) for layer in build_network(variant)]


def test_the_baseline_is_two_hidden_layers_with_relu() -> None:
    assert list_layers(VARIANTS["baseline"]) == [
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=784, out_features=64, bias=True)",
        "ReLU()",
        "Linear(in_features=64, out_features=32, bias=True)",
        "ReLU()",
        "Linear(in_features=32, out_features=10, bias=True)",
    ]


def test_batch_normalization_stands_between_each_hidden_layer_and_its_activation() -> None:
    layers = list_layers(VARIANTS["batchnorm"])
    assert layers[2].startswith("BatchNorm1d(64, eps=1e-05, momentum=0.1, affine=True")
    assert layers[5].startswith("BatchNorm1d(32, eps=1e-05, momentum=0.1, affine=True")
    assert [layer for layer in layers if "Batch" not in layer] == list_layers(VARIANTS["baseline"])


def test_a_variant_is_one_entry() -> None:
    layers = list_layers(VariantSpec("deep", (5, 4, 3), "layer", "tanh"))
    assert [layer.split("(")[0] for layer in layers] == (
        ["Flatten"] + ["Linear", "LayerNorm", "Tanh"] * 3 + ["Linear"]
    )


def test_every_allowed_name_has_its_layer() -> None:
    assert set(ACTIVATIONS) == set(typing.get_args(Activation))
    assert set(NORMALIZATIONS) == set(typing.get_args(Normalization))
    assert set(INITIALIZERS) == set(typing.get_args(Initialization))


def list_kinds(variant: VariantSpec) -> list[str]:
    return [layer.split("(")[0] for layer in list_layers(variant)]


def test_a_normalization_may_stand_after_the_activation_and_dropout_stands_last() -> None:
    variant = VariantSpec("v", (5,), "rms", "silu", placement="after", dropout=0.25)
    assert list_kinds(variant) == ["Flatten", "Linear", "SiLU", "RMSNorm", "Dropout", "Linear"]


def test_the_first_hidden_layer_has_no_shortcut() -> None:
    variant = VariantSpec("v", (5, 4, 3), residual=True)
    assert list_kinds(variant) == ["Flatten", "Linear", "ReLU", "Shortcut", "Shortcut", "Linear"]


@pytest.mark.parametrize(
    ("num_outputs", "added"),
    [(2, [1.0, 2.0]), (3, [1.0, 2.0, 3.0]), (4, [1.0, 2.0, 3.0, 0.0])],
    ids=["cut", "equal", "filled"],
)
def test_a_shortcut_adds_its_inputs_cut_or_filled_with_zeros(
    num_outputs: int, added: list[float]
) -> None:
    shortcut = Shortcut(OrderedDict(linear=nn.Linear(3, num_outputs)))
    inputs = torch.tensor([[1.0, 2.0, 3.0]])
    outputs = shortcut(inputs) - shortcut[0](inputs)
    assert torch.allclose(outputs, torch.tensor([added]))


def test_he_weights_have_the_variance_that_relu_needs_and_no_biases() -> None:
    torch.manual_seed(0)
    linear = build_network(VariantSpec("v", init="he"))[1]
    assert isinstance(linear, nn.Linear)
    assert linear.weight.var().item() == pytest.approx(2 / 784, rel=0.05)
    assert not linear.bias.any()


def test_orthogonal_weights_have_orthogonal_rows_of_length_root_two_and_no_biases() -> None:
    linear = build_network(VariantSpec("v", init="orthogonal"))[1]
    assert isinstance(linear, nn.Linear)
    assert torch.allclose(linear.weight @ linear.weight.T, 2 * torch.eye(64), atol=1e-4)
    assert not linear.bias.any()


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (3, 784)], ids=["images", "flat"])
def test_images_may_be_flat_or_not(shape: tuple[int, ...]) -> None:
    assert build_network(VARIANTS["batchnorm"])(torch.zeros(shape)).shape == (3, 10)


def test_a_seeds_weights_are_those_of_the_network_written_by_hand() -> None:
    torch.manual_seed(3)
    by_hand = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    after_by_hand = torch.get_rng_state()
    for variant in ("baseline", "batchnorm"):
        torch.manual_seed(3)
        network = build_network(VARIANTS[variant])
        assert torch.equal(torch.get_rng_state(), after_by_hand)
        linear = [layer for layer in network if isinstance(layer, nn.Linear)]
        expected = [layer for layer in by_hand if isinstance(layer, nn.Linear)]
        for found, wanted in zip(linear, expected, strict=True):
            assert torch.equal(found.weight, wanted.weight)
            assert torch.equal(found.bias, wanted.bias)


@pytest.mark.parametrize("sizes", [(64,), (1, 8, 8), (3, 4, 5)], ids=str)
def test_a_network_takes_inputs_of_any_shape_and_gives_a_logit_per_class(
    sizes: tuple[int, ...],
) -> None:
    network = build_network(VARIANTS["batchnorm"], DataShape(sizes, 47))
    assert network(torch.zeros(3, *sizes)).shape == (3, 47)
