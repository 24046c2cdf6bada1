"""Loading FashionMNIST: from compressed files to checked tensors."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset, load_fashion_mnist


@pytest.mark.benchmark(group="data")
def test_load_fashion_mnist(
    benchmark: BenchmarkFixture, fashion_mnist: Dataset, environment: dict[str, object]
) -> None:
    benchmark.extra_info |= {"environment": environment, "source": fashion_mnist.source}
    dataset = benchmark.pedantic(load_fashion_mnist, rounds=5, warmup_rounds=1)
    assert len(dataset.train) == 60_000
