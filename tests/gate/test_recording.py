from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.error_rates import format_rate, render_error_rates, replay_error_rates
from bnbench.gate.recording import (
    SLOWDOWNS,
    RecordedDecision,
    RecordedPair,
    Recording,
    describe_recording,
    extend_recording,
    read_recording,
)
from bnbench.gate.records import NO_SLOWDOWN, BenchmarkRecord, Injection, PairRecord
from bnbench.gate.replay import BiasSummary, list_undecided, replay_decisions, summarize_biases
from bnbench.gate.specs import GateSpec, SuiteSpec
from tests.gate.worlds import draw_log_ratios

NAMES = ["a", "b", "c"]
HEADER = describe_recording("e" * 40, SuiteSpec(("bench",), Path("cache")))
NUM_PAIRS = 11
"""The first look: 2^-11 is the first below 0.01 / (5 * 4)."""


def draw_pair(
    generator: np.random.Generator, injection: Injection, bias: float = 0.0, quiet: float = 0.3
) -> PairRecord:
    """A pair of the noisy world; its head is slower by the log-ratio `bias`."""
    benchmarks = []
    for number, name in enumerate(NAMES):
        offset = generator.normal(bias, 0.009)
        is_slowed = number == injection.position % len(NAMES)
        for slowdown in (NO_SLOWDOWN, injection.slowdown) if is_slowed else (NO_SLOWDOWN,):
            ratios = offset + quiet * draw_log_ratios(generator) + np.log1p(slowdown.share)
            base = 0.03 * np.ones(len(ratios))
            head = tuple((base * np.exp(ratios)).tolist())
            benchmarks.append(
                BenchmarkRecord(name, slowdown, 5, tuple(base.tolist()), head, 0.004, 0.7)
            )
    seconds = 2.0 + 0.7 * len(benchmarks)
    return PairRecord(tuple(benchmarks), (0.5, 0.51), (1000, 1001), seconds, load=3.5)


def make_recording(
    bias_deviation: float = 0.0, bias: float = 0.0, num_decisions: int = 8
) -> Recording:
    """Decisions of one look; the two copies of each differ by a bias drawn once."""
    generator = np.random.default_rng(4)
    biases = bias + bias_deviation * generator.standard_normal(num_decisions)
    return Recording(
        HEADER,
        tuple(
            RecordedPair(
                number, draw_pair(generator, Injection(number // 2, SLOWDOWNS[number % 2]), drawn)
            )
            for number, drawn in enumerate(biases)
            for _ in range(NUM_PAIRS)
        ),
    )


def summarize_bias(recording: Recording, name: str) -> BiasSummary:
    return {bias.quantity: bias for bias in summarize_biases(recording)}[name]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return make_recording()


class FakeRunner:
    def __init__(self) -> None:
        self.generator = np.random.default_rng(2)
        self.injections: list[Injection] = []
        self.num_layouts = 0

    @contextlib.contextmanager
    def lay_out(self) -> Iterator[FakeRunner]:
        self.num_layouts += 1
        yield self

    def measure(self, names: Sequence[str] | None, injection: Injection) -> PairRecord:
        self.injections.append(injection)
        pair = draw_pair(self.generator, injection)
        if names is None:
            return pair
        kept = tuple(each for each in pair.benchmarks if each.benchmark in names)
        return dataclasses.replace(pair, benchmarks=kept)


def need_three_pairs(decision: RecordedDecision) -> list[str]:
    return NAMES if len(decision.pairs) < 3 else []


def extend(path: Path, runner: FakeRunner, seconds: float) -> Recording:
    return extend_recording(
        path,
        HEADER,
        runner.lay_out,  # type: ignore[arg-type]
        seconds,
        need_three_pairs,
    )


def test_a_recording_is_read_back_as_it_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    made = extend(path, FakeRunner(), 30.0)
    assert made.seconds >= 30.0
    assert read_recording(path) == made
    assert made.decisions[0].names == NAMES
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
    assert [len(decision.pairs) for decision in again.decisions] == [3, 3, 2, 3, 3]


def test_a_recording_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    path.write_text(path.read_text().replace('"format_version": 6', '"format_version": 5'))
    with pytest.raises(GateError, match="format version 5, not 6; record anew"):
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


def test_every_decision_has_copies_of_its_own_and_is_completed(tmp_path: Path) -> None:
    path, runner = tmp_path / "recording.jsonl", FakeRunner()
    extend(path, runner, 30.0)  # 4.8 s per pair
    assert runner.num_layouts == 3
    made = extend(path, runner, 50.0)
    assert [len(decision.pairs) for decision in made.decisions] == [3, 3, 3, 3]
    assert runner.num_layouts == 4


def test_the_slowed_benchmark_and_the_kind_of_slowdown_change_with_the_decision(
    tmp_path: Path,
) -> None:
    made = extend(tmp_path / "recording.jsonl", FakeRunner(), 90.0)
    busy, memory = SLOWDOWNS
    assert [decision.injected for decision in made.decisions] == [
        *[("a", busy), ("a", memory), ("b", busy), ("b", memory), ("c", busy), ("c", memory)],
        ("a", busy),
    ]


def test_a_decision_is_over_when_the_gate_is_with_and_without_the_slowdown(
    recording: Recording,
) -> None:
    (decision, *_) = recording.decisions
    assert list_undecided(decision, GateSpec()) == []
    assert list_undecided(RecordedDecision(decision.pairs[:-1]), GateSpec()) == NAMES
    # No time for a further pair: over, and undecided.
    late = RecordedDecision(decision.pairs[:3])
    assert list_undecided(late, GateSpec(budget_seconds=10.0)) == []


def test_what_is_decided_is_recorded_no_more_and_replayed_all_the_same(tmp_path: Path) -> None:
    # The second benchmark of each decision is so noisy that it needs a second look or more.
    class Runner(FakeRunner):
        def measure(self, names: Sequence[str] | None, injection: Injection) -> PairRecord:
            pair = super().measure(names, injection)
            noise = np.exp(self.generator.normal(0.0, 0.06))
            noisy = tuple(
                dataclasses.replace(
                    each, head_seconds=tuple(noise * second for second in each.head_seconds)
                )
                if each.benchmark == "b"
                else each
                for each in pair.benchmarks
            )
            return dataclasses.replace(pair, benchmarks=noisy)

    spec = GateSpec(budget_seconds=1e6)
    made = extend_recording(
        tmp_path / "recording.jsonl",
        HEADER,
        Runner().lay_out,  # type: ignore[arg-type]
        400.0,
        functools.partial(list_undecided, spec=spec),
    )
    measured = [
        {each.benchmark for each in pair.benchmarks}
        for decision in made.decisions
        for pair in decision.pairs[NUM_PAIRS:]
    ]
    assert measured
    assert all(names < set(NAMES) for names in measured)
    null = replay_decisions(made, spec)
    assert null.num_decisions == len(made.decisions)
    assert null.mean_pairs is not None
    assert null.mean_pairs > NUM_PAIRS


def test_a_benchmark_that_fails_later_is_left_out_from_there(recording: Recording) -> None:
    pairs = list(recording.pairs)
    gone = tuple(each for each in pairs[5].pair.benchmarks if each.benchmark != "c")
    broken = dataclasses.replace(pairs[5].pair, benchmarks=gone, failures={"c": "head: it broke"})
    pairs[5] = dataclasses.replace(pairs[5], pair=broken)
    null = replay_decisions(dataclasses.replace(recording, pairs=tuple(pairs)), GateSpec())
    assert null.num_decisions == 8
    assert null.outcomes == {"not worse": 8}


def test_another_commits_recording_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    extend(path, FakeRunner(), 1.0)
    other = dataclasses.replace(HEADER, commit="0" * 40)
    with pytest.raises(GateError, match="name a new file with --recording"):
        extend_recording(
            path,
            other,
            FakeRunner().lay_out,  # type: ignore[arg-type]
            30.0,
            need_three_pairs,
        )


@pytest.mark.parametrize("text", [None, "", "{}\n", "[1]\n", "no json\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "recording.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GateError, match="expected a recording"):
        read_recording(path)


def test_decisions_share_no_pair_and_are_counted_as_what_they_are(recording: Recording) -> None:
    null = replay_decisions(recording, GateSpec())
    assert null.num_decisions == 8
    assert null.num_false_alarms == 0
    assert null.mean_pairs == 11.0
    assert null.outcomes == {"not worse": 8}
    for slowdown in SLOWDOWNS:
        found = replay_decisions(recording, GateSpec(), (slowdown,))
        assert found.num_decisions == 4
        assert found.outcomes == {"worse": 4}  # one slowed benchmark each
        assert found.num_false_alarms == 0


def test_an_interrupted_decision_is_left_out(recording: Recording) -> None:
    cut = dataclasses.replace(recording, pairs=recording.pairs[:-1])
    assert replay_decisions(cut, GateSpec()).num_decisions == 7


def test_a_head_that_is_always_slower_is_a_false_alarm_in_every_decision() -> None:
    leaning = make_recording(bias=math.log(1.04))
    null = replay_decisions(leaning, GateSpec())
    assert null.num_false_alarms == null.num_decisions > 0
    assert null.outcomes == {"worse": null.num_decisions}


def test_copies_that_differ_give_false_alarms_and_their_deviation_is_found() -> None:
    differing = make_recording(bias_deviation=0.03, num_decisions=30)
    null = replay_decisions(differing, GateSpec())
    assert null.num_false_alarms > 3
    bias = summarize_bias(differing, "a")
    assert bias.copy_deviation == pytest.approx(0.03, rel=0.4)
    assert bias.pair_deviation is not None
    assert bias.pair_deviation < 0.03
    assert bias.robust_pair_deviation == pytest.approx(bias.pair_deviation, rel=0.3)
    assert bias.mean.count == 30


def test_the_deviation_between_copies_is_near_zero_if_they_do_not_differ(
    recording: Recording,
) -> None:
    bias = summarize_bias(recording, "b")
    assert bias.copy_deviation is not None
    assert bias.copy_deviation < 0.004
    assert bias.mean.low is not None
    assert bias.mean.low < 0.0


def test_a_gate_without_time_says_undecided_rather_than_guess(recording: Recording) -> None:
    hasty = replay_decisions(recording, GateSpec(budget_seconds=15.0), SLOWDOWNS[1:])
    assert hasty.num_false_alarms == 0
    assert hasty.outcomes == {"undecided": 4}


def test_the_error_rates_have_one_line_per_slowdown_and_one_per_benchmark(
    recording: Recording,
) -> None:
    summary = replay_error_rates(recording, GateSpec())
    text = render_error_rates(summary)
    for name in ("0%", "5%, busy", "5%, memory", "5%, busy or memory", "`a`", "`b`", "`c`"):
        assert f"\n| {name} |" in text
    assert "88 process pairs" in text
    assert "The load average was recorded beside 88 of them: 3.5 to 3.5, median 3.5" in text
    assert "\n| `start-up time` | 8 | +1.98" in text  # 0.51 s over 0.5 s in every pair
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
