"""The table of runtimes that evaluate exported models; each has a file of its own.

A runtime's module, and with it the packages it needs, is imported only when the runtime is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from bnbench.errors import RuntimeUnavailableError, SpecError
from bnbench.models.runtimes.interface import Runtime


@dataclass(frozen=True)
class RuntimeEntry:
    """Where a runtime lies and what it needs."""

    module: str
    type: str
    """Its class, which is made with the data folder."""
    packages: tuple[str, ...] = ()
    """Importable names that come with an extra of this package; empty if it needs no extra."""
    install: str = ""
    """The command that installs them."""

    @property
    def is_installed(self) -> bool:
        """Whether all packages that it needs can be imported."""
        return all(importlib.util.find_spec(package) is not None for package in self.packages)


RUNTIMES: dict[str, RuntimeEntry] = {
    "eager": RuntimeEntry("bnbench.models.runtimes.eager", "EagerRuntime"),
    "torchscript": RuntimeEntry("bnbench.models.runtimes.torchscript", "TorchScriptRuntime"),
    "libtorch": RuntimeEntry("bnbench.models.runtimes.libtorch", "LibTorchRuntime"),
    "portable": RuntimeEntry("bnbench.models.runtimes.portable", "PortableRuntime"),
    "onnxruntime": RuntimeEntry(
        "bnbench.models.runtimes.onnxruntime",
        "OnnxRuntime",
        packages=("onnx", "onnxscript", "onnxruntime"),
        install="pip install \"bnbench[onnx]\" (in a checkout: pip install -e '.[onnx]')",
    ),
    "aotinductor": RuntimeEntry("bnbench.models.runtimes.aotinductor", "AOTInductorRuntime"),
}
DEFAULT_RUNTIMES = ("eager", "torchscript", "libtorch")
REFERENCE_NAMES = ("float64", "binary64", "reference")
"""What people may call the reference, which is no runtime."""


def choose_runtimes(names: str | None) -> tuple[str, ...]:
    """The runtimes that a text such as ``all`` or ``eager,libtorch`` names.

    Raises:
        SpecError: a name is unknown; the text lists the known ones.
    """
    if names is None:
        return DEFAULT_RUNTIMES
    if names == "all":
        return tuple(RUNTIMES)
    chosen = tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in RUNTIMES]
    if unknown or not chosen:
        found = repr(unknown[0] if unknown else names)
        if unknown and unknown[0] in REFERENCE_NAMES:
            found += ", the reference that every runtime is compared with; leave it out"
        raise SpecError(f"runtimes: expected 'all' or some of {', '.join(RUNTIMES)}, got {found}")
    return chosen


def open_runtime(name: str, data_folder: Path) -> Runtime:
    """Open a runtime; one that reads the test set by itself finds it in `data_folder`.

    The folder has IDX files, or what `provide_test_files` writes.

    Raises:
        RuntimeUnavailableError: it is not installed; the text has the command that installs it.
    """
    entry = RUNTIMES[name]
    if not entry.is_installed:
        raise RuntimeUnavailableError(
            f"{name}: expected its packages, got none installed; run: {entry.install}"
        )
    runtime: Runtime = getattr(importlib.import_module(entry.module), entry.type)(data_folder)
    return runtime
