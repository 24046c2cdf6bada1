from pathlib import Path
from typing import Any

import pytest

from bnbench.errors import GateError
from bnbench.gate.pairs import PairRunner, SuiteRecord, describe_failure
from bnbench.gate.records import NO_SLOWDOWN, Injection, Slowdown
from bnbench.gate.revisions import RevisionFolder
from bnbench.gate.specs import SuiteSpec
from tests.gate.fakes import BASE, HEAD, FakeWorker, SecondsOf


class Stage:
    """Makes a runner whose workers are fakes, and keeps them."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.workers: list[FakeWorker] = []
        self.names = {"main": ["a", "b"], "worktree": ["a", "b"]}

    def make_runner(self, seconds_of: SecondsOf) -> PairRunner:
        def make_worker(revision: RevisionFolder, *_: Any) -> FakeWorker:
            self.workers.append(FakeWorker(revision, self.names[revision.name], seconds_of))
            return self.workers[-1]

        return PairRunner(BASE, HEAD, SuiteSpec((), self.tmp_path), self.tmp_path, make_worker)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_pair_measures_every_benchmark_and_its_processes(stage: Stage) -> None:
    runner = stage.make_runner(lambda name, _: 0.001 if name == "main" else 0.0011)
    pair = runner.measure()
    assert [measured.benchmark for measured in pair.benchmarks] == ["a", "b"]
    for measured in pair.benchmarks:
        assert measured.log_ratio == pytest.approx(0.0953, abs=1e-4)
    assert pair.startup_seconds == (0.5, 0.5)
    assert pair.peak_bytes == (1000, 1000)


def test_calls_and_rounds_stay_what_they_were_in_the_first_pair(stage: Stage) -> None:
    seconds = [0.001]
    runner = stage.make_runner(lambda *_: seconds[0])
    first = runner.measure()
    seconds[0] = 0.004
    second = runner.measure()
    assert [v.iterations for v in first.benchmarks] == [v.iterations for v in second.benchmarks]


def test_the_side_that_is_started_first_alternates(stage: Stage) -> None:
    runner = stage.make_runner(lambda *_: 0.03)
    runner.measure(["a"])
    runner.measure(["a"])
    assert [worker.name for worker in stage.workers] == ["main", "worktree", "worktree", "main"]


def test_a_slowdown_is_injected_into_the_head_alone(stage: Stage) -> None:
    runner = stage.make_runner(lambda *_: 0.01)
    slowdown = Slowdown(0.1, "memory")
    pair = runner.measure(injection=Injection(2, slowdown))  # of two benchmarks, the first again
    assert {key: each.log_ratio for key, each in pair.table.items()} == {
        ("a", NO_SLOWDOWN): pytest.approx(0.0),
        ("a", slowdown): pytest.approx(0.0953, abs=1e-4),
        ("b", NO_SLOWDOWN): pytest.approx(0.0),
    }
    # The base gets the memory that the head copies, and no work.
    assert {slowdown for _, _, slowdown in stage.workers[0].calls} == {
        NO_SLOWDOWN,
        Slowdown(0.0, "memory"),
    }
    assert pair.list_measurements()[0].log_ratio == pytest.approx(0.0)


@pytest.mark.parametrize("num_good_calls", [0, 10])
@pytest.mark.parametrize(
    ("broken", "reason"),
    [("main", "base: it broke"), ("worktree", "head: it broke")],
)
def test_a_benchmark_that_fails_costs_itself_alone(
    stage: Stage, broken: str, reason: str, num_good_calls: int
) -> None:
    calls: list[str] = []

    def fail_late(name: str, benchmark: str) -> float:
        calls.append(name)
        if name == broken and benchmark == "a" and calls.count(name) > num_good_calls:
            raise ValueError("it broke")
        return 0.01

    pair = stage.make_runner(fail_late).measure()
    assert [measured.benchmark for measured in pair.benchmarks] == ["b"]
    assert pair.failures == {"a": reason}


def test_what_is_slowed_is_measured_first_and_last_by_chance(stage: Stage) -> None:
    runner = stage.make_runner(lambda *_: 0.03)
    slowdown = Slowdown(0.05, "busy")
    firsts = {
        runner.measure(["a"], Injection(0, slowdown)).benchmarks[0].slowdown for _ in range(40)
    }
    assert firsts == {NO_SLOWDOWN, slowdown}


def test_what_is_skipped_on_both_sides_is_said_of_both() -> None:
    ends = [{"event": "finished", "name": "a", "reason": why} for why in ("no jax", "no jax")]
    assert describe_failure(ends) == {"a": "both: no jax"}
    assert describe_failure([ends[0], {**ends[1], "reason": None}]) == {"a": "base: no jax"}
    assert describe_failure([{**ends[0], "reason": None}] * 2) == {}


def test_benchmarks_that_one_side_does_not_have_are_known_and_not_run(stage: Stage) -> None:
    stage.names = {"main": ["a", "old"], "worktree": ["new", "a"]}
    runner = stage.make_runner(lambda *_: 0.01)
    pair = runner.measure()
    assert [measured.benchmark for measured in pair.benchmarks] == ["a"]
    assert runner.suite == SuiteRecord(("a",), ("old",), ("new",))


def test_revisions_without_a_benchmark_in_common_are_refused(stage: Stage) -> None:
    stage.names = {"main": ["old"], "worktree": ["new"]}
    with pytest.raises(GateError, match="got 1 in base and 1 in head, none of the same name"):
        stage.make_runner(lambda *_: 0.01).measure()


def test_both_processes_are_closed_whatever_happens(stage: Stage) -> None:
    def interrupt(*_: str) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.make_runner(interrupt).measure()
    assert [worker.is_closed for worker in stage.workers] == [True, True]
