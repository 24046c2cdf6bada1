"""Callables of a notebook, whose cells are compiled as IPython does it, and of files."""

import functools
import json
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bnbench
from bnbench.errors import SpecError
from bnbench.library.callables import own_callable, write_source
from bnbench.own_source import load_callable


class Notebook:
    """A namespace in which cells run one after the other."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.num_cells = 0

    def run(self, cell: str) -> None:
        self.num_cells += 1
        name, text = f"<cell {id(self)}-{self.num_cells}>", textwrap.dedent(cell)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), self.names)


@pytest.fixture
def notebook() -> Notebook:
    notebook = Notebook()
    notebook.run("""
        import functools
        import torch
        from torch import nn as layers
        from torch.nn.functional import relu

        WIDTH = 3
        SIZES = (4, WIDTH)
        table = object()
    """)
    return notebook


def run_alone(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "elsewhere"}
    exec(compile(text, "<alone>", "exec"), names)
    return names


def test_a_function_of_a_notebook_is_written_with_all_that_it_uses(notebook: Notebook) -> None:
    notebook.run("""
        def linear(inputs, outputs):
            return layers.Linear(inputs, outputs)

        class Net(layers.Module):
            def __init__(self):
                super().__init__()
                self.first = linear(*SIZES)

            def forward(self, x: torch.Tensor):
                table = relu(self.first(x))  # not the one outside
                return table
    """)
    notebook.run("""
        def make():
            return Net()

        def other():
            return WIDTH
    """)
    text = write_source(notebook.names["make"])
    names = run_alone(text)
    assert isinstance(names["make"](), nn.Module)
    assert names["make"]().first.out_features == 3
    assert text.index("def linear") < text.index("class Net") < text.index("def make")
    assert "def other" not in text
    assert "WIDTH" not in text  # its value is in SIZES
    assert "import torch.nn as layers" in text
    assert "from torch.nn.functional import relu as relu" in text


def test_what_a_decorator_a_default_and_a_base_use_is_written_too(notebook: Notebook) -> None:
    notebook.run("""
        def mark(found):
            return found

        class Base(layers.Linear):
            def twice(self):
                return 2 * self.in_features

        @mark
        class Net(Base):
            def __init__(self, width=WIDTH):
                super().__init__(width, width)
    """)
    names = run_alone(write_source(notebook.names["Net"]))
    assert names["Net"]().twice() == 6


def test_the_last_definition_of_a_name_counts_and_the_text_stays_the_same(
    notebook: Notebook,
) -> None:
    cell = "def make(size=1):\n    return layers.Linear(size, WIDTH)\n"
    notebook.run(cell)
    first = own_callable(notebook.names["make"])
    notebook.run(cell)  # the cell is run again
    assert own_callable(notebook.names["make"]) == first
    notebook.run(cell.replace("1", "2"))
    changed = own_callable(notebook.names["make"])
    assert changed.source_sha256 != first.source_sha256
    notebook.run("WIDTH = 4")
    assert own_callable(notebook.names["make"]).source_sha256 != changed.source_sha256
    assert load_callable(first)().in_features == 1
    assert load_callable(changed)().in_features == 2


def test_a_partial_has_its_keywords_as_arguments(notebook: Notebook) -> None:
    notebook.run("def make(width):\n    return layers.Linear(width, 2)\n")
    code = own_callable(functools.partial(notebook.names["make"], width=5))
    assert (code.args, code.label) == ({"width": 5}, "make.py:make")
    assert load_callable(code)(**code.args).in_features == 5
    with pytest.raises(SpecError, match="expected a partial with keywords alone"):
        own_callable(functools.partial(notebook.names["make"], 5))


def make_closure() -> Callable[[], nn.Module]:
    width = 3

    def make() -> nn.Module:
        return nn.Linear(width, width)

    make.__module__, make.__qualname__ = "__main__", "make"
    return make


def test_what_has_no_source_of_its_own_is_refused_in_a_line(notebook: Notebook) -> None:
    notebook.run("def make():\n    return layers.Linear(table, 2)\n")
    with pytest.raises(SpecError, match=r"got table = object; make it an argument"):
        own_callable(notebook.names["make"])
    for given in (lambda: nn.Linear(1, 1), nn.Linear(1, 1)):
        with pytest.raises(SpecError, match="that is defined at the top"):
            own_callable(given)
    with pytest.raises(SpecError, match="uses width of a function around it"):
        own_callable(make_closure())
    exec("def typed():\n    return 1\n", notebook.names)  # without lines, as at Python's prompt
    with pytest.raises(SpecError, match=r"source can be found, got typed; .*FILE.py:typed"):
        own_callable(notebook.names["typed"])


def test_a_class_of_a_package_is_named_by_its_module() -> None:
    code = own_callable(json.JSONDecoder)
    assert code.module == "json.decoder:JSONDecoder"


def test_a_function_of_a_file_is_named_by_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nets_of_mine.py").write_text("def make():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import nets_of_mine  # type: ignore[import-not-found]

    code = own_callable(nets_of_mine.make)
    assert code.module == f"{tmp_path / 'nets_of_mine.py'}:make"
    study = bnbench.Study({"mine": nets_of_mine.make, "same": f"{tmp_path}/nets_of_mine.py:make"})
    assert {variant.module for variant in study.spec.variants} == {code.module}
    assert len({variant.source_sha256 for variant in study.spec.variants} - {None}) == 1


def test_an_optimizer_of_a_notebook_becomes_a_recipes(notebook: Notebook) -> None:
    notebook.run("""
        class Mine(torch.optim.SGD):
            def step(self, closure=None):
                return super().step(closure)
    """)
    optimizer = bnbench.own_callable(notebook.names["Mine"], dampening=0.5)
    study = bnbench.Study(["baseline"], recipe=bnbench.Recipe(optimizer=optimizer))
    assert study.spec.own_codes == (optimizer,)
    made = load_callable(optimizer)([nn.Parameter(torch.zeros(1))], lr=0.1, **optimizer.args)
    assert made.param_groups[0]["dampening"] == 0.5


SCRIPT = """
from torch import nn
import bnbench

def make_plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

study = bnbench.Study({"plain": make_plain, "batchnorm": "batchnorm"})
print(*study.spec.own_codes)
"""


@pytest.mark.slow
def test_a_script_that_runs_its_study_at_the_top_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "make_plain.py:make_plain()\n"
