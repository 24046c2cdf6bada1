import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.catalog import PeerSpec
from bench.peers.process import PROJECT_ROOT, WorkerError, WorkerProcess

TRAINER = """
    import os, sys, time

    class Trainer:
        def __init__(self, job):
            self.job = job
            self.epochs = 0

        def train_epochs(self, num_epochs):
            print("a library's chatter")
            self.epochs += num_epochs
            if num_epochs == 13:
                raise ValueError("thirteen is too many\\nand more lines")
            if num_epochs == 66:
                print("last words", file=sys.stderr)
                sys.stderr.flush()
                os._exit(3)
            if num_epochs == 99:
                time.sleep(60)
            return 0.5 * num_epochs * self.job.num_trials

        def measure_accuracies(self):
            return [self.epochs / 100] * self.job.num_trials

    def make_trainer(job):
        if job.flavor == "unbuilt":
            import no_such_package_anywhere
        return Trainer(job)
"""


@pytest.fixture
def peer(tmp_path: Path) -> PeerSpec:
    (tmp_path / "fake_peer.py").write_text(textwrap.dedent(TRAINER))
    return PeerSpec(
        "fake", "Fake", "fake_peer", num_trials=3, environment={"PYTHONPATH": str(tmp_path)}
    )


@pytest.fixture
def worker(peer: PeerSpec, tmp_path: Path) -> Iterator[WorkerProcess]:
    process = WorkerProcess(peer, tmp_path, tmp_path / "fake.log", answer_seconds=20)
    yield process
    process.close()


def test_a_process_trains_and_evaluates_each_variant_by_itself(worker: WorkerProcess) -> None:
    worker.prepare("baseline")
    worker.prepare("batchnorm")
    assert worker.train("baseline", 1) == 1.5
    assert worker.train("baseline", 3) == 4.5
    assert worker.train("batchnorm", 1) == 1.5
    assert worker.evaluate("baseline") == (0.04, 0.04, 0.04)
    assert worker.evaluate("batchnorm") == (0.01, 0.01, 0.01)


def test_what_a_library_raises_is_that_turns_failure_in_one_line(worker: WorkerProcess) -> None:
    worker.prepare("baseline")
    with pytest.raises(WorkerError, match=r"^ValueError: thirteen is too many$") as caught:
        worker.train("baseline", 13)
    assert caught.value.status == "failed"
    assert worker.train("baseline", 1) == 1.5


def test_a_process_that_dies_leaves_its_exit_code_and_last_words(worker: WorkerProcess) -> None:
    worker.prepare("baseline")
    with pytest.raises(WorkerError, match="ended with exit code 3: last words"):
        worker.train("baseline", 66)
    with pytest.raises(WorkerError, match="ended with exit code 3: last words"):
        worker.train("baseline", 1)


def test_what_cannot_be_imported_is_not_available(peer: PeerSpec, tmp_path: Path) -> None:
    unbuilt = PeerSpec("fake", "Fake", peer.module, "unbuilt", environment=peer.environment)
    process = WorkerProcess(unbuilt, tmp_path, tmp_path / "fake.log")
    try:
        with pytest.raises(WorkerError, match="no_such_package_anywhere") as caught:
            process.prepare("baseline")
    finally:
        process.close()
    assert caught.value.status == "not available"


def test_a_process_that_says_nothing_is_given_up(peer: PeerSpec, tmp_path: Path) -> None:
    process = WorkerProcess(peer, tmp_path, tmp_path / "fake.log", answer_seconds=10)
    try:
        process.prepare("baseline")
        process._answer_seconds = 0.1
        with pytest.raises(WorkerError, match=r"gave no answer in 0\.1 s"):
            process.train("baseline", 99)
        with pytest.raises(WorkerError, match="ended with signal 9"):
            process.train("baseline", 1)
    finally:
        process.close()
    assert not is_alive(process._process.pid)


def test_a_worker_ends_with_the_program_even_if_that_is_killed(
    peer: PeerSpec, tmp_path: Path
) -> None:
    program = f"""
import sys
from pathlib import Path
from bench.peers.catalog import PeerSpec
from bench.peers.process import WorkerProcess

peer = PeerSpec("fake", "Fake", "fake_peer", environment={peer.environment!r})
worker = WorkerProcess(peer, Path({str(tmp_path)!r}), Path({str(tmp_path / "fake.log")!r}))
worker.prepare("baseline")
print(worker._process.pid, flush=True)
worker.train("baseline", 99)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert is_alive(pid)
        running.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
