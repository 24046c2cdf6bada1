"""The one quick test of the real program; the others here are slow."""

from pathlib import Path

import pytest

from tests.end_to_end.conftest import run_bnbench


@pytest.mark.real_data
def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    process = run_bnbench("run", "--out", tmp_path)
    assert process.returncode == 2
    assert "got one in use" in process.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
