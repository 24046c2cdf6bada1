import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import bnbench
from bnbench.errors import RunError, SpecError
from bnbench.library.observer import RunObserver
from bnbench.mapping import build_from_mapping
from bnbench.records import TrialRecord
from bnbench.specs import StudySpec
from bnbench.training.catalog import STUDIES
from tests.conftest import BASELINE, BATCHNORM

RECIPE = bnbench.Recipe(epochs=1, batch_size=32, learning_rate=0.1)
LONGER = bnbench.Recipe(epochs=2, batch_size=32, learning_rate=0.1)


def make_study(**changes: object) -> bnbench.Study:
    fields: dict[str, object] = {"recipe": RECIPE, "seeds": range(2), "engine": "reference"}
    return bnbench.Study([BASELINE, BATCHNORM], **{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report takes seconds; `test_run.py` has one."""

    def write(store: bnbench.Run, _records: object) -> None:
        (store.folder / "summary.json").touch()

    monkeypatch.setattr("bnbench.reporting.report.write_report", write)


def test_a_study_is_the_spec_that_the_command_line_runs() -> None:
    study = bnbench.Study(
        ["baseline", bnbench.Variant("wide", (256,))],
        recipe=bnbench.Recipe(epochs=3),
        seeds=range(4),
        tuning=bnbench.Tuning((0.1, 0.2), (100, 101)),
        timing=bnbench.Timing(num_pairs=0),
        name="mine",
    )
    spec = study.spec
    assert isinstance(spec, StudySpec)
    assert [variant.name for variant in spec.variants] == ["baseline", "wide"]
    assert (spec.name, spec.seeds, spec.recipe.epochs) == ("mine", (0, 1, 2, 3), 3)
    assert spec.tuning is not None
    assert spec.tuning.learning_rates == (0.1, 0.2)


def test_ranges_lists_and_arrays_become_what_is_read_back_from_a_run() -> None:
    study = bnbench.Study(
        [bnbench.Variant("wide", [256])],  # type: ignore[arg-type]
        seeds=np.arange(2),  # type: ignore[arg-type]
        tuning=bnbench.Tuning(np.array([0.5, 1.0]), range(100, 102)),  # type: ignore[arg-type]
    )
    content = json.loads(json.dumps(dataclasses.asdict(study.spec)))
    assert build_from_mapping(StudySpec, content) == study.spec


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"seeds": ()}, "seeds: expected at least one, got none"),
        ({"seeds": [1, 1]}, "seeds: expected distinct values, got 1 twice"),
        ({"threads": 0}, "threads: expected a whole number of at least 1"),
    ],
    ids=["no seeds", "seeds twice", "no threads"],
)
def test_a_mistake_is_refused_when_the_study_is_made(fields: dict[str, object], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        make_study(**fields)


def test_a_built_in_study_is_found_by_its_name() -> None:
    assert bnbench.Study.find("notebook").spec == STUDIES["notebook"]
    with pytest.raises(SpecError, match="study: expected notebook, .*got 'notbook'"):
        bnbench.Study.find("notbook")


def test_a_run_of_a_study_is_trained_verified_and_found_finished_the_second_time(
    tmp_path: Path, verified: list[str]
) -> None:
    run = make_study().run(tmp_path / "mine", progress=False)
    assert len(run.epochs) == 4
    assert sorted(run.epochs["variant"].unique()) == ["baseline", "batchnorm"]
    assert verified == ["mine"]
    before = (tmp_path / "mine" / "trials.jsonl").read_bytes()
    make_study().run(str(tmp_path / "mine"), progress=False)
    assert (tmp_path / "mine" / "trials.jsonl").read_bytes() == before
    assert verified == ["mine"]


class Interrupting(RunObserver):
    """Interrupts after the first trial."""

    def finish_trial(self, record: TrialRecord) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_with_the_same_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verified: list[str]
) -> None:
    monkeypatch.setattr("bnbench.library.study.show_progress", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        make_study().run(tmp_path / "mine")
    assert len(bnbench.open_run(tmp_path / "mine").trials) == 1
    assert verified == []
    run = make_study().run(tmp_path / "mine", progress=False)
    assert len(run.trials) == 4
    assert verified == ["mine"]


def test_a_folder_with_the_run_of_another_study_is_refused(
    tmp_path: Path, verified: list[str]
) -> None:
    make_study().run(tmp_path / "mine", progress=False)
    with pytest.raises(RunError, match="got one that differs in recipe, seeds; choose another"):
        make_study(seeds=range(3), recipe=LONGER).run(tmp_path / "mine")


def test_a_run_leaves_torchs_threads_and_random_state_as_they_were(
    tmp_path: Path, verified: list[str]
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    try:
        make_study(seeds=(0,)).run(tmp_path / "mine", progress=False)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.rand(3), expected)


def test_a_logger_is_asked_for_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="log: expected some of tensorboard"):
        make_study().run(tmp_path / "mine", log="tensorbord")
    assert not (tmp_path / "mine").exists()


def test_a_split_that_cannot_be_cut_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    x, y = np.zeros((40, 2, 2), np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    tuning = bnbench.Tuning((0.1,), (100,), num_validation_images=40)
    study = make_study(data=tmp_path / "d.npz", tuning=tuning)
    with pytest.raises(SpecError, match="num_validation_images: expected fewer than the 40"):
        study.run(tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
