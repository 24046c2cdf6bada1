from pathlib import Path
from unittest.mock import Mock

import pytest

from bnbench.gate import check
from bnbench.gate.check import check_change
from bnbench.gate.specs import CheckSpec, GateSpec, SuiteSpec


@pytest.mark.parametrize(("command", "share"), [(None, 1.0), ("true", 0.5)], ids=["no", "yes"])
def test_times_and_accuracies_share_the_rate_of_false_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str | None, share: float
) -> None:
    fakes = Mock()
    for name in (
        *("find_repository", "lay_out_revision", "prune_cache", "measure_accuracies"),
        *("compare_accuracies", "PairRunner", "measure_until_decided", "summarize_gate"),
    ):
        monkeypatch.setattr(check, name, getattr(fakes, name))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    decision = GateSpec(false_alarms=0.01)
    spec = CheckSpec(
        base="a",
        head="b",
        suite=SuiteSpec((), tmp_path),
        decision=decision,
        accuracy_command=command,
    )
    check_change(spec, lambda _: None)
    (_, of_times, _) = fakes.measure_until_decided.call_args.args
    assert of_times.false_alarms == share * decision.false_alarms
    if command is not None:
        (_, _, of_accuracies) = fakes.compare_accuracies.call_args.args
        assert of_accuracies.false_alarms == share * decision.false_alarms
    assert fakes.summarize_gate.call_args.args[2] == decision
