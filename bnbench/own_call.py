"""Calls own code so that it can't spoil a trial.

What it prints goes to standard error. Settings of the process that it changes, such as torch's
default type, are set back. A network may draw its weights from the generators of torch, NumPy or
Python: `seed_generators` makes all of them follow the trial's seed.
"""

from __future__ import annotations

import contextlib
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from bnbench.errors import SpecError
from bnbench.own_code import OwnCode
from bnbench.own_source import explain_errors, load_callable

_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default type": (torch.get_default_dtype, torch.set_default_dtype),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "precision of products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    # Setting a device makes torch slower, so the usual one is set by None.
    "default device": (torch.get_default_device, lambda _: torch.set_default_device(None)),
}
"""How each of torch's settings is read and set."""


def call_own(code: OwnCode, *values: Any, **named: Any) -> Any:
    """Call own code with `values`, `named` and its own arguments.

    Raises:
        RunError: it is not the code on record.
        SpecError: it can't be imported, or the call raises an error.
    """
    with settings_kept():
        with _generators_kept():
            seed_generators(0)  # what is drawn at the import must not depend on when that is
            called = load_callable(code)
        expected = f"a call with ({code.args}) that works"
        with explain_errors(code, expected, "correct the code or its args"):
            return called(*values, **named, **code.args)


def build_own_network(code: OwnCode) -> nn.Module:
    """Build an own network with fresh weights; raises as `call_own` does."""
    network = call_own(code)
    if not isinstance(network, nn.Module):
        raise SpecError(
            f"{code.label}: expected a callable that returns an nn.Module, got "
            f"{type(network).__name__}; return the network"
        )
    return network


def seed_generators(seed: int) -> None:
    """Seed torch's default generator, and those of Python and NumPy, that own code may use."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


@contextlib.contextmanager
def settings_kept() -> Iterator[list[str]]:
    """Set back what is changed within; the list it gives has the names of that at the end."""
    before = {name: read() for name, (read, _) in _SETTINGS.items()}
    changed: list[str] = []
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            yield changed
    finally:
        for name, (read, write) in _SETTINGS.items():
            if read() != before[name]:
                changed.append(name)
                write(before[name])


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
