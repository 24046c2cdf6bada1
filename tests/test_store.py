import dataclasses
import json
from pathlib import Path

import pytest

from bnbench.errors import RunError
from bnbench.records import (
    LOCAL_NODE,
    ChosenRateRecord,
    EnvironmentRecord,
)
from bnbench.specs import EngineName, StudySpec, TuningSpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC, fake_record


@pytest.fixture
def store(tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord) -> RunStore:
    return RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)


def test_a_run_is_read_back_as_it_was_made(store: RunStore) -> None:
    again = RunStore.open(store.folder)
    assert (again.study, again.environment) == (store.study, store.environment)
    assert (again.engines, again.data) == (REFERENCE, SYNTHETIC)


def test_an_existing_run_is_never_overwritten(store: RunStore) -> None:
    with pytest.raises(RunError, match="new or empty folder.*--resume"):
        RunStore.create(store.folder, store.study, REFERENCE, SYNTHETIC, store.environment)


def test_an_empty_folder_may_become_a_run(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    (tmp_path / "run").mkdir()
    RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file/run: expected a folder that can be written"):
        RunStore.create(tmp_path / "file" / "run", small_study, REFERENCE, SYNTHETIC, environment)


def test_trials_come_back_by_variant_and_seed_however_they_finished(store: RunStore) -> None:
    trials = store.study.list_scored_trials(REFERENCE)
    with store.locked():
        for trial in reversed(trials):
            store.append_trial(fake_record(trial))
    found = [(r.trial.variant.name, r.trial.seed) for r in store.read_trials()]
    assert found == [(name, seed) for name in ("baseline", "batchnorm") for seed in (0, 1, 2)]


@pytest.mark.parametrize(
    "torn", [b'{"trial": {"va', b"x" * 5000, b"{}"], ids=["start", "noise", "no newline"]
)
def test_a_torn_last_line_is_cut_off_and_the_rest_stays(store: RunStore, torn: bytes) -> None:
    first, second, *_ = store.study.list_scored_trials(REFERENCE)
    with store.locked():
        store.append_trial(fake_record(first))
    with (store.folder / "trials.jsonl").open("ab") as file:
        file.write(torn)

    assert [record.trial for record in store.read_trials()] == [first]
    with store.locked():
        store.append_trial(fake_record(second))
    assert [record.trial for record in store.read_trials()] == [first, second]


def test_a_damaged_line_in_the_middle_is_named(store: RunStore) -> None:
    (store.folder / "trials.jsonl").write_text('{"trial": 1}\n')
    with pytest.raises(RunError, match="trials.jsonl, line 1: expected a trial, got"):
        store.read_trials()


def test_two_processes_cannot_add_trials_to_one_run(store: RunStore) -> None:
    with (
        store.locked(),
        pytest.raises(RunError, match="another process"),
        RunStore.open(store.folder).locked(),
    ):
        pass
    with RunStore.open(store.folder).locked():
        pass


def test_epochs_have_the_documented_columns_sorted_by_variant_and_seed(store: RunStore) -> None:
    with store.locked():
        for trial in store.study.list_scored_trials(REFERENCE):
            store.append_trial(fake_record(trial))
    store.write_epochs(store.read_trials())
    lines = (store.folder / "epochs.csv").read_text().splitlines()
    assert lines[0] == (
        "variant,seed,device,engine,epoch,train_loss,test_loss,test_accuracy,"
        "train_seconds,eval_seconds,node"
    )
    assert lines[1] == "baseline,0,cpu,reference,1,1.0,1.1,0.5,2.0,0.1,local"
    assert [line.split(",")[:2] for line in lines[1::2]] == [
        [variant, str(seed)] for variant in ("baseline", "batchnorm") for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize(("version", "advice"), [(99, "newer bnbench: upgrade"), (0, "version of")])
def test_another_format_is_refused_with_what_to_do(
    store: RunStore, version: int, advice: str
) -> None:
    path = store.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": version}))
    with pytest.raises(RunError, match=advice):
        RunStore.open(store.folder)


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="got no run.json"):
        RunStore.open(tmp_path)
    with pytest.raises(RunError, match="got no run.json"):
        RunStore.open(tmp_path / "nowhere")


def test_a_damaged_description_is_refused(store: RunStore) -> None:
    (store.folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="run.json: expected readable JSON"):
        RunStore.open(store.folder)
    (store.folder / "run.json").write_text('{"format_version": 1, "study": {"name": 3}}')
    with pytest.raises(
        RunError,
        match=r"expected a description of the run, got damage: study\.name: expected a text",
    ):
        RunStore.open(store.folder)


def test_a_trial_of_another_study_is_named(store: RunStore, small_study: StudySpec) -> None:
    trial = dataclasses.replace(small_study.list_scored_trials(REFERENCE)[0], seed=77)
    with store.locked():
        store.append_trial(fake_record(trial))
    with pytest.raises(RunError, match=r"trials.jsonl, line 1: expected a trial, got"):
        store.read_trials()


def test_chosen_rates_come_back_and_damaged_ones_are_named(store: RunStore) -> None:
    assert store.read_rates() is None
    rates = (
        ChosenRateRecord("baseline", "cpu", 0.064),
        ChosenRateRecord("batchnorm", "cpu", 0.008),
    )
    store.write_rates(rates)
    assert RunStore.open(store.folder).read_rates() == rates
    (store.folder / "rates.json").write_text('[{"variant": "baseline"}]')
    with pytest.raises(
        RunError, match=r"rates\.json: expected the learning rates, got: .*delete the file"
    ):
        store.read_rates()


def test_tuning_and_timing_have_tables_of_their_own(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    study = dataclasses.replace(small_study, tuning=TuningSpec((0.1, 1.0), (7,), 20))
    engines: dict[str, EngineName] = {"cpu": "native"}
    store = RunStore.create(tmp_path / "run", study, engines, SYNTHETIC, environment)
    with store.locked():
        for trial in study.list_timed_trials(engines) + study.list_tuning_trials(engines):
            store.append_trial(fake_record(trial))
    store.write_epochs(store.read_trials())
    tuning = (store.folder / "tuning.csv").read_text().splitlines()
    assert tuning[0].startswith("variant,learning_rate,seed,device,engine,epoch,")
    assert tuning[1].startswith("baseline,0.1,7,cpu,native,1,")
    timing = (store.folder / "timing.csv").read_text().splitlines()
    assert len(timing) == 1 + 10 * 2 * 2 * 1
    assert len((store.folder / "epochs.csv").read_text().splitlines()) == 1


def test_what_each_node_is_is_kept_once_and_read_back(
    store: RunStore, environment: EnvironmentRecord
) -> None:
    assert store.read_nodes() == {}
    other = dataclasses.replace(environment, cpu="another")
    for name, found in (("a-1", environment), ("b-2", other), ("a-1", environment)):
        store.add_node(name, found)
    assert RunStore.open(store.folder).read_nodes() == {"a-1": environment, "b-2": other}
    again = RunStore.open(store.folder)
    again.add_node("c-3", other)
    assert list(again.read_nodes()) == ["a-1", "b-2", "c-3"]


def test_a_damaged_list_of_nodes_is_told_with_what_to_do(store: RunStore) -> None:
    (store.folder / "nodes.json").write_text('{"a-1": {"cpu": 3}}')
    with pytest.raises(RunError, match="expected the nodes, got: nodes.a-1.*delete the file"):
        store.read_nodes()


def test_a_trial_recorded_before_nodes_were_is_of_the_studys_own_machine(store: RunStore) -> None:
    with store.locked():
        store.append_trial(fake_record(store.study.list_scored_trials(REFERENCE)[0]))
    path = store.folder / "trials.jsonl"
    old = json.loads(path.read_text())
    del old["node"]
    path.write_text(json.dumps(old) + "\n")
    assert [record.node for record in store.read_trials()] == [LOCAL_NODE]
