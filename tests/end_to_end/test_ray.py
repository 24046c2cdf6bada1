"""The program on a Ray of its own: interrupted, it leaves nothing behind and goes on."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import run_bnbench
from tests.processes import is_alive

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.xdist_group("ray")]

STUDY = """
seeds = "0-15"
[recipe]
epochs = 1
[timing]
num_pairs = 1
"""


def list_descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def start(tmp_path: Path) -> subprocess.Popen[str]:
    study = tmp_path / "small.toml"
    study.write_text(STUDY)
    arguments = ["run", "--study", study, "--executor", "ray", "--out", tmp_path / "run"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        [sys.executable, "-m", "bnbench", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def interrupt(process: subprocess.Popen[str], times: int = 1) -> str:
    """Press Ctrl-C; check that nothing is left behind, and return what was printed."""
    descendants = list_descendants(process.pid)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    deadline = time.monotonic() + 20
    while any(map(is_alive, descendants)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, descendants))
    return errors


def test_ctrl_c_leaves_no_process_behind_and_the_run_goes_on_without_ray(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(tmp_path)
    trials = folder / "trials.jsonl"
    while process.poll() is None and not (trials.exists() and trials.stat().st_size > 0):
        time.sleep(0.02)
    assert len(list_descendants(process.pid)) > 1, "Ray runs in processes of its own"
    errors = interrupt(process, times=2)
    last = errors.splitlines()[-1]
    assert last == f"Go on with: bnbench run --resume {folder} --executor ray"

    resumed = run_bnbench("run", "--resume", folder)
    assert resumed.returncode == 0, resumed.stderr
    with (folder / "epochs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["variant"], row["seed"]) for row in rows}) == len(rows) == 32
    nodes = {row["node"] for row in rows}
    assert "local" in nodes
    assert len(nodes) == 2


@pytest.mark.parametrize("num_processes", [2, 4, 7])
def test_ctrl_c_while_ray_starts_leaves_no_process_behind(
    tmp_path: Path, num_processes: int
) -> None:
    process = start(tmp_path)
    while process.poll() is None and len(list_descendants(process.pid)) < num_processes:
        time.sleep(0.02)
    # A busy machine may have begun to train before all processes were counted.
    assert interrupt(process).splitlines()[-1].startswith(("bnbench: interrupted", "Go on with"))
