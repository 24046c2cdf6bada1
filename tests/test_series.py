import json
from pathlib import Path

import pytest

from bnbench.errors import RunError
from bnbench.series import SeriesRecord, read_series


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
