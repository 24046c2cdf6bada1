"""The measurement: peers take turns, one working at a time, round after round.

A machine that grows slower or faster in the meantime then does so for all of them, and ratios
are taken within a round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from bench.peers.catalog import PeerSpec, find_missing_packages
from bench.peers.process import Status, WorkerError
from bnbench.networks import find_variant


@dataclass(frozen=True)
class MeasurementSpec:
    """How long is measured."""

    rounds: int = 10
    """Turns of every peer; at least 1."""
    epochs_per_round: int = 1
    """Epochs every trial of a peer trains in a turn; at least 1."""

    @property
    def num_epochs(self) -> int:
        """Epochs every trial has trained at the end: a first one, then the measured ones."""
        return 1 + self.rounds * self.epochs_per_round


@dataclass(frozen=True)
class PeerRecord:
    """What was measured of a peer and a variant."""

    peer: PeerSpec
    variant: str
    status: Status
    reason: str | None = None
    """Why it is not measured; None where it is."""
    first_epoch_seconds: float | None = None
    """The first epoch of all trials together, compiling included."""
    seconds: tuple[float, ...] = ()
    """Seconds per epoch per trial, one a round."""
    accuracies: tuple[float, ...] = ()
    """Test accuracy of every trial after `MeasurementSpec.num_epochs`, in [0, 1]."""


class Worker(Protocol):
    """What the measurement asks of a peer's process; see `process.WorkerProcess`."""

    def prepare(self, variant: str) -> None:
        """Have the peer load its data and build its networks."""

    def train(self, variant: str, epochs: int) -> float:
        """Have the peer train; its own clock's seconds, of all trials together."""
        ...

    def evaluate(self, variant: str) -> tuple[float, ...]:
        """Have the peer evaluate; an accuracy a trial."""
        ...

    def close(self) -> None:
        """End the process."""


def order_turns(num_turns: int, round_index: int) -> list[int]:
    """The turns of a round: there and back again, so that no peer always follows the same one."""
    turns = list(range(num_turns))
    return turns if round_index % 2 == 0 else turns[::-1]


def measure_peers(
    peers: Sequence[PeerSpec],
    variants: Sequence[str],
    spec: MeasurementSpec,
    start_worker: Callable[[PeerSpec], Worker],
    on_step: Callable[[str], None],
) -> list[PeerRecord]:
    """Measure every peer with every variant it can train.

    Args:
        peers: what is measured, in the order of the rows.
        variants: names of the networks.
        spec: how long is measured.
        start_worker: starts a peer's process.
        on_step: told in words what is being done, before it is done.

    Returns:
        A record for each peer and variant. What is missing or fails is on record, not raised.
    """
    candidates: list[_Candidate] = []
    workers: list[Worker] = []
    try:
        for peer in peers:
            mine = [
                _Candidate(PeerRecord(peer, variant, "measured"), on_step)
                for variant in variants
                if find_variant(variant).normalization in peer.normalizations
            ]
            candidates += mine
            missing = find_missing_packages(peer)
            if missing:
                for candidate in mine:
                    candidate.stop("not installed", f"pip install {' '.join(missing)}")
            elif mine:
                workers.append(start_worker(peer))
                for candidate in mine:
                    candidate.train_first_epoch(workers[-1])
        for index in range(spec.rounds):
            for turn in order_turns(len(candidates), index):
                candidates[turn].train_round(index, spec)
        for candidate in candidates:
            candidate.evaluate()
    finally:
        for worker in workers:
            worker.close()
    return [candidate.record for candidate in candidates]


class _Candidate:
    """A peer and a variant under way; once stopped, it lets its further turns pass."""

    def __init__(self, record: PeerRecord, on_step: Callable[[str], None]) -> None:
        self.record = record
        self._on_step = on_step
        self._worker: Worker | None = None

    def stop(self, status: Status, reason: str) -> None:
        self.record = replace(self.record, status=status, reason=reason)

    def train_first_epoch(self, worker: Worker) -> None:
        """Train the epoch that pays for compiling and all else that is done once."""
        self._worker = worker
        with self._take_turn("first epoch") as worker_now:
            if worker_now is not None:
                worker_now.prepare(self.record.variant)
                seconds = worker_now.train(self.record.variant, 1)
                self.record = replace(self.record, first_epoch_seconds=seconds)

    def train_round(self, index: int, spec: MeasurementSpec) -> None:
        with self._take_turn(f"round {index + 1} of {spec.rounds}") as worker:
            if worker is not None:
                seconds = worker.train(self.record.variant, spec.epochs_per_round)
                share = seconds / (spec.epochs_per_round * self.record.peer.num_trials)
                self.record = replace(self.record, seconds=(*self.record.seconds, share))

    def evaluate(self) -> None:
        with self._take_turn("accuracy") as worker:
            if worker is not None:
                accuracies = worker.evaluate(self.record.variant)
                self.record = replace(self.record, accuracies=accuracies)

    @contextmanager
    def _take_turn(self, what: str) -> Iterator[Worker | None]:
        """The worker, or None if it was stopped; its failure is put on record."""
        if self._worker is None or self.record.status != "measured":
            yield None
            return
        self._on_step(f"{what}: {self.record.peer.name}, {self.record.variant}")
        try:
            yield self._worker
        except WorkerError as error:
            self.stop(error.status, error.reason)
