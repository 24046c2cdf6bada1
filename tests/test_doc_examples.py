"""The Python of docs/ and its notebook, run as a reader would run them."""

import ast
import contextlib
import io
import json
import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnbench

DOCS = Path(__file__).parents[1] / "docs"
PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Reader:
    """Runs pieces of Python one after the other, as IPython runs cells."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.num_pieces = 0

    def run(self, text: str) -> Any:
        """Run a piece; the value of its last line, if it is an expression."""
        self.num_pieces += 1
        name = f"<piece {id(self)}-{self.num_pieces}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.names)
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), name, "eval"), self.names)


def read_blocks(page: str) -> list[str]:
    return PYTHON_BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def read_notebook() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))
    return content


def write_digits(path: Path) -> None:
    """Data of the form of scikit-learn's digits: a bright row or column tells the class."""
    generator = np.random.default_rng(0)

    def make(number: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(number) % 10
        inputs = generator.uniform(0, 0.6, (number, 8, 8)).astype(np.float32)
        for image, label in zip(inputs, labels, strict=True):
            (image if label < 5 else image.T)[label % 5] += 0.4
        return inputs, labels

    (x_train, y_train), (x_test, y_test) = make(1297), make(500)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


@pytest.mark.parametrize("page", ["own-data.md"])
def test_a_page_for_newcomers_is_short(page: str) -> None:
    assert len((DOCS / page).read_text(encoding="utf-8").splitlines()) < 40


def test_the_notebook_is_stored_without_outputs() -> None:
    notebook = read_notebook()
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            ast.parse("".join(cell["source"]))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_notebook_runs_and_shows_the_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader()
    shown = [
        reader.run("".join(cell["source"]))
        for cell in read_notebook()["cells"]
        if cell["cell_type"] == "code"
    ]
    run, table, verdicts = (value for value in shown if value is not None)
    assert isinstance(run, bnbench.Run)
    assert "normalized" in run.answer
    assert "data:image/png" in run._repr_html_()
    assert list(table.index) == ["normalized", "plain"]
    assert (table["mean"] > 0.7).all()
    assert verdicts == [(name, "agreed") for name in ("eager", "torchscript", "libtorch")]


@pytest.mark.slow
@pytest.mark.real_data
def test_the_examples_of_the_library_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    reader, output = Reader(), io.StringIO()
    with contextlib.redirect_stdout(output):
        for block in read_blocks("use-as-a-library.md"):
            reader.run(block)
    assert "after 2 epochs" in output.getvalue()
    assert "['agreed', 'agreed']" in output.getvalue()
    assert [variant.name for variant in reader.names["study"].spec.variants] == [
        "plain",
        "normalized",
    ]


@pytest.mark.slow
def test_the_example_of_own_data_is_trained_tuned_exported_and_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    save, study = read_blocks("own-data.md")
    reader = Reader()
    try:
        reader.run(save)
    except ImportError:  # scikit-learn is no dependency
        write_digits(Path("digits.npz"))
    reader.run(study)
    run = reader.names["run"]
    assert run.study.data == str(tmp_path / "digits.npz")
    assert len(run.models) == 20
    assert run.epochs.query("epoch == 10")["test_accuracy"].mean() > 0.9
    rates = run.epochs.groupby("variant")["learning_rate"].nunique()
    assert list(rates) == [1, 1]
    assert {verdict.status for verdict in run.models[0].verify()} == {"agreed"}
    assert "digits.npz" in (tmp_path / "runs" / "digits" / "report.html").read_text()
