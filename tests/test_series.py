import dataclasses
import json
from pathlib import Path

import pytest

from bnbench.errors import RunError, SpecError
from bnbench.records import EnvironmentRecord
from bnbench.series import (
    SeriesRecord,
    SeriesSpec,
    create_series,
    is_series,
    open_runs,
    read_series,
)
from bnbench.specs import StudySpec
from bnbench.store import RunStore
from tests.conftest import REFERENCE, SYNTHETIC


def name_study(study: StudySpec, name: str) -> StudySpec:
    return dataclasses.replace(study, name=name)


def write(folder: Path, **content: object) -> None:
    (folder / "series.json").write_text(json.dumps(content))


def test_a_series_lists_its_runs_in_order(tmp_path: Path) -> None:
    write(tmp_path, format_version=1, name="fair", runs=["notebook", "linear-precise-20"])
    assert read_series(tmp_path) == SeriesRecord("fair", ("notebook", "linear-precise-20"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format_version": 2, "name": "fair", "runs": ["a"]}, "expected series format 1, got 2"),
        ({"name": "fair", "runs": ["a"]}, "expected series format 1, got None"),
        ({"format_version": 1, "name": "fair", "runs": []}, "runs: expected at least one name"),
        ({"format_version": 1, "name": "fair", "runs": ["a", "a"]}, "and each once"),
        ({"format_version": 1, "name": "fair", "runs": ["../a"]}, "names of folders beside"),
        ({"format_version": 1, "name": "fair", "runs": [".."]}, "names of folders beside"),
        ({"format_version": 1, "name": "fair"}, "runs: expected a value, got none"),
    ],
)
def test_a_file_that_is_no_series_is_refused(
    tmp_path: Path, content: dict[str, object], message: str
) -> None:
    write(tmp_path, **content)
    with pytest.raises(RunError, match=message):
        read_series(tmp_path)


def test_a_folder_without_a_series_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"got no series\.json in it; 'bnbench run' makes one"):
        read_series(tmp_path)
    (tmp_path / "series.json").write_text("{")
    with pytest.raises(RunError, match="expected readable JSON"):
        read_series(tmp_path)


def test_a_new_series_has_a_run_without_trials_for_each_study(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    studies = tuple(name_study(small_study, name) for name in ("b", "a"))
    spec = SeriesSpec("both", studies, verified=("a",))
    folder = tmp_path / "new" / "series"
    stores = create_series(folder, spec, [REFERENCE] * 2, SYNTHETIC, environment)
    assert read_series(folder) == SeriesRecord("both", ("b", "a"), ("a",))
    assert [store.study for store in stores] == list(studies)
    assert [store.folder for store in open_runs(folder)] == [folder / "b", folder / "a"]
    assert [store.read_trials() for store in stores] == [[], []]
    assert is_series(folder)
    with pytest.raises(RunError, match="expected a new or empty folder"):
        create_series(folder, spec, [REFERENCE] * 2, SYNTHETIC, environment)


def test_a_series_that_cannot_be_made_whole_leaves_nothing(
    tmp_path: Path,
    small_study: StudySpec,
    environment: EnvironmentRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = RunStore.create

    def fill_the_disk(folder: Path, study: StudySpec, *arguments: object) -> RunStore:
        if study.name == "b":
            raise OSError(28, "No space left on device")
        return made(folder, study, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(RunStore, "create", fill_the_disk)
    spec = SeriesSpec("both", tuple(name_study(small_study, name) for name in ("a", "b")))
    with pytest.raises(RunError, match="can be written, got: No space left"):
        create_series(tmp_path / "series", spec, [REFERENCE] * 2, SYNTHETIC, environment)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_no_series_opens_as_one_run(
    tmp_path: Path, small_study: StudySpec, environment: EnvironmentRecord
) -> None:
    RunStore.create(tmp_path / "run", small_study, REFERENCE, SYNTHETIC, environment)
    assert [store.study for store in open_runs(tmp_path / "run")] == [small_study]


@pytest.mark.parametrize(
    ("names", "verified", "message"),
    [
        ((), (), "studies: expected at least one name"),
        (("a", "a"), (), "studies: .*each once"),
        (("..",), (), "studies: expected names of folders"),
        (("a",), ("b",), "verified: expected some of a, got 'b'"),
    ],
    ids=["none", "twice", "parent", "verified"],
)
def test_a_series_that_makes_no_sense_is_refused(
    small_study: StudySpec, names: tuple[str, ...], verified: tuple[str, ...], message: str
) -> None:
    studies = tuple(name_study(small_study, name) for name in names)
    with pytest.raises(SpecError, match=message):
        SeriesSpec("s", studies, verified)
