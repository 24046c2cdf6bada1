"""A run killed at any moment and resumed ends as if nothing had happened.

``BNBENCH_TEST_KILLS`` sets how many kills a test run makes.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

NUM_KILLS = int(os.environ.get("BNBENCH_TEST_KILLS", "4"))
ARGUMENTS = ["--seeds", "0-3", "--epochs", "1", "--engine", "reference", "--threads", "1"]
TIMES = ("train_seconds", "eval_seconds")

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.xdist_group("resume")]


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bnbench", "run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go_on(folder: Path) -> subprocess.Popen[str]:
    """Resume a run, or start it where the process before was killed too early for that."""
    begun = (folder / "run.json").exists()
    return start("--resume", folder) if begun else start(*ARGUMENTS, "--out", folder)


def read_rows_without_times(folder: Path) -> list[dict[str, str]]:
    with (folder / "epochs.csv").open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name not in TIMES}
            for row in csv.DictReader(file)
        ]


@dataclass(frozen=True)
class Run:
    """A run that was left alone."""

    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    begin = time.monotonic()
    with start(*ARGUMENTS, "--out", folder) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    return Run(folder, time.monotonic() - begin)


def test_kills_at_random_moments_lose_and_change_nothing(undisturbed: Run, tmp_path: Path) -> None:
    chance = random.Random(20_26)
    kills = runs = 0
    while kills < NUM_KILLS:
        folder = tmp_path / f"run{runs}"
        runs += 1
        while True:
            process = go_on(folder)
            try:
                # In shares of a whole run, which takes a busy machine longer.
                seconds = chance.uniform(0.1, 0.9) * undisturbed.seconds
                _, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                if kills < NUM_KILLS:
                    continue
                _, errors = (process := go_on(folder)).communicate()
            assert process.returncode == 0, errors
            break
        assert read_rows_without_times(folder) == read_rows_without_times(undisturbed.folder)
        assert len(list((folder / "models").glob("*.pt"))) == 8


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_interruption_ends_cleanly_and_says_how_to_go_on(
    undisturbed: Run, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "a run"
    process = start(*ARGUMENTS, "--out", folder)
    trials = folder / "trials.jsonl"
    while process.poll() is None and not (trials.exists() and trials.stat().st_size > 0):
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"Go on with: bnbench run --resume '{folder}'" in errors
    assert "Traceback" not in errors
    with start("--resume", folder) as resumed:
        resumed.communicate()
    assert resumed.returncode == 0
    assert read_rows_without_times(folder) == read_rows_without_times(undisturbed.folder)
