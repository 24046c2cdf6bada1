import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.measure import measure_until_decided
from bnbench.gate.pairs import SuiteRecord
from bnbench.gate.records import PairRecord
from bnbench.gate.specs import GateSpec
from bnbench.gate.verdict import (
    GateSummary,
    Verdict,
    summarize_gate,
)
from bnbench.gate.wording import make_notes, word_verdict
from bnbench.stats.change import ChangeOutcome
from tests.gate.fakes import BASE, HEAD, make_pair


class FakeSource:
    """Pairs of a made-up machine on which a pair takes ten seconds."""

    def __init__(
        self,
        changes: dict[str, float],
        noise: float = 0.005,
        failing: Sequence[str] = (),
        side: str = "head",
    ) -> None:
        self._side = side
        self.suite = SuiteRecord(tuple(changes), ("old",), ("new",))
        self.asked: list[list[str]] = []
        self.seconds = 0.0
        self._changes = changes
        self._noise = noise
        self._failing = failing
        self._generator = np.random.default_rng(7)

    def measure(self, names: Sequence[str] | None = None) -> PairRecord:
        chosen = list(self.suite.common if names is None else names)
        self.asked.append(chosen)
        self.seconds += 10.0
        ratios = {
            name: self._changes[name] + self._generator.normal(0.0, self._noise)
            for name in chosen
            if name not in self._failing
        }
        failures = {name: f"{self._side}: it broke" for name in chosen if name in self._failing}
        return make_pair(ratios, wall_seconds=10.0, failures=failures)


def run(source: FakeSource, spec: GateSpec | None = None) -> GateSummary:
    spec = spec or GateSpec()
    measured = measure_until_decided(source, spec)
    return summarize_gate(BASE, HEAD, spec, measured, ())


def test_a_slower_benchmark_fails_the_change_and_is_named() -> None:
    summary = run(FakeSource({"fast": 0.0, "slow": 0.07}))
    assert summary.verdict is Verdict.FAILED
    assert summary.exit_code == 1
    assert word_verdict(summary) == "Failed. worktree against main: slower or larger: slow."
    (slow,) = [each for each in summary.quantities if each.name == "slow"]
    assert slow.outcome is ChangeOutcome.WORSE
    assert slow.ratio == pytest.approx(1.0725, abs=0.01)
    assert slow.head / slow.base == pytest.approx(slow.ratio, abs=0.01)


def test_a_harmless_change_passes_before_the_time_is_spent() -> None:
    source = FakeSource({"a": 0.0, "b": -0.001})
    summary = run(source)
    assert (summary.verdict, summary.exit_code) == (Verdict.PASSED, 0)
    assert summary.seconds < 180.0
    assert summary.suite.only_base == ("old",)
    assert any("Only in head, not judged: new" in note for note in make_notes(summary))


def test_too_much_noise_is_undecided_with_the_minutes_it_would_take() -> None:
    source = FakeSource({"noisy": 0.02}, noise=0.4)
    summary = run(source)
    assert (summary.verdict, summary.exit_code) == (Verdict.UNDECIDED, 3)
    assert source.seconds <= 180.0
    (noisy, *_) = summary.quantities
    assert noisy.more_minutes is not None
    assert noisy.more_minutes > 1.0
    assert "more minutes would decide" in word_verdict(summary)


def test_what_is_decided_is_asked_for_no_more() -> None:
    source = FakeSource({"plain": 0.0, "border": 0.024}, noise=0.004)
    source._generator = np.random.default_rng(1)
    noisy = itertools.cycle([0.3, -0.3])
    original = source.measure

    def measure(names: Sequence[str] | None = None) -> PairRecord:
        source._changes["border"] = next(noisy)
        return original(names)

    source.measure = measure  # type: ignore[method-assign]
    run(source)
    assert source.asked[0] == ["plain", "border"]
    assert source.asked[-1] == ["border"]


def test_a_benchmark_that_breaks_in_head_is_no_pass() -> None:
    summary = run(FakeSource({"good": 0.0, "bad": 0.0}, failing=["bad"]))
    assert summary.verdict is Verdict.UNDECIDED
    assert summary.failures == {"bad": "head: it broke"}
    assert "No time: bad: head: it broke" in make_notes(summary)


def test_a_benchmark_that_both_skip_is_listed_and_holds_nothing_up() -> None:
    summary = run(FakeSource({"good": 0.0, "skipped": 0.0}, failing=["skipped"], side="both"))
    assert summary.verdict is Verdict.PASSED
    assert summary.failures == {"skipped": "both: it broke"}


def test_a_suite_that_ends_before_its_benchmarks_is_refused_with_a_reason() -> None:
    source = FakeSource({"unreached": 0.0})
    source.measure = lambda names=None: make_pair({})  # type: ignore[method-assign, misc]
    with pytest.raises(GateError, match=r"got none:\n  the pytest sessions ended before"):
        measure_until_decided(source, GateSpec())


def test_a_suite_of_which_nothing_runs_is_refused() -> None:
    with pytest.raises(GateError, match=r"(?s)got none:.*bad: head: it broke"):
        run(FakeSource({"bad": 0.0}, failing=["bad"]))
