"""Every error text of the package says ``KEY: expected WHAT, got WHAT; DO THIS``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bnbench
from bnbench import errors, mapping

PACKAGE = Path(bnbench.__file__).parent
ERROR_NAMES = {
    name
    for module in (errors, mapping)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, errors.BnbenchError)
}
STATISTICS_ERROR_NAMES = ERROR_NAMES | {"ValueError"}
"""The statistics know nothing of the rest of the package and raise ValueError."""

MAX_LENGTH = 300
"""Longest text, without its placeholders; a person at the terminal reads it at one look."""

EXEMPT: dict[str, str] = {}
"""``file:function`` of texts of another form, each with the reason."""


def list_error_texts(source: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield function and text of each `raise` with a literal text; ``{}`` is a placeholder."""

    def visit(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            called = node.exc.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in names and node.exc.args:
                text = render_text(node.exc.args[-1])
                if text is not None:
                    yield function, text
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function)

    yield from visit(ast.parse(source), "module")


def render_text(node: ast.expr) -> str | None:
    """Render a literal, an f-string or a sum with one of them; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = render_text(node.left), render_text(node.right)
        if left is None and right is None:
            return None
        return ("{}" if left is None else left) + ("{}" if right is None else right)
    return None


def find_fault(text: str) -> str | None:
    """Say what is wrong with an error text; None if nothing is."""
    if not re.search(r"[a-z]", text):
        return None  # only placeholders: another error's text is passed on
    if not re.search(r"\bexpected\b.*\bgot\b", text):
        return "expected 'expected' and later 'got'"
    if any(word in text for word in (", found ", "; found ", "required ", "requires ")):
        return "expected 'expected' and 'got' in place of 'required' and 'found'"
    if len(text) > MAX_LENGTH:
        return f"expected at most {MAX_LENGTH} characters, got {len(text)}"
    return None


def list_package_texts() -> list[tuple[str, str]]:
    texts = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        names = STATISTICS_ERROR_NAMES if place.startswith("stats/") else ERROR_NAMES
        for function, text in list_error_texts(path.read_text(), names):
            texts.append((f"{place}:{function}", text))
    return texts


def test_every_error_text_says_what_was_expected_and_what_came() -> None:
    texts = list_package_texts()
    assert len(texts) > 100  # the search itself works
    faults = [
        f"{place}: {fault}: {text!r}"
        for place, text in texts
        if place not in EXEMPT and (fault := find_fault(text))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ('raise SpecError("a: expected 1, got 2")', "a: expected 1, got 2"),
        ('raise SpecError(f"{key}: expected 1, " f"got {value}")', "{}: expected 1, got {}"),
        ('raise errors.SpecError("a" + b)', "a{}"),
        ('raise MappingError(path, "text")', "text"),
    ],
    ids=["literal", "f-string", "sum", "last argument"],
)
def test_texts_are_found_in_every_form(statement: str, text: str) -> None:
    source = f"def check():\n    {statement}\n"
    assert list(list_error_texts(source, ERROR_NAMES)) == [("check", text)]


@pytest.mark.parametrize(
    "text",
    [
        "bad value",
        "a: expected 1",
        "got 2, expected 1",
        "a: required 1, found 2",
        "a: expected 1, got 2; found by hand, required by all",
        "a: expected 1, got 2" + "x" * MAX_LENGTH,
    ],
    ids=["neither", "no got", "reversed", "old words", "old words beside", "too long"],
)
def test_a_text_in_another_form_is_a_fault(text: str) -> None:
    assert find_fault(text) is not None


def test_a_text_in_the_right_form_is_no_fault() -> None:
    assert find_fault("epochs: expected a whole number of at least 1, got 0") is None
