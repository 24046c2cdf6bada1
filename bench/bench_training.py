"""Time one epoch of training and its evaluation, with a fresh network in each round."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bnbench.data import Dataset
from bnbench.recipes import RecipeSpec
from bnbench.specs import EngineName, TrialSpec
from bnbench.techniques import VARIANTS
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import train_all


@pytest.mark.parametrize("variant", ["baseline", "batchnorm"])
@pytest.mark.parametrize("engine_name", ["reference", "native"])
@pytest.mark.benchmark(group="training")
def test_train_one_epoch(
    benchmark: BenchmarkFixture,
    fashion_mnist: Dataset,
    environment: dict[str, object],
    engine_name: EngineName,
    variant: str,
) -> None:
    threads = environment["threads"]
    assert isinstance(threads, int)
    engine = make_engine(engine_name, fashion_mnist, threads)
    trial = TrialSpec(VARIANTS[variant], RecipeSpec(epochs=1), 0, "cpu", engine_name)

    (trained,) = benchmark.pedantic(train_all, (engine, [trial]), rounds=5, warmup_rounds=1)
    (epoch,) = trained.record.epochs
    benchmark.extra_info |= {
        "environment": environment,
        "test_accuracy": epoch.test_accuracy,
        "train_seconds_of_last_round": epoch.train_seconds,
        "eval_seconds_of_last_round": epoch.eval_seconds,
    }
    assert epoch.test_accuracy > 0.2
