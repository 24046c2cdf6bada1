import itertools
import os
from pathlib import Path

import pytest

from bnbench.gate.records import NO_SLOWDOWN, BenchmarkRecord
from bnbench.gate.rounds import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    RoundsSpec,
    calibrate,
    choose_processors,
    measure_benchmark,
)
from tests.gate.fakes import BASE, HEAD, FakeWorker, SecondsOf

BOTH = (2, 5)


def make_workers(seconds_of: SecondsOf) -> tuple[FakeWorker, FakeWorker]:
    """Both sides, waiting in benchmark a."""
    base, head = (FakeWorker(revision, ["a"], seconds_of) for revision in (BASE, HEAD))
    for worker in (base, head):
        worker.select(["a"])
    return base, head


def test_both_sides_make_as_many_calls_in_rounds_of_two_milliseconds() -> None:
    base, head = make_workers(lambda name, _: 0.001 if name == "main" else 0.0011)
    spec = calibrate(base, head, BOTH, 0.6)
    assert spec == RoundsSpec(iterations=2, num_rounds=182, measure_seconds=0.6, processors=BOTH)
    measured = measure_benchmark(base, head, "a", NO_SLOWDOWN, spec)
    assert measured.base_seconds == pytest.approx([0.002] * 182)
    assert measured.head_seconds == pytest.approx([0.0022] * 182)
    assert measured.kernel_seconds == 0.004


@pytest.mark.parametrize(
    ("seconds", "iterations", "num_rounds"),
    [(2.0, 1, MIN_ROUNDS), (0.05, 1, 6), (1e-6, 2000, 200)],
)
def test_a_long_call_is_a_round_by_itself(seconds: float, iterations: int, num_rounds: int) -> None:
    spec = calibrate(*make_workers(lambda *_: seconds), BOTH, 0.6)
    assert spec.iterations == pytest.approx(iterations, rel=0.01)
    assert spec.num_rounds == num_rounds <= MAX_ROUNDS


@pytest.mark.parametrize(("measure_seconds", "num_rounds"), [(0.1, 34), (0.6, 200), (0.01, 4)])
def test_the_rounds_fill_the_time_that_is_given(measure_seconds: float, num_rounds: int) -> None:
    spec = calibrate(*make_workers(lambda *_: 0.001), BOTH, measure_seconds)
    assert (spec.iterations, spec.num_rounds) == (2, num_rounds)


@pytest.mark.parametrize(("wait", "num_rounds"), [(0.0, 40), (0.02, 30), (0.5, 10)])
def test_on_a_busy_machine_time_ends_the_rounds_but_not_the_first_ten(
    wait: float, num_rounds: int
) -> None:
    base, head = make_workers(lambda *_: 0.001)
    waited = itertools.count()
    # The clock is read twice before the first round, then before each double round from the tenth.
    measured = measure_benchmark(
        *(base, head, "a", NO_SLOWDOWN, RoundsSpec(2, 40, 0.2, BOTH)),
        read_seconds=lambda: next(waited) * wait,
    )
    assert len(measured.base_seconds) == len(measured.head_seconds) == num_rounds


def test_both_run_at_once_and_change_places_after_every_round() -> None:
    base, head = make_workers(lambda *_: 0.01)
    measure_benchmark(base, head, "a", NO_SLOWDOWN, RoundsSpec(1, 4, 0.6, BOTH))
    assert base.processors == [2, 5, 2, 5]
    assert head.processors == [5, 2, 5, 2]


def test_the_side_that_is_started_and_was_read_first_changes_with_the_places() -> None:
    started: list[str] = []
    was_read: list[str] = []
    base, head = make_workers(lambda *_: 0.01)
    for worker in (base, head):
        worker.on_start = started.append
        worker.on_read = was_read.append
    measure_benchmark(base, head, "a", NO_SLOWDOWN, RoundsSpec(1, 4, 0.6, BOTH))
    assert started == was_read == ["main", "worktree", "worktree", "main"] * 2


@pytest.mark.parametrize(("busy", "processors"), [(1.9, BOTH), (1.0, None)])
def test_what_needs_more_than_one_processor_runs_in_turn(
    busy: float, processors: tuple[int, int] | None
) -> None:
    order: list[str] = []

    def note(name: str, _: str) -> float:
        order.append(name)
        return 0.01

    base, head = make_workers(note)
    head.busy_processors = busy
    spec = calibrate(base, head, processors, 0.6)
    assert (spec.processors, spec.num_rounds) == (None, 30)
    measure_benchmark(base, head, "a", NO_SLOWDOWN, spec)
    assert order[-8:] == ["main", "worktree", "worktree", "main"] * 2


def test_a_better_place_favors_neither_side() -> None:
    # The first of two places is a third faster.
    base, head = [2.0, 3.0, 2.0, 3.0], [3.0, 2.0, 3.0, 2.0]
    measured = BenchmarkRecord("a", NO_SLOWDOWN, 1, tuple(base), tuple(head), 0.004, 0.1)
    assert measured.log_ratio == pytest.approx(0.0)


def describe(folder: Path, cores: list[int]) -> Path:
    """A machine that has a processor of each of these cores."""
    for processor, core in enumerate(cores):
        topology = folder / f"cpu{processor}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{core}\n")
    return folder


@pytest.mark.parametrize(
    ("cores", "allowed", "chosen"),
    [
        ([0, 1, 2, 3], {0, 1, 2, 3}, (0, 1)),
        ([0, 0, 1, 1], {0, 1, 2, 3}, (0, 2)),
        ([0, 0, 1, 1], {1, 2, 3}, (1, 2)),
        ([0, 0], {0, 1}, (0, 1)),
        ([0, 1], {1}, None),
    ],
)
def test_two_processors_of_different_cores_are_chosen_if_there_are(
    cores: list[int],
    allowed: set[int],
    chosen: tuple[int, int] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed)
    assert choose_processors(describe(tmp_path, cores)) == chosen


def test_where_the_system_tells_nothing_any_two_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7})
    assert choose_processors(tmp_path) == (3, 7)


def test_where_no_process_may_choose_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert choose_processors() is None
