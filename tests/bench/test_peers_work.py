from bench.peers.work import count_epoch_flops, list_linear_layers
from bnbench.networks import VARIANTS
from bnbench.specs import VariantSpec


def test_the_layers_are_those_of_the_network() -> None:
    assert list_linear_layers(VARIANTS["baseline"]) == [(784, 64), (64, 32), (32, 10)]


def test_an_image_costs_three_products_a_layer_and_two_in_the_first() -> None:
    # 784 x 2 weights, twice; 2 x 10 weights, three times: 3,196 multiply-adds.
    assert count_epoch_flops(VariantSpec("tiny", hidden_sizes=(2,)), num_images=1) == 2 * 3196
    # Without hidden layers there is one layer, and it is the first.
    assert count_epoch_flops(VariantSpec("linear", hidden_sizes=()), num_images=3) == 6 * 15680


def test_an_epoch_of_the_notebooks_networks_is_twelve_point_nine_gigaflop() -> None:
    # (2 x 50,176 + 3 x 2,048 + 3 x 320) x 2 x 60,000
    assert count_epoch_flops(VARIANTS["baseline"]) == 12_894_720_000
    assert count_epoch_flops(VARIANTS["batchnorm"]) == 12_894_720_000
