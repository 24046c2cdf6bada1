import dataclasses

import pytest

from bnbench.recipes import RecipeSpec
from bnbench.specs import EngineName, TrialSpec
from bnbench.training.executors.batching import (
    MAX_EPOCHS_PER_BATCH,
    BatchQueue,
    Demand,
    choose_demand,
)
from tests.conftest import BASELINE


def make_trials(
    count: int, epochs: int = 1, device: str = "cpu", engine: EngineName = "native"
) -> list[TrialSpec]:
    recipe = RecipeSpec(epochs=epochs)
    return [TrialSpec(BASELINE, recipe, seed, device, engine) for seed in range(count)]


def empty(queue: BatchQueue, num_places: int) -> list[tuple[TrialSpec, ...]]:
    batches = []
    while queue.demands:
        batches.append(queue.take(queue.demands[0], num_places))
    return batches


def test_a_native_trial_takes_one_processor_and_a_gpu_trial_its_gpu() -> None:
    (native,) = make_trials(1)
    (reference,) = make_trials(1, engine="reference")
    (gpu,) = make_trials(1, device="cuda", engine="reference")
    assert choose_demand(native, threads=8) == Demand(1)
    assert choose_demand(reference, threads=8) == Demand(8)
    assert choose_demand(gpu, threads=8) == Demand(1, gpus=1)


@pytest.mark.parametrize(
    ("demand", "places"), [(Demand(1), 6), (Demand(4), 1), (Demand(1, gpus=1), 1), (Demand(5), 0)]
)
def test_places_are_counted_node_by_node(demand: Demand, places: int) -> None:
    nodes: list[dict[str, float]] = [{"CPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}, {}]
    assert sum(map(demand.count_places, nodes)) == places


def test_every_trial_leaves_once_and_in_order() -> None:
    trials = make_trials(100)
    batches = empty(BatchQueue(trials, threads=2), num_places=3)
    assert [trial for batch in batches for trial in batch] == trials


def test_batches_grow_smaller_as_trials_run_out() -> None:
    sizes = [len(batch) for batch in empty(BatchQueue(make_trials(40), threads=2), num_places=2)]
    assert sizes[0] == 10
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_a_batch_is_some_seconds_of_work_however_many_trials_wait() -> None:
    queue = BatchQueue(make_trials(10_000, epochs=5), threads=2)
    assert len(queue.take(Demand(1), num_places=2)) == MAX_EPOCHS_PER_BATCH // 5
    long = BatchQueue(make_trials(10, epochs=1000), threads=2)
    assert len(long.take(Demand(1), num_places=1)) == 1


def test_the_reference_engine_gets_one_trial_at_a_time() -> None:
    queue = BatchQueue(make_trials(10, engine="reference"), threads=2)
    assert len(queue.take(Demand(2), num_places=1)) == 1


def test_processors_and_gpus_are_waited_for_apart() -> None:
    on_cpu, on_gpu = make_trials(3), make_trials(3, device="cuda", engine="reference")
    queue = BatchQueue([*on_cpu, *on_gpu], threads=1)
    assert queue.demands == [Demand(1), Demand(1, gpus=1)]
    assert queue.take(Demand(1, gpus=1), num_places=1) == (on_gpu[0],)


def test_a_batch_is_of_one_engine() -> None:
    native = make_trials(4)
    mixed = [*native, *(dataclasses.replace(trial, engine="reference") for trial in native)]
    for batch in empty(BatchQueue(mixed, threads=1), num_places=1):
        assert len({trial.engine for trial in batch}) == 1
