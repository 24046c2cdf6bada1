import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.error_rates import format_rate, render_error_rates, replay_error_rates
from bnbench.gate.recording import (
    LEVELS,
    Recording,
    describe_recording,
    extend_recording,
    read_recording,
)
from bnbench.gate.records import BenchmarkRecord, PairRecord
from bnbench.gate.replay import replay_compare_fail, replay_decisions
from bnbench.gate.specs import GateSpec
from bnbench.stats.change import ChangeOutcome
from tests.gate.worlds import draw_log_ratios

NAMES = ["a", "b", "c"]
HEADER = describe_recording("e" * 40, ("bench",))


def draw_pair(generator: np.random.Generator, speed: float = 1.0, quiet: float = 0.3) -> PairRecord:
    """A pair of the noisy world; its machine is `speed` times as slow as usual."""
    benchmarks = []
    for name in NAMES:
        offset = generator.normal(0.0, 0.009)
        for level in LEVELS:
            ratios = offset + quiet * draw_log_ratios(generator) + np.log1p(level)
            base = 0.03 * speed * np.ones(len(ratios))
            benchmarks.append(
                BenchmarkRecord(
                    name, level, 5, tuple(base), tuple(base * np.exp(ratios)), 0.004, 0.7
                )
            )
    return PairRecord(tuple(benchmarks), (0.5, 0.51), (1000, 1001), 2.0 + 0.7 * len(benchmarks))


@pytest.fixture(scope="module")
def recording() -> Recording:
    generator = np.random.default_rng(4)
    speeds = generator.choice([1.0, 1.15], 60)
    return Recording(HEADER, tuple(draw_pair(generator, speed) for speed in speeds))


class FakeRunner:
    def __init__(self) -> None:
        self.generator = np.random.default_rng(2)
        self.levels: list[tuple[float, ...]] = []

    def measure(self, levels: Sequence[float]) -> PairRecord:
        self.levels.append(tuple(levels))
        return draw_pair(self.generator)


def extend(path: Path, runner: FakeRunner, seconds: float) -> Recording:
    return extend_recording(path, HEADER, runner, seconds)  # type: ignore[arg-type]


def test_a_recording_is_read_back_as_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    made = extend(path, FakeRunner(), 30.0)
    assert made.seconds >= 30.0
    assert read_recording(path) == made
    assert made.names == NAMES


def test_an_interrupted_recording_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    first = extend(path, FakeRunner(), 30.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert read_recording(path).pairs == first.pairs[:-1]
    again = extend(path, FakeRunner(), 60.0)
    assert again.pairs[: len(first.pairs) - 1] == first.pairs[:-1]
    assert read_recording(path) == again


def test_a_recording_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    path.write_text(path.read_text().replace('"format_version": 4', '"format_version": 3'))
    with pytest.raises(GateError, match="format version 3, not 4; record anew"):
        read_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"cpu": "', '"processor": "', "unknown key"),
        ('"wall_seconds": 0.', '"wall_seconds": "0.', "recording"),
        ('"startup_seconds": [', '"startup_seconds": ["1", ', "startup_seconds.*a number"),
    ],
    ids=["missing key", "no JSON", "text for a number"],
)
def test_a_damaged_line_is_refused_and_nothing_is_filled_in(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(GateError, match=complaint):
        read_recording(path)


def test_the_slowdown_measured_first_goes_round(tmp_path: Path) -> None:
    runner = FakeRunner()
    extend(tmp_path / "recording.jsonl", runner, 60.0)
    assert [levels[0] for levels in runner.levels[:5]] == list(LEVELS)


def test_another_commits_recording_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    other = dataclasses.replace(HEADER, commit="0" * 40)
    with pytest.raises(GateError, match="name a new file with --recording"):
        extend_recording(path, other, FakeRunner(), 30.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, "", "{}\n", "[1]\n", "no json\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "recording.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GateError, match="expected a recording"):
        read_recording(path)


def test_replayed_decisions_have_the_error_rates_of_the_gate(recording: Recording) -> None:
    generator = np.random.default_rng(1)
    null = replay_decisions(recording, GateSpec(), 0.0, 200, generator)
    assert null.num_false_alarms <= 2
    assert null.num_undecided <= 10
    assert 20.0 < null.mean_seconds <= 180.0
    found = replay_decisions(recording, GateSpec(), 0.05, 200, generator)
    assert found.outcomes.get(ChangeOutcome.WORSE, 0) >= 190
    assert sum(found.outcomes.values()) == 200
    assert found.num_false_alarms <= 2


def test_base_and_head_are_exchanged_in_half_of_the_pairs_that_are_the_same() -> None:
    # All of one day's pairs may lean to one side by chance: that is no property of the rule.
    generator = np.random.default_rng(4)
    pairs = []
    for _ in range(30):
        pair = draw_pair(generator, quiet=0.01)
        benchmarks = tuple(
            dataclasses.replace(v, head_seconds=tuple(1.04 * s for s in v.head_seconds))
            for v in pair.benchmarks
        )
        pairs.append(dataclasses.replace(pair, benchmarks=benchmarks))
    leaning = Recording(HEADER, tuple(pairs))
    null = replay_decisions(leaning, GateSpec(), 0.0, 100, np.random.default_rng(1))
    assert null.num_false_alarms <= 2


def test_a_gate_without_time_says_undecided_rather_than_guess(recording: Recording) -> None:
    generator = np.random.default_rng(1)
    hasty = replay_decisions(recording, GateSpec(budget_seconds=15.0), 0.05, 50, generator)
    assert hasty.outcomes.get(ChangeOutcome.UNDECIDED, 0) > 40
    assert hasty.num_false_alarms == 0


def test_rules_that_compare_single_runs_cry_wolf_where_speed_jumps(recording: Recording) -> None:
    rules = replay_compare_fail(recording, 0.0, 200, np.random.default_rng(1))
    assert [rule.rule for rule in rules] == [
        f"{name}:{limit}%" for name in ("mean", "median", "min") for limit in (5, 10)
    ]
    # A quarter of the comparisons meet a head that is measured at the machine's slower speed.
    assert all(rule.num_failed / 200 > 0.15 for rule in rules if rule.rule.endswith("10%"))


def test_the_error_rates_have_a_line_a_slowdown_and_the_rules_beside(recording: Recording) -> None:
    summary = replay_error_rates(recording, GateSpec(), num_decisions=20)
    text = render_error_rates(summary)
    assert replay_error_rates(recording, GateSpec(), num_decisions=20) == summary
    for level in ("0%", "1%", "2%", "5%", "10%"):
        assert f"\n| {level} |" in text
    assert "60 process pairs" in text
    assert "much alike" not in text
    short = dataclasses.replace(recording, pairs=recording.pairs[:10])
    assert "much alike" in render_error_rates(
        replay_error_rates(short, GateSpec(), num_decisions=5)
    )
    assert "| `mean:5%` |" in text
    assert HEADER.cpu in text


def test_a_recording_that_is_too_short_is_refused(recording: Recording) -> None:
    short = dataclasses.replace(recording, pairs=recording.pairs[:5])
    with pytest.raises(GateError, match="at least 8 process pairs, got 5"):
        replay_error_rates(short, GateSpec())


def test_rates_have_exact_intervals() -> None:
    assert format_rate(0, 300) == "0.0% [0.0, 1.2]"
    assert format_rate(1, 2) == "50.0% [1.3, 98.7]"
