"""Which trials go to a node together, and what they need of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bnbench.specs import TrialSpec

MOST_EPOCHS = 64
"""Of a batch: some seconds of work, long against what a task costs, short enough to be lost."""


@dataclass(frozen=True)
class Demand:
    """What a task needs of its node."""

    processors: int
    gpus: int = 0

    def count_places(self, resources: Mapping[str, float]) -> int:
        """How many such tasks a node of these resources (Ray's names) runs at once."""
        places = int(resources.get("CPU", 0.0) // self.processors)
        return min(places, int(resources.get("GPU", 0.0) // self.gpus)) if self.gpus else places

    def __str__(self) -> str:
        return f"{self.processors} processors" + (f" and {self.gpus} GPU" if self.gpus else "")


def choose_demand(trial: TrialSpec, threads: int) -> Demand:
    """What a trial needs.

    A trial of the native engine keeps one processor busy, so that tasks of one processor fill
    every node, whatever the number of its processors. One of the reference engine gets the
    study's `threads`, since its sums, and so its bits, depend on how many there are.
    """
    if trial.device != "cpu":
        return Demand(processors=1, gpus=1)
    return Demand(processors=1 if trial.engine == "native" else threads)


class BatchQueue:
    """Trials that wait, by what they need, and leave in batches.

    Args:
        trials: in the order in which they are to be run.
        threads: of the study.
    """

    def __init__(self, trials: Iterable[TrialSpec], threads: int) -> None:
        self._waiting: dict[Demand, deque[TrialSpec]] = {}
        for trial in trials:
            self._waiting.setdefault(choose_demand(trial, threads), deque()).append(trial)

    @property
    def demands(self) -> list[Demand]:
        """What the waiting trials need."""
        return [demand for demand, waiting in self._waiting.items() if waiting]

    def take(self, demand: Demand, num_places: int) -> tuple[TrialSpec, ...]:
        """Take the next batch of a demand that is among `demands`.

        Batches grow smaller as the trials run out ("guided self-scheduling": Polychronopoulos
        and Kuck, 1987), so that all places end at about the same time. Only the native engine
        gets several trials at once: elsewhere a trial is long against what a task costs.

        Args:
            demand: which trials.
            num_places: how many tasks of that demand run at once.
        """
        waiting = self._waiting[demand]
        first = waiting[0]
        most = max(1, MOST_EPOCHS // first.recipe.epochs) if first.engine == "native" else 1
        size = min(math.ceil(len(waiting) / (2 * max(num_places, 1))), most)
        batch = [waiting.popleft()]
        while len(batch) < size and waiting[0].engine == first.engine:
            batch.append(waiting.popleft())
        return tuple(batch)


def count_places(nodes: Sequence[Mapping[str, float]], demand: Demand) -> int:
    """How many tasks run at once on all nodes together."""
    return sum(demand.count_places(resources) for resources in nodes)
