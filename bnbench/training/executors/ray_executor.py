"""Trials run by the nodes of a Ray cluster, which schedules them and retries after lost nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bnbench.data import Dataset
from bnbench.errors import RunError
from bnbench.own_source import list_sources
from bnbench.specs import TrialSpec
from bnbench.training.engines.interface import EpochObserver
from bnbench.training.executors.batching import BatchQueue, Demand, choose_demand
from bnbench.training.executors.interface import CompletedReceiver, CompletedTrial
from bnbench.training.executors.ray_cluster import list_nodes
from bnbench.training.executors.ray_worker import Job, StoredDataset, run_job, store_dataset
from bnbench.training.executors.software import describe_software

MAX_RETRIES = 10
"""Retries of a batch whose node or worker died; after more, the batch itself is to blame."""
WAIT_SECONDS = 1.0
NODE_TIMEOUT_SECONDS = 30.0
"""Seconds to wait for a node that can run a trial, while no node can."""


class RayExecutor:
    """Sends trials to a joined cluster in batches, and receives them as they end.

    At most two tasks wait for each place a task can run in, so memory does not grow with the
    study. Ray retries a batch on another node if its node is lost. A batch's results depend only
    on its trials, so retries are safe.

    After an error or an interruption, no task is canceled: the cluster ends all tasks of a program
    that leaves it, and Ray 2.60 aborts a program that cancels a task while the task ends.

    Args:
        threads: the study's CPU threads per trial.
        do: the function workers run; tests and benchmarks replace it.
        node_timeout_seconds: seconds to wait for a node that can run a trial, while no node can.
    """

    def __init__(
        self,
        threads: int,
        do: Callable[[Job, StoredDataset], list[CompletedTrial]] = run_job,
        node_timeout_seconds: float = NODE_TIMEOUT_SECONDS,
    ) -> None:
        self._threads = threads
        self._task = ray.remote(do)
        self._node_timeout_seconds = node_timeout_seconds
        self._stored: dict[Dataset, tuple[Any, str]] = {}
        # All trials timed on a kind of device run on one node: its id by the number of GPUs.
        self._timing_nodes: dict[int, str] = {}
        # Times since when no node can run a task with a demand.
        self._unable_since: dict[Demand, float] = {}

    def run(
        self,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        on_epoch: EpochObserver,
        receive: CompletedReceiver,
        *,
        one_at_a_time: bool,
    ) -> None:
        """Run trials on the cluster; see `Executor.run`.

        Raises:
            RunError: a node has other software or data, or no node can run a trial.
        """

        def take(batch: list[CompletedTrial]) -> None:
            for completed in batch:
                for epoch in completed.record.epochs:
                    on_epoch(completed.record.trial, epoch)
                receive(completed)

        if one_at_a_time:
            for trial in trials:
                take(self._run_alone(trial, dataset))
        else:
            self._run_together(trials, dataset, take)

    def _run_together(
        self,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        take: Callable[[list[CompletedTrial]], None],
    ) -> None:
        queue = BatchQueue(trials, self._threads)
        running: dict[Any, Demand] = {}
        try:
            while queue.demands or running:
                nodes = list_nodes()
                for demand in dict.fromkeys([*queue.demands, *running.values()]):
                    num_places = sum(map(demand.count_places, nodes.values()))
                    self._check_places(demand, num_places, nodes)
                    while demand in queue.demands and (
                        sum(each == demand for each in running.values()) < 2 * max(num_places, 1)
                    ):
                        batch = queue.take(demand, num_places)
                        running[self._submit(batch, dataset, demand, demand.processors)] = demand
                ready, _ = ray.wait(list(running), timeout=WAIT_SECONDS)
                for task in ready:
                    take(_get(task))
                    del running[task]
        except RayError as error:
            raise RunError(
                f"executor: expected a cluster that stays up, got: {error}; finished trials are "
                "kept"
            ) from None

    def _run_alone(self, trial: TrialSpec, dataset: Dataset) -> list[CompletedTrial]:
        """Run a trial alone on its node, the same node for all timed trials."""
        demand = choose_demand(trial, self._threads)
        for _ in range(MAX_RETRIES):
            node, processors = self._choose_timing_node(demand)
            task = self._submit(
                (trial,),
                dataset,
                Demand(processors, demand.gpus),
                self._threads,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
                max_retries=0,
            )
            try:
                while not ray.wait([task], timeout=WAIT_SECONDS)[0]:
                    pass
                return _get(task)
            except RayError:
                time.sleep(WAIT_SECONDS)  # until the cluster knows that the node is gone
        raise RunError(
            f"{trial.key}: expected a node that stays up while it is timed, got "
            f"{MAX_RETRIES} failures; finished trials are kept"
        )

    def _choose_timing_node(self, demand: Demand) -> tuple[str, int]:
        """Choose the node of the earlier timed trials if it is up, else one of the largest.

        Returns:
            The node's id and its processors.
        """
        while True:
            nodes = list_nodes()
            able = [node for node in nodes if demand.count_places(nodes[node])]
            self._check_places(demand, len(able), nodes)
            if able:
                if self._timing_nodes.get(demand.gpus) not in able:
                    largest = max(able, key=lambda node: (nodes[node]["CPU"], node))
                    self._timing_nodes[demand.gpus] = largest
                chosen = self._timing_nodes[demand.gpus]
                return chosen, int(nodes[chosen]["CPU"])
            time.sleep(WAIT_SECONDS)

    def _check_places(
        self, demand: Demand, num_places: int, nodes: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Raise RunError if no node has had a place for a demand for longer than the timeout."""
        if num_places:
            self._unable_since.pop(demand, None)
            return
        since = self._unable_since.setdefault(demand, time.monotonic())
        if time.monotonic() - since < self._node_timeout_seconds:
            return
        found = ", ".join(
            str(Demand(int(resources.get("CPU", 0)), int(resources.get("GPU", 0))))
            for resources in nodes.values()
        )
        raise RunError(
            f"executor: expected a node with {demand} for a trial, got {found or 'no node'}; "
            "add such a node, or ask for fewer --threads or other --devices. Finished trials are "
            "kept"
        )

    def _submit(
        self,
        trials: tuple[TrialSpec, ...],
        dataset: Dataset,
        demand: Demand,
        engine_threads: int,
        **options: Any,
    ) -> Any:
        """Send a batch to the cluster; its data set is put into the object store once."""
        if dataset not in self._stored:
            data = store_dataset(dataset)
            self._stored[dataset] = (ray.put(data), data.hash_arrays())
        reference, sha256 = self._stored[dataset]
        sources = list_sources(code for trial in trials for code in trial.own_codes)
        job = Job(trials, engine_threads, self._threads, describe_software(), sha256, sources)
        options = {"max_retries": MAX_RETRIES, **options}
        return self._task.options(
            num_cpus=demand.processors, num_gpus=demand.gpus, **options
        ).remote(job, reference)


def _get(task: Any) -> list[CompletedTrial]:
    try:
        ended: list[CompletedTrial] = ray.get(task)
    except RayTaskError as error:
        if isinstance(error.cause, RunError):
            raise RunError(str(error.cause)) from None
        cause = str(error.cause).strip().splitlines()
        raise RunError(
            "executor: expected nodes that can run trials, got an error on one: "
            f"{cause[0] if cause else type(error.cause).__name__}; every node needs the same "
            "bnbench installed"
        ) from error
    return ended
