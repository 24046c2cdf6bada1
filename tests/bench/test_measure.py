from contextlib import nullcontext

from bench.peers.catalog import PeerSpec
from bench.peers.measure import PeerRecord, measure_peers
from bench.peers.process import PeerFailure

FAST = PeerSpec("fast", "Fast", "no.module")
SLOW = PeerSpec("slow", "Slow", "no.module", num_trials=4, variants=("baseline",))


class FakeProcess:
    """Takes two seconds for all trials of an epoch; fails when asked `failing`."""

    def __init__(self, peer: PeerSpec, asked: list[str], failing: str | None) -> None:
        self.peer, self.asked, self.failing = peer, asked, failing

    def ask(self, action: str, variant: str) -> float | list[float]:
        self.asked.append(f"{self.peer.name} {action} {variant}")
        if self.asked[-1] == self.failing:
            raise PeerFailure("failed", "out of memory")
        return 2.0 if action == "train" else [0.7] * self.peer.num_trials


def measure(asked: list[str], failing: str | None = None) -> list[PeerRecord]:
    def start(peer: PeerSpec) -> nullcontext[FakeProcess]:
        return nullcontext(FakeProcess(peer, asked, failing))

    return measure_peers([FAST, SLOW], 2, start, lambda step: None)


def test_every_second_round_runs_backwards_and_accuracies_come_last() -> None:
    asked: list[str] = []
    measure(asked)
    turns = ["fast train baseline", "fast train batchnorm", "slow train baseline"]
    assert asked[:9] == [*turns, *turns[::-1], *turns]
    assert [request.split()[1] for request in asked[9:]] == ["evaluate"] * 3


def test_seconds_are_per_epoch_and_per_trial() -> None:
    *_, slow = measure([])
    # Two seconds per epoch of four trials. The first epoch's seconds are those of all trials.
    assert slow == PeerRecord(
        "slow", "Slow", "baseline", 4, "measured", None, 2.0, (0.5, 0.5), (0.7,) * 4
    )


def test_a_failure_stops_one_peer_and_variant_only() -> None:
    asked: list[str] = []
    records = measure(asked, failing="fast train batchnorm")
    assert [record.status for record in records] == ["measured", "failed", "measured"]
    assert records[1].reason == "out of memory"
    assert asked.count("fast train batchnorm") == 1
    assert len(records[0].round_seconds) == len(records[2].round_seconds) == 2
