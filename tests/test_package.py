"""What ``import bnbench`` gives, and how soon."""

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import bnbench

EXAMPLES = [
    "bnbench.library.callables",
    "bnbench.library.study",
    pytest.param("bnbench.library.run", marks=pytest.mark.slow),  # a whole run
]


def run_python(program: str, *options: str) -> str:
    command = [sys.executable, *options, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_package_imports_nothing_else() -> None:
    # Without site-packages, whose finder of an editable installation imports modules of its own.
    folder = str(Path(bnbench.__file__).parents[1])
    program = (
        f"import sys; sys.path.insert(0, {folder!r}); before = set(sys.modules); import bnbench\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    names = run_python(program, "-I", "-S").split()
    # importlib is all that it needs, whatever modules a version of Python makes that of.
    roots = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert roots == {"bnbench"}
    assert [name for name in names if name.startswith("bnbench")] == ["bnbench"]
    assert len(names) < 10


def test_a_study_is_described_without_torch() -> None:
    program = (
        "import sys, bnbench\n"
        "bnbench.Study(['baseline'], tuning=bnbench.Tuning((0.1,), (9,)))\n"
        "print(*{'torch', 'pandas', 'ray'} & set(sys.modules))"
    )
    assert not run_python(program).strip()


def test_the_types_name_what_the_package_exports() -> None:
    stub = ast.parse(Path(bnbench.__file__).with_suffix(".pyi").read_text()).body
    imported = {
        alias.name: (node.module, alias.name, alias.asname)
        for node in stub
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    types = {name: (module, name) for module, name, again in imported.values() if again}
    for node in stub:
        if isinstance(node, ast.Assign):
            types[ast.unparse(node.targets[0])] = imported[ast.unparse(node.value)][:2]
    assert types == bnbench._EXPORTS


@pytest.mark.parametrize("name", bnbench._EXPORTS)
def test_an_exported_name_is_the_thing_itself(name: str) -> None:
    module, original = bnbench._EXPORTS[name]
    assert getattr(bnbench, name) is getattr(importlib.import_module(module), original)
    assert name in dir(bnbench)
    # A module of that name would take its place once it is imported.
    assert not list(Path(bnbench.__file__).parent.glob(f"{name}.*"))


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="'bnbench' has no attribute 'Studdy'"):
        bnbench.Studdy  # noqa: B018


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_docstrings_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, attempted = doctest.testmod(module)
    assert failed == 0
    assert attempted
