"""How often the gate's rule is wrong under noise of different shapes: `python -m bench.gate_noise`.

Simulated suites go through the gate's own rule: without a change for the false-alarm rate, and
with the first benchmark slower by the limit for the detection rate. The noise is that of the one
number per process pair, and independent between pairs. It is made up, so this checks the rule and
not a machine; for a machine, see ``bnbench gate certify``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import click
import numpy as np

from bnbench.gate.error_rates import format_rate
from bnbench.gate.formats import render_table
from bnbench.gate.quantities import Quantity
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISES: dict[str, Draw] = {
    "normal, deviation 2%": lambda generator, shape: generator.normal(0.0, 0.02, shape),
    "Student's t with 3 degrees, deviation 2%": lambda generator, shape: (
        generator.standard_t(3, shape) * 0.02 / math.sqrt(3.0)
    ),
    "two speeds, 8% apart": lambda generator, shape: (
        generator.choice([-0.04, 0.04], shape) + generator.normal(0.0, 0.005, shape)
    ),
    "exactly -4% or +4%": lambda generator, shape: generator.choice([-0.04, 0.04], shape),
    "uniform, within 6%": lambda generator, shape: generator.uniform(-0.06, 0.06, shape),
    "deviation 1%, one in ten off by 30%": lambda generator, shape: np.where(
        generator.random(shape) < 0.1,
        generator.choice([-0.3, 0.3], shape),
        generator.normal(0.0, 0.01, shape),
    ),
}
"""Log-ratios of head over base, of shape (pairs, benchmarks), of two sides that are the same."""
COLUMNS = (
    *("noise", "benchmarks", "suites with a false alarm"),
    *("5% found", "5% missed", "pairs without a change"),
)
SEED = 20_260_101


def simulate_suites(
    draw: Draw, num_benchmarks: int, change: float, num_suites: int, spec: GateSpec
) -> tuple[list[dict[str, ChangeOutcome]], float]:
    """Decide many suites whose first benchmark is changed.

    Args:
        draw: the noise.
        num_benchmarks: per suite.
        change: log-ratio added to the first benchmark.
        num_suites: how many.
        spec: the gate that decides.

    Returns:
        The outcomes of each suite by benchmark, and the mean number of process pairs.
    """
    generator = np.random.default_rng(SEED)
    names = [str(number) for number in range(num_benchmarks)]
    found, num_pairs = [], 0
    for _ in range(num_suites):
        gate = SequentialGate([Quantity(name) for name in names], spec)
        values = draw(generator, (gate.looks[-1], num_benchmarks))
        values[:, 0] += change
        for row in values:
            gate.add(dict(zip(names, row.tolist(), strict=True)), 0.0)
            if gate.is_over:
                break
        found.append({quantity.name: each.outcome for quantity, each in gate.finish().items()})
        num_pairs += gate.num_pairs
    return found, num_pairs / num_suites


@click.command()
@click.option("--suites", default=10_000, help="Suites of 5 benchmarks; of 50, a tenth.")
def main(suites: int) -> None:
    """Print the rule's error rates under each noise, with 95% intervals."""
    spec = GateSpec()
    rows = []
    for num_benchmarks, num_suites in ((5, suites), (50, max(suites // 10, 1))):
        for name, draw in NOISES.items():
            same, num_pairs = simulate_suites(draw, num_benchmarks, 0.0, num_suites, spec)
            limit = math.log1p(spec.max_slowdown)
            slower, _ = simulate_suites(draw, num_benchmarks, limit, num_suites, spec)
            alarms = sum(ChangeOutcome.WORSE in each.values() for each in same)
            counts = [
                sum(each["0"] is outcome for each in slower)
                for outcome in (ChangeOutcome.WORSE, ChangeOutcome.NOT_WORSE)
            ]
            rates = [format_rate(count, num_suites) for count in (alarms, *counts)]
            rows.append((name, str(num_benchmarks), *rates, f"{num_pairs:.1f}"))
    click.echo(render_table(COLUMNS, rows))


if __name__ == "__main__":
    main()
