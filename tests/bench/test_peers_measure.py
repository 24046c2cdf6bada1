from collections.abc import Callable, Sequence

import pytest

from bench.peers.catalog import PEERS, PeerSpec, find_missing_packages
from bench.peers.measure import MeasurementSpec, PeerRecord, measure_peers, order_turns
from bench.peers.process import WorkerError

FAST = PeerSpec("fast", "Fast", "no.module")
SLOW = PeerSpec("slow", "Slow", "no.module", num_trials=4)
PLAIN = PeerSpec("plain", "Plain", "no.module", normalizations=("none",))


class FakeWorker:
    """Writes down what it is asked, and takes as long as it is told."""

    def __init__(
        self,
        peer: PeerSpec,
        asked: list[str],
        seconds: float = 2.0,
        failing: Callable[[str], bool] = lambda request: False,
    ) -> None:
        self.peer = peer
        self.asked = asked
        self.seconds = seconds
        self.failing = failing
        self.is_closed = False

    def _note(self, request: str) -> None:
        self.asked.append(request)
        if self.failing(request):
            raise WorkerError("failed", "a test said so")

    def prepare(self, variant: str) -> None:
        self._note(f"{self.peer.name} prepare {variant}")

    def train(self, variant: str, epochs: int) -> float:
        self._note(f"{self.peer.name} train {variant} {epochs}")
        return self.seconds * epochs

    def evaluate(self, variant: str) -> tuple[float, ...]:
        self._note(f"{self.peer.name} evaluate {variant}")
        return (0.7,) * self.peer.num_trials

    def close(self) -> None:
        self.is_closed = True


class Measurement:
    """Measures fake peers and keeps what they were asked."""

    def __init__(self, failing: Callable[[str], bool] = lambda request: False) -> None:
        self.asked: list[str] = []
        self.steps: list[str] = []
        self.workers: list[FakeWorker] = []
        self.failing = failing

    def start_worker(self, peer: PeerSpec) -> FakeWorker:
        self.workers.append(FakeWorker(peer, self.asked, failing=self.failing))
        return self.workers[-1]

    def run(
        self,
        peers: Sequence[PeerSpec],
        variants: Sequence[str] = ("baseline",),
        spec: MeasurementSpec | None = None,
    ) -> list[PeerRecord]:
        spec = spec or MeasurementSpec(rounds=2)
        return measure_peers(peers, variants, spec, self.start_worker, self.steps.append)


def test_peers_take_turns_there_and_back_and_are_evaluated_last() -> None:
    measurement = Measurement()
    measurement.run([FAST, SLOW], ("baseline", "batchnorm"))
    turns = [
        "fast train baseline 1",
        "fast train batchnorm 1",
        "slow train baseline 1",
        "slow train batchnorm 1",
    ]
    assert measurement.asked == [
        "fast prepare baseline",
        turns[0],
        "fast prepare batchnorm",
        turns[1],
        "slow prepare baseline",
        turns[2],
        "slow prepare batchnorm",
        turns[3],
        *turns,
        *turns[::-1],
        "fast evaluate baseline",
        "fast evaluate batchnorm",
        "slow evaluate baseline",
        "slow evaluate batchnorm",
    ]


def test_every_second_round_runs_backwards() -> None:
    assert [order_turns(3, index) for index in range(3)] == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_seconds_are_per_epoch_and_per_trial() -> None:
    # Two seconds an epoch for all four trials of the slow peer: half a second each.
    spec = MeasurementSpec(rounds=3, epochs_per_round=5)
    fast, slow = Measurement().run([FAST, SLOW], spec=spec)
    assert fast.seconds == (2.0, 2.0, 2.0)
    assert slow.seconds == (0.5, 0.5, 0.5)
    assert slow.first_epoch_seconds == 2.0
    assert slow.accuracies == (0.7, 0.7, 0.7, 0.7)
    assert spec.num_epochs == 16


def test_each_step_is_announced() -> None:
    measurement = Measurement()
    measurement.run([FAST], spec=MeasurementSpec(rounds=1))
    assert measurement.steps == [
        "first epoch: fast, baseline",
        "round 1 of 1: fast, baseline",
        "accuracy: fast, baseline",
    ]


def test_a_peer_that_fails_stops_for_that_variant_and_the_others_go_on() -> None:
    measurement = Measurement(failing=lambda request: request == "fast train batchnorm 1")
    records = measurement.run([FAST, SLOW], ("baseline", "batchnorm"))
    assert [record.status for record in records] == ["measured", "failed", "measured", "measured"]
    assert records[1].reason == "a test said so"
    assert measurement.asked.count("fast train batchnorm 1") == 1
    assert len(records[0].seconds) == len(records[2].seconds) == 2


def test_a_missing_package_is_a_row_with_what_to_type() -> None:
    lacking = PeerSpec("lacking", "Lacking", "no.module", packages=("no_such_package_anywhere",))
    measurement = Measurement()
    (record, other) = measurement.run([lacking, FAST])
    assert record.status == "not installed"
    assert record.reason == "pip install no_such_package_anywhere"
    assert other.status == "measured"
    assert [worker.peer for worker in measurement.workers] == [FAST]


def test_a_missing_package_is_named_as_pip_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_missing_packages(PEERS["sklearn"]) == ["scikit-learn"]
    assert find_missing_packages(PEERS["keras-tensorflow"]) == ["keras", "tensorflow-cpu"]
    assert find_missing_packages(PEERS["reference"]) == []


def test_a_peer_is_not_asked_for_a_variant_it_cannot_train() -> None:
    measurement = Measurement()
    records = measurement.run([PLAIN], ("baseline", "batchnorm"))
    assert [record.variant for record in records] == ["baseline"]
    assert not any("batchnorm" in request for request in measurement.asked)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_no_worker_is_left_whatever_ends_the_measurement(error: type[BaseException]) -> None:
    measurement = Measurement()

    def interrupt(step: str) -> None:
        if step.startswith("round 1 of 2: slow"):
            raise error

    with pytest.raises(error):
        measure_peers(
            [FAST, SLOW], ["baseline"], MeasurementSpec(2), measurement.start_worker, interrupt
        )
    assert [worker.is_closed for worker in measurement.workers] == [True, True]


def test_the_catalog_has_a_module_for_every_peer_and_a_name_for_none_twice() -> None:
    from bench.peers.process import PROJECT_ROOT

    for name, peer in PEERS.items():
        assert peer.name == name
        assert (PROJECT_ROOT / (peer.module.replace(".", "/") + ".py")).is_file()
