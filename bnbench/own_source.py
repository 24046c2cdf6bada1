"""The text of own code: found, hashed, kept with a run, and imported.

A file is one text. Its SHA-256 is on record with every trial, its absolute path too, and a copy
goes into the run's folder. The hash says which code was trained. The path finds a file that was
changed since, so that nobody resumes a run with other code by mistake. The copy builds the network
again after the file was moved, edited or deleted, and on other machines. A file can therefore not
import the files beside it, or read ``__file__``. Code of several files is an installed package: the
hash is over all its ``.py`` files, and there is no copy.

Nothing is called here, and nothing needs torch; `own_network` and `optimizer` call.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from bnbench.errors import BnbenchError, RunError, SpecError
from bnbench.files import hash_files
from bnbench.own_code import OwnCode

SOURCES_FOLDER = "sources"
"""Folder of the copies in a run."""
HASH_DIGITS = 12
"""Digits of a hash that tell sources apart in names."""


@dataclass(frozen=True)
class Source:
    """The text of a file with own code."""

    name: str
    """The file's name."""
    content: bytes

    @functools.cached_property
    def sha256(self) -> str:
        """The hash by which it is on record."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def file_name(self) -> str:
        """The name of its copy in a run's folder."""
        return f"{self.sha256[:HASH_DIGITS]}-{self.name}"


_sources: dict[str, Source] = {}
"""What this process has read, by hash. So it matters to nobody who has read it."""


def remember_source(source: Source) -> Source:
    """Keep a source for `find_source`."""
    return _sources.setdefault(source.sha256, source)


def remember_sources(folder: Path) -> None:
    """Keep the copies in a run's folder; a damaged one has another hash, so nobody finds it."""
    for path in sorted(folder.glob("*.py")):
        remember_source(Source(path.name.partition("-")[2], path.read_bytes()))


def identify(code: OwnCode, folder: Path) -> OwnCode:
    """Fill in the absolute path of own code, and its hash unless it is given.

    Args:
        code: its path may be relative.
        folder: what that path is relative to.

    Raises:
        SpecError: there is no such file or package.
    """
    if code.path is not None:
        path = (folder / code.path.expanduser()).resolve()
        code = replace(code, module=f"{path}:{code.name}")
    if code.source_sha256 is not None:
        return code
    found = _hash_code(code)
    if found is None:
        advice = "install the package, or name a file that ends with .py"
        if code.path is not None:
            advice = "a path is relative to the study file, or with --variants to this folder"
        raise SpecError(f"module: expected own code at {code.place}, got none; {advice}")
    return replace(code, source_sha256=found)


def require_unchanged(codes: Iterable[OwnCode]) -> None:
    """Check that own code still is what is on record; a file that is gone has its copy.

    Raises:
        RunError: it was changed, or it is gone and there is no copy.
    """
    for code in codes:
        found = _hash_code(code)
        if found is None:
            find_source(code)
        elif found != code.source_sha256:
            raise RunError(
                f"{code.place}: expected the code that is on record, SHA-256 "
                f"{_cut(code.source_sha256)}, got {_cut(found)}: it was changed; restore it, or "
                "start a new run"
            )


def find_source(code: OwnCode) -> Source | None:
    """Find the text of own code in a file; None for a package.

    Raises:
        RunError: neither the file nor a copy has the text on record; or the package is another.
    """
    sha256 = code.source_sha256 or ""
    if code.path is not None and sha256 in _sources:
        return _sources[sha256]
    if _hash_code(code) != sha256:
        raise RunError(
            f"{code.place}: expected own code with the SHA-256 {_cut(code.source_sha256)}, got "
            "other code or none, and no copy in the run's folder; restore it"
        )
    return None if code.path is None else _sources[sha256]


def list_sources(codes: Iterable[OwnCode]) -> tuple[Source, ...]:
    """The texts of own code in files, each once; raises as `find_source` does."""
    found = (find_source(code) for code in codes)
    return tuple(dict.fromkeys(source for source in found if source is not None))


def _hash_code(code: OwnCode) -> str | None:
    """Hash what is there now; None if there is nothing."""
    if code.path is None:
        return _hash_package(code.place.partition(".")[0])
    try:
        return remember_source(Source(code.path.name, code.path.read_bytes())).sha256
    except OSError:
        return None


@functools.cache
def _hash_package(name: str) -> str | None:
    """Hash all Python files of an installed package, which is not imported for it."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    paths = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    return hash_files(paths, origin.parent)


def load_callable(code: OwnCode) -> Callable[..., Any]:
    """Import own code and take the callable out of it.

    A file's text is imported once per process, under a name that ends with its hash.

    Raises:
        RunError: it is not what is on record.
        SpecError: it raises an error, or has no such callable.
    """
    source = find_source(code)
    if source is None:
        with explain_errors(code, "code that can be imported", "correct it"):
            module = importlib.import_module(code.place)
    else:
        stem = re.sub(r"\W", "_", Path(code.place).stem)
        name = f"own_{stem}_{source.sha256[:HASH_DIGITS]}"
        module = sys.modules.get(name) or _import_source(code, source, name)
    found = getattr(module, code.name, None)
    if not callable(found):
        names = [name for name, value in vars(module).items() if _is_defined(value, module)]
        raise SpecError(
            f"{code.label}: expected the name of a class or function in the file "
            f"({', '.join(names) or 'it has none'}), got {code.name!r}; correct the name"
        )
    called: Callable[..., Any] = found
    return called


def _is_defined(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _import_source(code: OwnCode, source: Source, name: str) -> ModuleType:
    """Run a text as a module. Its file name is made up, so that no result depends on a folder."""
    file_name = f"own_code/{source.sha256[:HASH_DIGITS]}/{Path(code.place).name}"
    text = source.content.decode(errors="replace")
    # TorchScript and tracebacks look for the lines here; without a time, they are kept.
    linecache.cache[file_name] = (len(text), None, text.splitlines(keepends=True), file_name)
    module = ModuleType(name, None)
    module.__file__ = file_name
    sys.modules[name] = module  # classes are looked up there
    try:
        advice = "correct it; own code is one file or an installed package"
        with explain_errors(code, "code that can be imported", advice):
            exec(compile(source.content, file_name, "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def explain_errors(code: OwnCode, expected: str, advice: str) -> Iterator[None]:
    """Turn whatever own code raises into one line that names the line in it.

    Raises:
        SpecError: the code within raised an error.
    """
    try:
        yield
    except (BnbenchError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a script may even exit
        text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        where = _find_line(code, error)
        raise SpecError(
            f"{code.label}{where}: expected {expected}, got {text.removesuffix(':')}; {advice}"
        ) from error


def _find_line(code: OwnCode, error: BaseException) -> str:
    """The line of own code in which an error came up: ``, line 3``."""
    file_name = f"/{code.path.name}" if code.path else f"/{code.place.replace('.', '/')}"
    if isinstance(error, SyntaxError) and file_name in f"/{error.filename}":
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if file_name in f"/{frame.filename}"]
    return f", line {lines[-1]}" if lines else ""


def _cut(sha256: str | None) -> str:
    return (sha256 or "none")[:HASH_DIGITS]
