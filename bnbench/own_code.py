"""Own networks and optimizers as they are asked for: a callable's place, and its arguments.

The callable is named ``FILE.py:NAME`` or ``package.module:NAME``. `own_source` finds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from bnbench.errors import SpecError


class Arguments(dict[str, Any]):
    """Arguments of a call as TOML and JSON hold them; hashable, so it can't be changed.

    Raises:
        SpecError: a value is no text, number, truth value, list or table of such.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__({key: _plain(key, value) for key, value in dict(*values, **named).items()})

    def __hash__(self) -> int:  # type: ignore[override] # a dict has none
        return hash(_freeze(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Arguments, (dict(self),)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.items())

    def _refuse(self, *_values: Any, **_named: Any) -> NoReturn:
        raise TypeError("arguments of own code can't be changed; make new ones")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse


def _plain(key: str, value: object) -> Any:
    """A value as JSON gives it back."""
    if isinstance(value, (list, tuple)):
        return [_plain(key, each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(key, each) for name, each in value.items()}
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    if is_number or isinstance(value, str):
        return value
    raise SpecError(
        f"args: expected texts, finite numbers, true or false, lists and tables, got {value!r} for "
        f"{key}; build it from such values in your own code"
    )


def _freeze(value: object) -> object:
    if isinstance(value, dict):
        return frozenset((name, _freeze(each)) for name, each in value.items())
    return tuple(map(_freeze, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class OwnCode:
    """A callable of the user's own and the arguments it is called with."""

    module: str
    """``FILE.py:NAME`` or ``package.module:NAME``."""
    args: Arguments = field(default_factory=Arguments)
    """Keyword arguments of the call."""
    source_sha256: str | None = None
    """SHA-256 of the file, or of all Python files of the package; None until `identify`."""

    def __post_init__(self) -> None:
        if not self.place or not self.name.isidentifier():
            raise SpecError(
                f"module: expected FILE.py:NAME or package.module:NAME, got {self.module!r}"
            )

    @property
    def place(self) -> str:
        """The file or module."""
        return self.module.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The name of the callable."""
        return self.module.rpartition(":")[2]

    @property
    def path(self) -> Path | None:
        """The file; None for a module of a package."""
        return Path(self.place) if self.place.endswith(".py") else None

    @property
    def label(self) -> str:
        """Short text for messages: ``my_nets.py:SmallCNN``."""
        return f"{self.path.name if self.path else self.place}:{self.name}"

    def __str__(self) -> str:
        return f"{self.label}({self.args})"
