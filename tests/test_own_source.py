import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bnbench import own_source
from bnbench.errors import RunError, SpecError
from bnbench.own_code import OwnCode
from bnbench.own_source import (
    find_source,
    identify,
    list_sources,
    load_callable,
    remember_sources,
    require_unchanged,
)
from tests.own_nets import make_own_code


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_source, "_sources", {})


def write_package(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    (folder / name / "nets.py").write_text(text)


def test_a_path_is_made_absolute_and_the_text_is_hashed(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_bytes(b"def make(): pass\n")
    code = identify(OwnCode("nets.py:make"), tmp_path)
    assert code.module == f"{tmp_path / 'nets.py'}:make"
    assert code.source_sha256 == "3aa480a64418bdab2bcfbb1fad2998535e3f295fdc1114aafb92f0aac30d1867"
    assert identify(code, Path("/nowhere")) == code


def test_a_file_or_package_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"module: expected own code at .*/no.py, got none; a path"):
        identify(OwnCode("no.py:Net"), tmp_path)
    with pytest.raises(SpecError, match="module: expected own code at no_such.nets, got none; ins"):
        identify(OwnCode("no_such.nets:Net"), tmp_path)


def test_a_changed_file_is_refused_and_one_that_is_gone_has_its_copy(tmp_path: Path) -> None:
    code = make_own_code(tmp_path, "make", "def make(): return 1\n")
    assert code.path is not None
    (source,) = list_sources([code, code])
    copies = tmp_path / "sources"
    copies.mkdir()
    (copies / source.file_name).write_bytes(source.content)
    require_unchanged([code])

    code.path.write_text("def make(): return 2\n")
    with pytest.raises(
        RunError, match=r"own.py: expected the code that is on record, SHA-256 \w{12}"
    ):
        require_unchanged([code])

    code.path.unlink()
    require_unchanged([code])
    own_source._sources.clear()
    with pytest.raises(RunError, match="expected own code with the SHA-256 .*, got other code"):
        require_unchanged([code])
    remember_sources(copies)
    require_unchanged([code])
    assert load_callable(code)() == 1


def test_a_damaged_copy_is_not_taken(tmp_path: Path) -> None:
    code = make_own_code(tmp_path, "make", "def make(): return 1\n")
    assert code.path is not None
    (source,) = list_sources([code])
    (tmp_path / source.file_name).write_bytes(source.content + b"#")
    code.path.unlink()
    own_source._sources.clear()
    remember_sources(tmp_path)
    with pytest.raises(RunError, match="and no copy in the run's folder; restore it"):
        find_source(code)


def test_the_callable_comes_from_the_text_on_record_wherever_it_lies(tmp_path: Path) -> None:
    text = "import inspect\nclass Net: pass\ndef make(): return inspect.getsource(make), __file__\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = make_own_code(tmp_path / "a", "make", text)
    other = make_own_code(tmp_path / "b", "make", text)
    assert load_callable(one) is load_callable(other)
    source, place = load_callable(one)()
    assert source == text.splitlines(keepends=True)[2]
    assert str(tmp_path) not in place
    net = load_callable(replace(one, module=one.module.replace(":make", ":Net")))
    assert net.__module__ == f"own_own_{one.source_sha256[:12] if one.source_sha256 else ''}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\ny = 1 / 0\n", "own.py:make, line 2: .* got ZeroDivisionError: division by zero"),
        (
            "def make(:\n",
            "own.py:make, line 1: expected code that can be imported, got SyntaxError",
        ),
        ("import sys\n\nsys.exit(3)\n", "own.py:make, line 3: .* got SystemExit: 3"),
        ("import beside\n", "line 1: .* got ModuleNotFoundError: .*; own code is one file or"),
        ("def f(): pass\n\nmake = 3\n", r"class or function in the file \(f\), got 'make'"),
        ("", r"\(it has none\), got 'make'; correct the name"),
    ],
)
def test_code_that_cannot_be_imported_is_one_line(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "beside.py").touch()
    code = make_own_code(tmp_path, "make", text)
    for _ in range(2):  # the second time as the first: no half of it stays imported
        with pytest.raises(SpecError, match=error) as caught:
            load_callable(code)
        assert "\n" not in str(caught.value)


def test_a_package_is_hashed_whole_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    own_source._hash_package.cache_clear()
    write_package(tmp_path, "pack_of_test", "def make(): return 1\n")
    code = identify(OwnCode("pack_of_test.nets:make"), tmp_path)
    assert "pack_of_test" not in sys.modules
    assert list_sources([code]) == ()
    assert load_callable(code)() == 1

    (tmp_path / "pack_of_test" / "helper.py").write_text("x = 1\n")
    own_source._hash_package.cache_clear()
    with pytest.raises(RunError, match="pack_of_test.nets: expected the code that is on record"):
        require_unchanged([code])
    with pytest.raises(RunError, match="pack_of_test.nets: expected own code with the SHA-256"):
        load_callable(code)


def test_own_code_is_compiled_by_its_own_rules(tmp_path: Path) -> None:
    code = make_own_code(tmp_path, "make", "def make(width: int): pass\n")
    assert load_callable(code).__annotations__ == {"width": int}
