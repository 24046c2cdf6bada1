"""What evaluates an exported model, one file a runtime.

A runtime's module has a function ``open_runtime(models, data_folder)``; its packages are imported
there and not before, so that whoever lists runtimes waits for none of them.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnbench.errors import RuntimeUnavailableError, SpecError
from bnbench.models.runtimes.interface import Runtime


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime lies and what it needs."""

    module: str
    packages: tuple[str, ...] = ()
    """Importable names that come with an extra of this package; none for what is always there."""
    install: str = ""
    """The command that installs them."""

    @property
    def is_installed(self) -> bool:
        """Whether all that it needs can be imported."""
        return all(importlib.util.find_spec(package) is not None for package in self.packages)


RUNTIMES: dict[str, RuntimeEntry] = {
    "eager": RuntimeEntry("bnbench.models.runtimes.eager"),
    "torchscript": RuntimeEntry("bnbench.models.runtimes.torchscript"),
    "libtorch": RuntimeEntry("bnbench.models.runtimes.libtorch"),
    "float64": RuntimeEntry("bnbench.models.reference"),
    "onnxruntime": RuntimeEntry(
        "bnbench.models.runtimes.onnxruntime",
        packages=("onnx", "onnxscript", "onnxruntime"),
        install="pip install \"bnbench[onnx]\" (in a checkout: pip install -e '.[onnx]')",
    ),
    "aotinductor": RuntimeEntry("bnbench.models.runtimes.aotinductor"),
}
DEFAULT_RUNTIMES = ("eager", "torchscript", "libtorch", "float64")


def choose_runtimes(names: str | None) -> tuple[str, ...]:
    """The runtimes that a text such as ``all`` or ``eager,libtorch`` names.

    Raises:
        SpecError: one is unknown; the text lists those there are.
    """
    if names is None:
        return DEFAULT_RUNTIMES
    if names == "all":
        return tuple(RUNTIMES)
    chosen = tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in RUNTIMES]
    if unknown or not chosen:
        raise SpecError(
            f"runtimes: expected 'all' or some of {', '.join(RUNTIMES)}, got "
            f"{unknown[0] if unknown else names!r}"
        )
    return chosen


def open_runtime(name: str, models: Sequence[Path], data_folder: Path) -> Runtime:
    """Open a runtime for `models`, the only ones it will be asked to load.

    Raises:
        RuntimeUnavailableError: it is not installed; the text has the command that installs it.
    """
    entry = RUNTIMES[name]
    if not entry.is_installed:
        raise RuntimeUnavailableError(f"{name}: not installed; {entry.install} installs it")
    runtime: Runtime = importlib.import_module(entry.module).open_runtime(models, data_folder)
    return runtime
