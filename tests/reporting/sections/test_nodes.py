import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bnbench.records import EnvironmentRecord, TrialRecord
from bnbench.reporting.sections.nodes import summarize_nodes
from bnbench.reporting.trials import RunTrials
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC, fake_record, make_epochs
from tests.reporting.conftest import MakeRun, report, separate, summarize


def spread(
    records: list[TrialRecord], nodes: list[str], seconds: dict[str, float]
) -> list[TrialRecord]:
    """The trials of each seed on the node of the same number, which takes so many seconds."""
    return [
        dataclasses.replace(
            record,
            node=(node := nodes[record.trial.seed]),
            epochs=make_epochs([e.test_accuracy for e in record.epochs], seconds[node]),
        )
        for record in records
    ]


def make_records(study: StudySpec, nodes: list[str]) -> list[TrialRecord]:
    records = [fake_record(trial) for trial in study.list_scored_trials(REFERENCE)]
    return spread(records, nodes, {"fast": 1.0, "slow": 9.0})


def test_seconds_of_the_node_that_ran_most_trials_are_kept(small_study: StudySpec) -> None:
    records = make_records(small_study, ["slow", "fast", "slow"])
    trials = RunTrials(small_study, SYNTHETIC, tuple(records))
    assert trials.timed_nodes == {("score", "cpu", "reference"): "slow"}
    table = trials.tabulate(trials.select("score", "baseline", "cpu"))
    assert table.is_masked.tolist() == [False, True, False]
    assert np.isnan(table.train_seconds).all(axis=1).tolist() == [False, True, False]
    assert not np.isnan(table.accuracy).any()
    (timed,) = summarize_nodes(trials, {}).timed
    assert (timed.node, timed.num_trials, timed.num_left_out) == ("slow", 4, 2)


def test_nothing_is_masked_where_all_ran_on_one_node(small_study: StudySpec) -> None:
    trials = RunTrials(small_study, SYNTHETIC, tuple(make_records(small_study, ["slow"] * 3)))
    assert not trials.tabulate(trials.select("score", "baseline", "cpu")).is_masked.any()
    assert summarize_nodes(trials, {}).timed == ()


@pytest.fixture
def spread_run(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    """Nine seeds: one node is nine times as slow as the other, and ran three of them."""
    study = dataclasses.replace(small_study, seeds=tuple(range(9)))
    store = RunStore.create(tmp_path / "spread", study, REFERENCE, SYNTHETIC, environment)
    nodes = ["fast", "fast", "slow"] * 3
    for name in ("fast", "slow"):
        store.add_node(name, dataclasses.replace(environment, cpu=f"a {name} one"))
    with store.locked():
        for record in make_records(study, nodes):
            store.append_trial(record)
    return store


def test_no_time_of_a_run_mixes_nodes(spread_run: RunStore) -> None:
    summary = summarize(spread_run)
    (times,) = summary.epoch_time
    assert times.result.baseline.num_epochs == 6 * 2
    assert times.result.baseline.median_seconds == times.result.baseline.upper_quartile_seconds
    assert times.result.ratio.value == 1.0
    assert times.result.ratio.count == 6
    (contrast,) = summary.accuracy.contrasts
    assert contrast.num_pairs == 9  # accuracy counts wherever it was reached
    (speed_up,) = summary.time_to_target.speed_ups
    assert speed_up.result.costlier_steps.count == 6
    for arrival in summary.time_to_target.arrivals:
        assert arrival.convergence is not None
        assert arrival.num_trials == 9
        if arrival.convergence.train_seconds.value is not None:
            assert arrival.convergence.train_seconds.value <= 2.0


def test_the_report_says_whose_times_they_are_and_what_the_nodes_were(
    spread_run: RunStore,
) -> None:
    report(spread_run)
    text = (spread_run.folder / "report.md").read_text()
    assert (
        "Scored trials (reference engine, cpu) ran on several nodes. Their times are those of node "
        "fast; the times of 6 trials on other nodes are left out"
    ) in text
    assert "| node slow | 6 trials: a slow one, 2 cores" in text
    summary = json.loads((spread_run.folder / "summary.json").read_text())
    assert [node["name"] for node in summary["nodes"]["nodes"]] == ["fast", "slow"]
    rows = (spread_run.folder / "epochs.csv").read_text().splitlines()
    assert rows[0].endswith(",node")
    assert sum(row.endswith(",9.0,0.1,slow") for row in rows) == 3 * 2 * 2


def test_the_report_of_a_run_in_one_process_says_nothing_of_nodes(make_run: MakeRun) -> None:
    store = make_run(separate)
    report(store)
    assert "node" not in (store.folder / "report.md").read_text()
