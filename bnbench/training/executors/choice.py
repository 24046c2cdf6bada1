"""The executors, in one table, and the choice among them; imports neither torch nor Ray."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnbench.errors import SpecError
from bnbench.specs import StudySpec
from bnbench.training.executors.ray_cluster import join_cluster, require_ray

if TYPE_CHECKING:
    from bnbench.training.executors.interface import Executor


@dataclass(frozen=True)
class ExecutorSpec:
    """An executor: what must hold before it is used, and how to make it."""

    check: Callable[[StudySpec], None]
    """Raises SpecError if the executor cannot run the study; must not import torch."""
    check_devices: Callable[[StudySpec], None]
    """Raises SpecError if a device of the study is missing; may import torch."""
    open: Callable[[str | None, int], AbstractContextManager[Executor]]
    """Makes the executor for an address and a number of CPU threads."""
    takes_address: bool = False


def _check_devices_here(study: StudySpec) -> None:
    from bnbench.environment import require_devices

    require_devices(study.devices)


@contextlib.contextmanager
def _open_in_process(_address: str | None, threads: int) -> Iterator[Executor]:
    from bnbench.training.executors.in_process import InProcessExecutor

    yield InProcessExecutor(threads)


def _check_for_ray(study: StudySpec) -> None:
    require_ray()
    for device in study.devices:
        if device not in ("cpu", "cuda"):
            raise SpecError(
                "devices: expected cpu or cuda, since Ray chooses among a node's GPUs, got "
                f"{device!r}"
            )


@contextlib.contextmanager
def _open_ray(address: str | None, threads: int) -> Iterator[Executor]:
    with join_cluster(address):
        from bnbench.training.executors.ray_executor import RayExecutor

        yield RayExecutor(threads)


EXECUTORS = {
    "in-process": ExecutorSpec(lambda _study: None, _check_devices_here, _open_in_process),
    "ray": ExecutorSpec(_check_for_ray, lambda _study: None, _open_ray, takes_address=True),
}
"""Each executor by its name on the command line, the default first."""
DEFAULT_EXECUTOR = next(iter(EXECUTORS))


@dataclass(frozen=True)
class ExecutorChoice:
    """The executor that the command line asks for."""

    name: str = DEFAULT_EXECUTOR
    address: str | None = None
    """The cluster to join, for an executor that takes an address."""

    @property
    def options(self) -> str:
        """The same choice on a command line; empty for the default."""
        if self.name == DEFAULT_EXECUTOR:
            return ""
        address = "" if self.address is None else f" --address {shlex.quote(self.address)}"
        return f" --executor {self.name}{address}"

    def check(self, study: StudySpec) -> None:
        """Check everything that needs neither torch nor Ray.

        Raises:
            SpecError: Ray is not installed, or two options exclude each other.
        """
        if self.address is not None and not EXECUTORS[self.name].takes_address:
            raise SpecError(f"address: expected --executor ray with it, got {self.name}")
        EXECUTORS[self.name].check(study)

    def check_devices(self, study: StudySpec) -> None:
        """Check that this machine has the study's devices, if trials run on it.

        Raises:
            SpecError: a device is missing.
        """
        EXECUTORS[self.name].check_devices(study)

    def open(self, threads: int) -> AbstractContextManager[Executor]:
        """Make the executor, to be used as a context manager."""
        return EXECUTORS[self.name].open(self.address, threads)
