from __future__ import annotations

import contextlib
import dataclasses
import gzip
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.error_rates import format_rate, render_error_rates, replay_error_rates
from bnbench.gate.recording import (
    PAIRS_PER_LAYOUT,
    SLOWDOWNS,
    RecordedPair,
    Recording,
    describe_recording,
    extend_recording,
    read_recording,
)
from bnbench.gate.records import NO_SLOWDOWN, BenchmarkRecord, PairRecord, Slowdown
from bnbench.gate.replay import replay_decisions, summarize_bias
from bnbench.gate.specs import GateSpec
from tests.gate.worlds import draw_log_ratios

NAMES = ["a", "b", "c"]
HEADER = describe_recording("e" * 40, ("bench",))


def draw_pair(generator: np.random.Generator, bias: float = 0.0, quiet: float = 0.3) -> PairRecord:
    """A pair of the noisy world; its head is slower by the log-ratio `bias`."""
    benchmarks = []
    for name in NAMES:
        offset = generator.normal(bias, 0.009)
        for slowdown in SLOWDOWNS:
            ratios = offset + quiet * draw_log_ratios(generator) + np.log1p(slowdown.share)
            base = 0.03 * np.ones(len(ratios))
            head = tuple((base * np.exp(ratios)).tolist())
            benchmarks.append(
                BenchmarkRecord(name, slowdown, 5, tuple(base.tolist()), head, 0.004, 0.7)
            )
    return PairRecord(tuple(benchmarks), (0.5, 0.51), (1000, 1001), 2.0 + 0.7 * len(benchmarks))


def make_recording(
    bias_deviation: float = 0.0, bias: float = 0.0, num_layouts: int = 8
) -> Recording:
    """Layouts of twenty pairs; the two copies of each differ by a bias drawn once."""
    generator = np.random.default_rng(4)
    biases = bias + bias_deviation * generator.standard_normal(num_layouts)
    return Recording(
        HEADER,
        tuple(
            RecordedPair(layout, draw_pair(generator, drawn))
            for layout, drawn in enumerate(biases)
            for _ in range(PAIRS_PER_LAYOUT)
        ),
    )


@pytest.fixture(scope="module")
def recording() -> Recording:
    return make_recording()


class FakeRunner:
    def __init__(self) -> None:
        self.generator = np.random.default_rng(2)
        self.slowdowns: list[tuple[Slowdown, ...]] = []
        self.num_layouts = 0

    @contextlib.contextmanager
    def lay_out(self) -> Iterator[FakeRunner]:
        self.num_layouts += 1
        yield self

    def measure(self, slowdowns: Sequence[Slowdown]) -> PairRecord:
        self.slowdowns.append(tuple(slowdowns))
        return draw_pair(self.generator)


def extend(path: Path, runner: FakeRunner, seconds: float) -> Recording:
    return extend_recording(path, HEADER, runner.lay_out, seconds)  # type: ignore[arg-type]


def test_a_recording_is_read_back_as_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    made = extend(path, FakeRunner(), 30.0)
    assert made.seconds >= 30.0
    assert read_recording(path) == made
    assert made.names == NAMES
    packed = tmp_path / "recording.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_recording(packed) == made
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(GateError, match="expected a recording"):
        read_recording(packed)


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
    path.write_text(path.read_text().replace('"format_version": 5', '"format_version": 4'))
    with pytest.raises(GateError, match="format version 4, not 5; record anew"):
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


def test_what_is_measured_first_goes_round(tmp_path: Path) -> None:
    runner = FakeRunner()
    extend(tmp_path / "recording.jsonl", runner, 60.0)
    assert [slowdowns[0] for slowdowns in runner.slowdowns[:3]] == list(SLOWDOWNS)


def test_the_copies_are_laid_out_anew_every_twenty_pairs_and_when_it_goes_on(
    tmp_path: Path,
) -> None:
    path, runner = tmp_path / "recording.jsonl", FakeRunner()
    extend(path, runner, 200.0)
    assert runner.num_layouts == 2
    made = extend(path, runner, 220.0)
    assert [len(pairs) for pairs in made.layouts] == [20, 5, 2]


def test_another_commits_recording_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    other = dataclasses.replace(HEADER, commit="0" * 40)
    with pytest.raises(GateError, match="name a new file with --recording"):
        extend_recording(path, other, FakeRunner().lay_out, 30.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, "", "{}\n", "[1]\n", "no json\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "recording.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GateError, match="expected a recording"):
        read_recording(path)


def test_decisions_share_no_pair_and_are_counted_as_what_they_are(recording: Recording) -> None:
    null = replay_decisions(recording, GateSpec(), NO_SLOWDOWN)
    # 2^-11 is the first below 0.01 / (5 * 4), and twenty pairs hold one decision of eleven.
    assert null.num_decisions == 8
    assert (null.num_false_alarms, null.num_undecided) == (0, 0)
    assert null.mean_pairs == 11.0
    assert null.outcomes == {"not worse": 24}
    for slowdown in SLOWDOWNS[1:]:
        found = replay_decisions(recording, GateSpec(), slowdown)
        assert found.outcomes == {"worse": 24}
        assert found.num_false_alarms == 0


def test_a_head_that_is_always_slower_is_a_false_alarm_in_every_decision() -> None:
    leaning = make_recording(bias=math.log(1.04))
    null = replay_decisions(leaning, GateSpec(), NO_SLOWDOWN)
    assert null.num_false_alarms == null.num_decisions > 0


def test_copies_that_differ_give_false_alarms_and_their_deviation_is_found() -> None:
    differing = make_recording(bias_deviation=0.03, num_layouts=30)
    null = replay_decisions(differing, GateSpec(), NO_SLOWDOWN)
    assert null.num_false_alarms > 3
    bias = summarize_bias(differing, "a")
    assert bias.layout_deviation == pytest.approx(0.03, rel=0.4)
    assert bias.pair_deviation is not None
    assert bias.pair_deviation < 0.03
    assert bias.mean.count == 30


def test_the_deviation_between_copies_is_near_zero_if_they_do_not_differ(
    recording: Recording,
) -> None:
    bias = summarize_bias(recording, "b")
    assert bias.layout_deviation is not None
    assert bias.layout_deviation < 0.004
    assert bias.mean.low is not None
    assert bias.mean.low < 0.0


def test_a_gate_without_time_says_undecided_rather_than_guess(recording: Recording) -> None:
    hasty = replay_decisions(recording, GateSpec(budget_seconds=15.0), SLOWDOWNS[1])
    assert hasty.num_false_alarms == 0
    assert hasty.outcomes.get("worse", 0) == 0


def test_the_error_rates_have_one_line_per_slowdown_and_one_per_benchmark(
    recording: Recording,
) -> None:
    summary = replay_error_rates(recording, GateSpec())
    text = render_error_rates(summary)
    for name in ("0%", "5%, busy", "5%, memory", "`a`", "`b`", "`c`"):
        assert f"\n| {name} |" in text
    assert "160 process pairs" in text
    # Eight decisions without an alarm bound the rate no better than by 37%.
    assert "| 0.0% [0.0, 36.9] |" in text
    assert HEADER.cpu in text


def test_a_recording_that_is_too_short_is_refused(recording: Recording) -> None:
    short = dataclasses.replace(recording, pairs=recording.pairs[:5])
    with pytest.raises(GateError, match="at least one decision, got 5 process pairs"):
        replay_error_rates(short, GateSpec())


def test_rates_have_exact_intervals() -> None:
    assert format_rate(0, 300) == "0.0% [0.0, 1.2]"
    assert format_rate(1, 2) == "50.0% [1.3, 98.7]"
