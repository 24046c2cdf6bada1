"""The executors in one table: in this process, or on a Ray cluster.

This module imports neither torch nor Ray.
"""

from __future__ import annotations

import contextlib
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
    """Raises SpecError if the executor cannot run the study."""
    open: Callable[[str | None, int | None], AbstractContextManager[Executor]]
    """Makes the executor for an address and a study's number of CPU threads, if it has one."""
    takes_address: bool = False
    ends_process: bool = False
    """Whether its library may end the process that uses it."""


def _check_in_process(study: StudySpec) -> None:
    from bnbench.environment import require_devices

    require_devices(study.devices)


@contextlib.contextmanager
def _open_in_process(_address: str | None, threads: int | None) -> Iterator[Executor]:
    from bnbench.training.executors.in_process import InProcessExecutor

    yield InProcessExecutor(threads)


def _check_ray(study: StudySpec) -> None:
    require_ray()
    for device in study.devices:
        if device not in ("cpu", "cuda"):
            raise SpecError(
                "devices: expected cpu or cuda, since Ray chooses among a node's GPUs, got "
                f"{device!r}"
            )


@contextlib.contextmanager
def _open_ray(address: str | None, threads: int | None) -> Iterator[Executor]:
    with join_cluster(address):
        from bnbench.training.executors.ray_executor import RayExecutor

        yield RayExecutor(threads or 1)


EXECUTORS = {
    "in-process": ExecutorSpec(_check_in_process, _open_in_process),
    "ray": ExecutorSpec(_check_ray, _open_ray, takes_address=True, ends_process=True),
}
"""Each executor by its name on the command line, the default first."""
DEFAULT_EXECUTOR = next(iter(EXECUTORS))


def check_executor(name: str, address: str | None, study: StudySpec) -> None:
    """Check that an executor can run a study.

    Raises:
        SpecError: Ray is not installed, a device is missing, or two options exclude each other.
    """
    if address is not None and not EXECUTORS[name].takes_address:
        raise SpecError(f"address: expected --executor ray with it, got {name}")
    EXECUTORS[name].check(study)
