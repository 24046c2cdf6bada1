from pathlib import Path

import pytest

from bnbench.data_names import DATA_SETS, name_data, resolve_data
from bnbench.errors import SpecError
from bnbench.specs import DEFAULT_DATA


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_name_stays_a_name(name: str) -> None:
    assert resolve_data(name, Path("anywhere")) == name


def test_paths_become_absolute_and_begin_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    (tmp_path / "own.py").touch()
    assert resolve_data("a.npz", tmp_path) == str(tmp_path / "a.npz")
    assert resolve_data("own.py:load", tmp_path) == f"{tmp_path / 'own.py'}:load"
    assert resolve_data(".", tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("mnits", "no file or folder"),
        ("missing.npz", "no file or folder"),
        ("missing.py:load", "no file or folder"),
        ("notes.txt", "'notes.txt', which is none of these"),
        ("own.py", "'own.py', which is none of these"),
        ("folder.py:load", "which is none of these"),
    ],
    ids=str,
)
def test_what_names_no_data_is_refused_with_what_can_be_named(
    text: str, got: str, tmp_path: Path
) -> None:
    for name in ("notes.txt", "own.py"):
        (tmp_path / name).touch()
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(SpecError, match=f"data: expected fashion-mnist, .*, got .*{got}"):
        resolve_data(text, tmp_path)


def test_data_are_called_by_their_title_or_the_last_part_of_their_path() -> None:
    assert name_data(DEFAULT_DATA) == "FashionMNIST"
    assert name_data("/a/digits.npz") == "digits.npz"
    assert name_data("/a/own.py:load") == "own.py:load"
