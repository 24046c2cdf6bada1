"""A script with networks of its own, and the command line over the run that it leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

from bnbench.store import RunStore
from tests.end_to_end.conftest import run_bnbench

SCRIPT = """
import functools
import numpy as np
import bnbench
from torch import nn

CLASSES = 3


def make_network(width: int, normalized: bool = False) -> nn.Module:
    middle = [nn.BatchNorm1d(width)] if normalized else []
    return nn.Sequential(nn.Linear(4, width), *middle, nn.ReLU(), nn.Linear(width, CLASSES))


labels = np.arange(120) % CLASSES
inputs = np.eye(CLASSES, 4, dtype=np.float32)[labels]
np.savez("tiny.npz", x_train=inputs, y_train=labels, x_test=inputs, y_test=labels)
study = bnbench.Study(
    {"plain": functools.partial(make_network, width=5),
     "normalized": functools.partial(make_network, width=5, normalized=True)},
    data="tiny.npz",
    recipe=bnbench.Recipe(epochs=2, batch_size=10, learning_rate=0.5),
    tuning=bnbench.Tuning([0.1, 0.5], [7, 8]),
    seeds=range(2),
)
run = study.run("run")
print(run.study.own_codes[0])
"""


@pytest.mark.slow
def test_a_scripts_networks_are_found_again_by_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    script = [sys.executable, "script.py"]
    first = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert first.stdout == "make_network.py:make_network(width=5)\n"
    assert "[training 4/4]" in first.stderr
    # The script is changed and then gone: what was trained is in the run.
    (tmp_path / "script.py").write_text(SCRIPT.replace("nn.ReLU()", "nn.Tanh()"))
    changed = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True)
    assert "expected a run of this study, got one that differs in variants" in changed.stderr
    (tmp_path / "script.py").unlink()
    store = RunStore.open(tmp_path / "run")
    trials = (store.folder / "trials.jsonl").read_text().splitlines(keepends=True)
    (store.folder / "trials.jsonl").write_text("".join(trials[:-1]))
    resumed = run_bnbench("run", "--resume", store.folder, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert len(store.read_trials()) == len(trials)
    verified = run_bnbench("verify", store.folder, cwd=tmp_path)
    assert verified.returncode == 0, verified.stderr
    last = verified.stdout.strip().splitlines()[-1]
    assert last.startswith("Verified: 4 models in eager, torchscript, libtorch: all 1,440 pred")
