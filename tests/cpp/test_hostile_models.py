"""Models that crash, hang, eat memory or lie: none of them costs another its result."""

from __future__ import annotations

import json
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.cpp.program import BARE, evaluate, rewrite_archive, save, seal_again


class Plain(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(x, 1)[:, :10]


class Endless(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.size(0) > 0):
            x = x + 1.0
        return x


class Hungry(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones([1 << 30]).view(-1, 10)[: x.size(0)]


def nest_parentheses(path: Path) -> Path:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("Plain.py") and b"class Plain" not in content:
            return content
        return re.sub(
            rb"return (.*)\n", rb"return " + b"(" * 20_000 + rb"\1" + b")" * 20_000 + b"\n", content
        )

    return rewrite_archive(save(Plain().eval(), path), change)


def nest_pickle(path: Path) -> Path:
    depth = 200_000
    nested = b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."

    def change(name: str, content: bytes) -> bytes:
        return nested if name.endswith("/data.pkl") else content

    return rewrite_archive(save(Plain().eval(), path), change)


def write_zeros(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(3 << 30)  # it takes no room on the disk
    return path


HOSTILE = {
    "nested parentheses": (nest_parentheses, (), "got signal 11"),
    "nested pickle": (nest_pickle, (), "got signal 11"),
    "3 GB file": (write_zeros, ("--memory", 1024), "got not enough memory"),
    "memory": (
        lambda path: save(Hungry().eval(), path),
        ("--memory", 512),
        "can't allocate memory",
    ),
    "endless": (
        lambda path: save(Endless().eval(), path),
        ("--timeout", 2),
        "got no end within 2 s",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "options", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_model_costs_no_other_its_result(
    make: Callable[[Path], Path],
    options: tuple[object, ...],
    expected: str,
    data: Path,
    tmp_path: Path,
) -> None:
    good, bad = save(Plain().eval(), tmp_path / "good.pt"), make(tmp_path / "bad.pt")
    result = evaluate(good, bad, good, *BARE, *options, "--data", data, "--json")
    assert result.returncode == 4
    first, second, third = json.loads(result.stdout)["models"]
    assert (first["status"], third["status"]) == ("unchecked", "unchecked")
    assert first["correct"] == third["correct"]
    assert (second["status"], second["correct"]) == ("unusable", None)
    assert second["reason"].startswith(f"{bad}: expected to ")
    assert expected in second["reason"]


def test_a_sealed_model_that_crashes_costs_no_other_its_result(
    model: Path, data: Path, tmp_path: Path
) -> None:
    bad = nest_parentheses(tmp_path / "bad.pt")
    bad.with_suffix(".json").write_bytes(model.with_suffix(".json").read_bytes())
    seal_again(bad)
    result = evaluate(model, bad, model, model, "--data", data, "--json", "--threads", 1)
    assert result.returncode == 4
    statuses = [found["status"] for found in json.loads(result.stdout)["models"]]
    assert statuses == ["agreed", "unusable", "agreed", "agreed"]


def test_isolated_models_have_the_same_results(model: Path, data: Path) -> None:
    answers = [
        json.loads(evaluate(model, model, "--data", data, "--json", *options).stdout)["models"]
        for options in ((), ("--isolate",))
    ]
    for shared, isolated in zip(*answers, strict=True):
        assert shared["status"] == isolated["status"] == "agreed"
        assert shared["max_abs_logit_diff"] == isolated["max_abs_logit_diff"]


def test_a_file_that_cannot_be_written_to_its_end_costs_no_model_its_result(
    model: Path, data: Path, tmp_path: Path
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    before = sorted(tmp_path.rglob("*"))
    logits = tmp_path / "logits.npy"
    result = evaluate(model, "--data", data, "--logits", logits, "--json", preexec=limit)
    assert result.returncode == 1
    answer = json.loads(result.stdout)
    assert answer["error"].startswith(f"{logits}: expected to write the file, got File too large")
    assert [found["status"] for found in answer["models"]] == ["agreed"]
    assert sorted(tmp_path.rglob("*")) == before


class Printing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("}]", "\x1b[31m")  # noqa: T201
        return torch.flatten(x, 1)[:, :10]


def test_what_a_model_prints_does_not_break_the_answer(data: Path, tmp_path: Path) -> None:
    path = save(Printing().eval(), tmp_path / "printing.pt")
    result = evaluate(path, *BARE, "--data", data, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["models"][0]["status"] == "unchecked"
