"""Trials run in this process."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

from bnbench.data import Dataset
from bnbench.specs import EngineName, TrialSpec
from bnbench.training.engines import make_engine
from bnbench.training.engines.interface import Engine, EpochObserver
from bnbench.training.executors.interface import CompletedReceiver, complete


class InProcessExecutor:
    """Gives each engine all trials of a stage at once.

    Args:
        threads: CPU threads of each engine; None leaves them to the engine.
        make: makes an engine by its name, for a data set and a number of threads.
    """

    def __init__(
        self,
        threads: int | None,
        make: Callable[[EngineName, Dataset, int | None], Engine] = make_engine,
    ) -> None:
        self._make_engine = functools.cache(lambda name, dataset: make(name, dataset, threads))

    def run(
        self,
        trials: Sequence[TrialSpec],
        dataset: Dataset,
        on_epoch: EpochObserver,
        receive: CompletedReceiver,
        *,
        one_at_a_time: bool,
    ) -> None:
        """Run trials here; see `Executor.run`."""
        for engine_name, group in itertools.groupby(trials, key=lambda trial: trial.engine):
            engine = self._make_engine(engine_name, dataset)
            together = list(group)
            for batch in [[trial] for trial in together] if one_at_a_time else [together]:
                engine.train(batch, on_epoch, lambda trained: receive(complete(trained, dataset)))
