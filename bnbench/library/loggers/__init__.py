"""The table of loggers that show a run's curves elsewhere; each has a file of its own.

A logger's module, and with it the package it needs, is imported only when it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnbench.errors import SpecError

if TYPE_CHECKING:
    from bnbench.library.loggers.observer import LoggingObserver


@dataclass(frozen=True)
class LoggerEntry:
    """Where a logger lies and what it needs."""

    module: str
    type: str
    """Its class."""
    package: str
    """Name of the package it needs, to import and of the extra that installs it."""

    @property
    def is_installed(self) -> bool:
        """Whether the package can be imported."""
        return self.package in sys.modules or importlib.util.find_spec(self.package) is not None


LOGGERS: dict[str, LoggerEntry] = {
    "tensorboard": LoggerEntry(
        "bnbench.library.loggers.tensorboard", "TensorBoardLogger", "tensorboard"
    ),
    "mlflow": LoggerEntry("bnbench.library.loggers.mlflow", "MlflowLogger", "mlflow"),
    "wandb": LoggerEntry("bnbench.library.loggers.wandb", "WandbLogger", "wandb"),
}
"""Each logger by its name on the command line."""


def check_loggers(names: Iterable[str]) -> None:
    """Check that loggers exist and are installed; nothing is imported.

    Raises:
        SpecError: one is not; the text has the command that installs it.
    """
    for name in names:
        if name not in LOGGERS:
            raise SpecError(f"log: expected some of {', '.join(LOGGERS)}, got {name!r}")
        if not LOGGERS[name].is_installed:
            package = LOGGERS[name].package
            raise SpecError(
                f"log: expected the package {package} for {name}, got none installed; run: "
                f"pip install 'bnbench[{package}]' (in a checkout: pip install -e '.[{package}]')"
            )


def open_loggers(names: Iterable[str]) -> list[LoggingObserver]:
    """Make the observers that pass a run on to loggers.

    Raises:
        SpecError: as `check_loggers`.
    """
    names = list(dict.fromkeys(names))
    check_loggers(names)
    from bnbench.library.loggers.observer import LoggingObserver

    entries = [LOGGERS[name] for name in names]
    return [
        LoggingObserver(name, getattr(importlib.import_module(entry.module), entry.type)())
        for name, entry in zip(names, entries, strict=True)
    ]
