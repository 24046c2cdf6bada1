import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from bnbench.errors import GateError
from bnbench.gate.drift import count_recent, find_alarms
from bnbench.gate.history import (
    BenchmarkHistory,
    append_document,
    list_histories,
    make_document,
    read_documents,
)
from bnbench.gate.history_figure import draw_histories
from bnbench.gate.measure import MeasurementRecord
from bnbench.gate.pairs import SuiteRecord
from bnbench.gate.quantities import Quantity
from bnbench.gate.sequential import SequentialGate
from bnbench.gate.specs import GateSpec
from bnbench.gate.verdict import summarize_gate
from tests.gate.fakes import BASE, HEAD, make_pair


def make_result(commit: str, seconds: float, kernel: float | None = 0.004) -> dict[str, object]:
    extra = {} if kernel is None else {"kernel_seconds": kernel}
    benchmark = {"fullname": "b.py::test", "stats": {"median": seconds}, "extra_info": extra}
    return {"commit_info": {"id": commit}, "benchmarks": [benchmark]}


def make_history(levels: np.ndarray, noise: float, seed: int) -> BenchmarkHistory:
    values = levels * np.exp(np.random.default_rng(seed).normal(0.0, noise, len(levels)))
    commits = tuple(f"commit{number:03}" for number in range(len(levels)))
    return BenchmarkHistory("b.py::test", commits, tuple(values.tolist()), is_normalized=True)


def test_a_gates_result_is_a_document_that_pytest_benchmark_compares(tmp_path: Path) -> None:
    pairs = tuple(make_pair({"b.py::test[1]": 0.01}) for _ in range(3))
    gate = SequentialGate([Quantity("b.py::test[1]")], GateSpec())
    for pair in pairs:
        gate.add({each.quantity.name: each.log_ratio for each in pair.list_measurements()}, 10.0)
    suite = SuiteRecord(("b.py::test[1]",), (), ())
    measured = MeasurementRecord(suite, pairs, gate.finish(), {}, 30.0)
    document = make_document(summarize_gate(BASE, HEAD, GateSpec(), measured, ()), measured)
    (benchmark,) = document["benchmarks"]
    assert benchmark["stats"]["median"] == pytest.approx(0.003 * np.exp(0.01))
    assert benchmark["stats"]["rounds"] == 12
    assert benchmark["extra_info"]["kernel_seconds"] == 0.004
    history = tmp_path / "history.jsonl"
    append_document(history, document)
    (tmp_path / "one.json").write_text(history.read_text())
    command = ["py.test-benchmark", "compare", str(tmp_path / "one.json")]
    program = "import sys; from pytest_benchmark.cli import main; sys.argv = sys.argv[1:]; main()"
    shown = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, cwd=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    assert "test[1]" in shown.stdout


def test_a_line_that_was_torn_by_a_kill_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_document(path, make_result("first", 1.0))
    append_document(path, make_result("second", 1.0))
    path.write_bytes(path.read_bytes()[:-20])
    assert [each["commit_info"]["id"] for each in read_documents(path)] == ["first"]
    append_document(path, make_result("third", 1.0))
    assert [each["commit_info"]["id"] for each in read_documents(path)] == ["first", "third"]


def test_a_writer_waits_for_another_one_to_end(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=append_document, args=(path, make_result("second", 1.0)))
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        other.write(json.dumps(make_result("first", 1.0)) + "\n")
    writer.join()
    assert [each["commit_info"]["id"] for each in read_documents(path)] == ["first", "second"]


def test_a_slower_runner_is_no_slower_program() -> None:
    results = [make_result("a", 0.02, 0.004), make_result("b", 0.03, 0.006)]
    (history,) = list_histories(results)
    assert history.is_normalized
    assert history.values == pytest.approx((5.0, 5.0))
    (plain,) = list_histories([*results, make_result("c", 0.02, None)])
    assert not plain.is_normalized
    assert plain.values == pytest.approx((0.02, 0.03, 0.02))


def test_pytest_benchmarks_own_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "0001.json"
    path.write_text(json.dumps(make_result("a", 0.5, None), indent=4))
    (history,) = list_histories(read_documents(path))
    assert history.values == (0.5,)


@pytest.mark.parametrize("text", ["no json\n", "{}\n", '{"benchmarks": 3}\n', "[]\n"])
def test_what_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    with pytest.raises(GateError, match="history.jsonl: expected"):
        read_documents(path)


@pytest.mark.parametrize("seed", range(5))
def test_ten_commits_of_one_per_cent_each_raise_one_alarm_there(seed: int) -> None:
    pytest.importorskip("otava")
    steps = 1.01 ** np.clip(np.arange(60) - 24, 0, 10)
    (alarm,) = find_alarms(make_history(steps, 0.005, seed))
    assert alarm.is_worse
    assert 22 <= alarm.first <= alarm.last <= 36
    assert alarm.change == pytest.approx(0.1046, abs=0.02)


def test_a_single_step_is_found_at_its_commit_and_a_flat_line_is_left_alone() -> None:
    pytest.importorskip("otava")
    step = np.where(np.arange(40) < 25, 1.0, 0.9)
    (alarm,) = find_alarms(make_history(step, 0.01, 1))
    assert 24 <= alarm.first <= alarm.last <= 26
    assert alarm.change == pytest.approx(-0.1, abs=0.01)
    assert not alarm.is_worse
    assert find_alarms(make_history(np.ones(60), 0.01, 2)) == []
    assert find_alarms(make_history(np.ones(5), 0.01, 2)) == []


def test_only_what_became_slower_lately_counts_as_recent() -> None:
    pytest.importorskip("otava")
    history = make_history(np.where(np.arange(40) < 25, 1.0, 1.2), 0.01, 1)
    alarms = find_alarms(history)
    assert count_recent(alarms, len(history.values), 20) == 1
    assert count_recent(alarms, len(history.values), 10) == 0


def test_the_figure_has_a_panel_a_benchmark() -> None:
    histories = [make_history(np.ones(n), 0.01, n) for n in (1, 12)]
    assert draw_histories(histories, []).startswith(b"\x89PNG")
