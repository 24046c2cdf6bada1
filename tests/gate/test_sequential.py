import numpy as np
import pytest

from bnbench.gate.quantities import PEAK_MEMORY, STARTUP, Quantity, list_quantities
from bnbench.gate.sequential import SequentialGate, plan_looks
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome
from tests.gate.worlds import draw_log_ratios

NAMES = ["a", "b", "c", "d"]
START_SECONDS, VISIT_SECONDS = 3.0, 0.7


def run_gate(
    generator: np.random.Generator, change: float, spec: GateSpec
) -> tuple[dict[str, ChangeOutcome], float]:
    """One gate in the made-up world, the first benchmark changed; its outcomes and seconds."""
    gate = SequentialGate(list_quantities(NAMES), spec)
    while True:
        cost = START_SECONDS + VISIT_SECONDS * len(gate.active)
        values = {
            name: float(np.median(draw_log_ratios(generator, change if name == "a" else 0.0)))
            for name in gate.active
        }
        gate.add(
            values
            | {
                STARTUP.name: generator.normal(0.0, 0.05),
                PEAK_MEMORY.name: generator.normal(0.0, 0.003),
            },
            cost,
        )
        if gate.is_over:
            return {
                quantity.name: change.outcome for quantity, change in gate.finish().items()
            }, gate.seconds


@pytest.fixture(scope="module")
def spec() -> GateSpec:
    return GateSpec()


def test_in_a_noisy_world_harmless_changes_fail_at_most_once_in_a_hundred(spec: GateSpec) -> None:
    generator = np.random.default_rng(11)
    runs = [run_gate(generator, 0.0, spec) for _ in range(300)]
    alarms = [ChangeOutcome.WORSE in found.values() for found, _ in runs]
    assert np.mean(alarms) <= 0.01
    undecided = [found["a"] is ChangeOutcome.UNDECIDED for found, _ in runs]
    assert np.mean(undecided) <= 0.05
    assert max(seconds for _, seconds in runs) <= spec.budget_seconds


def test_in_a_noisy_world_five_per_cent_are_found_in_nineteen_of_twenty(spec: GateSpec) -> None:
    generator = np.random.default_rng(12)
    found = [run_gate(generator, 0.05, spec)[0]["a"] for _ in range(300)]
    assert np.mean([each is ChangeOutcome.WORSE for each in found]) >= 0.95
    assert np.mean([each is ChangeOutcome.NOT_WORSE for each in found]) <= 0.05


def test_what_is_decided_is_measured_no_more(spec: GateSpec) -> None:
    gate = SequentialGate([Quantity("plain"), Quantity("noisy")], spec)
    for number in range(gate.looks[0]):
        assert gate.active == ["plain", "noisy"]
        gate.add({"plain": 0.001 * (-1) ** number, "noisy": 0.4 * (-1) ** number}, 1.0)
    assert gate.active == ["noisy"]
    assert not gate.is_over


def test_there_are_no_more_looks_than_the_error_rate_is_divided_by(spec: GateSpec) -> None:
    gate = SequentialGate([Quantity("noisy")], spec)
    for number in range(gate.looks[-1]):
        assert not gate.is_over
        gate.add({"noisy": (0.9 + 0.01 * number) * (-1) ** number}, 1.0)
    assert gate.is_over
    (change,) = gate.finish().values()
    assert change.outcome is ChangeOutcome.UNDECIDED


def test_what_comes_for_free_is_judged_and_never_waited_for(spec: GateSpec) -> None:
    gate = SequentialGate([Quantity("plain"), STARTUP], spec)
    for number in range(gate.looks[0]):
        gate.add({"plain": 0.0001 * number, STARTUP.name: 0.5 * (-1) ** number}, 1.0)
    assert gate.is_over
    assert [change.outcome for change in gate.finish().values()] == [
        ChangeOutcome.NOT_WORSE,
        ChangeOutcome.UNDECIDED,
    ]


def test_when_time_is_up_before_a_look_there_is_one_more(spec: GateSpec) -> None:
    gate = SequentialGate([Quantity("slow")], spec)
    for number in range(gate.looks[1] - 1):
        gate.add({"slow": -0.01 if number == 0 else 0.05}, 1.0)
    assert gate.active == ["slow"]
    (change,) = gate.finish().values()
    assert change.outcome is ChangeOutcome.WORSE


def test_the_first_look_comes_when_a_test_can_decide() -> None:
    # 2^-12 is the first below 0.01 / (7 * 4), and 2^-15 the first below 0.01 / (52 * 4).
    assert plan_looks(7, 0.01) == (12, 19, 31, 49)
    assert plan_looks(52, 0.01)[0] == 15


def test_what_cannot_be_measured_is_left_out(spec: GateSpec) -> None:
    gate = SequentialGate([Quantity("a"), Quantity("b")], spec)
    gate.drop("a")
    gate.add({"a": 1.0, "b": 0.0}, 1.0)
    assert gate.active == ["b"]
    assert [quantity.name for quantity in gate.finish()] == ["b"]
