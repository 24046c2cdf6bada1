import random
from pathlib import Path
from typing import Any

import pytest

from bnbench.gate.process import RevisionFolder
from bnbench.gate.rounds import (
    LEAST_ROUNDS,
    MOST_ROUNDS,
    PairRunner,
    SuiteSpec,
    describe_failure,
)
from bnbench.gate.specs import GateSpec
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

        return PairRunner(
            BASE,
            HEAD,
            SuiteSpec("python", ()),
            GateSpec(),
            self.tmp_path,
            random.Random(1),
            make_worker,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_both_sides_make_as_many_calls_in_rounds_of_thirty_milliseconds(stage: Stage) -> None:
    runner = stage.make_runner(lambda name, _: 0.001 if name == "main" else 0.0011)
    pair = runner.measure(lambda suite: suite.common_names)
    assert [visit.benchmark for visit in pair.visits] == ["a", "b"]
    for visit in pair.visits:
        assert visit.iterations * 0.0011 == pytest.approx(0.03, rel=0.03)
        assert len(visit.base_seconds) == len(visit.head_seconds) == 10
        assert visit.log_ratio == pytest.approx(0.0953, abs=1e-4)
        assert visit.kernel_seconds == 0.004
    assert pair.startup_seconds == (0.5, 0.5)
    assert pair.peak_bytes == (1000, 1000)


@pytest.mark.parametrize(
    ("seconds", "iterations", "num_rounds"), [(2.0, 1, LEAST_ROUNDS), (0.02, 2, 10)]
)
def test_a_long_call_is_a_round_by_itself(
    stage: Stage, seconds: float, iterations: int, num_rounds: int
) -> None:
    runner = stage.make_runner(lambda *_: seconds)
    (visit, _) = runner.measure(lambda suite: suite.common_names).visits
    assert (visit.iterations, len(visit.base_seconds)) == (iterations, num_rounds)
    assert num_rounds <= MOST_ROUNDS


def test_calls_and_rounds_stay_what_they_were_in_the_first_pair(stage: Stage) -> None:
    seconds = [0.001]
    runner = stage.make_runner(lambda *_: seconds[0])
    first = runner.measure(lambda suite: suite.common_names)
    seconds[0] = 0.004
    second = runner.measure(lambda suite: suite.common_names)
    assert [v.iterations for v in first.visits] == [v.iterations for v in second.visits]


def test_sides_alternate_within_a_visit_and_at_the_start_of_a_pair(stage: Stage) -> None:
    order: list[str] = []

    def note(name: str, _: str) -> float:
        order.append(name)
        return 0.03

    runner = stage.make_runner(note)
    runner.measure(lambda _: ["a"])
    runner.measure(lambda _: ["a"])
    assert [worker.name for worker in stage.workers] == ["main", "worktree", "worktree", "main"]
    assert order[-8:] == ["main", "worktree", "worktree", "main"] * 2


def test_a_slowdown_is_injected_into_the_head_alone(stage: Stage) -> None:
    runner = stage.make_runner(lambda *_: 0.01)
    pair = runner.measure(lambda _: ["a"], levels=(0.0, 0.1))
    assert [visit.slowdown for visit in pair.visits] == [0.0, 0.1]
    assert [visit.log_ratio for visit in pair.visits] == pytest.approx([0.0, 0.0953], abs=1e-4)
    assert {slowdown for _, _, slowdown in stage.workers[0].calls} == {0.0}
    assert pair.list_log_ratios()["a"] == pytest.approx(0.0)


@pytest.mark.parametrize("broken", ["main", "worktree"])
def test_a_benchmark_that_fails_on_one_side_costs_itself_alone(stage: Stage, broken: str) -> None:
    calls: list[str] = []

    def fail_late(name: str, benchmark: str) -> float:
        calls.append(name)
        if (name, benchmark) == (broken, "a") and len(calls) > 10:
            raise ValueError("it broke")
        return 0.01

    pair = stage.make_runner(fail_late).measure(lambda suite: suite.common_names)
    assert [visit.benchmark for visit in pair.visits] == ["b"]
    assert pair.failures == {"a": f"{'base' if broken == 'main' else 'head'}: it broke"}


def test_what_is_skipped_on_both_sides_is_said_of_both() -> None:
    ends = [{"event": "finished", "name": "a", "reason": why} for why in ("no jax", "no jax")]
    assert describe_failure(ends) == {"a": "both: no jax"}
    assert describe_failure([ends[0], {**ends[1], "reason": None}]) == {"a": "base: no jax"}
    assert describe_failure([{**ends[0], "reason": None}] * 2) == {}


def test_benchmarks_that_one_side_does_not_have_are_known_and_not_run(stage: Stage) -> None:
    stage.names = {"main": ["a", "old"], "worktree": ["new", "a"]}
    runner = stage.make_runner(lambda *_: 0.01)
    pair = runner.measure(lambda suite: suite.common_names)
    assert [visit.benchmark for visit in pair.visits] == ["a"]
    assert runner.record is not None
    assert runner.record.head_names == ("new", "a")


def test_both_processes_are_closed_whatever_happens(stage: Stage) -> None:
    def interrupt(*_: str) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.make_runner(interrupt).measure(lambda suite: suite.common_names)
    assert [worker.is_closed for worker in stage.workers] == [True, True]
