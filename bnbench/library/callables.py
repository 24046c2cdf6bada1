"""Python callables as own code that can be recorded and run again in another process.

A callable of a file or a package is recorded by its place. One that a notebook or a script defines
has no file that could be imported without running the study again. It becomes a text of its own:
its definition, with the imports, constants and definitions that it uses.
"""

from __future__ import annotations
import __future__

import ast
import functools
import inspect
import linecache
import symtable
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnbench.errors import SpecError
from bnbench.own_code import Arguments, OwnCode
from bnbench.own_source import Source, remember_source

NO_FOLDER = Path("/dev/null/notebook")
"""Where the texts of notebooks seem to lie: no file can be there, so the run's copy is read."""
ANNOTATIONS = __future__.annotations.compiler_flag


def own_callable(found: str | Callable[..., Any], **args: Any) -> OwnCode:
    """Describe a network or an optimizer of your own, for `VariantSpec` and `RecipeSpec`.

    Args:
        found: ``FILE.py:NAME`` or ``package.module:NAME``; or a function or class, or a
            `functools.partial` of one with keywords.
        args: keyword arguments of its call: texts, numbers, lists and tables of them.

    Raises:
        SpecError: it has no name, takes something from a function around it, or its source or what
            it uses cannot be found; the text says how to do it.

    >>> own_callable("my_nets.py:SmallCNN", width=8).args
    {'width': 8}
    """
    if isinstance(found, str):
        return OwnCode(found, Arguments(args))
    if isinstance(found, functools.partial):
        if found.args:
            raise SpecError(f"own code: expected a partial with keywords alone, got {found!r}")
        return own_callable(found.func, **{**found.keywords, **args})
    return replace(_describe_callable(found), args=Arguments(args))


def _describe_callable(found: Callable[..., Any]) -> OwnCode:
    """The place of a callable, and its hash if it has become a text."""
    if not isinstance(found, (type, types.FunctionType)) or not found.__qualname__.isidentifier():
        raise SpecError(
            "own code: expected a function or class that is defined at the top of a "
            f"file or cell, got {found!r}; write it as def NAME(): return ..."
        )
    name, module = found.__name__, sys.modules.get(found.__module__)
    path = getattr(module, "__file__", None)
    if found.__module__ == "__main__" or path is None:
        source = remember_source(Source(f"{name}.py", write_source(found).encode()))
        return OwnCode(f"{NO_FOLDER / source.name}:{name}", source_sha256=source.sha256)
    is_file = "." not in found.__module__ and "site-packages" not in path
    place = path if is_file else found.__module__
    return OwnCode(f"{place}:{name}")


def write_source(found: type | types.FunctionType) -> str:
    """Write a text that defines a function or class and all that it uses.

    Raises:
        SpecError: as `own_callable`.
    """
    code = _find_code(found)
    written = _Text(found.__module__)
    written.add(found.__name__, found)
    if code.co_flags & ANNOTATIONS:
        written.head.insert(0, "from __future__ import annotations")
    return "\n".join(written.head) + "\n\n\n" + "\n\n".join(written.body)


class _Text:
    """The text of a notebook's or script's definitions, as it grows."""

    def __init__(self, home: str) -> None:
        self.head: list[str] = []
        """Imports and constants."""
        self.body: list[str] = []
        """Definitions; what a definition uses comes before it."""
        self._home = home
        self._seen: set[str] = set()

    def add(self, name: str, value: object) -> None:
        """Add what a global name stands for, and first all that it uses."""
        if name in self._seen:
            return
        self._seen.add(name)
        module, original = getattr(value, "__module__", None), getattr(value, "__name__", name)
        if isinstance(value, types.ModuleType):
            self.head.append(f"import {value.__name__} as {name}")
        elif isinstance(value, (type, types.FunctionType)) and module == self._home:
            text, namespace = _find_definition(value), _find_namespace(value)
            for used in _list_globals(text):
                if used in namespace:
                    self.add(used, namespace[used])
            self.body.append(text)
        elif module is not None and getattr(sys.modules.get(module), original, None) is value:
            self.head.append(f"from {module} import {original} as {name}")
        elif _is_plain(value):
            self.head.append(f"{name} = {value!r}")
        else:
            raise SpecError(
                "own code: expected a definition that uses imports, numbers, texts, functions and "
                f"classes, got {name} = {type(value).__name__}; make it an argument, or put all "
                "into a file of its own"
            )


def _is_plain(value: object) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError):
        return False


def _find_code(value: type | types.FunctionType) -> types.CodeType:
    """The code of a function, or of a class's first method."""
    if isinstance(value, types.FunctionType):
        function = inspect.unwrap(value)
    else:
        methods = [each for each in vars(value).values() if isinstance(each, types.FunctionType)]
        if not methods:
            raise _lack_source(value)
        function = methods[0]
    code: types.CodeType = function.__code__
    outer = [name for name in code.co_freevars if name != "__class__"]
    if outer:
        raise SpecError(
            f"own code: expected a function that takes all it needs as arguments, got "
            f"{value.__name__}, which uses {', '.join(outer)} of a function around it; make "
            "it an argument"
        )
    return code


def _find_namespace(value: type | types.FunctionType) -> Mapping[str, object]:
    if isinstance(value, types.FunctionType):
        return value.__globals__
    method = next(each for each in vars(value).values() if isinstance(each, types.FunctionType))
    return method.__globals__


def _find_definition(value: type | types.FunctionType) -> str:
    """The text of a definition, with its decorators, in the file or cell that has it."""
    code = _find_code(value)
    lines = linecache.getlines(code.co_filename)
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        raise _lack_source(value) from None
    kind = ast.ClassDef if isinstance(value, type) else ast.FunctionDef
    for node in reversed(tree.body):
        if isinstance(node, kind) and node.name == value.__name__:
            first = min(each.lineno for each in (node, *node.decorator_list))
            return "".join(lines[first - 1 : node.end_lineno]).rstrip() + "\n"
    raise _lack_source(value)


def _lack_source(value: type | types.FunctionType) -> SpecError:
    return SpecError(
        f"own code: expected a definition whose source can be found, got {value.__name__}; put it "
        f"into a file, and name it FILE.py:{value.__name__}"
    )


def _list_globals(text: str) -> list[str]:
    """The global names that a definition uses, sorted, with those of its decorators and bases."""

    def visit(table: symtable.SymbolTable) -> Iterator[str]:
        for symbol in table.get_symbols():
            outside = symbol.is_global() or (
                table.get_type() == "module" and not symbol.is_assigned()
            )
            if symbol.is_referenced() and outside:
                yield symbol.get_name()
        for child in table.get_children():
            yield from visit(child)

    return sorted(set(visit(symtable.symtable(text, "definition", "exec"))))
