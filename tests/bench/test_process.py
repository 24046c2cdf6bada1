from pathlib import Path

import pytest

from bench.peers.catalog import PeerSpec
from bench.peers.process import PeerFailure, PeerProcess
from tests.processes import is_alive


def start(way: str, folder: Path, answer_seconds: float = 60) -> PeerProcess:
    peer = PeerSpec("fake", "Fake", "tests.bench.fake_peer", num_trials=3, way=way)
    return PeerProcess(peer, folder, folder / "fake.log", answer_seconds)


def test_a_process_trains_and_evaluates_and_ends_with_its_block(tmp_path: Path) -> None:
    with start("", tmp_path) as process:
        assert process.ask("train", "baseline") == 1.5
        assert process.ask("train", "batchnorm") == 1.5
        assert process.ask("evaluate", "baseline") == [0.7, 0.7, 0.7]
        assert is_alive(process.pid)
    assert not is_alive(process.pid)


@pytest.mark.parametrize(
    ("way", "status", "reason"),
    [
        ("missing", "missing", "^ModuleNotFoundError: .*no_such_package_anywhere"),
        ("raise", "failed", "^ValueError: no convergence$"),
        ("exit", "failed", "ended with exit code 3: last words$"),
    ],
)
def test_a_peer_that_cannot_go_on_gives_its_status_and_reason(
    way: str, status: str, reason: str, tmp_path: Path
) -> None:
    with start(way, tmp_path) as process:
        for variant in ("baseline", "batchnorm"):
            with pytest.raises(PeerFailure, match=reason) as caught:
                process.ask("train", variant)
            assert caught.value.status == status


def test_a_peer_that_gives_no_answer_in_time_is_killed(tmp_path: Path) -> None:
    with start("hang", tmp_path, answer_seconds=0.5) as process:
        with pytest.raises(PeerFailure, match="ended with exit code -9"):
            process.ask("train", "baseline")
        assert not is_alive(process.pid)
