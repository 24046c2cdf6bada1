import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from bnbench.errors import GateError
from bnbench.gate.process import BenchmarkFailed, Worker
from bnbench.gate.records import NO_SLOWDOWN, Slowdown
from bnbench.gate.revisions import RevisionFolder
from tests.gate.conftest import WORK, write_files
from tests.processes import is_alive

NAMES = [
    "test_scratch.py::test_work[100]",
    "test_scratch.py::test_work[300]",
    "test_scratch.py::test_work_with_setup",
]

Start = Callable[..., Worker]


@pytest.fixture
def start(project: Path, tmp_path: Path) -> Iterator[Start]:
    workers = []

    def start_worker(*arguments: str) -> Worker:
        revision = RevisionFolder("main", "0" * 40, project, (project,))
        log = tmp_path / f"{len(workers)}.log"
        workers.append(Worker(revision, arguments, log, {}))
        return workers[-1]

    yield start_worker
    for worker in workers:
        worker.close()


def read_until(worker: Worker, event: str) -> dict[str, object]:
    found = worker.read_event()
    assert found["event"] == event
    return found


def test_every_benchmark_of_a_suite_can_be_timed_and_no_plain_test_runs(start: Start) -> None:
    worker = start()
    assert read_until(worker, "collected")["names"] == NAMES
    worker.select(reversed(NAMES))
    for name in reversed(NAMES):
        assert read_until(worker, "benchmark")["name"] == name
        assert 0.0 < worker.time(1) < worker.time(200)
        assert worker.time_kernel() > 0.0
        assert worker.leave()["reason"] is None
    assert int(str(read_until(worker, "end")["peak_bytes"])) > 10_000_000


def test_a_gate_that_pytest_xdist_started_measures_as_any_other(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert read_until(start(), "collected")["names"] == NAMES


def test_options_of_pytest_in_the_environment_are_passed_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k work_with_setup")
    assert read_until(start(), "collected")["names"] == NAMES[2:]


@pytest.mark.parametrize("work", ["busy", "memory"])
def test_an_injected_slowdown_takes_that_much_longer(
    start: Start, work: Literal["busy", "memory"]
) -> None:
    worker = start("--benchmark-timer=time.process_time")  # whatever else the machine does
    worker.read_event()
    worker.select(NAMES[:1])
    worker.read_event()
    slowdown = Slowdown(1.0, work)
    worker.time(2000, slowdown)
    ratios = [worker.time(2000, slowdown) / worker.time(2000) for _ in range(15)]
    assert 1.7 < statistics.median(ratios) < 2.3


def test_a_round_at_once_keeps_its_processor_until_it_is_told_to_idle(
    start: Start, project: Path
) -> None:
    suite = """
import os, time
CALLS = []
def work():
    CALLS.append(os.sched_getaffinity(0))
    time.sleep(0.001)
def test_places(benchmark):
    everywhere = os.sched_getaffinity(0)
    benchmark(work)
    places = [sorted(place) for place in CALLS if place != everywhere]
    assert os.sched_getaffinity(0) == everywhere
    assert False, f"{len(places)} {places[0]} {places[-1]}"
"""
    write_files(project, {"test_places.py": suite})
    worker = start("test_places.py")
    worker.select(read_until(worker, "collected")["names"])  # type: ignore[arg-type]
    read_until(worker, "benchmark")
    processor = max(os.sched_getaffinity(0))
    worker.start(2, NO_SLOWDOWN, processor)
    assert worker.read_seconds() > 0.001
    time.sleep(0.1)
    worker.idle()
    worker.read_seconds()
    places = str(worker.leave()["reason"])
    assert places.endswith(f" [{processor}] [{processor}]")
    num_calls = int(places.split("AssertionError: ")[1].split()[0])
    assert num_calls > 2  # two were asked for: the others kept the processor busy
    assert worker.busy_processors < 0.9  # it slept


def test_a_benchmark_can_be_left_while_it_keeps_its_processor_busy(start: Start) -> None:
    worker = start()
    worker.read_event()
    worker.select(NAMES[:1])
    read_until(worker, "benchmark")
    worker.start(10, NO_SLOWDOWN, max(os.sched_getaffinity(0)))
    assert worker.leave()["reason"] is None
    read_until(worker, "end")


def test_a_benchmark_that_fails_in_a_round_at_once_says_so_when_it_is_left(
    start: Start, project: Path
) -> None:
    suite = """
CALLS = []
def work():
    CALLS.append(1)
    assert len(CALLS) < 3, "too many"
def test_fail(benchmark): benchmark(work)
def test_good(benchmark): benchmark(len, "abc")
"""
    write_files(project, {"test_failing.py": suite})
    worker = start("test_failing.py")
    worker.select(read_until(worker, "collected")["names"])  # type: ignore[arg-type]
    read_until(worker, "benchmark")
    worker.start(5, NO_SLOWDOWN, max(os.sched_getaffinity(0)))
    assert "too many" in str(worker.leave()["reason"])
    read_until(worker, "benchmark")
    assert worker.time(1) > 0.0
    assert worker.leave()["reason"] is None


def test_each_process_has_a_folder_of_its_own_for_temporary_files(
    start: Start, project: Path
) -> None:
    suite = """
        def test_work(benchmark, tmp_path):
            benchmark(sum, [1, 2])
            assert False, tmp_path
    """
    write_files(project, {"test_scratch.py": suite.replace("\n        ", "\n")})
    places = set()
    for _ in range(2):
        worker = start()
        worker.select(read_until(worker, "collected")["names"])  # type: ignore[arg-type]
        read_until(worker, "benchmark")
        places.add(str(worker.leave()["reason"]).partition("test_work")[0])
    assert len(places) == 2
    assert all(".tmp" in place for place in places)


def test_an_object_that_is_lost_while_the_suite_is_imported_does_not_end_the_process(
    start: Start, project: Path
) -> None:
    lost = """
        import os, pathlib
        next(os.scandir(pathlib.Path(__file__).parent))
        def test_work(benchmark): benchmark(sum, [1, 2])
    """
    settings = "[tool.pytest.ini_options]\nfilterwarnings = ['error']\n"
    write_files(
        project,
        {"test_scratch.py": lost.replace("\n        ", "\n"), "pyproject.toml": settings},
    )
    worker = start()
    (name,) = read_until(worker, "collected")["names"]
    worker.select([name])
    assert read_until(worker, "benchmark")["name"] == name
    assert worker.leave()["reason"] is None
    read_until(worker, "end")


def test_what_fails_is_told_and_the_next_benchmark_goes_on(start: Start, project: Path) -> None:
    suite = """
        import pytest
        CALLS = []
        def fail(calls):
            CALLS.append(1)
            if len(CALLS) > calls: raise ValueError(f"no {calls}")
        @pytest.mark.parametrize("calls", [0, 2])
        def test_fail(benchmark, calls):
            CALLS.clear()
            benchmark(fail, calls)
        def test_skip(benchmark): pytest.skip("not today")
        def test_forget(benchmark): pass
        def test_twice(benchmark):
            benchmark(len, "abc")
            benchmark(len, "abc")
        def test_good(benchmark): benchmark(len, "abc")
    """
    write_files(project, {"test_failing.py": suite.replace("\n        ", "\n")})
    worker = start("test_failing.py")
    names = read_until(worker, "collected")["names"]
    worker.select(names)  # type: ignore[arg-type]
    assert read_until(worker, "finished")["reason"] == "call failed: ValueError: no 0"
    read_until(worker, "benchmark")
    worker.time(1)
    with pytest.raises(BenchmarkFailed, match="ValueError: no 2"):
        worker.time(1)
    assert "no 2" in str(worker.leave()["reason"])
    assert read_until(worker, "finished")["reason"] == "Skipped: not today"
    assert read_until(worker, "finished")["reason"] == "it never called its benchmark"
    read_until(worker, "benchmark")
    assert "expected one call of benchmark per test" in str(worker.leave()["reason"])
    read_until(worker, "benchmark")
    assert worker.leave()["reason"] is None


def test_warnings_that_are_errors_do_not_turn_against_a_benchmark_that_was_used(
    start: Start, project: Path
) -> None:
    write_files(project, {"pytest.ini": "[pytest]\nfilterwarnings = error\n"})
    worker = start()
    worker.select(read_until(worker, "collected")["names"])  # type: ignore[arg-type]
    for _ in NAMES:
        read_until(worker, "benchmark")
        assert worker.leave()["reason"] is None


def test_a_revisions_packages_come_before_those_of_an_editable_installation(
    start: Start, project: Path
) -> None:
    # bnbench itself is installed here, by an import hook that goes before the path.
    suite = """
import bnbench
def test_own(benchmark):
    assert benchmark(lambda: bnbench.WHOSE) == "the revision's"
"""
    write_files(
        project, {"bnbench/__init__.py": 'WHOSE = "the revision\'s"\n', "test_own.py": suite}
    )
    worker = start("test_own.py")
    worker.select(read_until(worker, "collected")["names"])  # type: ignore[arg-type]
    read_until(worker, "benchmark")
    assert worker.leave()["reason"] is None


def test_modules_from_outside_the_revision_are_named(start: Start, project: Path) -> None:
    suite = "import bnbench.shared\nimport bnbench.errors\n" + WORK
    write_files(
        project,
        {
            "bnbench/__init__.py": f"__path__.append({str(Path('bnbench').resolve())!r})\n",
            "bnbench/shared.py": "",
            "test_own.py": suite + "\ndef test_it(benchmark): benchmark(work, 1)\n",
        },
    )
    worker = start("test_own.py")
    assert read_until(worker, "collected")["shared"] == ["bnbench.errors"]


def test_what_cannot_be_imported_is_named(start: Start, project: Path) -> None:
    write_files(project, {"test_broken.py": "import no_such_package\n"})
    event = read_until(start(), "collected")
    assert event["names"] == NAMES
    assert event["errors"] == [
        "test_broken.py: E   ModuleNotFoundError: No module named 'no_such_package'"
    ]


def test_a_folder_that_is_not_there_is_told(start: Start) -> None:
    event = read_until(start("gone"), "end")
    assert event["reason"] == "pytest collected nothing (exit code 4)"


def test_a_process_that_dies_is_told_with_how_it_ended(start: Start, project: Path) -> None:
    write_files(project, {"conftest.py": "import os\nos._exit(4)\n"})
    worker = start()
    with pytest.raises(GateError, match="main: expected a process .* got exit code 4"):
        worker.read_event()


def test_a_worker_ends_with_the_program_even_if_that_is_killed(
    project: Path, tmp_path: Path
) -> None:
    program = f"""
import sys
from pathlib import Path
from typing import Literal
from bnbench.gate.process import Worker
from bnbench.gate.records import NO_SLOWDOWN, Slowdown
from bnbench.gate.revisions import RevisionFolder
revision = RevisionFolder("main", "", Path({str(project)!r}), (Path({str(project)!r}),))
worker = Worker(revision, [], Path({str(tmp_path / "worker.log")!r}), {{}})
worker.select(worker.read_event()["names"])
worker.read_event()
print(worker._process.pid, flush=True)
worker.time(10**9)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert is_alive(pid)
        os.kill(running.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)
