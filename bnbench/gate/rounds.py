"""Timing one benchmark in base and head: rounds of a few milliseconds, side by side.

The load of a shared machine changes within milliseconds, so consecutive rounds see different
machines. Therefore both sides run at once, each on a processor of its own, and exchange places
after every round: the load slows both ("duet" benchmarking: Bulej et al., ICPE 2020). The side
that ends its calls first goes on calling until the other ends, so neither runs alone.

If a benchmark keeps several processors busy, or the machine has only one, base and head run in
turn instead: AB, BA, AB, ..., one idle while the other works.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bnbench.gate.process import Worker
from bnbench.gate.records import BenchmarkRecord, Slowdown

ROUND_SECONDS = 0.002
"""Seconds per round; sets the calls per round. No longer than the time that the system gives a
program before the next one: then other load hits few rounds, and the median leaves them out."""
MIN_ROUNDS, MAX_ROUNDS = 4, 200
"""Rounds of each side per benchmark; even numbers, because places are exchanged."""
ROUNDS_IN_ANY_CASE = 10
"""Rounds that are measured however long they take on a busy machine, if so many are planned."""
MAX_BUSY = 1.2
"""Processors a benchmark may keep busy and still run on one; above 1, because time in which the
interpreter's threads switch is counted twice."""
TOPOLOGY = Path("/sys/devices/system/cpu")

Places = list[tuple[Worker, Slowdown]]
"""Both sides, each with its injected slowdown; the first takes the first place."""


@dataclass(frozen=True)
class RoundsSpec:
    """How one benchmark is timed; planned once, for all pairs."""

    iterations: int
    """Calls per round, the same on both sides."""
    num_rounds: int
    """Most rounds of each side per pair; even."""
    measure_seconds: float
    """Seconds after which a busy machine gets no further round."""
    processors: tuple[int, int] | None
    """Processors on which both run at once; None if they run in turn."""


def choose_processors(topology: Path = TOPOLOGY) -> tuple[int, int] | None:
    """Choose two processors this process may use, of different cores if possible.

    Threads of one core slow each other down; both sides alike, so it costs only time.

    Args:
        topology: where Linux says which processors share a core.

    Returns:
        None if there is only one, or if the system does not let a process choose.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    pairs = list(itertools.combinations(sorted(os.sched_getaffinity(0)), 2))
    for first, second in pairs:
        if _read_core(topology, first) != _read_core(topology, second):
            return first, second
    return pairs[0] if pairs else None


def calibrate(
    base: Worker, head: Worker, processors: tuple[int, int] | None, measure_seconds: float
) -> RoundsSpec:
    """Choose the calls per round, the rounds and the processors for a benchmark both wait in.

    Args:
        base: waits in the benchmark.
        head: waits in it too.
        processors: what both may run on at once; None if they must run in turn.
        measure_seconds: how long a process pair measures the benchmark.

    Raises:
        BenchmarkFailed: it raised.
    """
    iterations = 1
    while True:
        seconds = max(base.time(iterations), head.time(iterations))
        if seconds >= ROUND_SECONDS / 4.0 or iterations >= 1 << 30:
            break
        iterations *= 4
    if max(base.busy_processors, head.busy_processors) > MAX_BUSY:
        processors = None
    call_seconds = max(seconds, 1e-9) / iterations
    iterations = max(1, round(ROUND_SECONDS / call_seconds))
    # In turn, a round takes both sides' calls; at once, the calls of one and up to one call more.
    num_calls = 2 * iterations if processors is None else iterations + 1
    num_rounds = 2 * round(measure_seconds / (num_calls * call_seconds) / 2.0)
    num_rounds = min(max(num_rounds, MIN_ROUNDS), MAX_ROUNDS)
    return RoundsSpec(iterations, num_rounds, measure_seconds, processors)


def measure_benchmark(
    base: Worker,
    head: Worker,
    benchmark: str,
    slowdown: Slowdown,
    spec: RoundsSpec,
    read_seconds: Callable[[], float] = time.perf_counter,
) -> BenchmarkRecord:
    """Time a benchmark that both wait in, `slowdown` injected into the head.

    On a busy machine both sides wait for their processors between rounds. Then time ends the
    measurement before its rounds are complete. That depends on the load and not on a side, so
    the difference of equal sides stays symmetric.

    Raises:
        BenchmarkFailed: it raised.
    """
    begin = read_seconds()
    kernel = min(worker.time_kernel() for worker in (base, head))
    run = _run_in_turn if spec.processors is None else _run_at_once
    places = [(base, dataclasses.replace(slowdown, share=0.0)), (head, slowdown)]
    end = read_seconds() + spec.measure_seconds
    rounds: list[dict[Worker, float]] = []
    while len(rounds) < spec.num_rounds:
        if len(rounds) >= ROUNDS_IN_ANY_CASE and read_seconds() > end:
            break
        for _ in range(2):
            rounds.append(run(places, spec))
            places.reverse()
    return BenchmarkRecord(
        benchmark,
        slowdown,
        spec.iterations,
        tuple(seconds[base] for seconds in rounds),
        tuple(seconds[head] for seconds in rounds),
        kernel,
        read_seconds() - begin,
    )


def _run_at_once(places: Places, spec: RoundsSpec) -> dict[Worker, float]:
    # The side that is started and read first changes with the places: starting the second, or
    # reading the first, takes this program a moment of the other side's processor.
    assert spec.processors is not None
    for processor, (worker, slowdown) in zip(spec.processors, places, strict=True):
        worker.start(spec.iterations, slowdown, processor)
    seconds = {worker: worker.read_seconds() for worker, _ in places}
    for worker in seconds:
        worker.idle()
    for worker in seconds:  # both must have left their processor before the other gets it
        worker.read_seconds()
    return seconds


def _run_in_turn(places: Places, spec: RoundsSpec) -> dict[Worker, float]:
    return {worker: worker.time(spec.iterations, slowdown) for worker, slowdown in places}


def _read_core(topology: Path, processor: int) -> tuple[str, ...]:
    """Package and core of a processor; empty if the system does not say."""
    folder = topology / f"cpu{processor}" / "topology"
    try:
        return tuple((folder / name).read_text() for name in ("physical_package_id", "core_id"))
    except OSError:
        return ()
