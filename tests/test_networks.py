import typing

import pytest
import torch
from torch import nn

from bnbench.errors import SpecError
from bnbench.networks import ACTIVATIONS, NORMALIZATIONS, VARIANTS, build_network, find_variant
from bnbench.specs import Activation, Normalization, VariantSpec


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


def test_an_unknown_variant_is_refused_with_a_list_of_all() -> None:
    with pytest.raises(SpecError, match=r"some of baseline, batchnorm, layernorm; got 'bn'"):
        find_variant("bn")
