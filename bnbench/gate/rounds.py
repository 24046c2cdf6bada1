"""Timing one benchmark in base and head: rounds of some ten milliseconds, side by side.

What slows a shared machine down comes and goes within milliseconds, so that rounds one after the
other meet different machines. Therefore both sides run at once, each on a processor of its own,
and change places after every round: whatever comes, comes to both ("duet" benchmarking: Bulej et
al., ICPE 2020). The side that has done its calls goes on calling until the other has done its
own, so that neither ever has the machine to itself.

A benchmark that keeps several processors busy, or a machine that has but one, leaves no place
for two: then base and head run in turn, AB, BA, AB, ..., one waiting while the other works.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bnbench.gate.process import Worker
from bnbench.gate.records import VisitRecord
from bnbench.gate.specs import GateSpec

LEAST_ROUNDS, MOST_ROUNDS = 4, 60
"""Rounds a visit, of each side; an even number, since places are exchanged."""
MOST_BUSY = 1.2
"""Processors that a benchmark may keep busy and still run on one: some of its time is counted
twice where the interpreter's threads hand over to each other."""
NUM_KERNELS = 3

Processors = tuple[int, int]


@dataclass(frozen=True)
class RoundsSpec:
    """How a benchmark is timed, the same in all its visits, so that their noise is alike."""

    iterations: int
    """Calls a round, the same on both sides."""
    num_rounds: int
    """Of each side, a visit."""
    processors: Processors | None
    """Where both run at once; None where they run in turn."""


def calibrate(
    base: Worker, head: Worker, spec: GateSpec, processors: Processors | None
) -> RoundsSpec:
    """Find how many calls make a round and rounds a visit, and whether both can run at once.

    Args:
        base: waiting in the benchmark.
        head: waiting in the same one.
        spec: how long rounds and visits are.
        processors: two that may be used; None if there are none.

    Raises:
        BenchmarkFailed: it raised.
    """
    iterations = 1
    for worker in (base, head):
        worker.time(1)  # the first call is like no other
    while True:
        seconds = max(base.time(iterations), head.time(iterations))
        if seconds >= spec.round_seconds / 4.0 or iterations >= 1 << 30:
            break
        iterations *= 4
    if max(base.busy_processors, head.busy_processors) > MOST_BUSY:
        processors = None
    call_seconds = max(seconds, 1e-9) / iterations
    iterations = max(1, round(spec.round_seconds / call_seconds))
    # In turn, a round takes both sides' calls; at once, the calls of one and up to one call more.
    num_calls = 2 * iterations if processors is None else iterations + 1
    num_rounds = 2 * round(spec.visit_seconds / (num_calls * call_seconds) / 2.0)
    return RoundsSpec(iterations, min(max(num_rounds, LEAST_ROUNDS), MOST_ROUNDS), processors)


def measure_visit(
    base: Worker, head: Worker, benchmark: str, slowdown: float, spec: RoundsSpec
) -> VisitRecord:
    """Time a benchmark that both wait in, `slowdown` (a fraction) injected into the head.

    Raises:
        BenchmarkFailed: it raised.
    """
    begin = time.perf_counter()
    kernel = min(worker.time_kernel() for _ in range(NUM_KERNELS) for worker in (base, head))
    rounds = [
        _run_at_once(base, head, spec, slowdown, number % 2 == 1)
        if spec.processors is not None
        else _run_in_turn(base, head, spec, slowdown, number % 2 == 1)
        for number in range(spec.num_rounds)
    ]
    return VisitRecord(
        benchmark,
        slowdown,
        spec.iterations,
        tuple(seconds for seconds, _ in rounds),
        tuple(seconds for _, seconds in rounds),
        kernel,
        time.perf_counter() - begin,
        at_once=spec.processors is not None,
    )


def _run_at_once(
    base: Worker, head: Worker, spec: RoundsSpec, slowdown: float, exchanged: bool
) -> tuple[float, float]:
    assert spec.processors is not None
    places = [(base, 0.0), (head, slowdown)]
    # Who is started and heard first goes round with the places: to start the second side, or to
    # hear of the first that it has done, this program takes a moment of the other's processor.
    if exchanged:
        places.reverse()
    for processor, (worker, injected) in zip(spec.processors, places, strict=True):
        worker.start(spec.iterations, injected, processor)
    seconds = {worker: worker.read_seconds() for worker, _ in places}
    for worker in seconds:
        worker.rest()
    for worker in seconds:  # neither may still be where the other goes next
        worker.read_seconds()
    return seconds[base], seconds[head]


def _run_in_turn(
    base: Worker, head: Worker, spec: RoundsSpec, slowdown: float, exchanged: bool
) -> tuple[float, float]:
    if exchanged:
        head_seconds = head.time(spec.iterations, slowdown)
        return base.time(spec.iterations), head_seconds
    base_seconds = base.time(spec.iterations)
    return base_seconds, head.time(spec.iterations, slowdown)
