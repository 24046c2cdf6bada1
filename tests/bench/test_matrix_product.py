from bench.peers.matrix_product import count_epoch_flops
from bnbench.specs import VariantSpec
from bnbench.techniques import VARIANTS


def test_an_image_costs_three_products_per_layer_and_two_in_the_first() -> None:
    # 784 x 2 weights, twice; 2 x 10 weights, three times: 3,196 multiply-adds.
    assert count_epoch_flops(VariantSpec("tiny", hidden_sizes=(2,)), num_images=1) == 2 * 3196
    # (2 x 50,176 + 3 x 2,048 + 3 x 320) x 2 x 60,000
    assert count_epoch_flops(VARIANTS["batchnorm"]) == 12_894_720_000
