"""Batches of trials for the nodes of a cluster, and the resources that a batch needs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bnbench.specs import TrialSpec
from bnbench.training.engines import ENGINES

MAX_EPOCHS_PER_BATCH = 64
"""Seconds of work; long enough to hide Ray's overhead, short enough to repeat on a lost node."""


@dataclass(frozen=True)
class Demand:
    """The resources a task reserves on its node."""

    processors: int
    gpus: int = 0

    def count_places(self, resources: Mapping[str, float]) -> int:
        """Count the tasks that a node with these resources (by Ray's names) runs at once."""
        places = int(resources.get("CPU", 0.0) // self.processors)
        return min(places, int(resources.get("GPU", 0.0) // self.gpus)) if self.gpus else places

    def __str__(self) -> str:
        return f"{self.processors} processors" + (f" and {self.gpus} GPU" if self.gpus else "")


def choose_demand(trial: TrialSpec, threads: int) -> Demand:
    """Return what a trial needs.

    An engine that trains many trials at once uses one processor per trial, so tasks of one
    processor fill every node. Any other engine gets the study's `threads`, since its sums, and
    so its bits, depend on the number of threads.
    """
    if trial.device != "cpu":
        return Demand(processors=1, gpus=1)
    return Demand(processors=1 if ENGINES[trial.engine].trains_many else threads)


class BatchQueue:
    """A queue of trials, grouped by what they need and taken in batches.

    Args:
        trials: the trials in the order in which to run them.
        threads: the study's CPU threads per trial.
    """

    def __init__(self, trials: Iterable[TrialSpec], threads: int) -> None:
        self._waiting: dict[Demand, deque[TrialSpec]] = {}
        for trial in trials:
            self._waiting.setdefault(choose_demand(trial, threads), deque()).append(trial)

    @property
    def demands(self) -> list[Demand]:
        """The distinct demands of the waiting trials."""
        return [demand for demand, waiting in self._waiting.items() if waiting]

    def take(self, demand: Demand, num_places: int) -> tuple[TrialSpec, ...]:
        """Take the next batch of trials.

        Batches grow smaller as the trials run out ("guided self-scheduling": Polychronopoulos
        and Kuck, 1987), so that all places end at about the same time. An engine that trains one
        trial at a time gets one: its trials are long compared with a task's overhead.

        Args:
            demand: one of `demands`.
            num_places: how many tasks of that demand the cluster runs at once.
        """
        waiting = self._waiting[demand]
        first = waiting[0]
        max_size = 1
        if ENGINES[first.engine].trains_many:
            max_size = max(1, MAX_EPOCHS_PER_BATCH // first.recipe.epochs)
        size = min(math.ceil(len(waiting) / (2 * max(num_places, 1))), max_size)
        batch = [waiting.popleft()]
        while len(batch) < size and waiting[0].engine == first.engine:
            batch.append(waiting.popleft())
        return tuple(batch)
