"""A disk that is full, as the real program meets it: no file may grow beyond some bytes."""

import functools
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import run_bnbench

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.xdist_group("run")]

ARGUMENTS = ["--seeds", "0-1", "--epochs", "1", "--no-timing"]


def run_with_limit(largest: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest))
    return subprocess.run(
        [sys.executable, "-m", "bnbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_space(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    # Exported models have 221 KB and more, the page of the report has more than those.
    full = run_with_limit(100_000, "run", *ARGUMENTS, "--out", folder)
    assert full.returncode == 2, full.stderr
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("bnbench: error: ")]
    assert f"{folder / 'models'}" in line
    assert line.endswith(f"go on with: bnbench run --resume {folder}")
    assert "Traceback" not in full.stderr
    resumed = run_bnbench("run", "--resume", folder)
    assert resumed.returncode == 0, resumed.stderr
    for command in ("verify", "report"):
        before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        full = run_with_limit(100, command, folder)
        assert full.returncode == 2, full.stderr
        assert full.stderr.strip().splitlines()[-1].startswith("bnbench: error: ")
        assert "Traceback" not in full.stderr
        assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert not list(folder.rglob("*.draft"))
