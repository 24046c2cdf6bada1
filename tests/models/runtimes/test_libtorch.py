import json
import os
from pathlib import Path

import pytest

from bnbench.errors import DataError, RuntimeUnavailableError
from bnbench.models.runtimes.libtorch import find_binary, verify_models

MODEL = {
    "model": "somewhere/a.pt",
    "status": "agreed",
    "reason": None,
    "correct": 9,
    "total": 10,
    "accuracy": 0.9,
    "expected_correct": 9,
    "disagreements": 0,
    "max_abs_logit_diff": 0.0,
}


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of bnbench-eval that answers what is in this file."""
    program, answer = tmp_path / "program", tmp_path / "answer"
    program.write_text(f"#!/bin/sh\necho $# >> {tmp_path / 'calls'}\ncat {answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("BNBENCH_EVAL", str(program))
    return answer


def test_the_program_is_found_where_the_environment_names_it(answer: Path) -> None:
    assert find_binary() == Path(os.environ["BNBENCH_EVAL"])


def test_a_program_that_is_not_there_is_named_with_what_builds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BNBENCH_EVAL", "/nowhere/bnbench-eval")
    with pytest.raises(RuntimeUnavailableError, match=r"/nowhere/bnbench-eval.*'pip install \.'"):
        find_binary()


def test_what_the_program_says_of_a_model_becomes_a_record(answer: Path) -> None:
    answer.write_text(json.dumps({"models": [MODEL]}))
    (record,) = verify_models([Path("somewhere/a.pt")], Path("data"))
    assert (record.model, record.runtime, record.correct) == ("a.pt", "libtorch", 9)
    assert (record.status, record.reason) == ("agreed", None)


def test_many_models_are_split_over_calls(answer: Path, tmp_path: Path) -> None:
    answer.write_text(json.dumps({"models": [MODEL]}))
    list(verify_models([Path("a.pt")] * 450, Path("data")))
    num_options = len(["--data", "data", "--json"])
    calls = [int(line) - num_options for line in (tmp_path / "calls").read_text().split()]
    assert calls == [200, 200, 50]


def test_data_that_the_program_refuses_is_an_error(answer: Path) -> None:
    answer.write_text(json.dumps({"models": [], "error": "t10k-labels: truncated"}))
    with pytest.raises(DataError, match="t10k-labels: truncated"):
        list(verify_models([Path("a.pt")], Path("data")))


def test_a_program_that_answers_nothing_is_an_error(answer: Path) -> None:
    answer.write_text("")
    with pytest.raises(RuntimeUnavailableError, match="expected an answer in JSON"):
        list(verify_models([Path("a.pt")], Path("data")))
