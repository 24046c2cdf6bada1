"""The files that ``bnbench-eval`` writes, and what is left of them when it can't."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.models.runtimes.libtorch import find_binary
from tests.cpp.program import BARE, evaluate, save


@pytest.mark.parametrize("spelling", ["./same.npy", "sub/../same.npy", "link/same.npy"])
def test_two_options_may_not_name_one_file_by_two_paths(
    model: Path, data: Path, tmp_path: Path, spelling: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    paths = ("--logits", tmp_path / "same.npy", "--predictions", f"{tmp_path}/{spelling}")
    result = evaluate(model, "--data", data, *paths)
    assert result.returncode == 2
    assert "--predictions: expected another file than --logits" in result.stderr
    assert not (tmp_path / "same.npy").exists()


def test_a_symbolic_link_is_refused_and_said(model: Path, data: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target.npy", tmp_path / "link.npy"
    target.write_bytes(b"old")
    link.symlink_to(target)
    result = evaluate(model, "--data", data, "--logits", link)
    assert result.returncode == 2
    assert "got a symbolic link; name the file that it points to" in result.stderr
    assert target.read_bytes() == b"old"


def test_a_name_of_255_characters_works(model: Path, data: Path, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".npy")
    assert evaluate(model, "--data", data, "--logits", path).returncode == 0
    assert np.load(path).shape == (100, 10)


def test_results_that_cannot_be_printed_exit_with_1(model: Path, data: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [find_binary(), model, "--data", data, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "bnbench-eval: error: standard output: expected to write, got a failure\n"
    )


class Endless(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.size(0) > 0):
            x = x + 1.0
        return x


def list_children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_program_its_models_and_its_unfinished_files(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    path = save(Endless().eval(), tmp_path / "endless.pt")
    before = sorted(tmp_path.rglob("*"))
    process = subprocess.Popen(
        [find_binary(), path, *BARE, "--data", data, "--logits", tmp_path / "logits.npy"],
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list_children(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    (child,) = list_children(process.pid)
    assert sorted(tmp_path.rglob("*")) != before
    process.send_signal(number)
    assert process.communicate()[0] == b""
    assert process.returncode == -number
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert sorted(tmp_path.rglob("*")) == before
