"""The gate on a scratch project: an epoch that takes exact times, a network that loses accuracy.

The epoch and its timer count processor time, so that a busy machine's noise, which has tests of
its own, does not decide these.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import run_bnbench
from tests.gate.conftest import run_git, write_files

EPOCH = """
import time
import numpy as np

SECONDS = 0.004

def train_epoch():
    until = time.process_time() + SECONDS
    while time.process_time() < until:
        pass

class Network:
    '''A linear classifier behind a batch normalization.'''

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.labels = generator.integers(0, 2, 1000)
        self.images = generator.normal(self.labels[:, None], 1.0, (1000, 4))
        self.mean, self.deviation = self.images.mean(axis=0), self.images.std(axis=0)
        self.training = False

    def classify(self, images):
        mean, deviation = self.mean, self.deviation
        if self.training:
            mean, deviation = images.mean(axis=0), images.std(axis=0)
        return ((images - mean) / deviation).sum(axis=1) > 0.0

    def evaluate(self):
        correct = 0
        for start in range(0, 1000, 8):
            part = slice(start, start + 8)
            correct += (self.classify(self.images[part]) == self.labels[part]).sum()
        return correct / 1000
"""
TRAIN = """
import os
from pathlib import Path
from scratch_epoch import Network

folder = Path(os.environ["GATE_OUT"])
folder.mkdir()
rows = [f"{seed},{Network(seed).evaluate()}" for seed in range(10)]
(folder / "epochs.csv").write_text("\\n".join(["seed,test_accuracy", *rows, ""]))
"""
SUITE = """
from scratch_epoch import train_epoch

def test_epoch(benchmark):
    benchmark(train_epoch)
"""
ACCURACY = ("--accuracy", "python train.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    files = {"scratch_epoch/__init__.py": EPOCH, "train.py": TRAIN, "test_epoch.py": SUITE}
    write_files(folder, files)
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


def change(project: Path, old: str, new: str) -> None:
    path = project / "scratch_epoch/__init__.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    run_git(project, "commit", "-q", "-a", "-m", "next")


def run_gate(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_bnbench(
        *("gate", "check", "--base", "main~1", "--head", "main", *arguments),
        *("--", "--benchmark-timer=time.process_time"),
        cwd=project,
        env={"XDG_CACHE_HOME": str(project.parent / "cache")},
    )


def test_a_commit_that_adds_ten_per_cent_to_an_epoch_fails_by_name(project: Path) -> None:
    change(project, "SECONDS = 0.004", "SECONDS = 0.0044")
    outputs = {
        name: project.parent / f"{name}.out"
        for name in ("markdown", "json", "bencher", "action-benchmark", "history")
    }
    options = [text for name, path in outputs.items() for text in (f"--{name}", str(path))]
    done = run_gate(project, *ACCURACY, *options)
    assert done.returncode == 1, done.stderr
    assert "slower or larger: test_epoch.py::test_epoch" in outputs["markdown"].read_text()
    content = json.loads(outputs["json"].read_text())
    assert content["quantities"][0]["ratio"] == pytest.approx(1.1, abs=0.03)
    assert content["accuracies"][0]["outcome"] == "not worse"
    history = run_bnbench("gate", "history", outputs["history"], cwd=project)
    assert "test_epoch.py::test_epoch: 1 results" in history.stdout


@pytest.mark.slow
def test_a_commit_that_costs_accuracy_fails_for_that_reason(project: Path) -> None:
    change(project, "self.training = False", "self.training = True")
    done = run_gate(project, *ACCURACY)
    assert done.returncode == 1, done.stderr
    assert "less accurate: model." in " ".join(done.stdout.split())
    assert "slower or larger" not in done.stdout.split("Failed.")[1]


@pytest.mark.slow
def test_a_harmless_commit_passes(project: Path) -> None:
    change(project, "'''A linear", "'''A very linear")
    done = run_gate(project, *ACCURACY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed. main against main~1" in " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_in_the_middle_it_leaves_nothing_behind(
    project: Path, number: signal.Signals
) -> None:
    change(project, "SECONDS = 0.004", "SECONDS = 0.005")
    history = project.parent / "history.jsonl"
    history.write_text('{"benchmarks": []}\n')
    command = ["gate", "check", "--base", "main~1", "--head", "main", "--history", str(history)]
    with subprocess.Popen(
        [sys.executable, "-m", "bnbench", *command],
        cwd=project,
        env={**os.environ, "XDG_CACHE_HOME": str(project.parent / "cache")},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "process pair 1" in line:
                break
        time.sleep(0.7)  # the second pair is being started or measured
        running.send_signal(number)
        running.wait()
    deadline = time.monotonic() + 10
    while list_processes_in(project.parent) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list_processes_in(project.parent) == []
    assert len(run_git(project, "worktree", "list").splitlines()) == 1
    assert run_git(project, "status", "--porcelain") == ""
    assert history.read_text() == '{"benchmarks": []}\n'


def list_processes_in(folder: Path) -> list[str]:
    """Processes that work in `folder` or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
