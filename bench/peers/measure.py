"""The measurement: peers take turns, one at a time, round after round.

If the machine changes its speed, it does so for all of them. Ratios are taken within a round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bench.peers.catalog import PeerSpec
from bench.peers.process import PeerFailure


@dataclass(frozen=True)
class PeerRecord:
    """What was measured of a peer and a variant."""

    peer: str
    """The peer's name."""
    title: str
    """Its name in the table."""
    variant: str
    num_trials: int
    """Trials trained at once."""
    status: str = "measured"
    """``measured``; ``missing`` if something is not installed; ``failed``."""
    reason: str | None = None
    """Why nothing was measured; None where it was."""
    first_epoch_seconds: float | None = None
    """Seconds of the first epoch of all trials together, with compiling."""
    round_seconds: Sequence[float] = ()
    """Seconds per epoch and trial, one per round."""
    accuracies: Sequence[float] = ()
    """Test accuracy of each trial after the first epoch and all rounds, in [0, 1]."""


class Process(Protocol):
    """What the measurement asks of a peer's process; see `process.PeerProcess`."""

    def ask(self, action: str, variant: str) -> Any:
        """Train an epoch (seconds) or evaluate (accuracies)."""


def measure_peers(
    peers: Sequence[PeerSpec],
    num_rounds: int,
    start: Callable[[PeerSpec], AbstractContextManager[Process]],
    announce: Callable[[str], None],
) -> list[PeerRecord]:
    """Train a first epoch of each peer and variant, then one per round, then evaluate.

    Args:
        peers: what to measure, in the order of the table.
        num_rounds: rounds, each of one epoch; at least 1.
        start: starts a peer's process.
        announce: called with each step before it begins.

    Returns:
        One record per peer and variant. A peer that is missing or fails is on record, and the
        others go on.
    """
    records = [
        PeerRecord(peer.name, peer.title, variant, peer.num_trials)
        for peer in peers
        for variant in peer.variants
    ]
    rounds = [f"round {number} of {num_rounds}" for number in range(1, num_rounds + 1)]
    with ExitStack() as stack:
        processes = {peer.name: stack.enter_context(start(peer)) for peer in peers}
        for number, step in enumerate(["first epoch", *rounds, "accuracy"]):
            # Every second round runs backwards, so that no peer always follows the same one.
            order = range(len(records))
            for index in order if number % 2 == 0 else reversed(order):
                record = records[index]
                if record.status == "measured":
                    announce(f"{step}: {record.peer}, {record.variant}")
                    records[index] = take_turn(record, processes[record.peer], step)
    return records


def take_turn(record: PeerRecord, process: Process, step: str) -> PeerRecord:
    """Have a peer train or evaluate, and put on record what comes of it."""
    try:
        if step == "accuracy":
            return replace(record, accuracies=tuple(process.ask("evaluate", record.variant)))
        seconds = process.ask("train", record.variant)
    except PeerFailure as failure:
        return replace(record, status=failure.status, reason=str(failure))
    if step == "first epoch":
        return replace(record, first_epoch_seconds=seconds)
    return replace(record, round_seconds=(*record.round_seconds, seconds / record.num_trials))
