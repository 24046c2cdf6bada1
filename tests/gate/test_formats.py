import json

import pytest

from bnbench.gate import formats
from bnbench.gate.accuracy import AccuracySummary
from bnbench.gate.pairs import SuiteRecord
from bnbench.gate.quantities import KINDS, PEAK_MEMORY, KindName
from bnbench.gate.specs import GateSpec
from bnbench.gate.verdict import GateSummary, QuantitySummary
from bnbench.stats.change import ChangeOutcome


@pytest.fixture
def summary() -> GateSummary:
    def benchmark(
        name: str,
        outcome: ChangeOutcome,
        base: float,
        more: float | None = None,
        kind: KindName = "time",
    ) -> QuantitySummary:
        return QuantitySummary(name, kind, outcome, 1.08, 1.03, 1.13, base, base * 1.08, 13, more)

    return GateSummary(
        base="main",
        base_commit="b" * 40,
        head="worktree",
        head_commit="e" * 40,
        spec=GateSpec(),
        quantities=(
            benchmark("bench.py::test_epoch[a|b]", ChangeOutcome.WORSE, 0.002),
            benchmark("bench.py::test_load", ChangeOutcome.UNDECIDED, 1.5, more=2.5),
            benchmark(PEAK_MEMORY.name, ChangeOutcome.NOT_WORSE, 2.0**20, kind="memory"),
        ),
        accuracies=(
            AccuracySummary(
                "batchnorm",
                ChangeOutcome.WORSE,
                0.85,
                0.83,
                -0.02,
                -0.03,
                -0.01,
                10,
                None,
            ),
        ),
        failures={"bench.py::test_gone": "head: call failed: ValueError"},
        suite=SuiteRecord((), ("bench.py::test_old",), (), ("project._native",)),
        num_pairs=13,
        seconds=150.0,
        kernel_seconds=0.0042,
    )


def test_the_markdown_says_the_verdict_first_and_then_every_figure(summary: GateSummary) -> None:
    text = formats.render_markdown(summary)
    assert (
        "**Failed. worktree against main: slower or larger: bench.py::test_epoch[a\\|b]; "
        "less accurate: batchnorm.**" in text
    )
    assert (
        "| bench.py::test_epoch[a\\|b] | slower | 1.080 [1.030, 1.130] | 2 ms | 2.16 ms | 13 |"
        in text
    )
    assert "| undecided, 2.5 min more |" in text
    assert "| batchnorm | worse | -2.00 points [-3.00, -1.00] | 85.00% | 83.00% | 10 |" in text
    assert "- Only in base, not judged: bench.py::test_old" in text
    assert "(give a --setup that builds them): project._native" in text


def test_the_json_holds_everything(summary: GateSummary) -> None:
    content = json.loads(json.dumps(formats.make_json(summary)))
    assert (content["verdict"], content["exit_code"]) == ("failed", 1)
    assert content["quantities"][0]["outcome"] == "worse"
    assert content["accuracies"][0]["high"] == -0.01


def test_github_action_benchmark_gets_names_units_and_values_that_are_better_smaller(
    summary: GateSummary,
) -> None:
    entries = formats.make_action_benchmark(summary)
    assert [(entry["name"], entry["unit"]) for entry in entries] == [
        ("bench.py::test_epoch[a|b]", "seconds"),
        ("bench.py::test_load", "seconds"),
        ("peak memory", "bytes"),
        ("test error of batchnorm", "fraction"),
    ]
    assert entries[0]["value"] == pytest.approx(0.00216)
    assert entries[-1]["value"] == pytest.approx(0.17)


def test_bencher_gets_a_measure_with_value_and_bounds_for_each_benchmark(
    summary: GateSummary,
) -> None:
    metrics = formats.make_bencher(summary)
    latency = metrics["bench.py::test_load"]["latency"]
    assert latency["value"] == pytest.approx(1.62e9)
    assert latency["lower_value"] < latency["value"] < latency["upper_value"]
    assert set(metrics[PEAK_MEMORY.name]) == {"memory"}
    assert metrics["accuracy of batchnorm"]["accuracy"]["value"] == 0.83


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5, "2.5 s"), (0.0316, "31.6 ms"), (0.0000421, "42.1 µs"), (3e-8, "30 ns")],
)
def test_times_have_the_unit_that_fits(seconds: float, text: str) -> None:
    assert KINDS["time"].format_amount(seconds) == text
