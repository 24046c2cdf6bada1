"""Models that crash, hang, eat memory or lie: none of them costs another its result."""

from __future__ import annotations

import json
import re
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bnbench.array_hash import hash_values
from tests.cpp.program import (
    BARE,
    evaluate,
    rewrite_archive,
    rewrite_manifest,
    save,
    seal_again,
)


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


class Writing(nn.Module):
    """Changes a file of its user when it is loaded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.written = torch.zeros(4, dtype=torch.uint8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(x, 1)[:, :10]

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        self.written = torch.from_file(self.path, True, 4, dtype=torch.uint8).fill_(33)


def test_the_seal_is_a_checksum_and_no_trust(model: Path, data: Path, tmp_path: Path) -> None:
    # Whoever can make a model can make its manifest: the forged pair agrees, and its code has run.
    # That is what a signature of the manifest is for; see docs/verify-a-model.md.
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    forged = save(Writing(str(victim)).eval(), tmp_path / "forged.pt")
    assert victim.read_bytes() == b"kept"
    shutil.copy(model.with_suffix(".json"), forged.with_suffix(".json"))
    seal_again(forged)
    claim_what_it_gives(forged, data)
    victim.write_bytes(b"kept")
    result = evaluate(forged, "--data", data)
    assert result.returncode == 0
    assert "agrees" in result.stdout
    assert victim.read_bytes() == b"!!!!"


def test_help_and_readme_call_the_seal_a_checksum_and_no_trust() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    for text in (evaluate("--help").stdout, readme.read_text(encoding="utf-8")):
        words = " ".join(text.split())
        assert "a checksum" in words
        assert "TorchScript file is code" in words
        assert "you trust" not in words


def claim_what_it_gives(model: Path, data: Path) -> None:
    """Make the manifest claim the results that the model has."""
    logits = model.with_suffix(".npy")
    evaluate(model, *BARE, "--data", data, "--logits", logits)
    found = np.load(logits)
    classes = found.argmax(1)
    correct = json.loads(evaluate(model, *BARE, "--data", data, "--json").stdout)["models"][0]

    def change(content: dict[str, Any]) -> None:
        expected = content["expected"]
        expected["predictions"] = classes.tolist()
        expected["predictions_sha256"] = hash_values(classes)
        expected["correct"] = correct["correct"]
        indices = expected["probes"]["indices"]
        expected["probes"]["logits"] = found[indices].tolist()

    rewrite_manifest(model.with_suffix(".json"), change)


def test_data_that_are_not_fashionmnist_are_said_to_be_so(model: Path, data: Path) -> None:
    result = evaluate(model, "--data", data)
    assert result.returncode == 0
    assert "data      not FashionMNIST" in result.stdout
    assert json.loads(evaluate(model, "--data", data, "--json").stdout)["fashion_mnist"] is False


def test_a_manifest_without_probes_is_refused(model: Path, data: Path) -> None:
    rewrite_manifest(
        model.with_suffix(".json"),
        lambda content: content["expected"].update(probes={"indices": [], "logits": []}),
    )
    result = evaluate(model, "--data", data)
    assert result.returncode == 4
    assert "expected.probes.indices: expected a list of 1 to 100 items, got 0" in result.stderr


def test_files_far_above_their_size_are_refused_before_they_are_read(
    model: Path, data: Path, tmp_path: Path
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    with model.open("r+b") as file:
        file.truncate((4 << 30) - 1)
    result = evaluate(model, "--data", data, preexec=limit)
    assert result.returncode == 4
    assert "got 4294967295 bytes, more than the limit of" in result.stderr
    with model.with_suffix(".json").open("r+b") as file:
        file.truncate(60_000_000)
    result = evaluate(model, "--data", data, preexec=limit)
    assert result.returncode == 4
    assert "got 60000000 bytes, more than the limit of 8388608" in result.stderr


def test_an_archive_that_unpacks_to_far_more_is_refused(data: Path, tmp_path: Path) -> None:
    path = save(Plain().eval(), tmp_path / "bomb.pt")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/extra/zeros", bytes(200_000_000))
    result = evaluate(path, *BARE, "--data", data)
    assert result.returncode == 4
    assert "expected records that do not grow the file by more than 64 MiB" in result.stderr


def test_a_tensor_record_shorter_than_its_shape_is_refused(data: Path, tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        return content[:-4] if "/data/" in name and len(content) > 1000 else content

    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    path = rewrite_archive(save(network, tmp_path / "short.pt"), change)
    result = evaluate(path, *BARE, "--data", data)
    assert result.returncode == 4
    assert "of at least 31360 bytes, as its tensor has, got 31356" in result.stderr


class Printing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Enough to leave the buffer that a process may lose at its end.
        for _ in range(10_000):
            print("}]", "\x1b[31m")  # noqa: T201
        return torch.flatten(x, 1)[:, :10]


def test_what_a_model_prints_does_not_break_the_answer(data: Path, tmp_path: Path) -> None:
    path = save(Printing().eval(), tmp_path / "printing.pt")
    result = evaluate(path, *BARE, "--data", data, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["models"][0]["status"] == "unchecked"
