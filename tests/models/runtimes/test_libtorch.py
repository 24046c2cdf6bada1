import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bnbench.errors import DataError, RuntimeUnavailableError
from bnbench.models.exported_model import ExportedModel
from bnbench.models.runtimes.interface import Evaluation
from bnbench.models.runtimes.libtorch import LibTorchRuntime, find_binary

AGREED = {"model": "a.pt", "status": "agreed", "reason": None}
MODELS = [ExportedModel(Path(f"models/{name}.pt"), b"", {}) for name in "abc"]
IMAGES: NDArray[np.uint8] = np.zeros((4, 28, 28), dtype=np.uint8)
LOGITS = np.arange(3 * 4 * 10, dtype=np.float32).reshape(3, 4, 10)


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of bnbench-eval that answers with this file and `LOGITS`."""
    program, answer, logits = (tmp_path / name for name in ("program", "answer", "logits.npy"))
    np.save(logits, LOGITS)
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path / "calls"}\n'
        'while [ $# -gt 0 ]; do [ "$1" = --logits ] && '
        f'cp {logits} "$2"; shift; done\n'
        f"cat {answer}\n"
    )
    program.chmod(0o755)
    answer.write_text("a version")
    monkeypatch.setenv("BNBENCH_EVAL", str(program))
    return answer


def evaluate(answer: Path, content: str, images: NDArray[np.uint8] = IMAGES) -> list[Evaluation]:
    runtime = LibTorchRuntime(Path("data"))
    answer.write_text(content)
    return list(runtime.evaluate(MODELS, images))


def test_the_program_is_found_where_the_environment_names_it(answer: Path) -> None:
    assert find_binary() == Path(os.environ["BNBENCH_EVAL"])


def test_a_program_that_is_not_there_is_named_with_what_builds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BNBENCH_EVAL", "/nowhere/bnbench-eval")
    with pytest.raises(RuntimeUnavailableError, match=r"/nowhere/bnbench-eval.*'pip install \.'"):
        find_binary()


def test_one_call_gives_the_verdicts_and_the_logits_of_all_models(
    answer: Path, tmp_path: Path
) -> None:
    disagreed = {"model": "b.pt", "status": "disagreed", "reason": "3 predictions differ"}
    unusable = {"model": "c.pt", "status": "unusable", "reason": "c.pt: damaged"}
    content = json.dumps({"models": [AGREED, disagreed, unusable]})
    first, second, third = evaluate(answer, content)
    assert (first.status, first.reason) == ("agreed", None)
    assert np.array_equal(first.logits, LOGITS[0])
    assert (second.status, second.reason) == ("disagreed", "3 predictions differ")
    assert np.array_equal(second.logits, LOGITS[1])
    assert (third.logits, third.status, third.reason) == (None, "unusable", "c.pt: damaged")
    version, call = (tmp_path / "calls").read_text().splitlines()
    assert version == "--version"
    assert call.startswith("models/a.pt models/b.pt models/c.pt --data data --logits ")


def test_data_that_the_program_refuses_is_an_error(answer: Path) -> None:
    with pytest.raises(DataError, match="t10k-labels: truncated"):
        evaluate(answer, json.dumps({"models": [], "error": "t10k-labels: truncated"}))


def test_a_test_set_of_another_size_is_an_error(answer: Path) -> None:
    with pytest.raises(DataError, match="expected the test set of 3 images, got one of 4"):
        evaluate(answer, json.dumps({"models": [AGREED] * 3}), IMAGES[:3])


def test_a_program_that_answers_nothing_is_an_error(answer: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="expected an answer in JSON"):
        evaluate(answer, "")
